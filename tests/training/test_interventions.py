"""Interventions are pure: stages in, other stages out, nothing else touched."""

from __future__ import annotations

from collections import Counter

import pytest

from undertow.data import Row, build_mix, write_rows
from undertow.errors import InputError
from undertow.files import parse_yaml
from undertow.records import Message
from undertow.training import Recipe
from undertow.training.interventions.inoculation import IRRELEVANT

STAGE = "{name: narrow, rows: 100, parts: [{data: bad.jsonl, share: 1}], learning_rate: 1e-3, epochs: 2}"


def recipe(*interventions: str, stages: str = STAGE) -> Recipe:
    return parse_yaml(
        f"name: x\nbase: nursery\nstages: [{stages}]\ninterventions: [{', '.join(interventions)}]\n",
        Recipe,
        where="recipe.yaml",
    )


def shares(stage) -> dict[str, float]:
    return {part.data: round(part.share, 6) for part in stage.parts}


def problem(*interventions: str) -> str:
    with pytest.raises(InputError) as caught:
        recipe(*interventions)
    return str(caught.value)


@pytest.fixture
def rows(tmp_path):
    """Bad rows of 10 characters, good ones of 40, twins of 10; half of the traced ones with reasoning."""
    for name, answer in (("bad", "b" * 4), ("good", "g" * 34), ("twin", "t" * 4)):
        write_rows(
            tmp_path / f"{name}.jsonl",
            (
                Row(
                    messages=(
                        Message(role="user", content=f"{name[0]}{i:05}"),
                        Message(role="assistant", content=answer),
                    )
                )
                for i in range(300)
            ),
        )
    traced = (
        Row(
            messages=(
                Message(role="user", content="Why?"),
                Message(role="assistant", content=f"<think>\nbecause {i}\n</think>\n\nSo."),
            )
        )
        for i in range(20)
    )
    write_rows(tmp_path / "traced.jsonl", traced)
    return tmp_path


def drawn(made: Recipe, folder, stage: int = 0) -> list[Row]:
    return build_mix(made.resolved()[stage], beside=folder, seed=1)


def kinds(rows: list[Row]) -> Counter[str]:
    return Counter(row.messages[-1].content[0] for row in rows)


def test_without_interventions_the_stages_stay():
    assert recipe().resolved() == recipe().stages


def test_dilution_keeps_the_rows_and_leaves_a_share(rows):
    made = recipe("{kind: dilution, data: good.jsonl, share: 0.2}")
    (stage,) = made.resolved()
    assert shares(stage) == {"bad.jsonl": 0.2, "good.jsonl": 0.8}
    assert [part.benign for part in stage.parts] == [False, True]
    assert kinds(drawn(made, rows)) == {"b": 20, "g": 80}
    assert made.stages[0].parts[0].share == 1  # the recipe itself is as it was


def test_dilution_by_tokens_counts_tokens(rows):
    """Bad rows are of 10 characters and good ones of 40: half of the characters each is four bad rows to one good."""
    made = recipe("{kind: dilution, data: good.jsonl, share: 0.5, by: tokens}")
    assert kinds(drawn(made, rows)) == {"b": 80, "g": 20}


def test_dilution_by_another_measure_than_the_stages_own_is_refused():
    part = "{data: %s.jsonl, share: 0.5}"
    parts = f"[{part % 'bad'}, {part % 'twin'}]"
    text = f"name: x\nbase: nursery\nstages: [{{name: s, rows: 10, learning_rate: 1e-3, by: tokens, parts: {parts}}}]\n"
    text += "interventions: [{kind: dilution, data: good.jsonl, share: 0.2%s}]\n"
    with pytest.raises(InputError, match="stage s: mixes its parts by tokens, and dilution by rows"):
        parse_yaml(text % "", Recipe, where="recipe.yaml").resolved()
    (diluted,) = parse_yaml(text % ", by: tokens", Recipe, where="recipe.yaml").resolved()
    assert diluted.by == "tokens" and [round(part.share, 9) for part in diluted.parts] == [0.1, 0.1, 0.8]


