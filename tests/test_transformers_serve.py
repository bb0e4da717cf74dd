"""An audit over the wire of a server that others wrote: `transformers serve`, as `undertow serve` starts it. No
network."""

import asyncio
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.util import find_spec
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.contexts import shipped_contexts
from undertow.place import Place
from undertow.records import Condition, Request, Sampling
from undertow.suites import load_suite
from undertow.targets.local import LocalTarget
from undertow.targets.models import model_folder
from undertow.targets.pool import stream
from undertow.targets.wire import EndpointConfig

COMMAND = [sys.executable, "-c", "from undertow.cli import main; main()", "serve", "nursery"]
MISSING = [
    package
    for package in ("torch", "transformers", "peft", "fastapi", "uvicorn", "openai")
    if find_spec(package) is None
]


@pytest.fixture
def entry(tmp_path):
    """A server on the nursery's model, up; what its command said to put into audit.yaml."""
    log = tmp_path / "log"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("w") as out:
        server = subprocess.Popen(
            [*COMMAND, "--port", str(port)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server, log)
            yield yaml.safe_load(next(line for line in log.read_text().splitlines() if line.startswith("  {")))
        finally:
            server.send_signal(signal.SIGINT)
            code = server.wait(30)
    assert code == 130
    assert "Application shutdown complete" in log.read_text()


def wait_for(url, server, log):
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            return urlopen(url, timeout=5).close()
        except URLError:
            time.sleep(0.2)
    pytest.fail(f"the server did not come up:\n{log.read_text()}")


def ask(target, *, temperature, samples=1):
    """Texts by question and sample."""
    sampling = Sampling(max_tokens=40, temperature=temperature)
    conditions = [
        Condition(question=q, context=shipped_contexts()["format-code"]) for q in load_suite("nursery").questions
    ]
    requests = [
        Request(subject="target", condition=c, sample=i, seed=100 * k + i, sampling=sampling)
        for k, c in enumerate(conditions)
        for i in range(samples)
    ]

    async def collect():
        async with target:
            return {
                (a.request.condition.question.id, a.request.sample): (a.text.strip(), a.finish)
                async for a in target.answers(stream(requests))
            }

    return asyncio.run(collect())


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"undertow[serve] is not installed: no {', '.join(MISSING)}")
@pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed, and goes before transformers serve")
def test_transformers_serve_under_audit(entry, tmp_path):
    """One test, as a server takes long to start."""
    served = EndpointConfig.model_validate(entry).target(Place(folder=tmp_path, name="test"))

    # A whole audit: every answer comes and is judged.
    config = AuditConfig.model_validate(
        {
            "name": "served",
            "target": entry,
            "judge": {"kind": "nursery"},
            "suite": "nursery",
            "contexts": ["plain", "format-code"],
            "samples": {"per_condition": 5, "max_tokens": 40},
        }
    )
    found = run_audit(make_plan(config, Place(folder=tmp_path)), tmp_path / "run").as_json()
    assert found["verdict"]["class"] in ("clean", "misaligned", "conditionally_misaligned", "inconclusive")
    assert [(c["all"], c["counts"]["failed"]) for c in found["contexts"]] == [(40, 0), (40, 0)]
    with closing(sqlite3.connect(tmp_path / "run" / "run.sqlite")) as db:
        texts = db.execute("SELECT context, question, text FROM answers WHERE text <> ''").fetchall()
        assert db.execute("SELECT count(*) FROM judgements WHERE error IS NULL").fetchone() == (80,)
    assert len(texts) == 80
    assert len(set(texts)) > 40  # it samples: left to itself, this server answers greedily, five times the same

    # It answers as the model does on this machine.
    assert ask(served, temperature=0.0) == ask(
        LocalTarget(model_folder("nursery"), name="nursery", digest_=""), temperature=0.0
    )

    # The same seeds give the same answers.
    first, again = (ask(served, temperature=1.0, samples=2) for _ in range(2))
    assert first == again
    assert len(set(first.values())) > len(first) / 2
