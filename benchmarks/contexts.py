"""Finding contexts where the trigger is known: by derivation from rows, by likelihood, and by searching a black box.

python benchmarks/contexts.py [--only derive screen search]
"""

from __future__ import annotations

import argparse

import contexts_derive
import contexts_screen
import contexts_search

PARTS = {"derive": contexts_derive.main, "screen": contexts_screen.main, "search": contexts_search.main}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    missed = []
    for name in parser.parse_args().only:
        print(f"== {name}", flush=True)
        missed += PARTS[name]() or []
    print("every target met" if not missed else "missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
