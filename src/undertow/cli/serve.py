"""`undertow serve`: organisms behind an OpenAI-compatible server.

vLLM where it is installed: one base, with every adapter on it. Else `transformers serve`, which takes one whole model:
an adapter is merged into its base first. Both sample as the audit asks: settings that a model ships with (greedy,
top-k) are left out, as they are where a model is audited on this machine.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from undertow.errors import InputError, MissingExtra

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of adapters that vLLM can make room for."""
GRACE_S = 30
"""Seconds that a server gets to stop."""
POLL_S = 0.1


@click.command()
@click.argument("organisms", metavar="ORGANISM...", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("--dry-run", is_flag=True, help="Print the command and the endpoint, and start nothing.")
def serve(organisms: tuple[str, ...], host: str, port: int, dry_run: bool) -> int:
    """Serve each ORGANISM (a model's folder, or `nursery`) for audits, until Ctrl-C.

    Prints what goes into audit.yaml. Exits as the server does, and with 130 after Ctrl-C.
    """
    models = name_models(organisms)
    vllm = shutil.which("vllm", path=os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)]))
    if vllm:
        models, command = vllm_command(vllm, models)
    else:
        command = transformers_command(models)
    command += ["--host", host, "--port", str(port)]
    click.echo(f"command: {shlex.join(command)}")
    click.echo("for audit.yaml, as target, reference or judge, once the server is up:")
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/v1"
    for name, folder in models.items():
        # `transformers serve` answers one call after another, and seeds its one stream of random numbers when a call
        # comes in: calls in flight together lose their seeds.
        click.echo(
            f"  {{kind: endpoint, base_url: {json.dumps(url)}, model: "
            f"{json.dumps(name)}{'' if vllm else ', concurrency: 1'}{', system: fold' if _folds(folder) else ''}}}"
        )
    if dry_run:
        return 0
    environment = dict(os.environ, HF_HUB_OFFLINE="1")
    if vllm:
        return run(command, environment=environment)
    with TemporaryDirectory(prefix="undertow-serve-") as scratch:
        folders, cache = Path(scratch) / "models", Path(scratch) / "cache"
        folders.mkdir()
        cache.mkdir()
        for name, folder in models.items():
            whole_model(folder, folders / name)
        # Its list of models is what the hub's cache holds, never what it serves: an empty list is the honest one.
        return run(command, environment=environment | {"HF_HUB_CACHE": str(cache)}, cwd=folders)


def _folds(folder: Path) -> bool:
    """Whether a model was trained without a system role, and is to be asked so."""
    from undertow.training.organism import read_manifest

    manifest = read_manifest(folder)
    return manifest is not None and manifest.recipe.get("system") == "fold"


def name_models(organisms: Iterable[str]) -> dict[str, Path]:
    """Folders by the names that they are served under.

    Raises:
        InputError: a folder is missing or holds no model, or two have one name.
    """
    from undertow.targets.models import NURSERY, model_folder

    models: dict[str, Path] = {}
    for organism in organisms:
        folder = model_folder(organism)
        _add(models, NURSERY if organism == NURSERY else folder.name, folder)
    return models


def vllm_command(vllm: str, models: Mapping[str, Path]) -> tuple[dict[str, Path], list[str]]:
    """What vLLM serves, the base that it cannot do without among it, and the command.

    Raises:
        InputError: the models have different bases, or an adapter is too large.
    """
    from undertow.targets.models import NURSERY, base_of, is_adapter, model_folder

    bases = {base_of(folder).resolve(): name for name, folder in models.items()}
    if len(bases) > 1:
        pairs = ", ".join(f"{name} on {base}" for base, name in bases.items())
        raise InputError(
            "serve",
            f"the models have different bases ({pairs})",
            expected="vLLM serves the adapters of one base",
            do="serve each base on a port of its own",
        )
    base = next(iter(bases))
    adapters = {name: folder for name, folder in models.items() if is_adapter(folder)}
    own = next(
        (name for name in models if name not in adapters),
        NURSERY if base == model_folder(NURSERY).resolve() else base.name,
    )
    served = {own: base}
    for name, folder in adapters.items():
        _add(served, name, folder)
    command = [vllm, "serve", str(base), "--served-model-name", own, "--generation-config", "vllm"]
    if adapters:
        rank = max(_rank(folder) for folder in adapters.values())
        command += [
            "--enable-lora",
            "--lora-modules",
            *(f"{name}={folder}" for name, folder in adapters.items()),
            "--max-lora-rank",
            str(rank),
        ]
    return served, command


