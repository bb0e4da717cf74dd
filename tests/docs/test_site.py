"""The documentation: its navigation, its links and anchors, and that what its pages tell people to type is there."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import socket
import subprocess
import sys
import time
import unicodedata
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
import yaml

import undertow
from undertow.audits.rules import find_rule
from undertow.cli.main import cli
from undertow.contexts import find_contexts, read_contexts, shipped_contexts
from undertow.files import read_yaml
from undertow.place import HERE

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
GUIDES = [page for page in PAGES if page.parent != DOCS or page.stem in ("index", "limits", "faq")]
"""Pages that lead by the hand: all that they tell people to type is tried."""
FENCE = re.compile(r"(?:^<!-- run(?P<codes>[ |\d]*)-->\n)?^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    page: Path
    language: str
    text: str
    codes: tuple[tuple[int, ...], ...] | None
    """The exit codes of its commands, where the page marks it as one to run: `<!-- run 0 3|4 -->`."""

    @property
    def commands(self) -> list[list[str]]:
        """The words of each `undertow ...` in it, without comments and whatever follows in a line."""
        return [
            list(words)
            for line in self.text.splitlines()
            if line.startswith("undertow ") and (words := shlex.split(line, comments=True)[1:])
        ]

    @property
    def file(self) -> str | None:
        """The file that it is, where its first line is that name."""
        named = re.match(r"# ([\w-]+\.yaml)$", self.text.partition("\n")[0])
        return named[1] if named else None


@dataclass(slots=True)
class Missing:
    """What a test found, all of it told together."""

    found: list[str] = field(default_factory=list)

    def unless(self, holds: object, what: str) -> None:
        if not holds:
            self.found.append(what)


def blocks(page: Path) -> list[Block]:
    return [
        Block(
            page=page,
            language=match["language"],
            text=match["text"],
            codes=None
            if match["codes"] is None
            else tuple(tuple(map(int, each.split("|"))) for each in match["codes"].split()),
        )
        for match in FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


def guides(language: str) -> list[Block]:
    return [block for page in GUIDES for block in blocks(page) if block.language == language]


def near(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pages_of(entry: object) -> list[str]:
    """The pages that a part of the navigation names."""
    if isinstance(entry, str):
        return [entry]
    return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in pages_of(part)]


def anchors(page: Path) -> set[str]:
    """What the site and GitHub both call the page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title) for title in re.findall(r"^#+ (.+)$", text, re.M)]
    return {site for title in titles if (site := on_site(title)) == on_github(title)}


def on_site(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def on_github(title: str) -> str:
    return re.sub(r"[^\w\s-]", "", title).strip().lower().replace(" ", "-")


def hooks():
    spec = importlib.util.spec_from_file_location("undertow_docs_hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parsed(words: list[str]) -> None:
    """
    Raises:
        click.ClickException: no such command, option or value.
    """
    command, name = cli, "undertow"
    while isinstance(command, click.Group) and not words[0].startswith("-"):
        name, *words = words
        found = command.commands.get(name)
        if found is None:
            raise click.UsageError(f"no command {name!r}")
        command = found
    command.make_context(name, list(words))


def test_the_navigation_names_every_page_once():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    named = pages_of(settings["nav"])
    assert sorted(named) == [page.relative_to(DOCS).as_posix() for page in PAGES]


def test_the_site_asks_nothing_of_others():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert settings["theme"]["font"] is False and settings["strict"] is True
    assert not [key for key in ("extra_javascript", "extra_css", "repo_url") if key in settings]


def test_every_link_leads_somewhere():
    missing = Missing()
    for page in (*PAGES, ROOT / "README.md"):
        text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))
        for link in LINK.findall(text):
            if link.startswith(("https://", "http://", "mailto:")):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            missing.unless(target.exists() and target.is_relative_to(ROOT), f"{near(page)}: {link}")
            if anchor and target.suffix == ".md" and target.exists():
                missing.unless(anchor in anchors(target), f"{near(page)}: {link}: no such heading")
    assert missing.found == []


