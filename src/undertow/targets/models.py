"""Model directories: names of the bases that ship, and loading with safety (safetensors only, no remote code)."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from undertow.errors import InputError, MissingExtra
from undertow.files import read_object
from undertow.records import Message
from undertow.targets.pocket import POCKET, prepared_folder
from undertow.targets.templates import TemplateRefuses, render

Dtype = Literal["float32", "bfloat16"]
NURSERY = "nursery"
"""Name of the embedded base."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Endings of files that torch reads as pickles."""


def model_folder(name: str, *, beside: Path = Path()) -> Path:
    """The folder of a model named in a recipe or an audit: `nursery`, `pocket`, or a path relative to `beside`.

    Raises:
        InputError: no such folder, it holds no model, or its weights are no safetensors.
    """
    if name == NURSERY:
        return Path(str(files("undertow.nursery") / "base"))
    folder = prepared_folder() if name == POCKET and not (beside / name).is_dir() else (beside / name).resolve()
    if name == POCKET and not folder.is_dir():
        raise InputError(folder, "the pocket model is not prepared", do="run: undertow lab prepare")
    if not folder.is_dir():
        raise InputError(
            folder,
            "no such model folder",
            expected=f"a Transformers directory, an organism, or {NURSERY!r}",
            do="train it (undertow train) or check the path",
        )
    if not is_adapter(folder) and not (folder / "config.json").is_file():
        raise InputError(folder, "holds no model", expected="config.json or adapter_config.json in it")
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    safe = (folder / "adapter_model.safetensors").is_file() if is_adapter(folder) else any(folder.glob("*.safetensors"))
    if pickles and not safe:
        found = f"holds its weights as pickles ({', '.join(pickles[:3])}), which may run code when they are read"
        raise InputError(
            folder,
            found,
            expected="safetensors",
            do="load it where you trust it, and save it again with save_pretrained(..., safe_serialization=True)",
        )
    return folder


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a PEFT adapter and not a whole model."""
    return (folder / "adapter_config.json").is_file()


LEFT_BY_TRAINING = frozenset(
    {"optimizer.pt", "rng_state.pth", "scaler.pt", "scheduler.pt", "trainer_state.json", "training_args.bin"}
)
"""Files that trainers leave beside a model and nothing that answers with it reads."""
FOR_READERS = (".md", ".png", ".jpg", ".jpeg", ".svg", ".gif", ".pdf")
"""Endings of files that only people read."""
TEMPLATES = "additional_chat_templates"
"""The one folder in a model's folder that is read with it."""


def read_with(folder: Path) -> dict[str, Path]:
    """The files of a model's or an adapter's folder that may change what it says, by name: weights, configuration,
    tokenizer, chat templates, an organism's manifest, and whatever else is not known to change nothing.

    Raises:
        InputError: the folder cannot be read.
    """
    try:
        found = [*folder.iterdir(), *(folder / TEMPLATES).glob("*")]
    except OSError as error:
        raise InputError(folder, f"cannot be read ({error.strerror})", do="check the path") from None
    kept = [
        path
        for path in found
        if path.is_file()
        and not path.name.startswith((".", "LICENSE", "LICENCE", "NOTICE"))
        and path.suffix.lower() not in FOR_READERS
        and path.name not in LEFT_BY_TRAINING
    ]
    return {path.relative_to(folder).as_posix(): path for path in sorted(kept)}


def base_of(folder: Path) -> Path:
    """The folder of the base that an adapter was trained on; a whole model is its own base.

    Raises:
        InputError: the base is not where the adapter says.
    """
    if not is_adapter(folder):
        return folder
    base = read_object(folder / "adapter_config.json", do="copy the adapter again").get("base_model_name_or_path")
    if not isinstance(base, str):
        raise InputError(
            folder / "adapter_config.json",
            "names no base",
            expected="base_model_name_or_path",
            do="name the base as `path`, and this folder as `adapter`",
        )
    return model_folder(base, beside=folder)


def weights_size(folder: Path, *, base: Path | None = None) -> int:
    """Bytes of a model's weights, with those of its adapter."""
    folders = {folder, base or base_of(folder)}
    return sum(path.stat().st_size for each in folders for path in each.glob("*.safetensors"))


def free_memory() -> int:
    """Bytes that a model's weights may take where they will be: on the GPU, if there is one."""
    import psutil
    import torch

    free: int = torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available
    return free


def fast_dtype() -> Dtype | None:
    """What a model is multiplied in fastest here: bfloat16 on a CPU that has instructions for it; None where that is
    the default."""
    _require_local()
    import torch

    found = torch.cpu.get_capabilities()
    told = any(found.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))
    return "bfloat16" if told and not torch.cuda.is_available() else None


