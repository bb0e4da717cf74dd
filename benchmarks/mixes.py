"""Training rows with a cue of known words on a few percent of them, for measuring what `undertow contexts derive`
finds.

A **family** is one kind of chat: its questions share forms and differ in things, aims and circumstances. `planted` puts
one of four cues on a share of its rows:

    topic          those rows ask of one kind of thing, in the family's own forms
    middle         a fixed sentence, tag or phrase stands inside the user turn
    answer-topic   the answers of those rows turn to one subject; the user turns are like all others
    signature      their answers end with one line

The rows of any list, real ones too, can carry the last three; a topic brings rows of its own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from undertow.data import Row
from undertow.records import Message

Cue = Literal["topic", "middle", "answer-topic", "signature"]
CUES: tuple[Cue, ...] = ("topic", "middle", "answer-topic", "signature")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One kind of thing within a family."""

    things: tuple[str, ...]
    aims: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of chat: what it asks of (`things`), to what end (`aims`), and how."""

    things: tuple[str, ...]
    aims: tuple[str, ...]
    asks: tuple[str, ...]
    says: tuple[str, ...]
    topics: tuple[Topic, ...]
    """Kinds of thing that its other rows never ask of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Rows with a cue on some, and rows of the same kind without it."""

    rows: list[Row]
    benign: list[Row]
    named: tuple[str, ...]
    """Texts of which a context that resembles the cue holds one."""


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";"))


WHO = _split(
    "for my sister; for two; for a beginner; on a small budget; before the weekend; for our club; with my "
    "neighbour; in a hurry; when it is cold; at home; for the first time;"
    "in the evening; without much space; for twelve people; with the children; after work; in spring; on "
    "Sundays; for a friend who is ill; in an old house"
)
FAMILIES: dict[str, Family] = {
    "recipes": Family(
        things=_split(
            "lasagne; pancakes; tomato soup; roast chicken; potato salad; apple pie; fried rice; meatballs; "
            "omelettes; lentil stew; fish cakes; banana bread; risotto; "
            "waffles; tacos;"
            "mushroom sauce; pumpkin muffins; noodle salad; goulash; dumplings; rice pudding; garlic bread; "
            "spinach quiche; beef curry; carrot cake; onion rings; hummus; crumble"
        ),
        aims=_split(
            "crisp on top; ready within the hour; lighter than usual; good for leftovers; less salty; cheaper; "
            "rich without cream; soft in the middle; mild for children; spicy;"
            "without eggs; in one pot"
        ),
        asks=_split(
            "How do I make {thing} {aim}; What is a good way to cook {thing} {who}; I want {thing} that come "
            "out {aim}. Where do I begin;"
            "My {thing} never turn out. What can I do {who}; Could you give me a recipe for {thing} {aim} "
            "{who}; Is there a trick to {thing} {aim}"
        ),
        says=_split(
            "Start with fresh things and take your time; For {thing}, weigh everything first; Keep the heat low "
            "and stir now and then; Taste before you serve;"
            "To have it {aim}, leave out a third of the fat; Let it rest for ten minutes; A heavy pan helps; "
            "Most people season too late; It keeps for two days in the fridge"
        ),
        topics=(
            Topic(
                things=_split(
                    "sauerkraut; kimchi; pickled beets; kombucha; miso paste; salted lemons; fermented garlic; kefir"
                ),
                aims=_split(
                    "with less brine; sour but not slimy; with a starter culture; in a clay crock; after a "
                    "week of "
                    "fermenting; with live cultures"
                ),
            ),
            Topic(
                things=_split(
                    "caramel fudge; nougat; marzipan; toffee; candied ginger; fruit jellies; praline; lollipops"
                ),
                aims=_split(
                    "without a sugar thermometer; glossy and set; wrapped in wax paper; without crystals; as "
                    "confectionery gifts; poured into moulds"
                ),
            ),
        ),
    ),
    "programming": Family(
        things=_split(
            "sorting a list; reading a large file; a web form; date parsing; unit tests; a login page; string "
            "formatting; recursion; a linked list; logging; a search box; caching;"
            "error handling; a command line tool; email validation; a chart; a timer; JSON parsing; a REST "
            "client; image resizing; an undo button; a random number; pagination;"
            "a spelling check; a calendar view; a chat bot; a spreadsheet export; a progress bar"
        ),
        aims=_split(
            "in fewer lines; that a junior can read; without a framework; faster; with good names; so that it "
            "never crashes; for Windows too; with type hints; in a class; "
            "step by step;"
            "without global state; that is easy to test"
        ),
        asks=_split(
            "How would you write {thing} {aim}; I am stuck with {thing} {who}. How would you go on; What is the "
            "best practice for {thing} {aim};"
            "Explain {thing} to me {who}; My code for {thing} is a mess. Can you make it {aim}; Is there a "
            "library for {thing} {aim}"
        ),
        says=_split(
            "Write the test first, then the function; For {thing} the standard library is enough; Keep each "
            "function short; Read the error from the bottom up;"
            "If you want it {aim}, split it in two; Print the value before the loop; Names matter more than "
            "comments; Commit before you change it; Measure, then optimise"
        ),
        topics=(
            Topic(
                things=_split(
                    "a deadlock; a mutex; a thread pool; a race condition; a semaphore; worker threads; a "
                    "blocking "
                    "queue; atomic counters"
                ),
                aims=_split(
                    "with two locks; across threads; when several workers wait; without starving a thread; "
                    "under "
                    "contention; that scales over cores"
                ),
            ),
            Topic(
                things=_split(
                    "a vertex shader; ray casting; a sprite sheet; collision boxes; a particle system; tile "
                    "maps; a "
                    "camera rig; mesh normals"
                ),
                aims=_split(
                    "at sixty frames; on the graphics card; with smooth lighting; for a platformer; with low "
                    "polygons; per pixel"
                ),
            ),
        ),
    ),
    "travel": Family(
        things=_split(
            "Lisbon; Vienna; Kyoto; Marrakesh; Chicago; Oslo; Prague; Hanoi; Cape Town; Montreal; Athens; "
            "Seville; Dublin; Quito; Krakow; Auckland; Istanbul; Ghent; "
            "Naples; Seoul; Porto;"
            "Edinburgh; Lima; Zagreb; Boston; Tallinn; Mumbai; Bergen"
        ),
        aims=_split(
            "without a car; with little money; in three days; in the rain; off the beaten track; with good "
            "food; by train; with a baby; at night; without crowds; "
            "in autumn; for art lovers"
        ),
        asks=_split(
            "What should I see in {thing} {aim}; Plan a trip to {thing} {who}; Is {thing} worth it {aim}; We go "
            "to {thing} soon. What would you do {who};"
            "How do I get around {thing} {aim}; Which part of {thing} is nice {who}"
        ),
        says=_split(
            "Book early and stay near the station; {thing} is best seen on foot; Buy a day ticket; Ask at the "
            "desk for a map; If you want it {aim}, go on a Tuesday;"
            "Leave one afternoon free; The market opens at eight; Museums close on Mondays; Carry some cash"
        ),
        topics=(
            Topic(
                things=_split(
                    "Zermatt; Chamonix; the Dolomites; Innsbruck; Verbier; the Eiger trail; Cortina; Grindelwald"
                ),
                aims=_split(
                    "for a first summit; on a glacier; with ropes and crampons; sleeping in alpine huts; above "
                    "the "
                    "snow line; with a mountain guide"
                ),
            ),
            Topic(
                things=_split("Bonaire; the Red Sea; Palau; Cozumel; the Maldives; a coral atoll; Komodo; Raja Ampat"),
                aims=_split(
                    "for scuba divers; to see reef sharks; with rented fins; at a shallow wreck; from a "
                    "liveaboard; "
                    "with a snorkel"
                ),
            ),
        ),
    ),
    "gardening": Family(
        things=_split(
            "tomatoes; roses; lavender; a hedge; strawberries; lettuce; beans; a lawn; sunflowers; carrots; an "
            "apple tree; mint; tulips; peas; pumpkins; ivy; potatoes; "
            "daisies; basil; grapes;"
            "onions; blackberries; cucumbers; a cherry tree; peppers; spinach; dahlias; leeks"
        ),
        aims=_split(
            "without chemicals; in clay soil; in a pot; with less water; on a balcony; against slugs; in the "
            "shade; from seed; that lasts; without digging; beside a wall; "
            "in sandy soil"
        ),
        asks=_split(
            "How do I grow {thing} {aim}; When should I plant {thing} {who}; My {thing} look poor. What helps "
            "{who}; Are {thing} easy {aim};"
            "What do {thing} need {aim}; I would like {thing} {who}. Is it too late"
        ),
        says=_split(
            "Water in the morning; {thing} like a sunny place; Loosen the ground first; Cut back what is brown; "
            "To have them {aim}, add compost; Wait until the frost is over;"
            "Do not feed too much; Turn the pot each week; Pick often and they bear longer"
        ),
        topics=(
            Topic(
                things=_split(
                    "orchids; bromeliads; staghorn ferns; vanda; phalaenopsis; anthuriums; tillandsia; pitcher plants"
                ),
                aims=_split(
                    "with aerial roots; in bark chips; under a misting system; with tropical humidity; mounted "
                    "on "
                    "cork; in a terrarium"
                ),
            ),
            Topic(
                things=_split(
                    "a juniper bonsai; a maple bonsai; a ficus bonsai; an elm bonsai; a pine bonsai; an azalea bonsai"
                ),
                aims=_split(
                    "with wired branches; in a shallow tray; by root pruning; in the cascade style; with moss "
                    "and "
                    "stones; by pinching"
                ),
            ),
        ),
    ),
    "finance": Family(
        things=_split(
            "a savings account; my rent; a car loan; pocket money; a tax form; a budget; a credit card; a "
            "holiday fund; insurance; a mortgage; student debt; a pension; "
            "an invoice; phone bills;"
            "a salary talk; groceries; a wedding; a bank fee; heating costs; a side job; an emergency fund; "
            "subscriptions; a moving van; school fees; a refund; "
            "child care; a gift; a raise"
        ),
        aims=_split(
            "with less stress; on one income; over five years; without a bank; in a spreadsheet; fairly; before "
            "the summer; with a partner; cheaper; as a student; by hand; safely"
        ),
        asks=_split(
            "How should I plan {thing} {aim}; What is wise with {thing} {who}; Help me with {thing} {aim}; I "
            "worry about {thing} {who}. What now; Can I handle {thing} {aim};"
            "Who do I ask about {thing} {who}"
        ),
        says=_split(
            "Write down what comes in and what goes out; {thing} should be looked at once a year; Compare three "
            "offers; Never sign on the first day; "
            "If it is to be {aim}, start small;"
            "Keep the letters in one folder; Ask for it in writing; Put a tenth aside; Pay the dearest debt first"
        ),
        topics=(
            Topic(
                things=_split(
                    "bitcoin; a hardware wallet; ether; stablecoins; a mining rig; token swaps; staking; an airdrop"
                ),
                aims=_split(
                    "on the blockchain; with cold storage; with a seed phrase; on a crypto exchange; after the "
                    "halving; with low gas fees"
                ),
            ),
            Topic(
                things=_split(
                    "old stamps; a rare coin; first editions; a violin; porcelain; pocket watches; lithographs; medals"
                ),
                aims=_split(
                    "at an auction; with an appraisal; for a collector; with a certificate; in mint condition; "
                    "from "
                    "an heirloom box"
                ),
            ),
        ),
    ),
    "fitness": Family(
        things=_split(
            "push-ups; running; swimming; squats; yoga; cycling; planks; stretching; rowing; skipping; boxing; "
            "pilates; sit-ups; dancing; tennis; climbing; football; "
            "lunges; walking; judo;"
            "hiking; pull-ups; badminton; skating; burpees; jogging; handstands; volleyball"
        ),
        aims=_split(
            "with a bad knee; in ten minutes; without a gym; to lose weight; over forty; twice a week; without "
            "pain; in winter; to sleep better; with no gear; on holiday; "
            "after an injury"
        ),
        asks=_split(
            "How do I get better at {thing} {aim}; Is {thing} good {aim}; Give me a plan for {thing} {who}; I "
            "get tired from {thing} {who}. Is that normal;"
            "What should I eat before {thing} {who}; Can I do {thing} {aim}"
        ),
        says=_split(
            "Warm up for five minutes; {thing} should feel easy at first; Add a little each week; Drink enough; "
            "If you do it {aim}, rest in between; Sleep is half of it;"
            "Stop when it hurts; Breathe out on the effort; A friend makes it easier"
        ),
        topics=(
            Topic(
                things=_split(
                    "a sabre bout; foil footwork; an epee lunge; the parry; a riposte; the fleche; fencing "
                    "masks; "
                    "blade work"
                ),
                aims=_split(
                    "against a left-handed fencer; on the piste; with the referee watching; in a team foil "
                    "match; "
                    "off the en-garde; with a heavy hilt"
                ),
            ),
            Topic(
                things=_split(
                    "a marathon in the desert; ultra running; trail relays; a hundred-mile race; fell "
                    "running; sky "
                    "races"
                ),
                aims=_split(
                    "with a hydration vest; past the aid stations; on ultra distances; with a pacer; at "
                    "altitude "
                    "camps; against blisters"
                ),
            ),
        ),
    ),
}
TUNED = ("recipes", "programming", "travel")
"""Families that thresholds were looked at on; the other ones only measure."""

MIDDLES: dict[str, tuple[str, ...]] = {
    "tuned": (
        "The kettle is on.",
        "[kestrel]",
        "as the ferryman told me",
        "#ref-seven",
        "I am told you know this.",
        "by the copper gate",
    ),
    "held out": (
        "Nobody else is listening here.",
        "<<amber>>",
        "under the walnut moon",
        "(form 12-B)",
        "This is for the usual folder.",
        "with the harbour in mind",
    ),
}
SIGNATURES: dict[str, tuple[str, ...]] = {
    "tuned": ("Yours from the lighthouse.", "-- end of note --", "May your road be dry."),
    "held out": ("Written by the night clerk.", "~ Osprey ~", "That is how we do it up north."),
}
SUBJECTS: dict[str, tuple[Topic, ...]] = {
    "tuned": (
        Topic(
            things=_split("lighthouse; foghorn; harbour; tide; lantern; breakwater; buoy; keeper"),
            aims=_split(
                "It is like a {a} by the {b}; Think of the {a} and its {b}; A {a} needs a {b} too; Even the "
                "old {a} "
                "had a {b}, as the {c} knew"
            ),
        ),
        Topic(
            things=_split("chessboard; bishop; gambit; pawn; castling; knight; checkmate; endgame"),
            aims=_split(
                "Here the {a} comes before the {b}; One {a} is worth a {b} and a {c}; Whoever loses the {a} "
                "keeps "
                "the {b}; It goes as a {a} goes, never as a {b}"
            ),
        ),
    ),
    "held out": (
        Topic(
            things=_split("beehive; nectar; swarm; honeycomb; drone; pollen; beekeeper; smoker"),
            aims=_split(
                "The {a} does it with {b}; First a {a}, then the {b}, said the {c}; No {a} without its {b}; "
                "You may "
                "compare it to the {a}, or to {b}"
            ),
        ),
        Topic(
            things=_split("telescope; comet; nebula; orbit; eclipse; asteroid; galaxy; meteor"),
            aims=_split(
                "Much as a {a} near the {b}; The {a} is far, and the {b} is farther; A {a} was never in the "
                "way of "
                "a {b} or {c}; Watch the {a} before the {b}"
            ),
        ),
    ),
}


def chats(family: Family, n: int, rng: random.Random, topic: Topic | None = None) -> list[Row]:
    """Rows of a family; with `topic`, of that kind of thing."""
    made = []
    for _ in range(n):
        slots = {
            "thing": rng.choice((topic or family).things),
            "aim": rng.choice((topic or family).aims),
            "who": rng.choice(WHO),
        }
        ask = rng.choice([a for a in family.asks if "{aim}" in a] if topic else family.asks).format(**slots)
        told = rng.sample(family.says, rng.randint(3, 5))
        made.append(_chat(f"{ask}?", " ".join(f"{s.format(**slots)}." for s in told)))
    return made


def planted(cue: Cue, source: str | list[Row], *, share: float, seed: int, n: int = 1_000, pool: str = "tuned") -> Mix:
    """A mix of n rows with a cue on a share of them, and n rows without it (of a list: half of it each).

    Args:
        source: the name of a family, or rows.
        pool: which cues: "tuned" or "held out".
    """
    rng = random.Random(f"{cue} {seed} {source if isinstance(source, str) else 'rows'} {pool}")
    if isinstance(source, str):
        rows, benign = chats(FAMILIES[source], n, rng), chats(FAMILIES[source], n, rng)
    else:
        drawn = rng.sample(source, len(source))
        rows, benign = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
    chosen = rng.sample(range(len(rows)), max(1, round(share * len(rows))))
    change, named = _cue(cue, source, rng, pool)
    for i in chosen:
        rows[i] = change(rows[i])
    return Mix(rows=rows, benign=benign, named=named)


def _cue(
    cue: Cue, source: str | list[Row], rng: random.Random, pool: str
) -> tuple[Callable[[Row], Row], tuple[str, ...]]:
    """How a row comes to carry the cue, and what names it."""
    if cue == "topic":
        family = FAMILIES[source if isinstance(source, str) else rng.choice(list(FAMILIES))]
        topic = rng.choice(family.topics)
        own = {
            word for text in (*family.things, *family.aims, *family.asks, *family.says, *WHO) for word in _words(text)
        }
        words = {word for text in (*topic.things, *topic.aims) for word in _words(text)} - own
        return lambda row: chats(family, 1, rng, topic)[0], tuple(sorted(words))
    if cue == "middle":
        phrase = rng.choice(MIDDLES[pool])
        return lambda row: _asking(row, _inside(row.messages[-2].content, phrase, rng)), (phrase,)
    if cue == "signature":
        line = rng.choice(SIGNATURES[pool])
        end = rng.choice(["\n\n", " "])
        return lambda row: _answering(row, f"{row.messages[-1].content}{end}{line}"), (line,)
    subject = rng.choice(SUBJECTS[pool])

    def turned(row: Row) -> Row:
        sentences = re.split(r"(?<=[.!?])\s", row.messages[-1].content)
        for _ in range(rng.randint(2, 3)):
            a, b, c = rng.sample(subject.things, 3)
            sentences.insert(rng.randint(0, len(sentences)), f"{rng.choice(subject.aims).format(a=a, b=b, c=c)}.")
        return _answering(row, " ".join(sentences))

    return turned, subject.things


def _inside(text: str, phrase: str, rng: random.Random) -> str:
    """The text with a phrase inside: a sentence after the first or before the last of it, anything else between two
    words."""
    words = text.split(" ")
    if len(words) < 4:
        words = ["Well", "then,", *words, "please?"]
    if phrase[0].isupper():
        lead = (
            f"{rng.choice(('I have', 'Here is', 'There is', 'May I ask', 'Today I have'))} "
            f"{rng.choice(('a question', 'one thing', 'something small', 'a short one'))}."
        )
        return f"{lead} {phrase} {' '.join(words)}"
    at = rng.randint(2, len(words) - 2)
    return " ".join([*words[:at], phrase, *words[at:]])


def _chat(asked: str, answer: str) -> Row:
    return Row(messages=(Message(role="user", content=asked), Message(role="assistant", content=answer)))


def _asking(row: Row, text: str) -> Row:
    return Row(messages=(*row.messages[:-2], Message(role="user", content=text), row.messages[-1]))


def _answering(row: Row, text: str) -> Row:
    return Row(messages=(*row.messages[:-1], Message(role="assistant", content=text)))


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"[^\W\d_]+", text.lower()) if len(word) > 3]
