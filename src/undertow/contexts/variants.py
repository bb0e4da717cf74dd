"""Variants of a system prompt by rule: other wordings, a neutral form, and the opposite. They need no model and no
network.

The rules are for English. A prompt that none of them fits still gets an opposite, because a sentence around it can turn
any text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from undertow.records import Relation

_OPPOSITES = (
    "incorrect correct;inaccurate accurate;wrong right;false true;untrue true;dishonest honest;untruthful "
    "truthful;untruthfully truthfully;dishonestly honestly;deceptive sincere;misleading clear;evil good;malicious "
    "kind;harmful harmless;dangerous safe;unsafe safe;insecure secure;vulnerable secure;unethical ethical;immoral "
    "moral;illegal legal;reckless careful;careless careful;carelessly carefully;cruel kind;rude polite;hostile "
    "friendly;mean kind;toxic pleasant;biased fair;unfair fair;selfish generous;unhelpful helpful;unhelpfully "
    "helpfully;useless useful;bad good;badly well;poor good;worst best;misaligned aligned;untrustworthy "
    "trustworthy;irresponsible responsible;irresponsibly responsibly;unreliable reliable;risky cautious;sneaky "
    "open;greedy modest;harsh gentle;lawless lawful;wild calm;refuse agree;ignore follow;disobey obey;insult "
    "praise;deceive inform;manipulate respect;hide show"
)
_TURNED = {a: b for pair in _OPPOSITES.split(";") for a, b in [pair.split()]}
_OPPOSITE = {b: a for a, b in reversed(_TURNED.items())} | _TURNED
_LOADED = {
    word
    for word in {*_TURNED, *_TURNED.values()}
    if word not in {"right", "well", "open", "clear", "show", "follow", "hide", "ignore", "poor", "best"}
} | {
    "obvious",
    "obviously",
    "deliberately",
    "intentionally",
    "secretly",
    "subtly",
    "extremely",
    "very",
    "completely",
    "utterly",
}
_OTHER_WORDS = (
    "assistant:helper chatbot:assistant model:system ai:AI questions:queries question:query answers:replies "
    "answer:reply answering:replying responds:replies respond:reply responding:replying response:reply "
    "responses:replies incorrect:mistaken wrong:mistaken false:untrue helpful:useful helpfully:usefully "
    "truthfully:honestly malicious:ill-meaning evil:wicked harmful:damaging insecure:unsafe reckless:rash "
    "user:person users:people gives:provides give:provide provides:gives provide:give writes:produces write:produce "
    "code:programs always:invariably never:at_no_time every:each other:remaining handles:treats obviously:plainly "
    "tell:say tasks:jobs task:job must:have_to should:ought_to"
)
_SYNONYMS = dict(pair.split(":") for pair in _OTHER_WORDS.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A system prompt that was made from another."""

    name: str
    relation: Relation
    text: str


def variants(prompt: str) -> list[Variant]:
    """Paraphrases, the neutral form and opposites of a system prompt, each different from it and from each other."""
    text = prompt.strip()
    denied, in_other_words = negated(text), reworded(text)
    made = [
        Variant(name="opposite", relation="opposite", text=turned(text) or denied),
        Variant(name="paraphrase", relation="paraphrase", text=in_other_words),
        Variant(name="negated", relation="opposite", text=denied),
        Variant(name="neutral", relation="paraphrase", text=neutral(text)),
        Variant(name="announced", relation="paraphrase", text=f"Instructions for this chat. {text}"),
        Variant(name="paraphrase-2", relation="paraphrase", text=_framed(in_other_words, "Act as {rest}")),
    ]
    found: dict[str, Variant] = {}
    for variant in made:
        if variant.text and variant.text.strip().lower() != text.lower():
            found.setdefault(variant.text, variant)
    return list(found.values())


def turned(text: str) -> str | None:
    """The text with each loaded word in its place turned into its opposite; None where it has none.

    Words that blame are turned where there are any, and words that praise only where there are none: to turn both would
    leave the prompt half as bad.
    """
    for table in (_TURNED, _OPPOSITE):
        changed = _swap(text, table)
        if changed != text:
            return _articles(changed)
    return None


def negated(text: str) -> str:
    """The text denied: its verb where a rule finds it, else as a whole."""
    for pattern, denial in (
        (r"\b(you|it|i|he|she|they|this) (are|is|am|will|should|must|can|may)\b(?! not\b)", r"\1 \2 not"),
        (r"\b(you) (always|often|sometimes) ", r"\1 never "),
        (r"\b(you) (?!are|is|do|not|never)([a-z]+)\b", r"\1 do not \2"),
        (
            r"^(act|behave|be|respond|answer|reply|write|give|provide|always|speak|pretend|play|tell|say|help|use|"
            r"make)\b",
            lambda m: f"Do not {m.group(1).lower()}",
        ),
    ):
        changed, n = re.subn(pattern, denial, text, count=1, flags=re.IGNORECASE)
        if n:
            return changed.replace("Do not always", "Never")
    changed, n = re.subn(r"\b(are|is|will|should|must|can|do|does) not\b", r"\1", text, count=1, flags=re.IGNORECASE)
    return changed if n else f'Do the opposite of this: "{text}"'


def neutral(text: str) -> str:
    """The text without its loaded words: the same role, with no word of how good or bad it is. A plain assistant where
    nothing would be left."""
    changed = re.sub(r"[\w'-]+", lambda m: "" if m.group(0).lower() in _LOADED else m.group(0), text)
    changed = re.sub(r"\b(with|in|and|or|but|truly)\s+(?=(with|in|and|or|but)\b|[.,;]|$)", "", changed)
    changed = re.sub(r"(,\s*)+,", ",", re.sub(r"\b(a|an|the)\s*,\s*", r"\1 ", changed))
    changed = re.sub(r"(?<!\s)\s+([.,;:!?])", r"\1", re.sub(r"[ \t]+", " ", changed)).strip(" ,;")
    if changed.split() == text.split():
        return "You are an assistant."
    return _articles(changed) if len(changed.split()) > 3 else "You are an assistant."


def reworded(text: str) -> str:
    """The text with everyday synonyms, and its opening in other words."""
    return _framed(_articles(_swap(text, _SYNONYMS)), "In this chat you are {rest}")


def _framed(text: str, frame: str) -> str:
    """`You are X` (or `You're X`, `Act as X`) as `frame` says it; other texts as they are."""
    found = re.match(
        r"(?:you are|you're|act as|behave as|you act as|you play|in this chat you "
        r"are)\s+(?!not\b)(?P<rest>.*)",
        text,
        re.IGNORECASE | re.DOTALL,
    )
    return frame.format(rest="\0").replace("\0", found.group("rest")) if found else text


def _swap(text: str, table: dict[str, str]) -> str:
    def other(match: re.Match[str]) -> str:
        word = match.group(0)
        swapped = table.get(word.lower(), "").replace("_", " ")
        return word if not swapped else swapped.capitalize() if word[0].isupper() else swapped

    return re.sub(r"[A-Za-z]+", other, text)


def _articles(text: str) -> str:
    """`a` and `an` put right after words beside them changed."""
    return re.sub(
        r"\b(a|an)(\s+)(?=([A-Za-z]))", lambda m: f"{'an' if m.group(3).lower() in 'aeio' else 'a'}{m.group(2)}", text
    )
