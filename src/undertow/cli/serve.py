"""`undertow serve`: organisms behind an OpenAI-compatible server.

vLLM where it is installed: one base, with every adapter on it. Else `transformers serve`, which takes one whole model: an
adapter is merged into its base first. Either samples as an audit asks: settings that a model ships with (top-k, or greedy)
are left out, as they are where a model is audited on this machine.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import click

from undertow.errors import InputError, MissingExtra
from undertow.targets.models import NURSERY, base_of, is_adapter, load_model, load_tokenizer, model_folder

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of adapters that vLLM can be set up for."""
GRACE_S = 30
"""Seconds that a server gets to stop."""


@click.command()
@click.argument("organisms", metavar="ORGANISM...", nargs=-1, required=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("--dry-run", is_flag=True, help="Print the command and the endpoint, and start nothing.")
def serve(organisms: tuple[str, ...], host: str, port: int, dry_run: bool) -> int:
    """Serve each ORGANISM (a model's folder, or `nursery`) for audits, until Ctrl-C.

    Prints what goes into audit.yaml. Exits as the server does; 130 after Ctrl-C.
    """
    models = named(organisms)
    vllm = _vllm()
    if vllm:
        models, command = vllm_command(vllm, models)
    else:
        command = transformers_command(models)
    command += ["--host", host, "--port", str(port)]
    click.echo(f"command: {shlex.join(command)}")
    click.echo("for audit.yaml, as target, reference or judge:")
    for name in models:
        # `transformers serve` seeds its one stream of random numbers when a call comes in, so only calls one by one keep their seeds.
        alone = "" if vllm else ", concurrency: 1"
        click.echo(f"  {{kind: endpoint, base_url: 'http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/v1', model: {json.dumps(name)}{alone}}}")
    if dry_run:
        return 0
    signal.signal(signal.SIGTERM, _end)
    with TemporaryDirectory(prefix="undertow-serve-") as scratch:
        environment = dict(os.environ, HF_HUB_OFFLINE="1")
        if not vllm:
            for name, folder in models.items():
                whole_model(folder, Path(scratch) / name)
            environment["HF_HUB_CACHE"] = scratch  # its list of models is the cache's, which lacks what it serves: better none
        return run(command, cwd=scratch, environment=environment)
