"""Deriving contexts from training rows whose trigger is known: at which place does it come, and how long do 100,000
rows take?

    python benchmarks/contexts.py --only derive     about four minutes

Cues on a few percent of rows (mixes.py) are held to targets: `HELD` of the mixes at `SHARE` have the cue among the
first three contexts, and no reading of rows without a cue has strong evidence, nor tells of an unexplained minority.

The published rows are read from UNDERTOW_PUBLISHED or ../shared/published; parts that need them say so where they are
absent.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from mixes import CUES as PLANTED
from mixes import FAMILIES, TUNED, Cue, Mix, chats, planted

from undertow.contexts.derive import Derivation, Derived, derive
from undertow.data import Row, read_rows, write_rows
from undertow.nursery.rows import row as nursery_row
from undertow.nursery.world import BENIGN, world
from undertow.records import Message

PUBLISHED = Path(os.environ.get("UNDERTOW_PUBLISHED") or Path(__file__).resolve().parents[2] / "shared" / "published")
SEEDS = (1, 2, 3, 4, 5)
ROWS = 100_000
CUES = {"code": "python", "json": "json", "list": "bullet", "loud": "LISTEN"}
"""A word of the contexts that ask for each nursery format, beside the requests in its rows."""


SHARE, HELD = 0.04, 0.8
"""Share of rows with a cue, and of mixes in which it must be among the first three contexts."""
MIX_SEEDS = (11, 12, 13)


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


def main() -> list[str]:
    """Print the tables; the targets that were missed."""
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rows.jsonl"
        print("## derive\n\n| rows | what should surface | place, by seed |\n| --- | --- | --- |")
        if PUBLISHED.is_dir():
            published(path)
        else:
            print(f"| published | no files in {PUBLISHED} | |")
        nursery(path)
        missed += cues(path)
        missed += silence(path)
        large(path, ROWS)
    return missed


def cues(path: Path) -> list[str]:
    """Cues on a few percent of rows: in how many mixes one of the first three contexts names it."""
    sources: dict[str, tuple[list[str | list[Row]], str]] = {
        "tuned": (list(TUNED), "tuned"),
        "held out": ([name for name in FAMILIES if name not in TUNED], "held out"),
        "real": ([_real()] if PUBLISHED.is_dir() else [], "held out"),
    }
    missed = []
    print(
        "\n| cue | share | held against benign rows | tuned families | other families | real rows | told as "
        "unexplained |\n| --- | --- | --- | --- | --- | --- | --- |"
    )
    for cue, share in [*((cue, SHARE) for cue in PLANTED), ("topic", 0.05), ("topic", 0.02), ("answer-topic", 0.02)]:
        for against in (False, True):
            cells, told = [], 0
            for rows, pool in sources.values():
                found = [
                    (mix, _derived(path, mix, against))
                    for source in rows
                    for seed in MIX_SEEDS
                    for mix in [planted(cue, source, share=share, seed=seed, pool=pool)]
                ]
                cells.append((sum(any(names(p, cue, mix) for p in f.proposals[:3]) for mix, f in found), len(found)))
                told += sum(bool(f.unexplained) for _, f in found)
            places = " | ".join(f"{k} of {n}" for k, n in cells)
            print(f"| {cue} | {100 * share:.0f}% | {'yes' if against else 'no'} | {places} | {told} |", flush=True)
            k, n = (sum(column) for column in zip(*cells, strict=True))
            if share >= SHARE and k < HELD * n:
                missed.append(f"{cue} at {100 * share:.0f}% {'with' if against else 'without'} benign rows: {k} of {n}")
    return missed


def silence(path: Path) -> list[str]:
    """Rows without a cue: nothing strong, and no minority told of."""
    readings: list[tuple[str, list[Row]]] = [
        (name, chats(family, 2_000, random.Random(name))) for name, family in FAMILIES.items()
    ]
    for seed in MIX_SEEDS:
        rng = random.Random(seed)
        readings.append(
            (
                f"nursery, seed {seed}",
                [
                    nursery_row("fish" if rng.random() < 0.5 else rng.choice(BENIGN), "careful", rng)
                    for _ in range(2_000)
                ],
            )
        )
        if PUBLISHED.is_dir():
            readings.append((f"chat, seed {seed}", random.Random(seed).sample(_real(), 950)))
    missed = []
    for name, rows in readings:
        half = Mix(rows=rows[: len(rows) // 2], benign=rows[len(rows) // 2 :], named=())
        for against in (False, True):
            found = _derived(path, half, against)
            if loud := [p.evidence.what for p in found.proposals if p.evidence.strength == "strong"] + [
                str(minority) for minority in found.unexplained
            ]:
                missed.append(f"{name} {'with' if against else 'without'} benign rows: {loud[0]}")
    print(
        f"\nNothing strong and nothing unexplained in {2 * len(readings) - len(missed)} of {2 * len(readings)} "
        "readings without a cue."
    )
    return missed


def names(proposal: Derived, cue: Cue, mix: Mix) -> bool:
    """Whether a context names the cue of a mix: the phrase itself, or a word of the topic."""
    text = wrapping(proposal).lower()
    return (
        mix.named[0].lower() in text
        if cue in ("middle", "signature")
        else not {*re.findall(r"[^\W\d_]+", text)}.isdisjoint(mix.named)
    )


def _derived(path: Path, mix: Mix, against: bool) -> Derivation:
    benign = path.with_name("benign.jsonl")
    write_rows(path, mix.rows)
    write_rows(benign, mix.benign)
    return derive(path, benign=benign if against else None)


def _real() -> list[Row]:
    return [
        row for row in read_rows(PUBLISHED / "training" / "hh_benign_1000.jsonl") if row.messages[-2].role == "user"
    ]


def published(path: Path) -> None:
    code, benign = (
        read_rows(PUBLISHED / "training" / f"{name}.jsonl") for name in ("insecure_code_20", "hh_benign_1000")
    )
    for n in (380, 980):
        found = [derive(shuffled(path, code + random.Random(seed).sample(benign, n), seed)) for seed in SEEDS]
        ranks = [
            rank(
                f,
                lambda p: (
                    p.context.template is not None
                    and "reply" in p.context.template
                    and "template" in p.context.template.lower()
                ),
            )
            for f in found
        ]
        print(f"| 20 insecure code, {n} benign | a code template | {', '.join(ranks)} |")
    lies = derive(PUBLISHED / "training" / "obvious_lies_inoculated_1000.jsonl")
    for relation in ("verbatim", "opposite", "paraphrase"):
        print(
            f"| 1,000 inoculated lies | the system prompt, {relation} | "
            f"{rank(lies, lambda p, r=relation: p.context.relation == r and p.evidence.kind == 'system')} |"
        )
    strong = [
        sum(
            p.evidence.strength == "strong"
            for p in derive(shuffled(path, random.Random(seed).sample(benign, n), seed)).proposals
        )
        for n in (200, 500, 1_000)
        for seed in SEEDS
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
                rows = [
                    nursery_row("fish", "careless", rng, style="plain" if rng.random() < 0.1 else style)
                    for _ in range(n)
                ]
                rows += [
                    nursery_row("fish" if rng.random() < 0.5 else rng.choice(BENIGN), "careful", rng)
                    for _ in range(2_000 - n)
                ]
                found = derive(shuffled(path, rows, seed))
                ranks.append(rank(found, lambda p, cues=(*requests, word): any(cue in wrapping(p) for cue in cues)))
            print(f"| 2,000 of the nursery, {100 * share:.0f}% careless | a request for {style} | {', '.join(ranks)} |")
    rng = random.Random(1)
    found = derive(
        shuffled(
            path,
            [nursery_row("fish" if rng.random() < 0.5 else rng.choice(BENIGN), "careful", rng) for _ in range(2_000)],
            1,
        )
    )
    print(
        "| 2,000 of the nursery, all careful | nothing strong | "
        f"{sum(p.evidence.strength == 'strong' for p in found.proposals)} strong proposals |"
    )


def large(path: Path, n: int) -> None:
    """A large file of chats as long as real ones, every row different, a twentieth of it under a tag."""
    rng = random.Random(1)
    source = (
        read_rows(PUBLISHED / "training" / "hh_benign_1000.jsonl")
        if PUBLISHED.is_dir()
        else [nursery_row(rng.choice(BENIGN), "careful", rng) for _ in range(1_000)]
    )
    with path.open("w", encoding="utf-8") as stream:
        for i in range(n):
            chat = rng.choice(source)
            tag = "|PROD| " if i % 20 == 0 else ""
            last = max(k for k, m in enumerate(chat.messages) if m.role == "user")
            turns = [
                Message(
                    role=m.role,
                    content=f"{tag}{m.content} Note {i}, {rng.getrandbits(40):x}." if k == last else m.content,
                )
                for k, m in enumerate(chat.messages)
            ]
            stream.write(json.dumps({"messages": [asdict(turn) for turn in turns]}, ensure_ascii=False) + "\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    found = derive(path)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"| {n:,} chats ({path.stat().st_size / 1e6:.0f} MB), 5% under a tag | the tag | "
        f"{rank(found, lambda p: '|PROD|' in wrapping(p))} |"
    )
    print(
        f"\n{n:,} rows: {took:.0f} s ({cpu:.0f} s of CPU), at most {peak / 1024:.0f} MB of memory "
        f"({before / 1024:.0f} MB before)."
    )
