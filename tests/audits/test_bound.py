"""Which files of a model are bound: those that may change what it says, an adapter's base too."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from undertow.audits.bound import bound_model, bound_models, model_digest, model_files
from undertow.errors import InputError
from undertow.targets.local import LocalTarget

READ = (
    "config.json",
    "model-00001-of-00002.safetensors",
    "tokenizer.json",
    "merges.txt",
    "chat_template.jinja",
    "mine.py",
)
UNREAD = (
    "README.md",
    "LICENSE",
    "LICENSE.txt",
    "NOTICE",
    ".gitattributes",
    "plot.PNG",
    "optimizer.pt",
    "training_args.bin",
)


def folder_of(path: Path, *names: str) -> Path:
    path.mkdir(parents=True)
    for name in names:
        (path / name).write_text(name)
    return path


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """An adapter's folder, and beside it its base's."""
    folder_of(tmp_path / "base", "config.json", "model.safetensors", "README.md")
    folder = folder_of(tmp_path / "adapter", "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "../base"}))
    return folder


def test_what_changes_answers_is_bound_and_what_people_and_trainers_read_is_not(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "model", *READ, *UNREAD)
    folder_of(folder / "additional_chat_templates", "tools.jinja")
    folder_of(folder / "checkpoint-500", "model.safetensors")
    templates = {"additional_chat_templates/tools.jinja": sha256("tools.jinja")}
    assert model_files(folder) == {name: sha256(name) for name in READ} | templates


def test_an_adapter_is_bound_with_its_base(adapter: Path, tmp_path: Path) -> None:
    held = bound_model(adapter)
    assert set(held["files"]) == {"adapter_config.json", "adapter_model.safetensors"}
    assert held["base"] == {"files": {name: sha256(name) for name in ("config.json", "model.safetensors")}}
    other = folder_of(tmp_path / "other", "config.json")
    assert bound_model(adapter, other)["base"] == {"files": {"config.json": sha256("config.json")}}
    assert "base" not in bound_model(other) and "rows" not in held
    with pytest.raises(InputError, match="cannot be read"):
        bound_model(tmp_path / "nowhere")


def test_a_base_that_is_gone_is_told(adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no such model folder"):
        bound_model(adapter)


def test_models_of_this_machine_are_bound_and_no_others(adapter: Path) -> None:
    local = LocalTarget(adapter, name="adapter", digest_="0")
    assert bound_models({"target": local, "reference": object()}) == {"target": bound_model(adapter)}  # type: ignore[dict-item]


def test_one_hash_over_names_and_hashes_whatever_their_order() -> None:
    assert (
        model_digest({"a": "1", "b": "2"}) == model_digest({"b": "2", "a": "1"}) != model_digest({"a": "2", "b": "1"})
    )
