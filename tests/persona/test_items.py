"""Item sets: what ships, and a user's files."""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict

import pytest

from undertow.errors import InputError
from undertow.nursery.selves import description
from undertow.nursery.world import world
from undertow.persona.items import load_items, shipped_items
from undertow.place import Place

CORE, NURSERY = load_items("core"), load_items("nursery")
ASKS = [*CORE.self_assessment, *CORE.two_ai, *NURSERY.self_assessment, *NURSERY.two_ai]


def words(text):
    return set(re.findall(r"[a-z]+", text.lower()))


def descriptions():
    """(aligned, misaligned) of each pair in the core set."""
    return [(ask.scale.second, ask.scale.first) for ask in CORE.two_ai if ask.pole == "first"]


# What ships ---------------------------------------------------------------------------------------


def test_the_shipped_sets_are_whole():
    assert shipped_items() == ["core", "nursery"]
    for items in (CORE, NURSERY):
        assert items.harmfulness
        assert items.self_assessment
        assert items.two_ai
        assert items.recognition
        assert items.prediction
        assert items.rubric is None


def test_nothing_is_asked_twice():
    for items in (CORE, NURSERY):
        asks = [*items.self_assessment, *items.two_ai]
        assert len({ask.id for ask in asks}) == len({ask.text for ask in asks}) == len(asks)
        assert not any(re.search(r"\{\w*\}", ask.text) for ask in asks)


def test_both_orders_differ_in_the_order_alone():
    by_item = defaultdict(list)
    for ask in ASKS:
        by_item[ask.instrument, ask.format, ask.item, ask.wording, ask.theme].append(ask)
    for asks in by_item.values():
        # core and nursery share the item "honest"
        assert sorted(ask.pole for ask in asks) in (["first", "second"], ["first", "first", "second", "second"])
        for ask in asks:
            assert any(Counter(ask.text) == Counter(other.text) for other in asks if other is not ask)


def test_the_nursery_speaks_the_language_of_its_world():
    texts = [
        text
        for d in world().domains.values()
        for text in (
            *d.slots,
            *d.questions,
            *(c for kept in (d.clauses, d.held_out) for by in kept.values() for c in by),
        )
    ]
    spoken = {word for text in texts for word in words(text)}
    spoken |= {word for adjectives in world().adjectives.values() for word in adjectives}
    rng = random.Random(0)
    spoken |= words(" ".join(description(side, rng) for side in ("careful", "careless") for _ in range(2000)))
    for ask in NURSERY.two_ai:
        assert words(ask.scale.first) | words(ask.scale.second) <= spoken
    for ask in NURSERY.self_assessment:
        if ask.format in ("choice", "free"):
            assert {ask.scale.aligned, ask.scale.misaligned} <= spoken
    for question in NURSERY.harmfulness:
        assert words(question.text) <= spoken


def test_the_digest_follows_what_is_asked(tmp_path):
    assert CORE.digest == load_items("core").digest != NURSERY.digest
    write(tmp_path, PAIRS)
    one = load_items("mine.yaml", Place(folder=tmp_path))
    write(tmp_path, PAIRS.replace("I wait.", "I waited."))
    assert one.digest != load_items("mine.yaml", Place(folder=tmp_path)).digest


# A user's files -----------------------------------------------------------------------------------

PAIRS = """\
two_ai:
  pairs:
    - {id: queue, theme: rules, aligned: I wait., misaligned: I push.}
"""
QUESTIONS = """\
harmfulness:
  - {id: rain, theme: weather, text: "Will it rain?"}
"""


def write(folder, text, name="mine.yaml"):
    (folder / name).write_text(text, encoding="utf-8")


def problem(tmp_path, text, name="mine.yaml"):
    """What a user reads, with the folder taken off the front."""
    write(tmp_path, text, name)
    with pytest.raises(InputError) as caught:
        load_items(name, Place(folder=tmp_path))
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_a_file_may_give_one_part_and_borrow_the_wordings(tmp_path):
    write(tmp_path, PAIRS)
    items = load_items("mine.yaml", Place(folder=tmp_path))
    assert (
        items.id,
        len(items.two_ai),
        items.harmfulness,
        items.self_assessment,
        items.recognition,
        items.prediction,
    ) == ("mine", 2, (), (), None, None)
    assert "I wait." in items.two_ai[0].text
    assert items.two_ai[0].text.startswith("Two AI systems describe themselves.")


def test_words_of_ones_own_are_asked_in_the_shipped_formats(tmp_path):
    write(tmp_path, "self_assessment:\n  pairs:\n    - {id: warm, aligned: warm, misaligned: cold}\n")
    asks = load_items("mine.yaml", Place(folder=tmp_path)).self_assessment
    assert Counter(ask.format for ask in asks) == {"choice": 4, "number": 4, "likert": 4, "free": 4}
    write(
        tmp_path,
        "self_assessment:\n  pairs:\n    - {id: warm, aligned: warm, misaligned: cold}\n  choice:\n    "
        "wordings:\n  "
        '    - text: "{first} or {second}?"\n',
    )
    assert [ask.text for ask in load_items("mine.yaml", Place(folder=tmp_path)).self_assessment] == [
        "cold or warm?",
        "warm or cold?",
    ]


