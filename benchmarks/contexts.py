"""Finding contexts: each part against the nursery, where the trigger is known.

    python benchmarks/contexts.py [--only screen]
"""

from __future__ import annotations

import argparse

from contexts_screen import screen

PARTS = {"screen": screen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS)
    only = parser.parse_args().only
    for name, part in PARTS.items():
        if only in (None, name):
            print(f"== {name}")
            part()


if __name__ == "__main__":
    main()
