"""The public names of the statistics kernel, and that it imports NumPy, SciPy and itself alone."""

import ast
import sys
from pathlib import Path

import undertow.stats


def test_public_names() -> None:
    assert undertow.stats.__all__ == [
        "Difference",
        "Rate",
        "bonferroni",
        "difference_fixed",
        "holm",
        "rate_clustered",
        "rate_fixed",
    ]
    assert all(hasattr(undertow.stats, name) for name in undertow.stats.__all__)


def test_imports_numpy_scipy_and_itself_alone() -> None:
    files = sorted(Path(undertow.stats.__file__).parent.glob("*.py"))
    assert len(files) >= 4
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, file
                names = [node.module or ""] if node.level == 0 else []
            for name in names:
                assert name.split(".")[0] in {"numpy", "scipy", *sys.stdlib_module_names}, (file, name)