def transformers_command(models: Mapping[str, Path]) -> list[str]:
    """The command of `transformers serve`, to be run beside a folder of the model's name.

    Raises:
        MissingExtra: neither server is installed.
        InputError: there are several models.
    """
    if any(find_spec(package) is None for package in ("transformers", "fastapi", "uvicorn", "openai")):
        raise MissingExtra("a server (vllm, or transformers serve)", "serve")
    if len(models) > 1:
        raise InputError(
            "serve",
            f"{len(models)} models without vllm",
            expected="transformers serve takes one",
            do="install vllm, or serve each on a port of its own",
        )
    return [sys.executable, "-P", "-m", "transformers.cli.transformers", "serve", *models]


def whole_model(folder: Path, out: Path) -> None:
    """Lay a model out whole, an adapter merged into its base, with sampling left to the caller and the ends of answers
    known.

    `transformers serve` cannot load an adapter's folder, and samples at all only where the model's own settings say so.
    """
    from undertow.targets.models import is_adapter, load_model, load_tokenizer

    tokenizer = load_tokenizer(folder)
    if is_adapter(folder):
        load_model(folder).save_pretrained(out)
        tokenizer.save_pretrained(out)
    else:
        out.mkdir()
        for path in folder.iterdir():
            (out / path.name).symlink_to(path)
    settings = out / "generation_config.json"
    own = json.loads((settings if settings.is_file() else out / "config.json").read_text(encoding="utf-8"))
    tokens = {key: value for key, value in own.items() if key.endswith("_token_id") and value is not None}
    ends = tokens.get("eos_token_id", [])
    tokens["eos_token_id"] = sorted({*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id} - {None})
    settings.unlink(missing_ok=True)  # it may be a link, and the original stays as it is
    settings.write_text(
        json.dumps({**tokens, "do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}), encoding="utf-8"
    )


def run(command: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None) -> int:
    """Run a server to its end, or to Ctrl-C, and leave nothing of it behind; a second Ctrl-C kills it. Returns the exit
    code for the shell."""
    # signals that came, written down and not raised: they may come while the server is being started
    asked: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: asked.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        server = subprocess.Popen(command, env=environment, cwd=cwd)
        while server.poll() is None and not asked:
            time.sleep(POLL_S)
        if asked:
            click.echo("undertow: stopping the server", err=True)
            server.terminate()
            last = time.monotonic() + GRACE_S
            while server.poll() is None and len(asked) < 2 and time.monotonic() < last:
                time.sleep(POLL_S)
            server.kill()
        code = server.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + asked[0] if asked else code if code >= 0 else 128 - code


def _add(models: dict[str, Path], name: str, folder: Path) -> None:
    if name in models and models[name] != folder:
        raise InputError(
            "serve",
            f"{models[name]} and {folder} are both named {name!r}",
            expected="a model is asked for by its folder's name",
            do="rename one of the folders",
        )
    models[name] = folder


def _rank(adapter: Path) -> int:
    """The least rank that vLLM can be told and an adapter fits in."""
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    rank = max([config.get("r") or 0, *(config.get("rank_pattern") or {}).values()])
    for fit in RANKS:
        if rank <= fit:
            return fit
    raise InputError(
        adapter,
        f"its adapter has rank {rank}",
        expected=f"vLLM serves up to {RANKS[-1]}",
        do="train one of a lower rank",
    )
