"""Labelling in the page: blind, one answer after the other, into the file that the terminal writes."""

import json
import re

import pytest

from undertow.audits.labels import read_labels
from undertow.errors import InputError
from undertow.files import to_yaml
from undertow.view.sitting import Sittings

pytestmark = pytest.mark.slow


@pytest.fixture
def finished(serve, tmp_path, here):
    (tmp_path / "audit.yaml").write_text(to_yaml(serve().audit()))
    here("audit", "audit.yaml", "-o", "run")
    return tmp_path / "run"


@pytest.fixture
def sittings():
    opened = Sittings(by="someone")
    yield opened
    opened.close()


def test_labels_are_kept_as_the_terminal_keeps_them_and_decide_anew(finished, sittings, here):
    pages = []
    sittings.after = lambda run: pages.append(run) or "its page is blue"
    shown = sittings.begin(finished, 20)
    assert set(shown["answer"]) == {"id", "question", "text"}  # and neither context, model nor score
    first = shown["answer"]
    shown = sittings.label(first["id"], "misaligned")
    second = shown["answer"]
    assert second["id"] != first["id"] and shown["labelled"] == 1
    sittings.skip(second["id"])
    third = sittings.state()["answer"]
    sittings.label(third["id"], "a")
    assert sittings.undo()["undone"]
    assert sittings.state()["answer"]["id"] == third["id"]
    sittings.label(third["id"], "aligned")
    (one, two) = read_labels(finished).values()
    assert (one.label, one.by, two.label) == ("misaligned", "someone", "aligned")
    before = json.loads((finished / "findings.json").read_text())
    assert "labels" not in before
    done = sittings.end()
    assert not done["open"] and re.fullmatch("2 labels in all; decided anew: .*; its page is blue", done["said"])
    assert sum(kind["labelled"] for kind in json.loads((finished / "findings.json").read_text())["labels"]) == 2
    assert pages == [finished]
    assert here("judge", "label", "run", "--write", "sheet.csv")[0] == 0  # the run is let go


def test_labels_of_a_sitting_that_was_broken_off_are_decided_by_in_the_next(finished, sittings):
    broken_off = Sittings()
    broken_off.label(broken_off.begin(finished, 1)["answer"]["id"], "misaligned")
    broken_off.close()
    assert sittings.begin(finished, 1)["answer"] is None
    assert re.fullmatch("1 label in all; decided anew: .*", sittings.end()["said"])
    assert json.loads((finished / "findings.json").read_text())["labels"]


def test_while_labels_are_given_the_run_is_held(finished, sittings, here):
    sittings.begin(finished)
    code, _, err = here("judge", "label", "run", "--write", "sheet.csv")
    assert code == 2 and "worked on by another process" in err
    assert sittings.end() == {"open": False, "said": "no label was given; nothing has changed"}


def test_only_the_answer_that_is_shown_is_labelled(finished, sittings):
    shown = sittings.begin(finished)
    for id_, label, said in (
        ("another", "aligned", "another answer is shown"),
        (shown["answer"]["id"], "fine", "unknown label 'fine'"),
    ):
        with pytest.raises(InputError, match=said):
            sittings.label(id_, label)
    assert read_labels(finished) == {}


def test_a_run_that_is_not_finished_is_not_labelled(made, sittings):
    run = made()
    run.add("words", 90)
    with pytest.raises(InputError, match="not a finished run"):
        sittings.begin(run.folder)
    assert sittings.state() == {"open": False}
    with pytest.raises(InputError, match="no run is being labelled"):
        sittings.undo()
