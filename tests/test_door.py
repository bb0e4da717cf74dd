"""The door: its public names with their signatures, and what loading them, or asking for help, may not load."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import undertow

SIGNATURES = {
    "audit": "(config: 'AuditConfig | Path | str', out: 'Path | str | None' = None, *, beside: 'Path | str' = "
    "PosixPath('.'), resume: 'bool' = False, retry_failed: 'bool' = False, budget: 'Budget | None' = None, "
    "pages: 'bool' = True, progress: 'Progress | None' = None) -> 'Audited'",
    "frame": "(runs: 'Sequence[Path | str] | Path | str', *, progress: 'Progress | None' = None) -> 'pandas.DataFrame'",
    "gate": "(run: 'Path | str', baseline: 'Path | str | None' = None, *, policy: 'Policy | Path | str | None' = None, "
    "ledger: 'Path | str | None' = None, beside: 'Path | str' = PosixPath('.')) -> 'Gate'",
    "load_findings": "(run: 'Path | str') -> 'Findings'",
    "nursery_rows": "(folder: 'Path | str', *, n: 'int' = 2000, seed: 'int' = 0) -> 'dict[str, Path]'",
    "profile": "(config: 'PersonaConfig | Path | str', out: 'Path | str | None' = None, *, beside: 'Path | str' = "
    "PosixPath('.'), resume: 'bool' = False, retry_failed: 'bool' = False, budget: 'Budget | None' = None, "
    "progress: 'Progress | None' = None) -> 'Profiled | None'",
    "report": "(runs: 'Sequence[Path | str] | Path | str', out: 'Path | str | None' = None, *, "
    "style: 'Style' = 'page') -> 'Path'",
    "study": "(what: 'Study | Path | str', out: 'Path | str | None' = None, *, beside: 'Path | str' = "
    "PosixPath('.'), executor: 'Executor | None' = None) -> 'dict[str, Any]'",
    "train": "(recipe: 'Recipe | Path | str', out: 'Path | str', *, beside: 'Path | str' = PosixPath('.'), "
    "budget: 'Budget | None' = None, progress: 'Progress | None' = None) -> 'Manifest'",
}
"""Of every public function. What changes here changes for whoever calls it: say so in the changelog."""
TYPES = {
    *("AuditConfig", "Audited", "Budget", "ContextEstimate", "Findings", "Gate", "InputError", "Interval", "Manifest"),
    *("MissingExtra", "Paused", "PersonaConfig", "Policy", "Profile", "Profiled", "Recipe", "RunExists", "Study"),
    *("UndertowError", "Verdict"),
}
HEAVY = ("aiohttp", "altair", "datasets", "inspect_ai", "jinja2", "numpy", "peft", "ray", "rich", "scipy", "torch")
HEAVY += ("pandas", "pyarrow", "tinker", "transformers", "trl", "yaml")
"""Modules that no help and no bare import may load."""


def loaded_by(code: str) -> list[str]:
    """The modules that a fresh process has loaded after running this."""
    code += "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_public_names_and_their_signatures() -> None:
    functions = {name: str(inspect.signature(getattr(undertow, name))) for name in SIGNATURES}
    assert functions == SIGNATURES
    assert set(undertow.__all__) == {*SIGNATURES, *TYPES, "Progress", "__version__"} == set(dir(undertow))
    assert all(inspect.isclass(getattr(undertow, name)) for name in TYPES)
    assert undertow.__version__.count(".") == 2


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'undertow' has no attribute 'adit'"):
        undertow.adit  # noqa: B018


def test_types_are_checked_by_whoever_installs_it() -> None:
    assert (Path(undertow.__file__).parent / "py.typed").is_file()


def test_importing_it_loads_nothing() -> None:
    found = loaded_by("import undertow")
    assert [name for name in found if name.startswith("undertow")] == ["undertow"]
    assert not {"pydantic", "importlib.metadata", *HEAVY} & set(found)


def test_no_help_loads_what_only_the_work_needs() -> None:
    """Each command's, in one process, so that what one of them loads is seen; groups' commands too."""
    code = """
import click
from click.testing import CliRunner
from undertow.cli.main import cli

def every(command, words):
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from every(inner, [*words, name])

shown = [CliRunner().invoke(cli, [*words, "--help"], standalone_mode=False) for words in every(cli, [])]
assert all(done.exception is None and "Usage:" in done.output for done in shown)
assert len(shown) > 30, len(shown)
"""
    found = set(loaded_by(code))
    assert not set(HEAVY) & found
    ours = {name for name in found if name.startswith("undertow.") and not name.startswith("undertow.cli")}
    assert ours <= {"undertow.errors", "undertow.progress", "undertow.records", "undertow.cli"}


def test_an_audit_of_a_scripted_target_loads_no_other_backend() -> None:
    """A kind is loaded when a file names it: neither the nursery, nor a server's client, nor a trainer."""
    code = """
from undertow.audits import AuditConfig
scripted = {"kind": "scripted", "script": "x"}
AuditConfig(name="a", target=scripted, judge={"kind": "scripted"}, suite="core", contexts=["plain"])
"""
    found = set(loaded_by(code))
    assert not found & {
        "aiohttp",
        "torch",
        "transformers",
        "inspect_ai",
        "undertow.targets.wire",
        "undertow.nursery.judge",
    }
    assert not [name for name in found if name.startswith(("undertow.persona", "undertow.training.backends"))]
