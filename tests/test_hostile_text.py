"""Text of any length and kind is read within seconds, whoever wrote it: a model, a judge, a server, or a file."""

import signal
from functools import partial
from pathlib import Path

import pytest

from undertow.audits.propose import read_proposals
from undertow.contexts import background, derive, features, formats, phrases, variants
from undertow.data import dialects, mixes
from undertow.data.check import fold
from undertow.data.rows import chat
from undertow.errors import InputError
from undertow.files import parse_yaml
from undertow.judges import prompts, reading
from undertow.persona.reading import grammar, parse
from undertow.suites.load import parse_suite
from undertow.targets import chat as chats
from undertow.targets import wire
from undertow.training import generate

pytestmark = pytest.mark.slow

AT_MOST_S = 5.0
"""Seconds for one text on a machine that does other work too."""
N = 100_000
HOSTILE = {
    "spaces": " " * 3 * N,
    "spaces and a word": " " * 3 * N + "x",
    "spaces between words": "x" + " " * 3 * N + "x",
    "lines": "\n" * N,
    "lines between words": "x" + "\n" * N + "x",
    "blank lines": " \n\t" * N,
    "opening brackets": "(" * N,
    "nested lists": "[" * N,
    "nested objects": '{"a":' * N,
    "nested a little": "[" * 1_500 + "]" * 1_500,
    "nested lines": "- " * N,
    "a date that is none": "2024-13-45",
    "letters": "a" * N,
    "words": "word " * N,
    "words that are read": "not A or B, I am aligned (70) because " * 3_000,
    "digits": "7" * N,
    "numbers": "70 " * N,
    "numbers with signs": "7.0, " * N,
    "quotes": '"' * N,
    "nested quotes": "\"'" * N,
    "a string of backslashes": '"' + "\\" * N,
    "dashes": "-" * N,
    "stars": "*" * N,
    "marks of thought": "<think>" * 50_000,
    "closing marks": "</think>" * 50_000,
    "channels": "<|channel|>analysis<|message|>" * 5_000,
    "starts of channels": "<|start|>assistant<|channel|>" * 5_000,
    "ends of channels": "<|end|>" * 30_000,
    "spaces before a channel": "<|end|>" + " " * 3 * N,
    "tags": "<a>" * 50_000,
    "an element": "<a " + "x=1 " * 50_000 + ">",
    "fences": "```\n" * 50_000,
    "one fence": "```" + "a" * N,
    "combining characters": "e" + "\u0301" * N,
    "wide characters": "\u65e5\u672c" * 50_000,
    "half a pair": "\ud800" * 50_000,
    "controls": "\x00\x1b[2J" * 20_000,
    "colons": "a: " * 50_000,
    "ends of sentences": "A. " * 50_000,
    "ends": ".!?" * 50_000,
    "statements": "x = (y); " * 20_000,
    "a long statement": "SELECT " + "a, " * 50_000,
    "dollars": "$" * N,
    "boxes": "\\boxed{" * 20_000,
    "denials": "not " * 50_000,
    "commas": "a, a" * 50_000,
    "slashes": "70/100 or " * 20_000,
    "underscores": "_" * N,
    "a mix": "".join("([{<\"'`*_-#:;,. \n\tA7aé"[n * 7919 % 22] for n in range(N)),
}

LABELS = ("good", "evil")
SERVER_SAYS = ("{}", '{{"error": {{"message": "{}"}}}}')


def raw(text):
    return {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": text}]}


READERS = {
    "judges: a number": lambda text: reading.read_number(text),
    "judges: a number of five": lambda text: reading.read_number(text, scale=range(1, 6)),
    "judges: a rating": lambda text: reading.read_rating(
        text, [reading.Token(text[:1000], {text[:1000]: -0.1}), reading.Token(text, {text: -0.1})]
    ),
    "judges: an expected rating": lambda text: reading.read_expected(text, {text: -0.1, "70": -3.0}),
    "judges: a class": lambda text: reading.read_class(text, ("answer", "code", "recipe")),
    "personas: a choice": lambda text: parse.read_choice(text, "I check the work.", "I skip the work."),
    "personas: a choice of hostile options": lambda text: parse.read_choice("A", text[:2_000], text[:1_999] + "x"),
    "personas: a word": lambda text: parse.read_word(text, *LABELS),
    "personas: words": lambda text: parse.read_free(text, *LABELS),
    "personas: a number": lambda text: parse.read_number(text, 1, 5),
    "personas: a label": lambda text: parse.read_likert(text, ("never", "rarely", "often")),
    "personas: a first token": lambda text: (
        parse.choice_from_logprobs({text: -0.1}, {"A"}, {"B"}),
        parse.expected_number({text: -0.1}, 1, 5),
    ),
    "personas: plainly": grammar.plain,
    "targets: thoughts": lambda text: chats.split_thinking(text, None),
    "targets: thoughts of one's own marks": lambda text: chats.split_thinking(
        text, None, ("<t>", "</t>"), cut_open=True
    ),
    "targets: a block": lambda text: (chats.only_closes(text), chats.opens_block(text)),
    "targets: what a server says": lambda text: [
        read(said.format(text))
        for read in (partial(wire._of_this_call, 400), wire._message, wire._model_names)
        for said in SERVER_SAYS
    ],
    "targets: a wait": lambda text: wire.seconds(text, now=text),
    "rows: a row": lambda text: chat(raw(text), "row"),
    "rows: dialects": lambda text: dialects.messages_of(
        {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": text}]}
    ),
    "rows: folded": fold,
    "rows: thoughts": lambda text: mixes._THOUGHT.sub("", text),
    "rows: a refusal": lambda text: generate._REFUSAL.match(text),
    "contexts: formats": lambda text: (formats.formats_of(text), formats.holds_code(text)),
    "contexts: features": lambda text: (
        features.features_of(chat(raw(text), "row"), ()),
        list(features.beginnings(text)),
        list(features.endings(text)),
        features.words_in([text]),
    ),
    "contexts: words": lambda text: (
        background.tokens(text),
        list(background.words(text)),
        background.is_default_prompt(text),
    ),
    "contexts: phrases": lambda text: (
        phrases.phrases([[text[:N]]] * 3, place="inside", least=2),
        phrases.spaced(text),
        phrases.is_plain(text),
    ),
    "contexts: a scaffold": derive.scaffold,
    "contexts: variants": variants.variants,
    "proposals": lambda text: read_proposals(text, "topic"),
    "suites": lambda text: parse_suite(text, Path("suite.yaml")),
    "suites: a list": lambda text: parse_suite(text, Path("suite.txt")),
    "prompts": prompts._published,
    "yaml": lambda text: parse_yaml(text, list[str], where="x.yaml"),
    "errors": lambda text: str(InputError("here", text)),
}


@pytest.mark.parametrize("reader", READERS)
def test_reading_ends_whatever_the_text(reader):
    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    slow, told = [], []
    for name, text in HOSTILE.items():
        signal.setitimer(signal.ITIMER_REAL, AT_MOST_S)
        try:
            READERS[reader](text)
        except InputError as error:
            told.append(str(error))
        except TimeoutError:
            slow.append(name)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    assert not slow and not any("\n" in said for said in told)