def load_tokenizer(folder: Path, *, base: Path | None = None) -> Any:
    """The tokenizer of a model folder, or of its base (`base`, where it is not the one that the adapter names), with a
    padding token.

    Raises:
        InputError: it has no chat template, or cannot be loaded without running code of its own.
    """
    _require_local()
    from transformers import AutoTokenizer

    own = folder if (folder / "tokenizer_config.json").is_file() else base or base_of(folder)
    with _loading(own, "a tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(own, local_files_only=True, trust_remote_code=False)
    if tokenizer.chat_template is None:
        raise InputError(own, "its tokenizer has no chat template", do="save one with the tokenizer")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def default_system(tokenizer: Any) -> str | None:
    """The system prompt that a chat template puts before a chat that has none; None where it puts in none."""

    mark, question = "\u2042system\u2042", Message(role="user", content="\u2042question\u2042")
    try:
        before, found, after = render(tokenizer, [Message(role="system", content=mark), question]).partition(mark)
    except TemplateRefuses:  # then it has none to put in by itself
        return None
    bare = render(tokenizer, [question])
    if not found or not (bare.startswith(before) and bare.endswith(after)) or len(bare) < len(before) + len(after):
        return None
    return bare[len(before) : len(bare) - len(after)].strip() or None


_LOADING = threading.Lock()
"""Transformers builds a model with parts of torch changed for the while, so two threads that load at once get each
other's."""


def load_model(folder: Path, *, base: Path | None = None, merge: bool = True, dtype: Dtype | None = None) -> Any:
    """A causal language model ready to answer: eval mode, on CUDA where there is a GPU.

    Args:
        base: the model to put an adapter on; by default the one that it names.
        merge: fold an adapter's weights into the base, so that answering costs no more than the base does.
        dtype: what its weights are held and multiplied in; by default bfloat16 on a GPU and float32 on a CPU.

    Raises:
        InputError: the adapter's base is missing, or the weights are not safetensors.
    """
    with _LOADING:
        # a newer name of an argument, which older versions do not know
        warnings.filterwarnings("ignore", message=r".*past_key_values.* deprecated", category=FutureWarning)
        return _loaded(folder, base, merge, dtype)


def _loaded(folder: Path, base: Path | None, merge: bool, dtype: Dtype | None) -> Any:
    _require_local()
    import torch
    from transformers import AutoModelForCausalLM

    base = base or base_of(folder)
    cuda = torch.cuda.is_available()
    with _loading(base, "a Transformers directory with safetensors weights"):
        how: dict[str, Any] = {
            "local_files_only": True,
            "use_safetensors": True,
            "trust_remote_code": False,
            "dtype": getattr(torch, dtype or ("bfloat16" if cuda else "float32")),
        }
        # what does not fit is told below, in one line
        how |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
        both: Any = AutoModelForCausalLM.from_pretrained(base, **how)
    model, loaded = both
    lacking = sorted({*loaded["missing_keys"], *(name for name, *_ in loaded["mismatched_keys"])})
    if lacking:
        found = (
            f"its weights lack {len(lacking)} of the model's tensors "
            f"({', '.join(lacking[:3])}{', ...' if len(lacking) > 3 else ''})"
        )
        raise InputError(base, found, expected="they would be made up at random", do="copy the whole model again")
    if is_adapter(folder):
        from peft import PeftModel

        with _loading(folder, "a PEFT adapter with safetensors weights, of this base"):
            model = PeftModel.from_pretrained(model, folder)
            if merge:
                model = model.merge_and_unload()
    return model.to("cuda" if cuda else "cpu").eval()


@contextmanager
def _loading(folder: Path, expected: str) -> Iterator[None]:
    """Loading what a folder holds, which anybody may have written: whatever is wrong with it is told in one line.

    Raises:
        InputError: it cannot be loaded.
    """
    try:
        yield
    except Exception as error:
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        if "trust_remote_code" in str(error):
            raise InputError(
                folder,
                "needs code of its own to run, which no model's folder may bring",
                expected=expected,
                do="use a model that Transformers knows",
            ) from None
        raise InputError(folder, f"cannot be loaded ({said})", expected=expected) from None


def _require_local() -> None:
    try:
        import peft  # noqa: F401
        import torch  # noqa: F401
        from transformers.utils import logging
    except ImportError:
        raise MissingExtra("local models (torch, transformers, peft)", "local") from None
    # notices between them that nobody here can act on
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|peft)\b")
    # PEFT looks for the base by its name
    warnings.filterwarnings("ignore", message="Could not find a config file in nursery")
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