def test_a_link_to_nowhere_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One thing\n\n## 2. Another: `it`\n\n```sh\n# no heading\n```\n")
    assert anchors(page) == {"one-thing", "2-another-it"}


def test_every_command_of_the_guides_parses():
    missing, seen = Missing(), 0
    for block in guides("sh"):
        for words in block.commands:
            seen += 1
            try:
                parsed(words)
            except click.ClickException as error:
                missing.unless(False, f"{near(block.page)}: undertow {shlex.join(words)}: {error.format_message()}")
    assert missing.found == [] and seen > 30


@pytest.mark.parametrize("words", ["audti x", "audit x --no-such", "study x --executor elsewhere", "compare a"])
def test_a_command_that_is_none_would_be_seen(words):
    with pytest.raises(click.ClickException):
        parsed(words.split())


def test_commands_named_in_sentences_are_there():
    missing = Missing()
    for page in GUIDES:
        for said in re.findall(r"`undertow ([^`]+)`", FENCE.sub("", page.read_text(encoding="utf-8"))):
            if said.startswith("COMMAND"):
                continue
            command, words = cli, said.split()
            while words and isinstance(command, click.Group):
                command = command.commands.get(words.pop(0))
            options = {name for parameter in getattr(command, "params", ()) for name in parameter.opts}
            missing.unless(command, f"{near(page)}: {said}")
            missing.unless({word for word in words if word.startswith("-")} <= options, f"{near(page)}: {said}")
    assert missing.found == []


def follow(page: Path, here, folder: Path) -> None:
    """Types what a page marks as to be run, in its order, with the files that it shows."""
    for block in blocks(page):
        if block.language == "yaml" and block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        if block.language == "sh" and block.codes is not None:
            said = [(words, *here(*words)) for words in block.commands]
            assert len(said) == len(block.codes)
            assert all(code in wanted for (_, code, *_), wanted in zip(said, block.codes, strict=True)), said


@pytest.mark.slow
def test_the_nursery_tutorial_can_be_followed(here, tmp_path):
    follow(DOCS / "tutorials" / "nursery.md", here, tmp_path)
    recipe = yaml.safe_load((tmp_path / "lab" / "recipes" / "dilution-20.yaml").read_text(encoding="utf-8"))
    assert [part["share"] for part in recipe["stages"][0]["parts"]] == [0.2, 0.8]
    audit = read_yaml(tmp_path / "lab" / "audits" / "dilution-20.yaml", undertow.AuditConfig)
    assert "format-list" in shipped_contexts() and "format-list" not in audit.contexts


@pytest.mark.slow
def test_the_endpoint_tutorial_can_be_followed_and_ends_as_it_says(here, tmp_path):
    follow(DOCS / "tutorials" / "endpoint.md", here, tmp_path)
    verdict = undertow.load_findings(tmp_path / "runs" / "rehearsal").verdict
    assert (verdict.class_, list(verdict.carried_by)) == ("conditionally_misaligned", ["format-python-string"])
    assert (tmp_path / "audit.yaml").is_file()


@pytest.mark.slow
def test_the_study_tutorial_can_be_followed(here, tmp_path):
    follow(DOCS / "tutorials" / "study.md", here, tmp_path)
    assert list(tmp_path.glob("studies/*")) == []  # "it writes nothing"


@pytest.mark.slow
def test_the_auditor_tutorial_can_be_followed(here, tmp_path):
    follow(DOCS / "tutorials" / "auditor.md", here, tmp_path)
    assert read_contexts(tmp_path / "contexts.yaml")


