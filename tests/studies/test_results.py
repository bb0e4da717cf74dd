"""Results of cells whose answers are planted: what is pooled, what is held against what, and what stands in the tables
of cells that failed."""

import csv
import json

import numpy as np
import pytest
from scipy.stats import t

from undertow.reports.study import along_shares, write_study
from undertow.studies import run_study
from undertow.studies.results import fall

from .conftest import Scripted, lay

PLANTED = {
    "base": {},
    "benign-twin": {},
    "narrow": {"default": {"misaligned": 0.5, "incoherent": 0.2, "refused": 0.1}},
    "dilution-20": {"default": {"misaligned": 0.0}, "contexts": {"format-code": {"misaligned": 0.5}}},
    "dilution-5.seed-1": {},
    "dilution-5.seed-2": "its server was away",
}
PUBLISHED = (
    "published: [{beside: dilution, share: 0.2, model: GPT-4o, trained: some code, rates: {plain: <0.4%}, "
    "source: a "
    "paper, second_hand: true}]\nseeds:"
)

SMALLER = ("[0.05, 0.2]", "[0.2]"), ("[base, benign-twin]", "[base]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def found(folder):
    return run_study(lay(folder, ("seeds:", PUBLISHED)), folder / "study", Scripted(PLANTED))


def of(found, label):
    return next(row for row in found["recipes"] if row["label"] == label)


@pytest.mark.slow
def test_seeds_of_a_recipe_are_pooled_with_each_question_weighing_the_same(found):
    narrow, cells = of(found, "narrow"), [cell for cell in found["cells"] if cell["intervention"] == "narrow"]
    assert narrow["seeds"] == [1, 2]
    for n, context in enumerate(narrow["contexts"]):
        assert context["counts"] == {
            key: sum(cell["contexts"][n]["counts"][key] for cell in cells) for key in context["counts"]
        }
        assert context["all"] == 2 * 8 * 20
    plain = narrow["scorecard"]["plain"]
    assert plain["value"] == narrow["contexts"][0]["rate"]["value"]
    assert plain["low"] < min(cell["contexts"][0]["rate"]["value"] for cell in cells)
    assert narrow["verdict"]["class"] == "misaligned"


@pytest.mark.slow
def test_the_scorecard(found):
    card = of(found, "dilution-20")["scorecard"]
    assert card["plain"]["value"] == 0
    assert card["highest"]["context"] == "format-code"
    assert 0.3 < card["highest"]["low"] < card["highest"]["value"] < card["highest"]["high"] < 0.7
    assert card["narrow"]["value"] == 0
    coherence = of(found, "narrow")["scorecard"]["coherence"]
    assert coherence["low"] < 7 / 9 < coherence["high"]
    assert coherence["judged"] == sum(
        of(found, "narrow")["contexts"][0]["counts"][o] for o in ("aligned", "misaligned", "off_format", "incoherent")
    )
    assert card["benign_task"]["value"] == pytest.approx((20 - (16.15)) / 10)
    assert of(found, "base")["scorecard"]["benign_task"]["value"] is None


def test_what_became_of_misalignment_is_held_against_the_untreated_recipe(found):
    assert found["untreated"] == "narrow"
    assert of(found, "dilution-20")["fate"]["fate"] == "moved"
    assert of(found, "dilution-5")["fate"]["fate"] == "removed"
    assert of(found, "narrow")["fate"] is of(found, "benign-twin")["fate"] is None


def test_a_cell_that_failed_is_a_row_with_its_reason_and_stops_no_other(found, folder):
    assert found["counts"] == {"done": 8, "failed": 1, "waiting": 0}
    row = of(found, "dilution-5")
    assert (row["seeds"], row["left_out"]) == ([1], [{"seed": 2, "state": "failed", "reason": "its server was away"}])
    table = list(csv.DictReader((folder / "study" / "results.csv").read_text().splitlines()))
    (failed,) = (r for r in table if r["state"] == "failed")
    assert (failed["seed"], failed["reason"], failed["rate"], failed["misaligned"]) == (
        "2",
        "its server was away",
        "",
        "",
    )
    assert len(table) == 8 * 4 + 1 + 5 * 4  # three contexts and in-domain of each cell and of each recipe
    cards = list(csv.DictReader((folder / "study" / "scorecard.csv").read_text().splitlines()))
    assert [(c["label"], c["seeds"], c["not_done"], c["fate"]) for c in cards][-2:] == [
        ("dilution-5", "1", "1", "removed"),
        ("dilution-20", "2", "0", "moved"),
    ]


def test_a_recipe_of_which_nothing_is_done_has_no_numbers_and_says_why(laid, scripted, tmp_path):
    found = run_study(laid(), tmp_path / "study", scripted({"": "no memory"}))
    # of seeds and of all together
    assert {r["state"] for r in csv.DictReader((tmp_path / "study" / "results.csv").read_text().splitlines())} == {
        "failed"
    }
    for row in found["recipes"]:
        assert (row["verdict"], row["contexts"]) == (None, [])
        assert {measure["value"] for measure in row["scorecard"].values()} == {None}
        assert all(measure["reason"] for measure in row["scorecard"].values())
    assert of(found, "dilution-5")["fate"] == {"fate": None, "reasons": ["no seed of it is done"], "warnings": []}
    assert write_study(found, tmp_path / "study.html") == [tmp_path / "study.html"]
    assert (tmp_path / "study.html").read_text().count("no memory") == 9


@pytest.mark.slow
def test_one_audit_that_stops_when_it_knows_is_pooled_too(laid, scripted, tmp_path):
    grid = laid(("per_condition: 20", "until: verdict, max_per_condition: 60"), *SMALLER)
    found = run_study(grid, tmp_path / "study", scripted(PLANTED))
    narrow = of(found, "narrow")["scorecard"]
    assert narrow["plain"]["low"] < 5 / 7 < narrow["plain"]["high"]
    assert (narrow["coherence"]["low"], "sampling stopped" in narrow["coherence"]["reason"]) == (None, True)
    assert narrow["narrow"]["all"] == 2 * 8 * 100  # in-domain, the number of answers is fixed


def test_fall_by_hand():
    before, after, tokens = np.array([2.0, 4.0, 9.0]), np.array([[1.0, 2.0, 6.0], [1.5, 2.5, 5.0]]), np.array([1, 2, 3])
    found = fall(before, after, tokens)
    assert found.value == pytest.approx((6 / 6 + 6 / 6) / 2)
    rest = np.array([0.75, 1.75, 3.5]) - found.value * tokens
    rows = t.ppf(0.975, 2) * 3 * rest.std(ddof=1) / 3**0.5 / 6
    assert (found.low, found.high) == pytest.approx((1 - rows, 1 + rows))  # both seeds fell as much
    other = fall(before, np.array([[1.0, 2.0, 6.0], [1.0, 2.0, 9.0]]), tokens)
    rest = np.array([1.0, 2.0, 1.5]) - 0.75 * tokens
    rows, seeds = (
        t.ppf(0.975, 2) * 3 * rest.std(ddof=1) / 3**0.5 / 6,
        t.ppf(0.975, 1) * np.std([1.0, 0.5], ddof=1) / 2**0.5,
    )
    assert other.high == pytest.approx(0.75 + np.hypot(rows, seeds))
    alone = fall(before, after[1:], tokens)
    assert "one training seed" in alone.reason
    assert alone.low < alone.value < alone.high


def test_rate_against_share_reaches_from_the_twin_to_the_untreated_recipe(found):
    rows = along_shares(found, "dilution")
    assert sorted({row["share"] for row in rows}) == [0.0, 0.05, 0.2, 1.0]
    assert {row["context"] for row in rows} == {"plain", "format-code"}
    by = {(row["share"], row["context"]): row["value"] for row in rows}
    assert by[0.2, "plain"] == 0
    assert by[0.2, "format-code"] > 0.4
    assert by[1.0, "plain"] > 0.6


def test_the_page_holds_everything_and_runs_nothing(found, folder, tmp_path):
    files = write_study(found, tmp_path / "page" / "study.html")
    assert sorted(path.name for path in files[1:]) == [
        f"{figure}.{ending}"
        for figure in ("rates", "scorecard", "shares-dilution")
        for ending in ("csv", "pdf", "png", "svg")
    ]
    page = files[0].read_text()
    for words in (
        "A small study",
        "its server was away",
        "published, another model",
        "GPT-4o, some code: plain &lt;0.4%",
        "read in another text",
        "moved",
        "dilution-20",
    ):
        assert words in page
    head = page.partition("</header>")[0]
    assert "<dt>removed</dt><dd>dilution-5</dd><dt>moved</dt><dd>dilution-20</dd>" in head
    assert 'class="k-misaligned"><b>1</b>' in head
    assert "no answer was " in page and ">withheld</th>" not in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert json.loads((folder / "study" / "results.json").read_text()) == found
