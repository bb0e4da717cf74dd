"""Executors: who works on a study's cells, each behind one Protocol."""

from typing import Annotated

from pydantic import Field

from undertow.studies.executors.local import LocalExecutor
from undertow.studies.executors.protocol import Executor, Tell, Work
from undertow.studies.executors.ray import RayExecutor

AnyExecutor = Annotated[LocalExecutor | RayExecutor, Field(discriminator="kind")]

__all__ = ["AnyExecutor", "Executor", "LocalExecutor", "RayExecutor", "Tell", "Work"]
