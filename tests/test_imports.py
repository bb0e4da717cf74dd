"""Imports inside the package run downward only, as the README's 'The house' draws it; inside a folder, in no circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src"

HOUSE = (
    ("__init__", "__main__"),  # the package's own door: it shows what stands below, and nothing below goes through it
    ("cli",),
    ("door",),
    ("studies",),
    ("whole", "tasks"),
    ("reports", "exports", "view"),
    ("releases",),
    ("persona",),
    ("audits",),
    ("nursery", "lab"),
    ("training",),
    ("asking",),
    ("judges",),  # the scripted judge reads what the scripted target says
    ("targets",),
    ("contexts",),
    ("suites", "data", "stats"),
    ("tables", "words"),
    ("files", "kinds", "provenance", "records"),
    ("mistakes", "place"),
    ("errors", "keys", "progress"),
)
FLOOR = {name: len(HOUSE) - n for n, names in enumerate(HOUSE) for name in names}


@cache
def imports(text: str) -> tuple[tuple[ast.Import | ast.ImportFrom, bool], ...]:
    """Every import in a module's text, which several tests read, and whether it is run some time: those under `if
    TYPE_CHECKING` are not."""
    found, names = [], ("TYPE_CHECKING", "typing.TYPE_CHECKING")

    def look(node: ast.AST, runs: bool) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append((node, runs))
        elif not isinstance(node, ast.expr):
            typing = isinstance(node, ast.If) and isinstance(node.test, ast.Name | ast.Attribute)
            typing = typing and ast.unparse(node.test) in names
            for field, value in ast.iter_fields(node):
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, ast.AST):
                        look(each, runs and not (typing and field == "body"))

    look(ast.parse(text), True)
    return tuple(found)


def imported_modules(path: Path, package: str, *, run: bool = False) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in a module, those inside functions and `if TYPE_CHECKING` too; with `run`
    not the latter."""
    for node, runs in imports(path.read_text(encoding="utf-8")):
        if run and not runs:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        else:
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            stem = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def circles(src: Path) -> list[str]:
    """`folder: one -> two -> one` for the shortest circle of imports through each module of a folder of the house."""
    faults = []
    for folder in sorted(path for path in (src / "undertow").iterdir() if path.is_dir()):
        modules = {".".join(path.relative_to(src).with_suffix("").parts): path for path in folder.rglob("*.py")}
        modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
        leads: dict[str, list[str]] = {}
        for name, path in modules.items():
            package = ".".join(path.relative_to(src).parent.parts)
            parts = [found.split(".") for _, found in imported_modules(path, package, run=True)]
            # of `from undertow.data.rows import Row` the module, of `from undertow.data import rows` too
            held = [[".".join(p[:n]) for n in range(len(p), 0, -1) if ".".join(p[:n]) in modules] for p in parts]
            leads[name] = sorted({known[0] for known in held if known and known[0] != name})
        told: set[str] = set()
        for start in sorted(leads):
            ways, seen = [[start]], {start}
            for way in ways:
                if start in leads[way[-1]]:
                    if not told & set(way):
                        short = [name.removeprefix(f"undertow.{folder.name}").lstrip(".") or "__init__" for name in way]
                        faults.append(f"{folder.name}: {' -> '.join([*short, short[0]])}")
                    told |= set(way)
                    break
                ways += [[*way, on] for on in leads[way[-1]] if on not in seen]
                seen |= set(leads[way[-1]])
    return faults


def upward_imports(src: Path) -> list[str]:
    """`file:line: imports module` for each import under `src/undertow` that does not run downward."""
    faults = []
    for path in sorted((src / "undertow").rglob("*.py")):
        at = path.relative_to(src)
        home = at.with_suffix("").parts[1]
        if home not in FLOOR:
            faults.append(f"{at}: {home!r} has no floor in the house")
            continue
        for line, name in imported_modules(path, ".".join(at.parent.parts)):
            top, _, rest = name.partition(".")
            first = rest.partition(".")[0]
            # `from undertow import __version__` fetches a value that stands before any import
            if top != "undertow" or first.startswith("__"):
                continue
            there = first if first in FLOOR else "__init__"
            if there != home and FLOOR[there] >= FLOOR[home]:
                faults.append(f"{at}:{line}: imports {name}")
    return faults


def drawn(src: Path) -> list[str]:
    """The house, a line for each room from the top: the rooms whose modules its own import."""
    leads: dict[str, set[str]] = {name: set() for name in FLOOR}
    for path in sorted((src / "undertow").rglob("*.py")):
        at = path.relative_to(src)
        home = at.with_suffix("").parts[1]
        for _, name in imported_modules(path, ".".join(at.parent.parts)):
            there = name.partition(".")[2].partition(".")[0]
            if name.startswith("undertow.") and there in FLOOR and there != home:
                leads[home].add(there)
    return [f"{name}: {', '.join(sorted(leads[name], key=lambda n: -FLOOR[n])) or '-'}" for name in FLOOR]


def test_imports_run_downward() -> None:
    print("\n".join(drawn(SRC)))  # pytest -s shows the house
    faults = upward_imports(SRC)
    assert not faults, "\n".join(faults)


def test_the_walk_sees_the_package() -> None:
    seen = {path.relative_to(SRC).as_posix() for path in (SRC / "undertow").rglob("*.py")}
    assert {"undertow/errors.py", "undertow/data/rows.py"} <= seen


@pytest.mark.parametrize(
    ("file", "code", "fault"),
    [
        ("errors.py", "import undertow.files", "1: imports undertow.files"),
        ("records.py", "from undertow.files import digest", "1: imports undertow.files.digest"),
        ("stats/rates.py", "def f():\n    from undertow.audits import plan", "2: imports undertow.audits.plan"),
        (
            "data/rows.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from undertow.contexts import check",
            "3: imports undertow.contexts.check",
        ),
        ("training/sft.py", "from undertow import nursery", "1: imports undertow.nursery"),
        ("targets/one.py", "from ..judges import Judge", "1: imports undertow.judges.Judge"),
        ("targets/__init__.py", "from ..judges import Judge", "1: imports undertow.judges.Judge"),
        ("audits/run.py", "from .. import cli", "1: imports undertow.cli"),
        ("audits/run.py", "from undertow import Verdict", "1: imports undertow.Verdict"),
        ("audits/run.py", "import undertow", "1: imports undertow"),
    ],
)
def test_the_checker_catches(tmp_path: Path, file: str, code: str, fault: str) -> None:
    path = tmp_path / "undertow" / file
    path.parent.mkdir(parents=True)
    path.write_text(code, encoding="utf-8")
    assert upward_imports(tmp_path) == [f"undertow/{file}:{fault}"]


def test_the_checker_catches_a_module_without_a_floor(tmp_path: Path) -> None:
    (tmp_path / "undertow").mkdir()
    (tmp_path / "undertow" / "utils.py").touch()
    assert upward_imports(tmp_path) == ["undertow/utils.py: 'utils' has no floor in the house"]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("errors.py", "import difflib\nfrom undertow import __version__"),
        (
            "data/rows.py",
            "from undertow.data.mixes import Mix\nfrom .mixes import Part\nfrom undertow.errors import InputError",
        ),
        ("cli/audit.py", "def f():\n    from undertow.reports import page\n    import undertow.errors"),
        ("__init__.py", "from undertow.audits import audit"),
        ("data/rows.py", "import undertow_other.cli"),
    ],
)
def test_the_checker_lets_pass(tmp_path: Path, file: str, code: str) -> None:
    path = tmp_path / "undertow" / file
    path.parent.mkdir(parents=True)
    path.write_text(code, encoding="utf-8")
    assert upward_imports(tmp_path) == []


def test_no_imports_run_in_a_circle() -> None:
    faults = circles(SRC)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        (
            {
                "data/rows.py": "from undertow.data.mixes import Mix",
                "data/mixes.py": "def f():\n    from undertow.data.rows import Row",
            },
            "data: mixes -> rows -> mixes",
        ),
        (
            {
                "studies/cells.py": "from undertow.studies.executors import local",
                "studies/executors/__init__.py": "",
                "studies/executors/local.py": "from ..work import work",
                "studies/work.py": "import undertow.studies.cells",
            },
            "studies: cells -> executors.local -> work -> cells",
        ),
        (
            {"data/__init__.py": "from undertow.data.rows import Row", "data/rows.py": "from undertow.data import Mix"},
            "data: __init__ -> rows -> __init__",
        ),
        (
            {"data/__init__.py": "from .rows import Row", "data/rows.py": "from . import Mix"},
            "data: __init__ -> rows -> __init__",
        ),
        (
            {
                "data/rows.py": "if TYPE_CHECKING:\n    import os\nelse:\n    import undertow.data.mixes",
                "data/mixes.py": "from undertow.data import rows",
            },
            "data: mixes -> rows -> mixes",
        ),
    ],
)
def test_the_checker_catches_a_circle(tmp_path: Path, files: dict[str, str], circle: str) -> None:
    for file, code in files.items():
        path = tmp_path / "undertow" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    assert circles(tmp_path) == [circle]


@pytest.mark.parametrize(
    "files",
    [
        {
            "data/rows.py": "from undertow.data.mixes import Mix",
            "data/mixes.py": "if TYPE_CHECKING:\n    from undertow.data.rows import Row",
        },
        {
            "data/__init__.py": "from undertow.data.mixes import Mix",
            "data/mixes.py": "from undertow.data.rows import Row\nfrom undertow.errors import InputError",
            "data/rows.py": "import undertow_other.data.mixes",
        },
        {"data/rows.py": "from undertow.suites import load", "suites/load.py": "from undertow.data import rows"},
    ],
)
def test_the_checker_lets_pass_what_is_no_circle(tmp_path: Path, files: dict[str, str]) -> None:
    for file, code in files.items():
        path = tmp_path / "undertow" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    assert circles(tmp_path) == []
