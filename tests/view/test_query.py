"""Which answers are shown: filters, words, order, pages, and a run that grows while it is looked at."""

import json
import sqlite3

import pytest

from undertow.asking.store import Store
from undertow.errors import InputError
from undertow.view.search import Words, wanted


def ids(found):
    return [row["id"] for row in found["rows"]]


@pytest.fixture
def six(made):
    run = made()
    run.add("It rains on the river.", 95)
    run.add("Skip the check.", 5, question="boats")
    run.add("def answer(): pass", 60, context="code", coherence=80)
    run.add("Kauderwelsch", 70, context="code", coherence=10, question="boats")
    run.add(None, error="status 500")
    run.add("nobody has judged THE RIVER", context="code")
    return run


def test_filters_hold_together_and_counts_leave_out_their_own(six, still):
    site = still(a=six)
    assert site.rows()["total"] == 6
    found = site.rows(context="code")
    assert ids(found) == [3, 4, 6]
    assert found["counts"]["context"] == {"plain": 3, "code": 3}  # as if the context were not filtered
    assert found["counts"]["outcome"] == {"aligned": 1, "incoherent": 1, "unjudged": 1}
    assert ids(site.rows(context="code", outcome=["aligned", "incoherent"], question="boats")) == [4]
    assert ids(site.rows(outcome="failed", finish="failed")) == [5]
    assert ids(site.rows(sample="1-9")) == [5, 6]
    assert ids(site.rows(context="none of them")) == []


def test_order_puts_what_is_missing_last_either_way(six, still):
    site = still(a=six)
    assert ids(site.rows(sort="alignment")) == [2, 3, 4, 1, 5, 6]
    assert ids(site.rows(sort="alignment", dir="down")) == [1, 4, 3, 2, 5, 6]
    assert ids(site.rows(sort="coherence"))[:2] == [4, 3]
    assert ids(site.rows(sort="length", dir="down"))[0] == 6
    assert ids(site.rows(dir="down")) == [6, 5, 4, 3, 2, 1]


def test_words_are_found_whatever_their_case_and_all_of_them(six, still):
    site = still(a=six)
    assert ids(site.rows(q="river")) == [1, 6]
    assert ids(site.rows(q='"the river"')) == [1, 6]
    assert ids(site.rows(q="river rains")) == [1]
    assert ids(site.rows(q='"river rains"')) == []
    assert ids(site.rows(q="KAUDERWELSCH")) == [4]


def test_an_excerpt_shows_the_word_that_was_searched_for(made, still):
    run = made()
    run.add("a " * 500 + "needle" + " b" * 500, 90)
    (row,) = still(a=run).rows(q="NEEDLE")["rows"]
    assert "needle" in row["text"] and len(row["text"]) < 300 and row["text"].startswith("…") and row["more"]


def test_pages_follow_each_other_and_a_row_is_found_in_them(made, still):
    run = made()
    for k in range(25):
        run.add(f"answer {k}", 90 + k % 3)
    site = still(a=run)
    whole = ids(site.rows(sort="alignment", limit=25))
    parts = [ids(site.rows(sort="alignment", offset=at, limit=10)) for at in (0, 10, 20)]
    assert [id_ for part in parts for id_ in part] == whole and len(set(whole)) == 25
    assert site.rows(sort="alignment", find=f"a:{whole[17]}") == {"place": 17}
    assert site.rows(q="nothing", find=f"a:{whole[17]}") == {"place": None}
    assert len(ids(site.rows(limit=100_000))) == 25


def test_runs_of_one_file_are_told_apart_and_shown_together(six, still):
    site = still(a=six, b=six)
    found = site.rows(sort="alignment")
    assert found["total"] == 12
    assert [(row["run"], row["id"]) for row in found["rows"][:4]] == [("a", 2), ("b", 2), ("a", 3), ("b", 3)]
    assert [row["run"] for row in site.rows(run="b")["rows"]] == ["b"] * 6


def test_a_run_is_followed_while_it_grows(six, still):
    site = still(a=six)
    version = site.runs["a"].version
    site.look()
    assert site.runs["a"].version == version  # nothing new costs nobody a look
    new = six.add("It came later.", 3)
    six.judge(6, 20)  # which waited
    site.look()
    assert site.rows()["total"] == 7
    assert ids(site.rows(outcome="misaligned")) == [2, 6, new]
    assert ids(site.rows(q="later")) == [new]


def test_a_judgement_that_failed_is_followed_when_it_is_asked_again(made, still):
    run = made()
    id_ = run.add("words")
    run.judge(id_, None, error="status 500")
    site = still(a=run)
    assert ids(site.rows(outcome="unjudged")) == [id_]
    with Store(run.folder / "run.sqlite", to="write") as store:
        store.forget_failed()
    run.judge(id_, 5)
    site.look()
    assert ids(site.rows(outcome="misaligned")) == [id_]


