"""`undertow suites import`: only what hashes as expected is written."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from undertow.cli import main
from undertow.place import Place
from undertow.suites import load_suite

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["undertow", "suites", "import", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), *capsys.readouterr()

    return call


def url(path: Path, content: bytes) -> tuple[str, str]:
    path.write_bytes(content)
    return path.as_uri(), hashlib.sha256(content).hexdigest()


def test_a_published_file_becomes_a_suite_of_ours(run: Run, tmp_path: Path, published: Path) -> None:
    source = published / "questions" / "betley2025_first_plot.yaml"
    hash_ = hashlib.sha256(source.read_bytes()).hexdigest()
    code, out, err = run(source.as_uri(), "--sha256", hash_.upper())
    assert (code, err) == (0, "")
    assert out == "betley2025_first_plot.yaml: 24 questions. In an audit: suite: betley2025_first_plot.yaml\n"
    assert load_suite("betley2025_first_plot.yaml", Place(folder=tmp_path)) == load_suite(str(source))
    assert (
        (tmp_path / "betley2025_first_plot.yaml").read_text().startswith(f"# From {source.as_uri()}, sha256 {hash_}.\n")
    )


def test_a_list_of_questions(run: Run, tmp_path: Path) -> None:
    address, hash_ = url(tmp_path / "mine.txt", b"Why: is it?\r\n\n  - yes\n\nWie geht's?\n")
    assert run(address, "--sha256", hash_, "-o", "out.yaml")[0] == 0
    suite = load_suite("out.yaml", Place(folder=tmp_path))
    assert [(q.id, q.text) for q in suite.questions] == [
        ("line-1", "Why: is it?"),
        ("line-3", "- yes"),
        ("line-5", "Wie geht's?"),
    ]
    assert load_suite("mine.txt", Place(folder=tmp_path)) == suite


def test_a_name_that_an_audit_would_read_as_a_list_is_refused(run: Run, tmp_path: Path) -> None:
    address, hash_ = url(tmp_path / "mine.yaml", b"id: mine\ntitle: Mine\nquestions: [{id: one, text: Why}]\n")
    code, out, err = run(address, "--sha256", hash_, "-o", "out.txt")
    assert (code, out, err) == (
        2,
        "",
        "undertow: out.txt: is no name of a YAML file; an audit takes .yaml and .yml; name it out.yaml\n",
    )
    assert not (tmp_path / "out.txt").exists()


def test_a_path_in_place_of_a_url_says_how_to_name_it(run: Run, tmp_path: Path) -> None:
    assert run("mine.yaml")[2] == (
        "undertow: mine.yaml: has no scheme; http://, https:// or file://; a file on this "
        "machine is "
        f"{(tmp_path / 'mine.yaml').as_uri()}\n"
    )


def test_nothing_is_written_over_unless_asked(run: Run, tmp_path: Path) -> None:
    address, hash_ = url(tmp_path / "mine.txt", b"Why?\n")
    (tmp_path / "out.yaml").write_text("mine")
    code, _, err = run(address, "--sha256", hash_, "-o", "out.yaml")
    assert (code, err) == (
        2,
        "undertow: out.yaml: is there already; name another with -o, or write over it with --force\n",
    )
    assert run(address, "--sha256", hash_, "-o", "out.yaml", "--force")[0] == 0


def test_another_hash_or_none_writes_nothing(run: Run, tmp_path: Path) -> None:
    address, hash_ = url(tmp_path / "mine.txt", b"Why?\n")
    for args, says in (
        ((), "add --sha256 with that hash"),
        (("--sha256", "0" * 64), f"has sha256 {hash_}; {'0' * 64} was expected"),
        (("--sha256", "abc"), "is no SHA-256"),
    ):
        code, out, err = run(address, *args, "-o", "out.yaml")
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert says in err
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("mine.txt", b"\n \n", "mine.txt: has no questions; at least one"),
        ("mine.txt", b"\xff\xfe", "is not UTF-8 text"),
        ("mine.yaml", b"id: a\ntitle: b\nquestions: [{id: q}]\n", "mine.yaml:3: 'questions.0.text' is missing"),
    ],
)
def test_what_is_no_suite(run: Run, tmp_path: Path, name: str, content: bytes, says: str) -> None:
    address, hash_ = url(tmp_path / name, content)
    code, _, err = run(address, "--sha256", hash_, "-o", "out.yaml")
    assert (code, len(err.splitlines())) == (2, 1)
    assert says in err
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize(
    "address",
    [
        "file:///no/such/file.txt",
        "http://127.0.0.1:1/a.txt",
        "http://[/a",
        "ftp://127.0.0.1/a.txt",
        "mine.txt",
        "file://",
    ],
)
def test_a_url_that_cannot_be_read(run: Run, address: str) -> None:
    code, out, err = run(address, "--sha256", "0" * 64)
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_a_file_here_needs_no_url_and_no_hash(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("Why?\nHow?\n")
    assert run("mine.txt", "-o", "out.yaml")[0] == 0
    assert (
        load_suite("out.yaml", Place(folder=tmp_path)).questions
        == load_suite("mine.txt", Place(folder=tmp_path)).questions
    )
    assert (tmp_path / "out.yaml").read_text().startswith("# From mine.txt, sha256 ")
