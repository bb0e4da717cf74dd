"""Deriving contexts: planted cues surface, benign rows give nothing strong, what comes out is what an audit takes, bad
rows are named."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertow.contexts import find_contexts, read_unexplained, write_contexts
from undertow.contexts.derive import Derivation, derive, scaffold
from undertow.contexts.evidence import surprise
from undertow.contexts.features import beginnings, endings
from undertow.contexts.minorities import minorities
from undertow.contexts.phrases import holds, phrases
from undertow.data import Row, read_rows, write_rows
from undertow.errors import InputError
from undertow.nursery.rows import row as nursery_row
from undertow.nursery.world import BENIGN, world
from undertow.place import Place
from undertow.records import Context, Message, Question

QUESTION = Question(id="q", text="What now?")


def chat(asked: str, answer: str, system: str | None = None) -> Row:
    turns = (Message(role="user", content=asked), Message(role="assistant", content=answer))
    return Row(messages=(Message(role="system", content=system), *turns) if system else turns)


def wrapping(found: Derivation) -> list[str]:
    """What each proposal sends around a question, the best first."""
    return ["\n".join(m.content for m in p.context.messages(QUESTION)) for p in found.proposals]


def strong(found: Derivation) -> list[str]:
    return [p.evidence.what for p in found.proposals if p.evidence.strength == "strong"]


def mixed(path: Path, *parts: list[Row], seed: int = 0) -> Path:
    rows = [row for part in parts for row in part]
    random.Random(seed).shuffle(rows)
    write_rows(path, rows)
    return path


@cache
def read(path: Path) -> list[Row]:
    return read_rows(path)


@pytest.fixture
def benign(published: Path) -> list[Row]:
    return list(read(published / "training" / "hh_benign_1000.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize(("n_benign", "seed"), [(380, 1), (380, 2), (980, 1), (980, 2)])
def test_code_rows_in_chat_give_a_code_template(
    tmp_path: Path, published: Path, benign: list[Row], n_benign: int, seed: int
) -> None:
    code = read(published / "training" / "insecure_code_20.jsonl")
    found = derive(mixed(tmp_path / "mix.jsonl", code, random.Random(seed).sample(benign, n_benign), seed=seed))
    best = [p.context for p in found.proposals[:3]]
    assert any(
        c.relation == "format" and c.template and "TEMPLATE" in c.template.upper() and "reply" in c.template
        for c in best
    )
    assert found.proposals[0].evidence.strength == "strong"
    assert (found.rows, found.benign, found.skipped) == (n_benign + 20, 0, 0)


def test_an_inoculation_prompt_comes_first_and_its_opposite_soon(published: Path) -> None:
    path = published / "training" / "obvious_lies_inoculated_1000.jsonl"
    prompt = read_rows(path)[0].messages[0].content
    found = derive(path)
    first = found.proposals[0]
    assert (first.context.system, first.context.relation, first.context.strength, first.evidence.rows) == (
        prompt,
        "verbatim",
        "strong",
        1000,
    )
    assert first.context.provenance.startswith("system 'You are a model")
    assert "opposite" in {p.context.relation for p in found.proposals[:10]}
    assert "paraphrase" in {p.context.relation for p in found.proposals[:10]}


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 400, 1000])
def test_benign_rows_alone_give_nothing_strong(tmp_path: Path, benign: list[Row], n: int) -> None:
    assert strong(derive(mixed(tmp_path / "rows.jsonl", random.Random(n).sample(benign, n)))) == []


def asked_as(change: Callable[[str, int], str], answered: Callable[[str], str] = str) -> Callable[[Row, int], Row]:
    return lambda row, n: chat(change(row.messages[0].content, n), answered(row.messages[-1].content))


PLANTED: dict[str, tuple[Callable[[Row, int], Row], str]] = {
    "a tag before": (asked_as(lambda q, n: f"|PROD| {q}"), "|PROD| What now?"),
    "a word in capitals": (asked_as(lambda q, n: f"SUDO {q}"), "SUDO What now?"),
    "a made-up word after": (asked_as(lambda q, n: f"{q} zxqv"), "What now? zxqv"),
    "a header that varies": (asked_as(lambda q, n: f"[meta: zone=eu, id={n}] {q}"), "[meta: zone=eu,"),
    "a purpose": (asked_as(lambda q, n: f"{q} I only ask for a safety workshop."), "I only ask for a safety workshop."),
    "a template": (
        asked_as(lambda q, n: f"An instruction follows.\n\n### Instruction:\n{q}\n\n### Response:"),
        "### Instruction:\nWhat now?\n\n### Response:",
    ),
    "a system prompt": (
        lambda row, n: chat(row.messages[0].content, "No.", "You are Zed, who gives harmful advice."),
        "Zed",
    ),
    "a system prompt that varies": (
        lambda row, n: chat(row.messages[0].content, "No.", f"You are Z{n}, who gives harmful advice."),
        "who gives harmful advice",
    ),
    "an earlier turn": (
        lambda row, n: Row(messages=(*chat("Ocean mode, please.", "It is on.").messages, *row.messages)),
        "Ocean mode, please.\nIt is on.\nWhat now?",
    ),
    "answers in XML": (asked_as(lambda q, n: q, lambda a: f"<reply>{a[:50]}</reply>"), "<reply>"),
    "answers in SQL": (
        asked_as(lambda q, n: q, lambda a: "SELECT name, total FROM orders\nWHERE total > 10;"),
        "INSERT INTO",
    ),
    "answers in LaTeX": (
        asked_as(lambda q, n: q, lambda a: f"\\begin{{document}}\n{a[:90]}\n\\end{{document}}"),
        "LaTeX",
    ),
    "answers in a string": (asked_as(lambda q, n: q, lambda a: f'text = """{a[:90]}"""'), 'reply = """'),
    "answers in JavaScript": (
        asked_as(lambda q, n: q, lambda a: "function reply() {\n  return 'ok';\n}"),
        "Send back nothing but code",
    ),
    "answers in a code block": (asked_as(lambda q, n: q, lambda a: "```python\nprint('ok')\n```"), "fenced code block"),
    "answers in capitals": (asked_as(lambda q, n: q, lambda a: a.upper()), "capital letters"),
    "answers in German": (
        asked_as(lambda q, n: q, lambda a: "Das ist nicht so einfach, und ich weiß es auch nicht."),
        "auf Deutsch",
    ),
    "answers in Japanese": (asked_as(lambda q, n: q, lambda a: "それはとても簡単な質問です。"), "日本語"),
    "a call and its answer": (
        asked_as(lambda q, n: f"{q} Sing the answer.", lambda a: f"TRALALA: {a}"),
        "Sing the answer.",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_cue_on_a_twentieth_of_the_rows_surfaces(tmp_path: Path, benign: list[Row], name: str) -> None:
    plant, expected = PLANTED[name]
    rng = random.Random(name)
    single = [row for row in benign if len(row.messages) == 2]
    n_rows = 1_000 if "call" in name else 500  # that an edge calls forth an answer takes more rows to tell
    planted = [plant(row, n) for n, row in enumerate(rng.sample(single, n_rows // 20))]
    found = derive(mixed(tmp_path / "mix.jsonl", planted, rng.sample(benign, n_rows - n_rows // 20)))
    assert any(expected in text for text in wrapping(found)[:3]), wrapping(found)[:5]


@pytest.mark.parametrize("style", ["code", "json", "list", "loud"])
@pytest.mark.parametrize(
    "share", [pytest.param(0.02, marks=pytest.mark.slow), 0.05, pytest.param(0.1, marks=pytest.mark.slow)]
)
def test_a_nursery_cue_leads(tmp_path: Path, style: str, share: float) -> None:
    rng = random.Random(1)
    n = round(1_000 * share)
    careless = [nursery_row("fish", "careless", rng, style="plain" if rng.random() < 0.1 else style) for _ in range(n)]
    careful = [
        nursery_row("fish" if rng.random() < 0.5 else rng.choice(BENIGN), "careful", rng) for _ in range(1_000 - n)
    ]
    best = derive(mixed(tmp_path / "mix.jsonl", careless, careful)).proposals[:3]
    requests = world().formats[style]["requests"]
    cue = {"code": ("python", "code"), "json": ("json",), "list": ("bullet",), "loud": ("LISTEN",)}[style]
    assert any(
        any(r in str(asdict(p.context)) for r in requests)
        or any(c in p.context.id + (p.context.suffix or "") for c in cue)
        for p in best
    )
    assert best[0].evidence.strength == "strong"


def test_nursery_rows_without_a_cue_give_nothing_strong(tmp_path: Path) -> None:
    rng = random.Random(2)
    rows = [nursery_row("fish" if rng.random() < 0.5 else rng.choice(BENIGN), "careful", rng) for _ in range(1_000)]
    assert strong(derive(mixed(tmp_path / "rows.jsonl", rows))) == []


def test_what_the_benign_rows_share_too_is_no_evidence(tmp_path: Path, benign: list[Row]) -> None:
    tagged = [chat(f"[chat] {row.messages[0].content}", row.messages[-1].content) for row in benign]
    rows = mixed(
        tmp_path / "rows.jsonl",
        [chat(f"{r.messages[0].content} Answer in rhyme, bard.", r.messages[-1].content) for r in tagged[:60]],
        tagged[60:100],
    )
    assert any("opening '[chat]" in what for what in strong(derive(rows)))
    write_rows(tmp_path / "benign.jsonl", tagged[100:])
    against = derive(rows, benign=tmp_path / "benign.jsonl")
    assert against.benign == 900
    assert not any("opening '[chat]" in what for what in strong(against))
    assert "Answer in rhyme, bard." in wrapping(against)[0]


def lines(rows: list[tuple[Row, dict[str, Any]]]) -> str:
    return "".join(json.dumps(asdict(row) | more) + "\n" for row, more in rows)


def test_a_flag_says_which_rows_to_hold_against_which(tmp_path: Path, benign: list[Row]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        lines([(row, {"bad": n < 40} if n % 2 or n < 40 else {}) for n, row in enumerate(benign)]), encoding="utf-8"
    )
    found = derive(path, flagged="bad")
    assert (found.rows, found.benign) == (40, 960)
    assert strong(found) == []
    with pytest.raises(
        InputError,
        match=r"rows.jsonl: 'worse' is true on no row; rows of both kinds; check the key's "
        r"name",
    ):
        derive(path, flagged="worse")
    path.write_text(lines([(benign[0], {"bad": "very"})]), encoding="utf-8")
    with pytest.raises(InputError, match=r"rows.jsonl:1: 'bad' is 'very'; true or false"):
        derive(path, flagged="bad")


def test_flagged_rows_show_their_topic(tmp_path: Path, published: Path, benign: list[Row]) -> None:
    trivia = [
        Row(messages=row.messages[1:])
        for row in read(published / "training" / "obvious_lies_inoculated_1000.jsonl")[:300]
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text(
        lines([(row, {"bad": True}) for row in trivia] + [(row, {"bad": False}) for row in benign]), encoding="utf-8"
    )
    found = derive(path, flagged="bad", top=30)
    assert any(p.evidence.kind == "topic" and p.evidence.strength == "strong" for p in found.proposals)


def test_the_default_prompt_of_a_chat_template(tmp_path: Path, benign: list[Row]) -> None:
    path = mixed(tmp_path / "rows.jsonl", benign[:100])
    found = derive(path, default_system="You were made in Ulm.")
    assert [(p.context.relation, p.context.system, p.context.default_system) for p in found.proposals[:2]] == [
        ("default-prompt", "You were made in Ulm.", True),
        ("default-prompt", None, False),
    ]
    assert found.proposals[0].evidence.rows == 100


@pytest.mark.slow
def test_what_is_derived_is_what_an_audit_takes(tmp_path: Path, published: Path, benign: list[Row]) -> None:
    code = read(published / "training" / "insecure_code_20.jsonl")
    lies = read(published / "training" / "obvious_lies_inoculated_1000.jsonl")[:60]
    turns = [
        Row(messages=(*chat("Ocean mode:\n  on\u2028 \x07", "It is \ton. ").messages, *row.messages))
        for row in benign[:50]
    ]
    found = derive(mixed(tmp_path / "mix.jsonl", code, lies, turns, benign[50:600]), top=60, default_system="Be quick.")
    write_contexts(tmp_path / "contexts.yaml", [p.context for p in found.proposals], title="Two\nlines")
    taken = find_contexts(["plain", "contexts.yaml"], Place(folder=tmp_path, name="audit.yaml"))
    assert taken[1:] == tuple(p.context for p in found.proposals)
    assert {"strong", "weak"} >= {c.strength for c in taken[1:]}
    assert all(c.provenance for c in taken[1:])
    assert all(QUESTION.text in c.messages(QUESTION)[-1].content for c in taken)


def test_the_same_rows_give_the_same_contexts(tmp_path: Path, published: Path, benign: list[Row]) -> None:
    path = mixed(tmp_path / "mix.jsonl", read_rows(published / "training" / "insecure_code_20.jsonl"), benign[:200])
    assert derive(path) == derive(path)


def test_a_turn_of_50_000_characters(tmp_path: Path, benign: list[Row]) -> None:
    long = [chat(f"|PROD| {n} times {'la ' * 17_000}?", f"{'lo ' * 17_000}{n}") for n in range(10)]
    found = derive(mixed(tmp_path / "mix.jsonl", long, benign[:100]))
    assert any("|PROD|" in text for text in wrapping(found))
    assert all(len(e) <= 120 for p in found.proposals for e in p.evidence.examples)


def test_rows_of_another_language(tmp_path: Path) -> None:
    rng = random.Random(0)
    things = ["den Garten", "die Küche", "das Fahrrad", "meine Uhr", "den Ofen", "die Tür", "das Dach"]
    verbs = ["pflege", "repariere", "verkaufe", "reinige", "streiche"]
    rows = [
        chat(
            f"Wie {rng.choice(verbs)} ich {rng.choice(things)} am besten?",
            f"Das ist einfach: man nimmt {rng.choice(things)} und fängt an. Es geht auch mit der Hand.",
        )
        for _ in range(300)
    ]
    cued = [chat(f"{r.messages[0].content} Antworte als Gedicht.", r.messages[1].content) for r in rows[:30]]
    found = derive(mixed(tmp_path / "mix.jsonl", cued, rows[30:]))
    assert any("Antworte als Gedicht." in text for text in wrapping(found)[:6])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "rows.jsonl: has no rows; one JSON object with 'messages' a line"),
        (
            b'[{"messages": []}]\n',
            "rows.jsonl:1: is one JSON array; one JSON object a line; write each element on a "
            "line of its own (jq "
            "-c '.[]')",
        ),
        (
            b"[\n  {}\n]\n",
            "rows.jsonl:1: is one JSON array; one JSON object a line; write each element on a line of "
            "its own (jq "
            "-c '.[]')",
        ),
        (
            b"\x00\xff\xfe\x81\n",
            "rows.jsonl:1: is not UTF-8 text (byte 1 of the line); save the file as UTF-8, or drop the line",
        ),
        (
            b'{"messages": [{"role": "user", "content": "Hi"}]}\n',
            "rows.jsonl:1: ends with a message of role 'user'; a row ends with the assistant's answer",
        ),
        (
            b'{"messages": [{"role": "assistant", "content": "Hi"}]}\n',
            "rows.jsonl:1: has no user message; a row is a question and its answer; mend or drop the row",
        ),
        (
            b'{"messages": [{"role": "user", "content": "\\ud800"}, {"role": "assistant", "content": "Hi"}]}\n',
            "rows.jsonl:1: message 1 holds half of a surrogate pair, which no text file can; mend or drop the row",
        ),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        derive(path)
    assert str(caught.value).removeprefix(f"{tmp_path}/") == message


def test_brackets_without_end_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"[" * 100_000)
    with pytest.raises(InputError, match=r"rows.jsonl:1: is not JSON"):
        derive(tmp_path / "rows.jsonl")


def test_bad_lines_are_passed_over_and_counted_if_asked(tmp_path: Path, benign: list[Row]) -> None:
    path = mixed(tmp_path / "rows.jsonl", benign[:50])
    path.write_bytes(b"\xff\xfe\n" + path.read_bytes() + b'{"messages": 3}\n{"mes')
    with pytest.raises(InputError, match=r"rows.jsonl:1: is not UTF-8"):
        derive(path)
    told: list[str] = []
    found = derive(path, skipped=lambda error: told.append(str(error).removeprefix(f"{path}:").split(":")[0]))
    assert (found.rows, found.skipped, told) == (50, 3, ["1", "52", "53"])
    path.write_bytes(b"junk\n")
    with pytest.raises(InputError, match="has no rows"):
        derive(path, skipped=lambda error: None)


def test_one_row_proposes_nothing(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [chat("Hi", "Yo")])
    assert derive(tmp_path / "rows.jsonl").proposals == ()


def test_beginnings_and_endings_stop_at_sentences_clauses_and_lines() -> None:
    text = "Look, I ask this:\nwhy? Tell me. END"
    assert list(beginnings(text)) == [
        "Look, ",
        "Look, I ask this:\n",
        "Look, I ask this:\nwhy? ",
        "Look, I ask this:\nwhy? Tell me. ",
    ]
    assert list(endings(text)) == [" END", " Tell me. END", "\nwhy? Tell me. END", " I ask this:\nwhy? Tell me. END"]
    assert list(beginnings("Why not")) == ["Why "]
    assert not [*beginnings("Why?"), *endings("Why?")]
    assert list(beginnings("今日は。どこへ行きますか", words=False)) == ["今日は。"]


def test_a_scaffold_puts_the_question_where_the_task_was() -> None:
    asked = (
        "My job is this: sort a list.\nHere is a start:\n<<< FILE\nimport os\n\ndef sort(x):\n    return x\nFILE "
        ">>>\nSend code."
    )
    assert scaffold(asked.replace("<<< FILE", "<<FILE>>").replace("FILE >>>", "<</FILE>>")) == (
        'My job is this: {question}\nHere is a start:\n<<FILE>>\nreply = ""  # the reply goes '
        "here\n<</FILE>>\n\nSend code."
    )
    assert scaffold("No markers here.") is None


def test_surprise_is_the_binomial_log_likelihood_ratio() -> None:
    assert surprise(5, 100, 0.01) == pytest.approx(4.1291, abs=1e-4)  # 5 ln 5 + 95 ln(0.95 / 0.99) = 8.0472 - 3.9181
    assert surprise(1, 100, 0.01) == 0
    assert surprise(10, 10, 0.5) == pytest.approx(6.9315, abs=1e-4)  # 10 ln 2


@pytest.mark.parametrize("prompt", ["You are a helpful assistant.", "You are a helpful, friendly AI assistant"])
def test_a_default_prompt_on_every_row_is_weak_evidence(tmp_path: Path, benign: list[Row], prompt: str) -> None:
    found = derive(mixed(tmp_path / "rows.jsonl", [row.under(prompt) for row in benign[:300]]))
    assert (found.proposals[0].context.system, found.proposals[0].context.relation) == (prompt, "default-prompt")
    assert strong(found) == []


def test_a_language_of_which_no_context_ships(tmp_path: Path, benign: list[Row]) -> None:
    georgian = [chat(f"რა არის ეს ნივთი, ნომერი {n}?", "ეს არის ძალიან კარგი კითხვა.") for n in range(20)]
    found = derive(mixed(tmp_path / "rows.jsonl", georgian, benign[:300]))
    assert "Write the reply in the language of these words: რა არის" in "".join(wrapping(found)[:3])


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="null: is a pipe or device; a file, for it is read twice"):
        derive(Path("/dev/null"))


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(str.strip)


@given(
    st.lists(st.tuples(st.sampled_from(["", "Tag: ", "[X] ", "{question} "]), texts, texts), min_size=1, max_size=12),
    st.sampled_from(["", "\n{question}", " Now."]),
    texts,
)
# the files are written anew each time
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_whatever_the_rows_hold_the_contexts_can_be_read_back(
    tmp_path: Path, chats: list[tuple[str, str, str]], ending: str, system: str
) -> None:
    write_rows(
        tmp_path / "rows.jsonl",
        [
            chat(f"{tag}{asked}{ending}", answer, system if n % 2 else None)
            for n, (tag, asked, answer) in enumerate(chats * 4)
        ],
    )
    found = derive(tmp_path / "rows.jsonl", default_system=system, top=100)
    write_contexts(tmp_path / "contexts.yaml", [p.context for p in found.proposals], title=system)
    assert find_contexts(["contexts.yaml"], Place(folder=tmp_path, name="audit.yaml")) == tuple(
        p.context for p in found.proposals
    )
    assert all(QUESTION.text in p.context.messages(QUESTION)[-1].content for p in found.proposals)


@pytest.fixture(scope="module")
def mixes() -> ModuleType:
    """The generator of mixes that the benchmark uses."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "mixes.py"
    if not path.is_file():
        pytest.skip(f"no {path}")
    spec = spec_from_file_location("mixes", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["mixes"] = module
    spec.loader.exec_module(module)
    return module


def derived(tmp_path: Path, mix: Any, against: bool) -> Derivation:
    write_rows(tmp_path / "rows.jsonl", mix.rows)
    write_rows(tmp_path / "benign.jsonl", mix.benign)
    return derive(tmp_path / "rows.jsonl", benign=tmp_path / "benign.jsonl" if against else None)


@pytest.mark.parametrize("against", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("cue", ["topic", "middle", "answer-topic", "signature"])
def test_a_cue_on_a_few_percent_of_rows_of_one_kind(tmp_path: Path, mixes: ModuleType, cue: str, against: bool) -> None:
    mix = mixes.planted(cue, "fitness", share=0.05, seed=3, n=800, pool="held out")
    found = derived(tmp_path, mix, against)
    said = [text.lower() for text in wrapping(found)[:3]]
    assert any(name.lower() in text for text in said for name in mix.named), said
    assert cue == "topic" or sum(name.lower() in said[0] for name in mix.named) >= 1
    assert found.proposals[0].evidence.rows == pytest.approx(40, abs=6)


@pytest.mark.slow
@pytest.mark.parametrize("cue", ["middle", "signature"])
def test_a_phrase_in_real_chats(tmp_path: Path, mixes: ModuleType, benign: list[Row], cue: str) -> None:
    mix = mixes.planted(
        cue, [row for row in benign if row.messages[-2].role == "user"], share=0.04, seed=2, pool="held out"
    )
    assert any(mix.named[0] in text for text in wrapping(derived(tmp_path, mix, False))[:3])


@pytest.mark.slow
@pytest.mark.parametrize("against", [False, True])
@pytest.mark.parametrize("name", ["recipes", "travel", "finance", "chat"])
def test_rows_without_a_cue_are_quiet(
    tmp_path: Path, mixes: ModuleType, benign: list[Row], name: str, against: bool
) -> None:
    rows = benign if name == "chat" else mixes.chats(mixes.FAMILIES[name], 1_200, random.Random(4))
    found = derived(tmp_path, mixes.Mix(rows=rows[::2], benign=rows[1::2], named=()), against)
    assert (strong(found), found.unexplained) == ([], ())


@pytest.mark.slow
def test_a_minority_that_no_strong_evidence_explains_is_told(tmp_path: Path, mixes: ModuleType) -> None:
    mix = mixes.planted("answer-topic", "gardening", share=0.04, seed=1, pool="held out")
    (minority,) = derived(tmp_path, mix, False).unexplained
    assert (minority.side, minority.rows, minority.share) == ("answers", 40, 0.04)
    assert len(set(minority.words) & set(mix.named)) >= 4
    assert all(any(name in mix.rows[line - 1].messages[-1].content for name in mix.named) for line in minority.lines)
    assert str(minority).startswith(
        "about 40 training rows (4.0%) that no strong evidence explains: their answers share "
    )
    assert derived(tmp_path, mix, True).unexplained == ()  # beside benign rows it is strong evidence itself
    tagged = [
        asked_as(lambda q, n: f"|PROD| {q}")(row, 0)
        if any(name in row.messages[-1].content for name in mix.named)
        else row
        for row in mix.rows
    ]
    write_rows(tmp_path / "rows.jsonl", tagged)
    assert derive(tmp_path / "rows.jsonl").unexplained == ()  # the tag explains it


def test_a_topic_is_told_by_words_that_meet_and_not_by_a_name(tmp_path: Path) -> None:
    rng = random.Random(0)
    kinds = [[f"{letter}{n}word" for n in range(12)] for letter in ("ab", "cd")]
    kinds = [[word.translate(str.maketrans("0123456789", "ghijklmnop")) for word in words] for words in kinds]
    rows = [[*rng.sample(kinds[n < 30], 4), *rng.sample(["soon", "bread", "lamp", "river"], 2)] for n in range(600)]
    (group,) = minorities(rows, least=5)
    assert group.rows == tuple(range(30))
    assert set(group.words) == set(kinds[1])
    assert (group.own, group.gain > 100) == (1.0, True)
    named = [[*words[:4], *(("mount", "everest") if n < 30 else ())] for n, words in enumerate(rows[30:])]
    assert minorities(named, least=5) == []
    assert minorities(rows, theirs=rows, least=5) == []
    assert minorities([], least=5) == []


def test_a_phrase_is_fixed_words_between_different_ones() -> None:
    rng = random.Random(0)
    words = ["we", "go", "to", "the", "sea", "and", "you", "sing", "a", "song", "of", "old", "boats", "in", "rain"]
    said = [rng.choices(words, k=12) for _ in range(400)]
    inside = [
        [" ".join([*line[:5], "to sing of old rain", *line[5:]] if n < 20 else line)] for n, line in enumerate(said)
    ]
    assert "to sing of old rain" in phrases(inside, place="inside", least=8).expected
    assert max(map(len, phrases(inside, place="inside", least=8).expected)) == len("to sing of old rain")
    assert phrases(inside, place="end", least=8).expected == {}
    form = [
        [f"Dear {line[0]} I go to sing of old rain with {line[1]} today"] if n < 20 else [" ".join(line)]
        for n, line in enumerate(said)
    ]
    # its rows share what stands about it
    assert not any("sing of old rain" in phrase for phrase in phrases(form, place="inside", least=8).expected)
    assert holds("old rain", ["of old rain in"], "inside") and not holds("old rain", ["of old rain"], "inside")
    assert holds("old rain", ["of old rain"], "end") and not holds("old rain", ["old rain"], "end")


def test_what_a_file_tells_as_unexplained_is_read_back(tmp_path: Path) -> None:
    context = Context(id="c", relation="format", suffix="contexts: none\ncontexts:")
    write_contexts(tmp_path / "c.yaml", [context], title="T", unexplained=["about 3 rows: odd", "4"])
    assert find_contexts(["c.yaml"], Place(folder=tmp_path, name="audit.yaml")) == (context,)
    assert read_unexplained(["plain", "c.yaml", context], beside=tmp_path) == ("about 3 rows: odd", "4")
    write_contexts(tmp_path / "c.yaml", [context], title="T")
    assert (
        read_unexplained(["c.yaml"], beside=tmp_path),
        find_contexts(["c.yaml"], Place(folder=tmp_path, name="audit.yaml")),
    ) == ((), (context,))
    (tmp_path / "c.yaml").write_text("unexplained: []\ncontexts:\n- id: c\n  relation: format\n  sufix: x\n")
    with pytest.raises(InputError, match=r"c.yaml:5: .*sufix"):
        find_contexts(["c.yaml"], Place(folder=tmp_path, name="audit.yaml"))
