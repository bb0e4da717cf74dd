"""The command line: one file a command."""

from undertow.cli.main import main

__all__ = ["main"]