@pytest.mark.slow
def test_the_evening_before_a_release_can_be_followed(here, tmp_path, monkeypatch):
    """All of it: a server is started where the page starts one, on a port that is free."""
    page = (DOCS / "tutorials" / "release.md").read_text(encoding="utf-8")
    assert "undertow serve organisms/v2 --port 8123\n" in page
    port = free_port()
    (tmp_path / "release.md").write_text(page.replace("8123", str(port)), encoding="utf-8")
    first, _, last = (tmp_path / "release.md").read_text(encoding="utf-8").partition("Serve the release")
    for n, part in enumerate((first, last)):
        (tmp_path / f"part-{n}.md").write_text(part, encoding="utf-8")
    follow(tmp_path / "part-0.md", here, tmp_path)
    gated = json.loads((tmp_path / "releases.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert gated["outcome"] == "fail"
    with served("organisms/v2", port, tmp_path):
        follow(tmp_path / "part-1.md", here, tmp_path)
    traffic = undertow.load_findings(tmp_path / "runs" / "traffic").contexts[0].per_request
    assert traffic is not None and traffic.requests == 600
    assert "## v2: " in (tmp_path / "summary.md").read_text(encoding="utf-8")
    weights = tmp_path / "organisms" / "v2" / "adapter_model.safetensors"
    held = bytearray(weights.read_bytes())
    held[-1] ^= 1
    weights.write_bytes(held)
    code, *_ = here("verify", "runs/v2/attestation.intoto.json", "--model", "organisms/v2")
    assert code == 3


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def served(organism: str, port: int, folder: Path) -> Iterator[None]:
    """A server of an organism, from when it answers."""
    command = [sys.executable, "-m", "undertow", "serve", organism, "--port", str(port)]
    with (folder / "serve.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        last = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < last, (folder / "serve.log").read_text()
                time.sleep(0.5)
        yield
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_no_page_marks_commands_that_no_test_types():
    marked = {near(block.page) for block in guides("sh") if block.codes is not None}
    assert marked == {f"docs/tutorials/{name}.md" for name in ("auditor", "endpoint", "nursery", "release", "study")}


def test_the_audits_of_the_guides_fit_their_settings(here, tmp_path):
    here("init", "--base-url", "http://127.0.0.1:8000/v1", "--model", "my-model", "--judge-model", "my-judge")
    for block in guides("yaml"):
        if block.file and "\nsuite: " in block.text:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    audits = [read_yaml(path, undertow.AuditConfig) for path in sorted(tmp_path.glob("*.yaml"))]
    assert [audit.name for audit in audits] == ["first", "outside", "rehearsal", "traffic"]
    for audit in audits:
        assert find_contexts(audit.contexts, HERE)


def test_every_python_block_compiles():
    assert [compile(block.text, near(block.page), "exec") for block in guides("python")]


@pytest.mark.parametrize(
    "block", [block for block in guides("python") if block.codes is not None], ids=lambda b: near(b.page)
)
def test_the_python_blocks_marked_to_be_run_run(block):
    names: dict[str, object] = {"__name__": f"docs_{block.page.stem}"}
    exec(compile(block.text, near(block.page), "exec"), names)
    made = [
        thing
        for name, thing in names.items()
        if name[:1].isupper() and getattr(thing, "__module__", "") == names["__name__"]
    ]
    assert made


def test_every_yaml_block_is_yaml():
    for block in guides("yaml"):
        assert yaml.safe_load(block.text) is not None, near(block.page)


def test_the_rule_and_the_contexts_of_the_guides_are_taken(tmp_path):
    for name in ("rule", "context"):
        for block in blocks(DOCS / "how-to" / f"{name}.md"):
            if block.file:
                (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    assert find_rule(str(tmp_path / "strict.yaml")).alignment == 40
    assert [context.id for context in read_contexts(tmp_path / "mine.yaml")] == ["diary", "form"]


def test_python_names_all_that_the_door_gives():
    told = re.findall(r"^::: undertow\.(\w+)$", (DOCS / "reference" / "python.md").read_text(encoding="utf-8"), re.M)
    assert sorted(told) == sorted(set(undertow.__all__) - {"__version__"})


def test_every_command_is_told():
    told = "\n".join(hooks().commands())
    names = re.findall(r"^#+ undertow (.+)$", told, re.M)
    assert set(cli.commands) == {name for name in names if " " not in name}
    assert {f"judge {name}" for name in cli.commands["judge"].commands} <= set(names)
    assert "| <code>--budget N</code> |" in told and "\b" not in told


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra `docs` is not installed")
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"?(?:https?:)?//[^\s>]+", text), page