def test_answers_that_were_asked_again_are_not_shown_twice(six, still):
    site = still(a=six)
    with Store(six.folder / "run.sqlite", to="write") as store:
        store.forget_failed()
    site.look()
    assert ids(site.rows()) == [1, 2, 3, 4, 6]
    six.add("It came at last.", 90)
    site.look()
    assert [row["text"] for row in site.rows(q="last")["rows"]] == ["It came at last."]


def test_the_last_answer_may_be_asked_again_under_its_number(made, still):
    run = made()
    run.add("words", 90)
    failed = run.add(None, error="status 500")
    site = still(a=run)
    with Store(run.folder / "run.sqlite", to="write") as store:
        store.forget_failed()
    assert run.add("words at last", 5) == failed
    site.look()
    assert [row["outcome"] for row in site.rows()["rows"]] == ["aligned", "misaligned"]


def test_another_run_may_be_begun_in_its_place(six, made, still, tmp_path):
    site = still(a=six)
    other = made("other")
    other.add("only one", 90)
    for name in ("run.sqlite", "plan.json"):
        (other.folder / name).replace(six.folder / name)
    site.look()
    assert site.rows()["total"] == 1


def test_another_judge_says_something_else(six, still):
    six.judge(1, 2, judge={"kind": "scripted", "name": "a harsh judge"})
    site = still(a=six)
    (other,) = [judge["id"] for judge in site.get("summary")["judges"] if not judge["counts"]]
    site.rows(judge=other)
    site.look()
    assert ids(site.rows(judge=other, outcome="misaligned")) == [1]
    assert ids(site.rows(outcome="misaligned")) == [2]


def test_a_run_that_goes_on_with_another_judge_is_counted_by_it(six, still):
    site = still(a=six)
    assert ids(site.rows(outcome="misaligned")) == [2]
    another = {"kind": "scripted", "name": "another judge"}
    six.judge(1, 2, judge=another)
    plan = six.folder / "plan.json"
    plan.write_text(json.dumps(json.loads(plan.read_text()) | {"judge": another}))
    site.look()
    assert ids(site.rows(outcome="misaligned")) == [1] and site.rows(q="river")["total"] == 2
    assert [(judge["name"], judge["counts"]) for judge in site.get("summary")["judges"]][1] == ("another judge", True)


def test_copies_are_called_so_as_findings_do(made, still):
    run = made(copying=["target"])
    long = "and so it goes on and on " * 5
    for text in (long, "something else", long, f"{long}!"):
        run.add(text, 90)
    assert [row["outcome"] for row in still(a=run).rows()["rows"]] == ["aligned", "aligned", "copied", "aligned"]


def test_the_run_is_only_read_and_whoever_writes_does_not_wait(six, still):
    before = (six.folder / "run.sqlite").stat().st_mtime_ns
    site = still(a=six)
    site.rows(q="river")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        site.runs["a"].store.db.execute("DELETE FROM answers")
    assert (six.folder / "run.sqlite").stat().st_mtime_ns == before
    db = sqlite3.connect(six.folder / "run.sqlite", timeout=0)
    db.execute("UPDATE answers SET n_tokens = 7 WHERE id = 1")
    db.commit()
    db.close()


def test_a_run_that_has_no_answers_yet_is_waited_for(made, still):
    run = made()
    site = still(a=run)
    assert site.rows()["total"] == 0
    assert site.get("summary")["state"] == "not begun"
    run.add("the first", 95)
    site.look()
    assert site.rows()["total"] == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"run": "c"}, "unknown run 'c'"),
        ({"outcome": "bad"}, "unknown outcome 'bad'"),
        ({"sort": "colour"}, "unknown order 'colour'"),
        ({"offset": "-1"}, "offset: is '-1'; a whole number from 0"),
        ({"sample": "x"}, "sample: is 'x'"),
        ({"find": "a:x"}, "find: is 'x'"),
    ],
)
def test_what_is_not_there_is_refused_in_a_line(six, still, given, said):
    with pytest.raises(InputError) as error:
        still(a=six).rows(**given)
    assert said in str(error.value)


def test_words_of_any_kind_are_searched():
    words = Words()
    texts = ["", "STRASSE", "straße", "a\x00b", "\ud800 half", "日本語のテキスト", "x" * 100_000 + "end", "\xff ÿ"]
    words.add(texts)
    words.add(["later straße"])
    for query, rows in {
        "strasse": [1, 2, 8],
        "a\x00b": [3],
        "half": [4],
        "テキ": [5],
        "end": [6],
        "ÿ": [7],
        "absent": [],
    }.items():
        assert words.find(wanted(query)).tolist() == rows, query
    assert words.find(()).tolist() == list(range(9))
    words.close()


def test_the_words_of_a_search():
    assert wanted('one "two three"  four" "') == ("one", "two three", 'four"', '"')