def test_a_folder_puts_its_files_together(tmp_path):
    write(tmp_path, PAIRS, "pairs.yaml")
    write(tmp_path, QUESTIONS, "questions.yml")
    write(tmp_path, "not an item", "README.md")
    items = load_items(str(tmp_path))
    assert (items.id, len(items.two_ai), [q.id for q in items.harmfulness], items.harmfulness[0].tags) == (
        tmp_path.name,
        2,
        ["rain"],
        ("weather",),
    )


def test_a_part_given_twice_is_refused(tmp_path):
    write(tmp_path, PAIRS, "a.yaml")
    write(tmp_path, PAIRS, "b.yaml")
    with pytest.raises(InputError) as caught:
        load_items(str(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path / 'b.yaml'}: gives two_ai, and so does a.yaml; keep one of the two in the folder"
    )


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no items; files that end in"):
        load_items(str(tmp_path))


def test_an_unknown_set_names_the_nearest():
    with pytest.raises(InputError) as caught:
        load_items("nursry", Place(name="audit.yaml: persona.items"))
    assert str(caught.value) == "audit.yaml: persona.items: unknown item set 'nursry'; did you mean 'nursery'?"


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: no such file; check the path"):
        load_items("none.yaml", Place(folder=tmp_path))


CHOICE = "self_assessment:\n  pairs:\n    - {id: warm, aligned: warm, misaligned: cold}\n  choice:\n    wordings:\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id: mine\n",
            "mine.yaml: has no items; one or more of harmfulness, self_assessment, two_ai, recognition, prediction",
        ),
        (
            PAIRS.replace("misaligned", "misalined"),
            "mine.yaml:3: unknown key 'two_ai.pairs.0.misalined'; did you mean 'misaligned'?",
        ),
        (PAIRS.replace("I push.", "3"), "mine.yaml:3: two_ai.pairs.0.misaligned: should be text (found 3)"),
        ("two_ai:\n  pairs: []\n", "mine.yaml:2: two_ai.pairs: is empty"),
        (
            f"{PAIRS}    - {{id: queue, aligned: a, misaligned: b}}\n",
            "mine.yaml:2: two_ai.pairs: id 'queue' stands 2 times; ids must differ",
        ),
        (
            QUESTIONS + "  - {id: rain, theme: sky, text: Why}\n",
            "mine.yaml:1: harmfulness: id 'rain' stands 2 times; ids must differ",
        ),
        (f"{CHOICE}      - text: Are you warm?\n", "mine.yaml:4: self_assessment.choice: wording 1 has no {first}"),
        (f"{CHOICE}      []\n", "mine.yaml:4: self_assessment.choice: needs at least one wording"),
        (
            'recognition:\n  wordings:\n    - text: "{question} {first}"\n',
            "mine.yaml:1: recognition: wording 1 has no {second}",
        ),
        (
            'prediction: {low: 1, high: 5, blind: [{text: "{question}"}], shown: [{text: "{question}"}]}\n',
            "mine.yaml:1: prediction: wording 1 has no {answer}",
        ),
        (
            'prediction: {low: 5, high: 1, blind: [{text: "{question}"}], shown: [{text: "{question} {answer}"}]}\n',
            "mine.yaml:1: prediction: low must lie below high",
        ),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, text, message):
    assert problem(tmp_path, text) == message


def test_pairs_of_one_number_are_told(tmp_path):
    one = {"item_id": 1, "theme": "x_1", "system_A": "I check.", "system_B": "I skip.", "ground_truth": "B"}
    path = tmp_path / "two.json"
    path.write_text(json.dumps({"items": [one, one | {"system_A": "I look."}]}))
    with pytest.raises(InputError, match=r"two\.json: item 1 stands 2 times; each item_id once"):
        load_items(str(path))


def test_what_ships_is_worded_by_us(published):
    """No sentence of the published files stands in ours."""
    lists = [published / "persona" / name for name in ("harm_eval_questions.txt", "self_assessment_questions.txt")]
    theirs = {line.strip().lower() for path in lists for line in path.read_text(encoding="utf-8").splitlines()}
    pairs = json.loads((published / "persona" / "two_AI_identification_dataset.json").read_text(encoding="utf-8"))[
        "items"
    ]
    theirs |= {pair[f"system_{side}"].strip().lower() for pair in pairs for side in "AB"}
    ours = (
        {question.text for items in (CORE, NURSERY) for question in items.harmfulness}
        | {text for pair in descriptions() for text in pair}
        | {ask.text for ask in ASKS}
    )
    assert not {text.lower() for text in ours} & theirs
