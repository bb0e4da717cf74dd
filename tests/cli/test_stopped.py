"""What a command that is stopped, refused or out of room says to a shell: one line, whatever was in flight."""

import json
import signal
import time

import pytest

pytestmark = pytest.mark.slow

FULL = """
from undertow.asking.store import Store
real = Store.__init__
def small(self, path, **options):
    real(self, path, **options)
    self.db.execute("PRAGMA max_page_count = 40")
Store.__init__ = small
from undertow.cli.main import main; main()
"""


@pytest.fixture
def begun(light, monkeypatch):
    """Begins a command."""
    monkeypatch.setenv("COLUMNS", "200")
    return light


def require_one_line(process, code, line):
    """The command ends so, and the last of what it says is the line; before it stand bars of progress and nothing
    else."""
    ended, _, said = process.ended(within=60)
    assert ended == code and said.rstrip().splitlines()[-1].startswith(f"undertow: {line}"), said
    assert not any(
        word in said for word in ("Traceback", "never retrieved", "never awaited", "was destroyed", "Exception ignored")
    ), said


@pytest.mark.parametrize("command", ["audit", "persona"])
@pytest.mark.parametrize("calls", [1, 150, 500])
def test_ctrl_c_with_many_in_flight(command, calls, serve, tmp_path, begun):
    server = serve(latency_s=0.05)
    held = server.audit(target={"concurrency": 64}, judge={"concurrency": 64}, samples={"per_condition": 200})
    (tmp_path / "it.yaml").write_text(
        json.dumps(held if command == "audit" else {key: held[key] for key in ("name", "target", "judge")})
    )
    process = begun(command, "it.yaml", "-o", "run")
    until = time.monotonic() + 60
    while len(server.calls) < calls and time.monotonic() < until:
        time.sleep(0.01)
    process.send(signal.SIGINT)
    require_one_line(process, 130, "stopped; what was written is kept; add --resume to go on")


@pytest.mark.parametrize("who", ["target", "judge"])
def test_a_refusal_in_mid_run(who, serve, tmp_path, begun):
    server = serve(latency_s=0.02, fault=lambda call, number: 401 if number > 150 and call.model == who else None)
    (tmp_path / "audit.yaml").write_text(
        json.dumps(server.audit(target={"concurrency": 64}, judge={"concurrency": 64}, samples={"per_condition": 50}))
    )
    require_one_line(
        begun("audit", "audit.yaml", "-o", "run"),
        2,
        f"audit.yaml: {who}: {server.url} refused the call with HTTP 401",
    )


def test_a_full_disk(serve, tmp_path, begun):
    server = serve(latency_s=0.02)
    (tmp_path / "audit.yaml").write_text(
        json.dumps(server.audit(target={"concurrency": 64}, judge={"concurrency": 64}, samples={"per_condition": 100}))
    )
    require_one_line(
        begun("audit", "audit.yaml", "-o", "run", code=FULL),
        2,
        "run/run.sqlite: cannot be written (database or disk is full)",
    )
