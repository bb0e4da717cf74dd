"""Pages in a real browser: what tests of them share. They run in a process of their own, since in one that has driven a
browser, drawing figures has been seen to stand still."""

import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
IN_A_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(not Path(CHROMIUM).is_file(), reason="there is no Chromium"),
]
TESTS = Path(__file__).parent


def in_a_process_of_its_own(tests):
    """Run a file of tests, and skip where all of them were skipped."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(tests)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    ran = subprocess.run(command, cwd=TESTS.parent, env=kept, capture_output=True, text=True, timeout=400)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    if "passed" not in ran.stdout and " skipped" in ran.stdout:
        pytest.skip(ran.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def until(page, holds, arg=None):
    """Wait until a function of the page holds; Playwright's own wait is one of those that the page's policy forbids."""
    last = time.monotonic() + 20
    script = holds if "=>" in holds else f"() => {holds}"
    while not page.evaluate(script, arg):
        assert time.monotonic() < last, f"never: {holds} ({arg})"
        page.wait_for_timeout(20)


def faults(page):
    """What axe-core finds serious or critical on a page that was opened past its policy, a line each.

    axe-core is Deque Systems', MPL-2.0, and comes with the package axe-playwright-python.
    """
    import axe_playwright_python

    page.evaluate((Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['impact']} {fault['id']}: {fault['nodes'][0]['html'][:200]} ({len(fault['nodes'])})"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
