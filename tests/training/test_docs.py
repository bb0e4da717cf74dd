"""docs/training.md and the interventions' own keys say the same."""

from pathlib import Path

from undertow.keys import Key, Keys
from undertow.kinds import INTERVENTIONS, installed

DOCS = Path(__file__).resolve().parents[2] / "docs" / "training.md"


def line(kind: str, key: Key) -> str:
    """A key's line in the docs."""
    cells = (f"`{kind}`", f"`{key.name}`", key.takes, "required" if key.required else key.default, key.explanation)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def expected() -> list[str]:
    kinds = [kind for kind in installed(INTERVENTIONS) if not kind.plugin]
    return [
        line(kind.name, key)
        for kind in kinds
        for key in Keys(kind.config.model_json_schema()).tables()[0].keys
        if key.name != "kind"
    ]


def test_every_key_of_every_intervention_stands_in_the_docs() -> None:
    held = DOCS.read_text(encoding="utf-8").splitlines()
    assert [wanted for wanted in expected() if wanted not in held] == []
    assert [text for text in held if text.startswith("| `") and text.count(" | ") == 4 and text not in expected()] == []
    assert all(
        any(text.startswith(f"| `{kind.name}` |") for text in held)
        for kind in installed(INTERVENTIONS)
        if not kind.plugin
    )
