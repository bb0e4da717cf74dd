"""Ray."""
from typing import Literal
from pydantic import BaseModel, ConfigDict, Field


class RayExecutor(BaseModel):
    """Tasks on a Ray cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["ray"] = Field(description="Tasks on a Ray cluster.")
    address: str | None = Field(default=None, description="The cluster to join: `auto`, or its head's HOST:PORT; default: RAY_ADDRESS, else one that is started here.")
    cpus: float = Field(default=1, ge=0, description="CPU cores that a cell takes.")
    gpus: float = Field(default=0, ge=0, description="GPUs that a cell takes; a fraction shares one.")
    retries: int = Field(default=2, ge=0, description="Times that a cell whose worker was lost is begun again.")
