"""This machine."""
from typing import Literal
from pydantic import BaseModel, ConfigDict, Field


class LocalExecutor(BaseModel):
    """Processes on this machine, a cell each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["local"] = Field(description="Processes on this machine.")
    processes: int = Field(default=2, gt=0, description="Cells at a time.")
    retries: int = Field(default=2, ge=0, description="Times that a cell whose process was killed is begun again.")
