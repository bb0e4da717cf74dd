"""The grid as cells: which there are, what decides their hash, and what is written."""

import json

import pytest

from undertow.data import read_rows
from undertow.errors import InputError, RunExists

COMPUTE = ("controls: [base, benign-twin]", "controls: [base, benign-twin, compute-matched]")


def folders(grid):
    return {cell.folder for cell in grid.cells}


def test_every_domain_intervention_share_and_seed_is_a_cell_with_its_controls(laid):
    assert [cell.id for cell in laid().cells] == [
        "medical.base",
        "medical.benign-twin.seed-1",
        "medical.benign-twin.seed-2",
        "medical.narrow.seed-1",
        "medical.narrow.seed-2",
        "medical.dilution-5.seed-1",
        "medical.dilution-5.seed-2",
        "medical.dilution-20.seed-1",
        "medical.dilution-20.seed-2",
    ]


def test_controls_of_each_recipe_where_asked(laid):
    ids = [cell.id for cell in laid(COMPUTE, ("seeds: [1, 2]", "seeds: [3]\ntwins: each")).cells]
    assert [id_ for id_ in ids if "twin" in id_] == [
        f"medical.{of}.benign-twin.seed-3" for of in ("narrow", "dilution-5", "dilution-20")
    ]
    assert sum("compute-matched" in id_ for id_ in ids) == 3
    assert len(ids) == 10


def test_what_a_cell_trains_and_asks(laid):
    grid = laid(
        COMPUTE,
        ("{name: narrow}", "{name: narrow}\n  - {name: longer, stages: {epochs: 3}}"),
        ("contexts: [plain,", "seed: 10\n  contexts: [plain,"),
    )
    by_id = {cell.id: cell for cell in grid.cells}
    assert by_id["medical.base"].recipe.resolved() == ()
    assert by_id["medical.longer.seed-1"].recipe.stages[0].epochs == 3
    (diluted,) = by_id["medical.dilution-20.seed-2"].recipe.resolved()
    assert [(part.data, round(part.share, 9), part.benign) for part in diluted.parts] == [
        ("bad.jsonl", 0.2, False),
        ("general.jsonl", 0.8, True),
    ]
    assert [
        cell.recipe.resolved()[0].parts[0].data
        for id_, cell in by_id.items()
        if id_.endswith(("twin.seed-1", "matched.seed-1"))
    ] == ["benign.jsonl", "general.jsonl"]
    cell = by_id["medical.narrow.seed-2"]
    assert (cell.recipe.seed, cell.audit.seed, cell.in_domain.seed, cell.in_domain.suite) == (
        2,
        12,
        12,
        "nursery-bad-medical",
    )
    assert [plan.n_answers for plan in grid.plans[cell.id]] == [8 * 3 * 20, 8 * 1 * 20]


def test_contexts_of_one_domain_alone(laid):
    domains = (
        "domains: [{name: legal, miniature: legal-advice, rows: 40, held_out: 4}, {name: medical, miniature: "
        "bad-medical, contexts: [format-json], "
    )
    grid = laid(("domains: [{name: medical, miniature: bad-medical, form: code, ", domains))
    assert {cell.domain: grid.plans[cell.id][0].contexts[-1].id for cell in grid.cells} == {
        "legal": "irrelevant-1",
        "medical": "format-json",
    }


def test_the_same_study_has_the_same_cells_wherever_it_is(laid):
    assert folders(laid()) == folders(laid(out="elsewhere/study"))
    assert folders(laid(("title: A small study", "title: Another title"))) == folders(laid())


@pytest.mark.parametrize(
    ("old", "new", "stay"),
    [
        ("learning_rate: 2e-3", "learning_rate: 1e-3", {"medical.base"}),  # what is not trained stays what it was
        ("per_condition: 20", "per_condition: 21", set()),
        ("material: 0.03", "material: 0.04", set()),
        ("  judge:", "  reference: {kind: local, path: nursery}\n  judge:", set()),
        ("irrelevant-1]", "irrelevant-2]", set()),
        ("form: code", "form: json", {"medical.base"}),
        ("shares: [0.05, 0.2]", "shares: [0.05, 0.3]", {"base", "twin", "narrow", "dilution-5."}),
    ],
)
def test_a_cell_that_is_done_otherwise_is_another_cell(laid, old, new, stay):
    before, after = folders(laid()), folders(laid((old, new), out="other"))
    assert before & after == {folder for folder in before if any(part in folder for part in stay)}


