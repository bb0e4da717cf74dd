"""A Ray cluster: a task for every cell, with the CPU cores and GPUs that it takes. The study's folder is on storage
that every node sees.

Ray restarts a task whose worker or node is lost; the cell's work goes on from what its folder holds.
"""

from __future__ import annotations

import os
import pickle
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.errors import InputError, MissingExtra
from undertow.studies.executors.protocol import Tell, Work, lost
from undertow.studies.outcome import fail

OBJECT_STORE = 100 * 1024**2
"""Bytes of shared memory of a cluster that is started here; what cells hand on is in files."""
REACHED_S = 10
"""Seconds in which a cluster's head must be reached."""


class RayExecutor(BaseModel):
    """Tasks on a Ray cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["ray"] = Field(description="Tasks on a Ray cluster.")
    address: str | None = Field(
        default=None,
        description="The cluster to join: `auto`, or its head's HOST:PORT; "
        "default: RAY_ADDRESS, else one that is started here.",
    )
    cpus: float = Field(default=1, gt=0, description="CPU cores that a cell takes; it runs as many threads.")
    gpus: float = Field(default=0, ge=0, description="GPUs that a cell takes; a fraction shares one.")
    retries: int = Field(default=2, ge=0, description="Times that a cell is begun again whose worker was lost.")

    def run(self, cells: Sequence[Path], work: Work, *, tell: Tell) -> Iterator[Path]:
        if find_spec("ray") is None:
            raise MissingExtra("Ray (ray)", "ray")
        if not cells:
            return
        import ray
        from ray.exceptions import RayError, RayTaskError

        with self._cluster(ray):
            self._require_room(ray)
            task = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=self.retries, retry_exceptions=False)(
                _task
            )
            # loaded only in the task, so that a worker that cannot is a failure of its cell
            pickled = pickle.dumps(work)
            under_way = {task.remote(pickled, str(cell.resolve())): cell for cell in cells}
            try:
                while under_way:
                    for done in ray.wait(list(under_way))[0]:
                        cell = under_way.pop(done)
                        try:
                            ray.get(done)
                        # not the cell's own failure, which its work has written down: the worker cannot do such work
                        except RayTaskError as error:
                            fail(cell, f"its worker cannot work ({type(error.cause).__name__}: {error.cause})")
                        except RayError as error:
                            fail(cell, lost(self.retries + 1, type(error).__name__))
                        yield cell
            finally:
                for left in under_way:
                    ray.cancel(left, force=True)

    @contextmanager
    def _cluster(self, ray: Any) -> Iterator[None]:
        """Join the cluster, or start one on this machine, for as long as the study runs; one that the caller has joined
        is used and left as it is."""
        if ray.is_initialized():
            yield
            return
        address = self.address or os.environ.get("RAY_ADDRESS")
        alone: dict[str, Any] = {} if address else {"include_dashboard": False, "object_store_memory": OBJECT_STORE}
        try:
            # Ray itself waits minutes for a head that is not there
            if address and (place := re.fullmatch(r"(?:ray://)?(.+):(\d+)", address)):
                socket.create_connection((place[1], int(place[2])), timeout=REACHED_S).close()
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **alone)
        except (OSError, ValueError, RuntimeError) as error:
            said = f"cannot be joined ({str(error).splitlines()[0]})"
            raise InputError(
                f"Ray at {address or 'this machine'}", said, do="check `address`, or start it: ray start --head"
            ) from None
        try:
            yield
        finally:
            ray.shutdown()

    def _require_room(self, ray: Any) -> None:
        """
        Raises:
            InputError: no node can ever hold one cell, which would wait forever.
        """
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(node.get("CPU", 0) >= self.cpus and node.get("GPU", 0) >= self.gpus for node in nodes):
            most = ", ".join(f"{max(node.get(what, 0) for node in nodes):g} {what}s" for what in ("CPU", "GPU"))
            raise InputError(
                "executor",
                f"a cell takes {self.cpus:g} CPUs and {self.gpus:g} GPUs",
                expected=f"the largest node has {most}",
                do="lower cpus or gpus, or add a node",
            )


def _task(work: bytes, cell: str) -> None:
    """A cell's work, in a worker of the cluster."""
    pickle.loads(work)(Path(cell))
