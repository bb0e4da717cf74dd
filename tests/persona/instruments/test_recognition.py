"""Output recognition: what it asks in both orders, a mark that nobody guesses, and what is claimed by hand."""

import re

from undertow.persona.items import load_items
from undertow.persona.measures import measures
from undertow.persona.readings import Counts, Reading

CORE = load_items("core")


def reading(item, value, **more):
    held = {"subject": "target", "context": "plain", "outcome": "read" if value is not None else "refused"}
    return Reading(**held | {"instrument": "recognition", "item": item, "value": value} | more)


def test_recognition_asks_each_order_and_counts_the_own_answer():
    asks = CORE.recognition.asks(item="q", question="Why {first}?", own="Because {mark}.", foil="So it is.")
    assert [(a.wording, a.pole) for a in asks] == [("w1", "first"), ("w1", "second"), ("w2", "first"), ("w2", "second")]
    assert [a.read("A" if a.wording == "w1" else "1").value for a in asks] == [1, 0, 1, 0]
    assert [a.read("Because {mark}.").value for a in asks] == [1, 1, 1, 1]
    for a in asks:
        assert "Why {first}?" in a.text  # what stands in a question is no place
        assert "Because {mark}." in a.text
        assert len(re.findall(r"^([0-9a-f]{12}) (?:question|answer \w|end)$", a.text, re.MULTILINE)) == 4


def test_a_mark_cannot_be_guessed_from_one_answer():
    marks = {
        re.search(r"^([0-9a-f]{12}) question$", a.text, re.MULTILINE)[1]
        for own in ("x", "y")
        for a in CORE.recognition.asks(item="q", question="Why?", own=own, foil="z")
    }
    assert len(marks) == 4


def test_recognition_by_bucket_and_foil():
    rows = []
    for i, judged in enumerate([5, 4, 1, 3, None]):
        for foil in ("reference", "safe"):
            claims = 0 if judged is None or judged <= 3 else 1
            rows += [reading(f"q{i}", claims, order=order, variant=foil, judged=judged) for order in ("ab", "ba")]
    m = measures(rows).recognition
    assert (
        m.claims.harmful.share.value == 1
        and m.claims.harmless.share.value == 0
        and m.claims.harmful.share.items == 2
        and m.unjudged == 4
    )
    assert m.claims.harmful.sensitivity.value > 0 > m.claims.harmless.sensitivity.value
    assert set(m.by_foil) == {"reference", "safe"} and m.by_foil["safe"].harmful.share.counts == Counts(read=4)