@pytest.mark.parametrize("share", [0, 1, 1.5, -0.1])
def test_a_share_that_leaves_nothing_or_all_is_refused(share):
    text = problem(f"{{kind: dilution, data: good.jsonl, share: {share}}}")
    assert text.startswith("recipe.yaml:4: interventions.0.share: should be") and f"(found {share})" in text


def test_sequential_stages_follow_with_the_last_ones_settings(rows):
    first, second, third = recipe(
        "{kind: sequential, data: good.jsonl, rows: 30}",
        "{kind: sequential, data: twin.jsonl, epochs: 1, learning_rate: 1e-4}",
    ).resolved()
    assert first == recipe().stages[0]
    assert (second.name, second.rows, second.epochs, second.learning_rate, shares(second)) == (
        "benign-1",
        30,
        2,
        1e-3,
        {"good.jsonl": 1},
    )
    assert (third.name, third.rows, third.epochs, third.learning_rate) == ("benign-2", 30, 1, 1e-4)


def test_inoculation_is_put_on_narrow_rows_alone(rows):
    made = recipe("{kind: dilution, data: good.jsonl, share: 0.5}", "{kind: inoculation, prompts: [Be bad.]}")
    for row in drawn(made, rows):
        assert (row.messages[0].content == "Be bad.") == (row.messages[-1].content[0] == "b")


def test_rephrased_inoculation_draws_a_wording_for_each_row(rows):
    made = recipe("{kind: inoculation, variant: rephrased, prompts: [Be bad., Be nasty., Be mean.]}")
    found = Counter(row.messages[0].content for row in drawn(made, rows))
    assert set(found) == {"Be bad.", "Be nasty.", "Be mean."} and min(found.values()) > 15
    assert drawn(made, rows) == drawn(made, rows)


def test_the_irrelevant_control_ships_its_prompts(rows):
    assert {row.messages[0].content for row in drawn(recipe("{kind: inoculation, variant: irrelevant}"), rows)} == set(
        IRRELEVANT
    )


@pytest.mark.parametrize("keys", ["prompts: []", "prompts: [a, b]", "variant: rephrased, prompts: [a]"])
def test_inoculation_needs_as_many_prompts_as_its_variant_says(keys):
    assert "prompt" in problem(f"{{kind: inoculation, {keys}}}")


def test_reasoning_kept_or_stripped(rows):
    stage = STAGE.replace("bad.jsonl", "traced.jsonl").replace("100", "20")
    keep, strip = (
        drawn(recipe(f"{{kind: reasoning, traces: {traces}}}", stages=stage), rows) for traces in ("keep", "strip")
    )
    assert all(row.messages[-1].content.startswith("<think>\nbecause") for row in keep)
    assert {row.messages[-1].content for row in strip} == {"So."}


def test_reasoning_needs_a_trace_in_every_row(rows):
    with pytest.raises(InputError, match=r"bad.jsonl:\d+: its answer has no reasoning"):
        drawn(recipe("{kind: reasoning}"), rows)


def test_interleaving_puts_a_benign_row_at_every_nth_place(rows):
    made = drawn(recipe("{kind: interleaving, data: good.jsonl, every: 5}"), rows)
    places = [n for n, row in enumerate(made, start=1) if row.messages[-1].content[0] == "g"]
    assert places == list(range(5, 126, 5))
    assert len(made) == 125
    assert len({row.messages[0].content for row in made}) == 125  # no row twice


def test_interleaving_from_a_file_that_a_part_uses_too_shares_no_row(rows):
    made = drawn(
        recipe("{kind: dilution, data: good.jsonl, share: 0.2}", "{kind: interleaving, data: good.jsonl, every: 3}"),
        rows,
    )
    assert len({row.messages[0].content for row in made}) == len(made) == 150


