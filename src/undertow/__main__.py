"""The command's beginning: `undertow`, or `python -m undertow` where that is not on the path. Ctrl-C may come while all
the rest is still being imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command."""
    try:
        from undertow.cli import main as run
    except KeyboardInterrupt:
        print("undertow: stopped; nothing was begun", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