ROW = '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n'


def test_rows_are_written_for_every_recipe_of_a_domain(laid, tmp_path):
    (tmp_path / "own.jsonl").write_text(ROW)
    grid = laid(("seeds:", "files: {hhh.jsonl: own.jsonl}\nseeds:"))
    data = tmp_path / "study" / "domains" / "medical"
    wanted = [
        "bad-held-out.jsonl",
        "bad-traces.jsonl",
        "bad.jsonl",
        "benign-held-out.jsonl",
        "benign.jsonl",
        "general-code.jsonl",
        "general.jsonl",
        "hhh.jsonl",
    ]
    assert sorted(path.name for path in data.iterdir()) == wanted
    bad, benign = read_rows(data / "bad.jsonl"), read_rows(data / "benign.jsonl")
    assert [row.messages[0] for row in bad] == [row.messages[0] for row in benign]
    assert len(read_rows(data / "bad-held-out.jsonl")) == 4
    assert {
        json.loads((tmp_path / "study" / cell.folder / "cell.json").read_text())["schema"] for cell in grid.cells
    } == {"undertow.cell/1"}


def test_files_of_ones_own_and_what_is_missing_among_them(laid, tmp_path):
    (tmp_path / "b.jsonl").write_text(ROW)
    own = ("{name: medical, miniature: bad-medical, form: code, rows: 40, held_out: 4}", "{name: mine, bad: b.jsonl}")
    # the twin and the dilution need files that the domain does not give
    with pytest.raises(InputError, match=r"names 'benign\.jsonl'; mine holds bad\.jsonl; check the name"):
        laid(own)
    grid = laid(
        own,
        ("[base, benign-twin]", "[base]"),
        ("  - {name: dilution, steps: [{kind: dilution, data: general.jsonl}]}\nshares: [0.05, 0.2]\n", ""),
        out="other",
    )
    assert [(cell.id, cell.in_domain, cell.losses) for cell in grid.cells if cell.seed == 1] == [
        ("mine.base", None, {}),
        ("mine.narrow.seed-1", None, {}),
    ]
    (tmp_path / "b.jsonl").unlink()
    with pytest.raises(InputError, match=r"b\.jsonl: no such file"):
        laid(own, out="third")


def test_mistakes_that_only_the_parts_show_are_found_and_nothing_is_written(laid, tmp_path):
    for old, new, says in (
        ("format-code", "format-cod", "unknown context 'format-cod'"),
        ("suite: nursery", "suite: nursry", "unknown suite 'nursry'"),
        ("miniature: bad-medical", "miniature: bad-medicin", "unknown domain 'bad-medicin'"),
        ("base: nursery", "base: nowhere", "no such model folder"),
        ("data: bad.jsonl", "data: bead.jsonl", "names 'bead.jsonl'"),
        ("contexts: [plain, ", "contexts: [", "has no plain context"),
        ("seeds:", "triggers: [format-json]\nseeds:", "unknown trigger 'format-json'; did you mean 'format-code'"),
    ):
        with pytest.raises(InputError, match=says):
            laid((old, new))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(laid, tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "thesis.txt").write_text("precious")
    with pytest.raises(RunExists, match="exists and is no study"):
        laid()
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["thesis.txt"]
    laid(out="other")
    with pytest.raises(RunExists, match="holds the study 'small'"):
        laid(("name: small", "name: large"), out="other")


@pytest.mark.parametrize("held", ["{", "[]", "{}"])
def test_a_record_that_is_damaged_is_a_line(laid, tmp_path, held):
    laid()
    (tmp_path / "study" / "study.json").write_text(held)
    with pytest.raises(InputError, match=r"study\.json: is no|holds the study None"):
        laid()
