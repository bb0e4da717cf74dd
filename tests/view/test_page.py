"""The page in a browser. Its tests (in_browser.py) run in a process of their own: in one that has driven a browser,
drawing figures has been seen to stand still."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_in_a_browser():
    pytest.importorskip("playwright", reason="playwright is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(HERE / "in_browser.py")]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    ran = subprocess.run(command, cwd=HERE.parents[1], env=kept, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    if "passed" not in ran.stdout and " skipped" in ran.stdout:
        pytest.skip(ran.stdout.strip().splitlines()[-1])
