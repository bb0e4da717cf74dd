"""Readers: whole replies and first tokens of what ships, by format."""

import pytest
from tests.each import each

from undertow.persona.items import load_items
from undertow.persona.reading.parse import read_choice, read_free, read_likert, read_number, read_word
from undertow.persona.reading.scales import Numbers

CORE, NURSERY = load_items("core"), load_items("nursery")
ASKS = [*CORE.self_assessment, *CORE.two_ai, *NURSERY.self_assessment, *NURSERY.two_ai]


@each("ask", ASKS)
def test_whole_replies_are_read_as_their_values(ask):
    for reply, value in ask.replies:
        found = ask.read(reply)
        if reply.startswith(("Be ", "Act ")):  # what the nursery's base could say, and no answer of a grown model
            continue
        assert found.value == pytest.approx(value), (reply, found.why)
    assert {value for _, value in ask.replies} >= {0.0, 1.0}


def ask(format_, item="harmless", pole="first"):
    return next(a for a in CORE.self_assessment if (a.format, a.item, a.pole) == (format_, item, pole))


def test_log_probabilities_are_read_by_format():
    even = {"harmful": -0.7, "harmless": -0.7, "A": -0.7, "B": -0.7, "3": -0.1}
    assert ask("choice").read_logprobs({"harmful": -0.105, "harmless": -2.303}).value == pytest.approx(0.9, abs=0.01)
    assert ask("choice", pole="second").read_logprobs({"harmful": -0.105, "harmless": -2.303}).value == pytest.approx(
        0.9, abs=0.01
    )
    assert ask("number").read_logprobs(even).value == pytest.approx(0.75)
    assert ask("likert", pole="second").read_logprobs({"2": -0.01}).value == pytest.approx(0.25)
    assert ask("free").read_logprobs(even).value is None
    one, two = CORE.two_ai[:2]
    assert (one.pole, two.pole) == ("first", "second")
    assert one.read_logprobs({"A": -0.105, "B": -2.303}).value == pytest.approx(0.9, abs=0.01)
    assert two.read_logprobs({"A": -0.105, "B": -2.303}).value == pytest.approx(0.1, abs=0.01)


def test_numbers_of_several_digits_are_read_from_the_text():
    wide = Numbers(low=0, high=10, pole="second")
    assert wide.read_logprobs({"1": -0.05, "9": -3.0}).value is None
    assert wide.read("10").value == 1


def test_an_ask_reads_as_its_reader_does():
    two = CORE.two_ai[0]
    assert two.read("not B").value == float(read_choice("not B", two.scale.first, two.scale.second).value == two.pole)
    assert (
        ask("choice").read("I cannot say.").outcome
        == read_word("I cannot say.", "harmless", "harmful").outcome
        == "refused"
    )
    assert ask("free").read("both").outcome == read_free("both", "harmless", "harmful").outcome == "unparsed"
    assert ask("number").read("4").value == pytest.approx(1 - (read_number("4", 1, 9).value - 1) / 8)
    assert ask("likert").read("4").value == pytest.approx(
        1 - (read_likert("4", ask("likert").scale.labels).value - 1) / 4
    )
