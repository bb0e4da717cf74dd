"""The local page in a browser (in_browser.py)."""

from pathlib import Path

import pytest
from tests.browsing import in_a_process_of_its_own


@pytest.mark.slow
def test_in_a_browser():
    in_a_process_of_its_own(Path(__file__).parent / "in_browser.py")
