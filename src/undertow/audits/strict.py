"""What the settings of audits and personas have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict

from undertow.kinds import TARGETS, OfKind

AnyTarget = Annotated[Any, OfKind(TARGETS)]


class Strict(BaseModel):
    """Settings: no key but those that stand here, and none changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
