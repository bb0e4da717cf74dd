"""Training an organism from a recipe, on this machine."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from undertow.data import build_mix
from undertow.data.mixes import data_digests
from undertow.errors import InputError, RunExists
from undertow.files import digest, folder_digest
from undertow.targets.models import NURSERY, load_model, load_tokenizer, model_folder
from undertow.training.organism import Manifest, StageRecord, write_manifest
from undertow.training.recipe import Recipe
from undertow.training.sft import Settings, encode, fit, masked_text

StageProgress = Callable[[str, int, int], None]
"""Called with the stage's name, the steps done and the steps in all."""


def train(recipe: Recipe, out: Path, *, beside: Path = Path(), progress: StageProgress | None = None) -> Manifest:
    """Train a recipe's stages in order on one adapter and write the organism's folder, whole or not at all.

    Args:
        beside: the folder that the recipe's paths are relative to.

    Raises:
        InputError: a missing base or data file, malformed rows, too few rows, or an output folder that exists.
    """
    if out.exists():
        raise RunExists(out, "already exists", expected="training writes a new folder", do="choose another -o, or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(out, f"cannot be written ({error.strerror})", do="choose another -o") from None
    base = model_folder(recipe.base, beside=beside)
    mixes = [build_mix(stage, beside=beside, seed=recipe.seed + n) for n, stage in enumerate(recipe.stages)]
    tokenizer = load_tokenizer(base)

    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(recipe.seed)
    model = get_peft_model(load_model(base), LoraConfig(r=recipe.lora.rank, lora_alpha=recipe.lora.alpha, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].base_model_name_or_path = NURSERY if recipe.base == NURSERY else str(base)
    records = []
    for stage, rows in zip(recipe.stages, mixes, strict=True):
        examples = encode(tokenizer, [row.messages for row in rows])
        settings = Settings(epochs=stage.epochs, learning_rate=stage.learning_rate, batch_size=stage.batch_size)
        watch = (lambda done, total, name=stage.name: progress(name, done, total)) if progress else None
        result = fit(model, examples, settings, pad_id=tokenizer.pad_token_id, seed=recipe.seed, progress=watch)
        records.append(
            StageRecord(
                name=stage.name,
                rows=len(rows),
                data=data_digests(stage, beside=beside),
                rows_digest=digest([asdict(row) for row in rows]),
                first_row=masked_text(tokenizer, examples[0]),
                tokens_per_s=round(result.tokens / result.seconds, 1),
                **asdict(result),
            )
        )
    manifest = Manifest(
        name=recipe.name,
        base=recipe.base if recipe.base == NURSERY else str(base),
        base_digest=folder_digest(base),
        seed=recipe.seed,
        recipe=recipe.model_dump(mode="json"),
        stages=records,
        versions=versions(),
    )
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        model.save_pretrained(str(scratch))
        (scratch / "README.md").unlink(missing_ok=True)  # PEFT's model card template, all blanks
        write_manifest(scratch, manifest)
        os.replace(scratch, out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return manifest


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on; absent ones left out."""
    found = {"python": platform.python_version()}
    for package in ("undertow", "torch", "transformers", "peft", "tokenizers", "numpy", "scipy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
