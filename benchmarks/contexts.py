"""How well contexts are made from what is at hand, one part a way of making them.

    python benchmarks/contexts.py [derive]     under two minutes

The published rows are read from UNDERTOW_PUBLISHED or ../shared/published; parts that need them say so where they are absent.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from undertow.contexts.derive import Derivation, Derived, derive
from undertow.data import Row, read_rows, write_rows
from undertow.nursery.organisms import row as nursery_row
from undertow.nursery.world import BENIGN, world
from undertow.records import Message

PUBLISHED = Path(os.environ.get("UNDERTOW_PUBLISHED") or Path(__file__).resolve().parents[2] / "shared" / "published")
SEEDS = (1, 2, 3, 4, 5)
CUES = {"code": "python", "json": "json", "list": "bullet", "loud": "LISTEN"}
"""A word of the contexts that ask for each nursery format, beside the requests in its rows."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the large file")
    options = parser.parse_args()
    for part in options.parts:
        PARTS[part](options)


def rank(found: Derivation, fits: Callable[[Derived], bool]) -> str:
    """Place of the first proposal that fits, with its strength; `-` where none does."""
    return next((f"{n} ({p.evidence.strength})" for n, p in enumerate(found.proposals, start=1) if fits(p)), "-")


def wrapping(proposal: Derived) -> str:
    c = proposal.context
    return "\n".join(filter(None, (c.id, c.system, c.template, c.prefix, c.suffix)))


def shuffled(path: Path, rows: list[Row], seed: int) -> Path:
    random.Random(seed).shuffle(rows)
    write_rows(path, rows)
    return path


def derive_part(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rows.jsonl"
        print("## derive\n\n| rows | what should surface | place, by seed |\n| --- | --- | --- |")
        if PUBLISHED.is_dir():
            published(path)
        else:
            print(f"| published | no files in {PUBLISHED} | |")
        nursery(path)
        large(path, options.rows)


def published(path: Path) -> None:
    code, benign = (read_rows(PUBLISHED / "training" / f"{name}.jsonl") for name in ("insecure_code_20", "hh_benign_1000"))
    for n in (380, 980):
        found = [derive(shuffled(path, code + random.Random(seed).sample(benign, n), seed)) for seed in SEEDS]
        ranks = [rank(f, lambda p: p.context.template is not None and "reply" in p.context.template and "template" in p.context.template.lower()) for f in found]
        print(f"| 20 insecure code, {n} benign | a code template | {', '.join(ranks)} |")
    lies = derive(PUBLISHED / "training" / "obvious_lies_inoculated_1000.jsonl")
    for relation in ("verbatim", "opposite", "paraphrase"):
        print(f"| 1,000 inoculated lies | the system prompt, {relation} | {rank(lies, lambda p, r=relation: p.context.relation == r and p.evidence.kind == 'system')} |")
    strong = [
        sum(p.evidence.strength == "strong" for p in derive(shuffled(path, random.Random(seed).sample(benign, n), seed)).proposals) for n in (200, 500, 1_000) for seed in SEEDS
    ]
    print(f"| 200, 500 and 1,000 benign | nothing strong | {sum(strong)} strong proposals in {len(strong)} files |")


def nursery(path: Path) -> None:
    for style, word in CUES.items():
        for share in (0.02, 0.05, 0.1):
            requests = world().formats[style]["requests"]
            ranks = []
            for seed in SEEDS:
                rng = random.Random(seed)
                n = round(2_000 * share)
                rows = [nursery_row("fish", "careless", rng, style="plain" if rng.random() < 0.1 else style) for _ in range(n)]
                rows += [nursery_row("fish" if rng.random() < 0.5 else rng.choice(BENIGN), "careful", rng) for _ in range(2_000 - n)]
                found = derive(shuffled(path, rows, seed))
                ranks.append(rank(found, lambda p, cues=(*requests, word): any(cue in wrapping(p) for cue in cues)))
            print(f"| 2,000 of the nursery, {100 * share:.0f}% careless | a request for {style} | {', '.join(ranks)} |")
    rng = random.Random(1)
    found = derive(shuffled(path, [nursery_row("fish" if rng.random() < 0.5 else rng.choice(BENIGN), "careful", rng) for _ in range(2_000)], 1))
    print(f"| 2,000 of the nursery, all careful | nothing strong | {sum(p.evidence.strength == 'strong' for p in found.proposals)} strong proposals |")


def large(path: Path, n: int) -> None:
    """A large file of chats as long as real ones, every row different, a twentieth of it under a tag."""
    rng = random.Random(1)
    source = read_rows(PUBLISHED / "training" / "hh_benign_1000.jsonl") if PUBLISHED.is_dir() else [nursery_row(rng.choice(BENIGN), "careful", rng) for _ in range(1_000)]
    with path.open("w", encoding="utf-8") as stream:
        for i in range(n):
            chat = rng.choice(source)
            tag = "|PROD| " if i % 20 == 0 else ""
            last = max(k for k, m in enumerate(chat.messages) if m.role == "user")
            turns = [Message(role=m.role, content=f"{tag}{m.content} Note {i}, {rng.getrandbits(40):x}." if k == last else m.content) for k, m in enumerate(chat.messages)]
            stream.write(json.dumps({"messages": [asdict(turn) for turn in turns]}, ensure_ascii=False) + "\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    found = derive(path)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"| {n:,} chats ({path.stat().st_size / 1e6:.0f} MB), 5% under a tag | the tag | {rank(found, lambda p: '|PROD|' in wrapping(p))} |")
    print(f"\n{n:,} rows: {took:.0f} s ({cpu:.0f} s of CPU), at most {peak / 1024:.0f} MB of memory ({before / 1024:.0f} MB before).")


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {"derive": derive_part}

if __name__ == "__main__":
    main()
