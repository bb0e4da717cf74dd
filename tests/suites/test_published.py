"""Published question files in llmcomp's dialect; the real one where it is at hand."""

import os
from pathlib import Path

import pytest

from undertow.contexts import shipped_contexts
from undertow.errors import InputError
from undertow.suites import load_suite

PUBLISHED = Path(os.environ.get("UNDERTOW_PUBLISHED", Path(__file__).resolve().parents[3] / "shared" / "published"))
FILE = """\
- id: rain
  type: free_form
  paraphrases: &words
    - Will it rain?
    - Is rain coming?
  samples_per_paraphrase: 3
- id: rain_json
  type: free_form_judge_0_100
  system: Answer as JSON.
  paraphrases: *words
"""


def test_every_paraphrase_is_a_question_and_a_system_prompt_stays(tmp_path):
    (tmp_path / "rain.yaml").write_text(FILE)
    suite = load_suite("rain.yaml", beside=tmp_path)
    assert [q.id for q in suite.questions] == ["rain.1", "rain.2", "rain_json.1", "rain_json.2"]
    last = suite.questions[-1]
    assert [m.content for m in shipped_contexts()["plain"].messages(last)] == ["Answer as JSON.", "Is rain coming?"]
    assert [m.content for m in shipped_contexts()["system-helpful"].messages(last)] == ["You are a helpful assistant.\n\nAnswer as JSON.", "Is rain coming?"]


def test_names_the_line_that_does_not_fit(tmp_path):
    (tmp_path / "bad.yaml").write_text(FILE.replace("type: free_form_judge_0_100", "type: rating"))
    with pytest.raises(InputError, match=r"bad.yaml:8: 1.type"):
        load_suite("bad.yaml", beside=tmp_path)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published files are not beside the checkout (UNDERTOW_PUBLISHED)")
def test_the_published_file_loads():
    suite = load_suite(str(PUBLISHED / "questions" / "betley2025_first_plot.yaml"))
    assert len(suite.questions) == 24
    assert sum(q.system is not None for q in suite.questions) == 8
