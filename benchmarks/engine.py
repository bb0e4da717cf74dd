"""The engine against a floor: the same 3,200 calls through `undertow audit` and through a bare aiohttp loop that writes
JSONL.

800 answers and 3 judge calls for each, 100 in flight, against a server that answers at once and one that answers after
200 ms. A persona's profile that reads log-probabilities is held against the audit. llmcomp and Inspect AI (with openai)
are measured beside them where they are installed.

    python benchmarks/engine.py [--repeats 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import aiohttp

from undertow.asking.store import Store
from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.persona.plan import PersonaConfig, make_persona_plan
from undertow.persona.run import run_persona

ANSWERS, CALLS, IN_FLIGHT = 800, 3200, 100
MODULE = {"llmcomp": "llmcomp", "inspect": "inspect_ai"}


def bare(url: str, folder: Path) -> None:
    """The floor: every call the same, nothing kept but a line of JSON."""

    async def main() -> None:
        body = {
            "model": "mock",
            "messages": [{"role": "user", "content": "What would you do first?"}],
            "max_tokens": 64,
            "temperature": 1.0,
            "seed": 1,
        }
        calls = iter(range(CALLS))
        with (folder / "bare.jsonl").open("w") as out:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

                async def worker() -> None:
                    for _ in calls:
                        async with session.post(f"{url}/chat/completions", json=body) as response:
                            out.write(json.dumps(await response.json()) + "\n")

                await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))

    asyncio.run(main())


def undertow(url: str, folder: Path) -> None:
    """The audit: plan, answers, a panel's three judgements of each, all in SQLite, findings."""
    endpoint = {"kind": "endpoint", "base_url": url, "model": "mock"}
    config = AuditConfig(
        name="bench",
        target={**endpoint, "concurrency": IN_FLIGHT // 4},
        judge={
            **endpoint,
            "concurrency": IN_FLIGHT - IN_FLIGHT // 4,
            "judge_all": True,
            "cache": False,
            "probe": False,
        },
        suite="core",
        contexts=["plain"],
        samples={"per_condition": ANSWERS // 8, "max_tokens": 64},
    )
    found = run_audit(make_plan(config), folder / "run").as_json()
    assert found["calls"] == CALLS, found["calls"]


def profile(url: str, folder: Path) -> int:
    """A persona read from the first token: probes with log-probabilities, and answers whose harm is judged."""
    endpoint = {"kind": "endpoint", "base_url": url, "model": "mock"}
    config = PersonaConfig(
        name="bench",
        target={**endpoint, "concurrency": IN_FLIGHT},
        judge={**endpoint, "concurrency": IN_FLIGHT, "cache": False, "probe": False},
        instruments=("harmfulness", "self-assessment", "two-ai"),
        reading="logprobs",
        runs=20,
    )
    run_persona(make_persona_plan(config), folder / "run")
    with Store(folder / "run" / "run.sqlite") as store:
        return sum(usage.calls for usage in store.usage(1))


def llmcomp(url: str, folder: Path) -> None:
    """The library of the published scripts: threads and the openai client."""
    from llmcomp import Config
    from llmcomp.runner.runner import Runner

    Config.url_key_pairs = [(url, "none", "NONE")]
    Config.client_cache.clear()
    runner = Runner("mock")
    asked = {"params": {"messages": [{"role": "user", "content": "What would you do first?"}], "max_tokens": 64}}
    for function, n in ((runner.get_text, ANSWERS), (runner.single_token_probs, CALLS - ANSWERS)):
        found = list(runner.get_many(function, [asked] * n, max_workers=IN_FLIGHT, silent=True))
        assert all(out for _, (out, _) in found)


def inspect(url: str, folder: Path) -> None:
    """Inspect AI: a task whose scorer calls the grader three times."""
    import os

    from inspect_ai import Task, eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import GenerateConfig, get_model
    from inspect_ai.scorer import Score, mean, scorer
    from inspect_ai.solver import generate

    os.environ.setdefault("OPENAI_API_KEY", "none")
    model = get_model(
        "openai/mock",
        base_url=url,
        responses_api=False,
        memoize=False,
        config=GenerateConfig(max_connections=IN_FLIGHT),
    )

    @scorer(metrics=[mean()])
    def thrice():
        async def score(state, target):
            await asyncio.gather(*(model.generate("Rate it.") for _ in range(3)))
            return Score(value=1)

        return score

    task = Task(
        dataset=MemoryDataset([Sample(id=n, input="What would you do first?") for n in range(1, ANSWERS + 1)]),
        solver=generate(),
        scorer=thrice(),
    )
    (log,) = eval(task, model=model, display="none", log_dir=str(folder), max_samples=IN_FLIGHT)
    assert log.status == "success", log.error


def measure(what, url: str) -> tuple[float, float]:
    """Calls a second, and milliseconds of this process a call."""
    with tempfile.TemporaryDirectory() as folder:
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        calls = what(url, Path(folder)) or CALLS
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    return calls / seconds, 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("mock_server.py"))], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stdout.readline())
        for delay in (0, 200):
            url = f"http://127.0.0.1:{port}/d{delay}/v1"
            others = [client for client in (llmcomp, inspect) if find_spec(MODULE[client.__name__])]
            clients = [bare, undertow, profile, *others]
            runs = {client.__name__: [] for client in clients}
            for _ in range(repeats):  # in turn, so that a slow moment of the machine meets all of them
                for client in clients:
                    runs[client.__name__].append(measure(client, url))
            for name, figures in runs.items():
                rate, cpu = (statistics.median(column) for column in zip(*figures, strict=True))
                print(f"{delay:>3} ms  {name:<9} {rate:7,.0f} calls/s  {cpu:5.2f} ms CPU a call")
            for other in [bare, *others]:
                ratio = statistics.median(
                    ours[0] / theirs[0] for ours, theirs in zip(runs["undertow"], runs[other.__name__], strict=True)
                )
                print(f"{delay:>3} ms  undertow / {other.__name__}: {ratio:.2f} (median of {repeats} pairs)")
            pairs = zip(runs["profile"], runs["undertow"], strict=True)
            ratio = statistics.median(profiled[0] / audited[0] for profiled, audited in pairs)
            print(f"{delay:>3} ms  profile / undertow: {ratio:.2f} (median of {repeats} pairs)")
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
