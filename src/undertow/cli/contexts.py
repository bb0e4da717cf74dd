"""`undertow contexts`: commands about contexts."""

from __future__ import annotations

import click

from undertow.cli.screen import screen


@click.group()
def contexts() -> None:
    """Find contexts that a model may misbehave in."""


contexts.add_command(screen)