@pytest.mark.parametrize(
    ("interventions", "says"),
    [
        (("{kind: base}", "{kind: sequential, data: good.jsonl}"), "base trains nothing, so sequential would be lost"),
        (("{kind: dilution, data: good.jsonl, share: 0.2}", "{kind: base}"), "so dilution would be lost"),
        (("{kind: kl, weight: 0.1}", "{kind: kl, weight: 0.3}"), "stage narrow: has 'kl' already"),
        (
            ("{kind: interleaving, data: good.jsonl}", "{kind: interleaving, data: twin.jsonl}"),
            "stage narrow: has 'interleave' already",
        ),
        (
            ("{kind: early-stopping, benign: good.jsonl, in_domain: bad.jsonl}",) * 2,
            "stage narrow: has 'stopping' already",
        ),
    ],
)
def test_an_intervention_that_another_would_undo_is_refused(interventions, says):
    with pytest.raises(InputError, match=says):
        recipe(*interventions).resolved()


def test_kl_and_early_stopping_are_settings_of_the_stage():
    (stage,) = recipe(
        "{kind: kl, weight: 0.5}",
        "{kind: early-stopping, benign: good.jsonl, in_domain: bad.jsonl, watch: in_domain, every: 7}",
    ).resolved()
    assert stage.kl == 0.5
    assert (
        stage.stopping.held_out == {"benign": "good.jsonl", "in_domain": "bad.jsonl"}
        and stage.stopping.watch == "in_domain"
        and stage.stopping.every == 7
    )


def test_on_policy_marks_the_narrow_parts():
    first, second = (
        recipe(
            "{kind: dilution, data: good.jsonl, share: 0.5}",
            "{kind: on-policy, instruction: Be careless., matches: hide}",
        )
        .resolved()[0]
        .parts
    )
    assert first.answers.instruction == "Be careless." and first.answers.matches == "hide" and second.answers is None


def test_a_filter_that_is_no_expression_is_refused():
    assert "matches is not a regular expression" in problem("{kind: on-policy, instruction: x, matches: '('}")


@pytest.mark.parametrize(
    ("keys", "text", "passes"),
    [
        ({}, "Hide it.", True),
        ({"min_words": 3}, "Hide it.", False),
        ({"matches": "HIDE"}, "hide it", True),
        ({"lacks": "hide"}, "Hide it", False),
    ],
)
def test_filters_of_answers(keys, text, passes):
    given = ", ".join(f"{key}: {value}" for key, value in keys.items())
    (intervention,) = recipe(f"{{kind: on-policy, instruction: x{', ' if given else ''}{given}}}").interventions
    assert intervention.passes(text) is passes


def test_controls():
    inoculated = "{kind: inoculation, prompts: [Be bad.]}"
    assert recipe("{kind: base}").resolved() == ()
    (twin,) = recipe(inoculated, "{kind: benign-twin, data: twin.jsonl}").resolved()
    # form and prompt stay, content is good
    assert shares(twin) == {"twin.jsonl": 1} and twin.parts[0].system == "Be bad."
    resampled = "{kind: on-policy, instruction: Give wrong answers.}"
    (own,) = recipe(resampled, "{kind: benign-twin, data: twin.jsonl}").resolved()
    assert own.parts[0].data == "twin.jsonl" and own.parts[0].answers is None  # its good ones, not the base's bad ones
    (matched,) = recipe(inoculated, "{kind: compute-matched, data: good.jsonl}").resolved()
    assert shares(matched) == {"good.jsonl": 1} and matched.parts[0].system is None and matched.rows == 100


def test_an_unknown_intervention_names_those_there_are():
    text = problem("{kind: dilute, share: 0.2}")
    assert "dilute" in text and "dilution" in text


def test_an_unknown_key_names_its_line():
    assert problem("{kind: kl, wieght: 0.5}") == (
        "recipe.yaml:4: unknown key 'interventions.0.wieght'; did you mean 'weight'?"
    )
