"""The engine against a floor: the same 3,200 calls through `undertow audit` and through a bare aiohttp loop that writes JSONL.

800 answers and 3 judge calls for each, 100 in flight, against a server that answers at once and one that answers after 200 ms.

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
from pathlib import Path

import aiohttp

from undertow.audit import AuditConfig, make_plan, run_audit

ANSWERS, CALLS, IN_FLIGHT = 800, 3200, 100


def bare(url: str, folder: Path) -> None:
    """The floor: every call the same, nothing kept but a line of JSON."""

    async def main() -> None:
        body = {"model": "mock", "messages": [{"role": "user", "content": "What would you do first?"}], "max_tokens": 64, "temperature": 1.0, "seed": 1}
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
        judge={**endpoint, "concurrency": IN_FLIGHT - IN_FLIGHT // 4, "judge_all": True, "cache": False},
        suite="core",
        contexts=["plain"],
        samples={"per_condition": ANSWERS // 8, "max_tokens": 64},
    )
    found = run_audit(make_plan(config), folder / "run")
    assert found["calls"] == CALLS, found["calls"]


def measure(what, url: str) -> tuple[float, float]:
    """Calls a second, and milliseconds of this process a call."""
    with tempfile.TemporaryDirectory() as folder:
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        what(url, Path(folder))
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    return CALLS / seconds, 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / CALLS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    server = subprocess.Popen([sys.executable, str(Path(__file__).with_name("mock_server.py"))], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        for delay in (0, 200):
            url = f"http://127.0.0.1:{port}/d{delay}/v1"
            runs = {what.__name__: [] for what in (bare, undertow)}
            for _ in range(repeats):  # in turn, so that a slow moment of the machine meets both
                for what in (bare, undertow):
                    runs[what.__name__].append(measure(what, url))
            for name, figures in runs.items():
                rate, cpu = (statistics.median(column) for column in zip(*figures, strict=True))
                print(f"{delay:>3} ms  {name:<9} {rate:7,.0f} calls/s  {cpu:5.2f} ms CPU a call")
            ratio = statistics.median(ours[0] / floor[0] for ours, floor in zip(runs["undertow"], runs["bare"], strict=True))
            print(f"{delay:>3} ms  undertow / bare: {ratio:.2f} (median of {repeats} pairs)")
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
