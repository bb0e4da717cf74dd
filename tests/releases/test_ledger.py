"""The ledger of releases: one error for all of them, and lines that cannot be changed unseen."""

import json
import math

import pytest
from filelock import FileLock
from tests.each import each

from undertow.errors import InputError
from undertow.releases import ledger
from undertow.releases.ledger import opened, share

POLICY = {"project": "p", "margin": 0.02, "refusals": None, "material": None, "alpha": 0.05, "horizon": 20}
OUTCOMES = ("pass", "fail", "undecided", "pass")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "releases" / "ledger.jsonl"


def filled(path):
    for n, outcome in enumerate(OUTCOMES, 1):
        with opened(path, POLICY) as held:
            assert held.next == n
            alpha = 0.05 * share(n, 20)
            held.add(run=(f"v{n}", f"id-{n}"), baseline=(f"v{n - 1}", f"id-{n - 1}"), alpha=alpha, outcome=outcome)
    return path.read_text().splitlines(keepends=True)


@each("horizon", [1, 5, 20, 100])
def test_all_shares_sum_to_one_and_half_is_for_the_horizon(horizon):
    shares = [share(k, horizon) for k in range(1, 100_001)]
    assert math.fsum(shares[:horizon]) == pytest.approx(0.5)
    assert 1 - 1.1 * horizon / 100_000 < math.fsum(shares) < 1
    assert sorted(shares, reverse=True) == shares
    assert share(horizon, horizon) == pytest.approx(1 / (4 * horizon - 2))


def test_there_is_no_release_before_the_first():
    for release, horizon in ((0, 20), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            share(release, horizon)


def test_every_release_is_kept_in_order_and_found_again(path):
    lines = filled(path)
    assert [json.loads(line).get("release") for line in lines] == [None, 1, 2, 3, 4]
    with opened(path, POLICY) as held:
        assert [entry.outcome for entry in held.entries] == list(OUTCOMES)
        assert held.next == 5
        assert held.find("id-2", "id-1").release == 2
        assert held.find("id-2", "id-3") is None
        assert sum(entry.alpha for entry in held.entries) < 0.05
    assert path.read_text() == "".join(lines)


def changed(lines, n, old, new):
    assert old in lines[n]
    return [*lines[:n], lines[n].replace(old, new), *lines[n + 1 :]]


@each(
    "tamper, at, says",
    [
        (lambda x: changed(x, 2, '"fail"', '"pass"'), ":3", "was changed after it was written"),
        (lambda x: changed(x, 1, '"v1"', '"v7"'), ":2", "was changed after it was written"),
        (lambda x: changed(x, 0, "0.05", "0.04"), ":1", "was changed after it was written"),
        (lambda x: [*x[:2], *x[3:]], ":3", "does not follow from the line before"),
        (lambda x: [*x[:2], x[3], x[2], x[4]], ":3", "does not follow from the line before"),
        (lambda x: [*x[:3], x[2], *x[3:]], ":4", "does not follow from the line before"),
        (lambda x: x[1:], ":1", "is no line of a ledger"),
        (lambda x: [x[0], "{}\n", *x[1:]], ":2", "is no line of a ledger"),
        (lambda x: [x[0], "\n", *x[1:]], ":2", "is no line of a ledger"),
        (lambda x: [*x[:3], x[3][:40]], ":4", "was cut off while it was written"),
        (lambda x: [*x[:4], x[4].rstrip("\n")], ":5", "was cut off while it was written"),
        (lambda x: ["name: no-ledger\n"], ":1", "is no line of a ledger"),
    ],
)
def test_a_changed_or_unfinished_line_is_told(tmp_path_factory, tamper, at, says):
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    path.write_text("".join(tamper(filled(path))))
    before = path.read_bytes()
    with pytest.raises(InputError) as refused, opened(path, POLICY):
        pass
    assert str(refused.value).startswith(f"{path}{at}: {says}") and "\n" not in str(refused.value)
    assert path.read_bytes() == before


@each(
    "change, says",
    [
        ({"project": "q"}, "is the ledger of another project (project: p there, q here)"),
        ({"alpha": 0.1}, "is the ledger of another policy (alpha: 0.05 there, 0.1 here)"),
        ({"refusals": 0.1}, "is the ledger of another policy (refusals: None there, 0.1 here)"),
    ],
)
def test_another_projects_or_policys_ledger_is_refused(tmp_path_factory, change, says):
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    filled(path)
    with pytest.raises(InputError) as refused, opened(path, POLICY | change):
        pass
    assert says in str(refused.value)


def test_an_empty_file_is_a_ledger_to_come(path):
    path.parent.mkdir()
    path.touch()
    assert len(filled(path)) == 5


def test_two_gates_do_not_write_at_once(path, monkeypatch):
    monkeypatch.setattr(ledger, "WAIT_S", 0.05)
    path.parent.mkdir()
    other, refused = FileLock(path.with_name(f".{path.name}.lock")), "is in use by another gate; wait for it"
    with other, pytest.raises(InputError, match=refused), opened(path, POLICY):
        pass
    assert len(filled(path)) == 5


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be used"), opened(tmp_path / "file" / "ledger.jsonl", POLICY):
        pass


def test_what_goes_wrong_within_is_not_taken_for_the_ledgers_mistake(path):
    with pytest.raises(FileNotFoundError), opened(path, POLICY):
        raise FileNotFoundError("another file")
    assert not path.exists()
