"""A text as words and numbers, as far as a key's judge must know them: what only dresses a text is taken off, numbers
are read in figures and in words, and each word knows what stands before it.

English is read whatever the text's language; of German, French and Spanish the numbers and the small words.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a number of a text."""

    norm: str
    """Without case, accents and a possessive."""
    raw: str
    """As it stands."""
    gap: str
    """What stands between it and the word before."""
    values: tuple[Decimal, ...] = ()
    """What a number may be, the likeliest first; nothing of a word."""
    ordinal: bool = False
    joint: bool = False
    """Whether it is several numbers in one: a range, a date, a time, a fraction."""


# What dresses a text

_SUPER = {ord(a): b for a, b in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)} | {ord("⁻"): "-"}
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–−﹣－", "-"),
        **dict.fromkeys("‘’‛′`´ʼ", "'"),
        **dict.fromkeys("“”„«»‹›″", '"'),
        **dict.fromkeys("⁄∕", "/"),
        **dict.fromkeys("\u200b\u200c\u200d\ufeff\u00ad\u2060", None),
        **dict.fromkeys("\u2028\u2029\u0085\r\f\v", "\n"),
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "¿": " ",
        "¡": " ",
    }
)
_ANSWERS = ("answer", "final_answer", "response", "reply", "result", "solution", "antwort", "reponse", "respuesta")
"""Keys of an object under which its answer stands."""
_DEEPEST_JSON = 8


def plain(text: str) -> str:
    """A text without what dresses it: JSON, code, markup and typography."""
    text = _of_json(text.strip())
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda m: "^" + m.group().translate(_SUPER), text)
    text = unicodedata.normalize("NFKC", text.translate(_ALIKE)).translate(_ALIKE).replace("≠", "!=")
    text = re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFD", text))
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"!=", " not ", text)
    text = re.sub(r"\bhttps?://\S{1,2000}", " ", text)
    text = re.sub(r"~~[^~\n]{1,300}~~|<(s|del|strike)>[^<]{0,300}</\1>", " ", text, flags=re.IGNORECASE)  # struck out
    text = re.sub(r"\\boxed\s?\{|<(?:final_?)?answer>", "\nanswer: ", text, flags=re.IGNORECASE)
    text = re.sub(r"\\(?:text|textbf|times|cdot|mathrm|mathbf|frac|left|right)\b", " ", text)
    text = (
        re.sub(r"\\(?:r\\n|[nr])(?![a-z]{2})", "\n", text).replace('\\"', '"').replace("\\'", "'").replace("\\t", " ")
    )
    text = re.sub(r"</?(?:br|p|li|div|tr|h[1-6]|answer|final_?answer)\b[^<>]{0,200}>", "\n", text, flags=re.IGNORECASE)
    text = re.sub(r"</?[A-Za-z][\w-]{0,20}(?:\s[^<>]{0,200})?/?>", " ", text)
    return re.sub(r"^[ \t]*(?:```|~~~)\w*[ \t]*$", "", text, flags=re.MULTILINE)


def _of_json(text: str, deep: int = 0) -> str:
    """The texts and numbers of a text that is JSON, a line each: those under an answer's key, or all; else as it is."""
    bare = re.sub(r"\A```\w*\s*\n|\n\s*```\s*\Z", "", text).strip()
    if not bare or bare[0] not in '{["' or bare[-1] not in '}]"':
        return text
    try:
        held: Any = json.loads(bare, parse_int=str, parse_float=str, strict=False)
    except (ValueError, RecursionError):
        return text
    found = list(_scalars(held))
    if isinstance(held, str) and deep < _DEEPEST_JSON:
        return _of_json(held.strip(), deep + 1)
    return "\n".join(found)


def _scalars(held: Any, deep: int = 0) -> Iterator[str]:
    if deep > _DEEPEST_JSON:
        return
    if isinstance(held, str):
        yield held
    elif isinstance(held, bool):
        yield str(held).lower()
    elif isinstance(held, Mapping):
        named = [value for key, value in held.items() if _bare(key).replace(" ", "_") in _ANSWERS]
        for value in named or held.values():
            yield from _scalars(value, deep + 1)
    elif isinstance(held, list):
        for value in held:
            yield from _scalars(value, deep + 1)


def _bare(text: str) -> str:
    """Without case and accents."""
    text = unicodedata.normalize("NFD", text.translate(_ALIKE).casefold())
    return unicodedata.normalize("NFC", re.sub(r"[\u0300-\u036f]", "", text))


# Words and figures

_UNITS = "km|cm|mm|kg|mg|ml|m|g|l|h|min|c|f|kmh|mph|years|days"
_GROUPED = r"\d{1,3}(?P<by>[,.' ])\d{3}(?:(?P=by)\d{3})*(?:[.,]\d+)?"
_ONE = r"\d+(?:[.,]\d+)*"
_TOKEN = re.compile(
    rf"""
    (?P<sci>-?\d+(?:\.\d+)?(?:\ ?[x×*·]\ ?10\ ?\^\ ?-?\d{{1,3}}|e[+-]?\d{{1,3}})(?!\w))
    |(?P<joint>{_ONE}(?:\ ?[-/:]\ ?{_ONE})+(?![^\W_]))
    |(?P<number>(?:(?<![\w).])-)?(?:\d{{1,2}}(?:,\d{{2}})+,\d{{3}}|{_GROUPED}|{_ONE})(?![.,']?\d)
        (?P<nth>(?:st|nd|rd|th|er|ere|eme|te|ter|ten|o|e)(?![^\W_]))?(?=(?:{_UNITS})(?![^\W_])|[\W_]|\Z))
    |(?P<word>[^\W_]+(?:'[^\W_]+)*)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ELIDED = re.compile(r"(?:l|d|qu|n|j|c|s|m|t|dell|all|nell|lorsqu|puisqu|jusqu)'(?=.)", re.IGNORECASE)


def words_of(text: str, *, beside: str = "") -> tuple[list[Word], str]:
    """The words and numbers of a text, and what stands behind the last.

    Args:
        beside: a text of the same language, such as its question: some words are numbers in one language alone.
    """
    words, at = [], 0
    text = plain(text)
    for match in _TOKEN.finditer(text):
        raw, gap = match.group(), text[at : match.start()]
        at = match.end()
        if match["word"] is None:
            words.append(_figures(match, raw, gap))
            continue
        for part in _parts(raw):
            words.append(Word(_norm(part), part, gap))
            gap = ""
    return _below_zero(_with_number_words(words, languages([*words, *_quick(beside)]))), text[at:]


def _quick(text: str) -> list[Word]:
    return [Word(_norm(part), part, " ") for part in re.findall(r"[^\W\d_]+", text)]


def _parts(raw: str) -> list[str]:
    parts = []
    while match := _ELIDED.match(raw):
        parts.append(match.group())
        raw = raw[match.end() :]
    return [*parts, raw]


def _norm(raw: str) -> str:
    """A word as words are compared."""
    norm = re.sub(r"'s\Z|'\Z", "", _bare(raw))
    return norm.replace("'", "")


def _figures(match: re.Match[str], raw: str, gap: str) -> Word:
    norm = re.sub(r"\s", "", raw.casefold())
    if match["sci"] is not None:
        base, _, power = re.sub(r"[x×*·]10\^", "e", norm).partition("e")
        return Word(norm, raw, gap, _decimal(f"{base}e{power}"))
    if match["joint"] is not None:
        return Word(norm.replace("/", "-").replace(":", "-"), raw, gap, _of_joint(norm), joint=True)
    nth = match["nth"] or ""
    bare = norm[: len(norm) - len(nth)]
    return Word(bare, raw, gap, _readings(bare), ordinal=bool(nth))


def _decimal(text: str) -> tuple[Decimal, ...]:
    if len(text) > 60:
        return ()
    try:
        return (Decimal(text),)
    except InvalidOperation:
        return ()


def _of_joint(norm: str) -> tuple[Decimal, ...]:
    """A fraction's value, or the year of a date."""
    parts = re.split(r"[-/:]", norm)
    if "/" in norm and len(parts) == 2 and all(part.isdigit() and len(part) < 20 for part in parts) and int(parts[1]):
        return (Decimal(parts[0]) / Decimal(parts[1]),)
    years = [part for part in parts if len(part) == 4 and part.isdigit()]
    return (Decimal(years[0]),) if len(parts) == 3 and len(years) == 1 else ()


def _readings(text: str) -> tuple[Decimal, ...]:
    """What figures with marks between them may be: `1,200` and `1.200` are a thousand in one country and a decimal in
    the other."""
    sign = "-" if text.startswith("-") else ""
    bare = re.sub(r"[' ]", "", text.removeprefix("-"))
    marks = re.findall(r"[.,]", bare)
    if not marks:
        return _decimal(sign + bare)
    as_grouped = _decimal(sign + re.sub(r"[.,]", "", bare))
    head, _, tail = bare.rpartition(marks[-1])
    as_decimal = _decimal(f"{sign}{re.sub('[.,]', '', head)}.{tail}")
    if len(marks) > 1 and len(set(marks)) == 1:
        days = re.fullmatch(r"\d{1,2}\.\d{1,2}\.(\d{4})", bare)
        return _decimal(days[1]) if days else as_grouped
    if len(marks) > 1 or len(tail) != 3 or len(head) > 3 or head == "0":
        return as_decimal
    if marks[0] == ",":
        return as_grouped if tail.endswith("0") else (*as_grouped, *as_decimal)
    return (*as_decimal, *as_grouped)


# Numbers in words

_EN = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_EN += " eighteen nineteen"
_UNIT = {word: n for n, word in enumerate(_EN.split())}
_TENS = {
    word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
} | {"fourty": 40}
_SCALE = {
    "thousand": 10**3,
    **dict.fromkeys(("million", "millions", "mio", "millionen", "millones", "millon"), 10**6),
    **dict.fromkeys(("billion", "billions", "milliarden", "milliarde", "milliard", "milliards", "mrd"), 10**9),
    "trillion": 10**12,
}
_NTH = {
    word: n
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
        "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split(),
        start=1,
    )
} | {"erste": 1, "zweite": 2, "dritte": 3, "premier": 1, "premiere": 1, "deuxieme": 2, "troisieme": 3, "primero": 1,
     "primera": 1, "segundo": 2, "segunda": 2, "tercero": 3, "tercera": 3}  # fmt: skip
_DE = "null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf".split()
_FR = "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize".split()
_ES = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidos veintitres veinticuatro veinticinco veintiseis veintisiete "
    "veintiocho veintinueve"
).split()
_SAME = {"null", "acht", "elf", "sept", "neuf", "dix", "cent", "dos", "once", "mil", "mille", "un", "zehn", "uno"}
"""Words that are a number in one language and something else in another."""
_TELLS = {
    "de": set("der die das ist sind wie viele hat wann wer was es im und nicht von den".split()),
    "fr": set("le la les est sont combien des une que quel quelle et dans il elle pas du qui".split()),
    "es": set("el los las es son cuantos cuantas una que cual y en no del quien hay".split()),
}


def languages(words: Sequence[Word]) -> frozenset[str]:
    """Which of German, French and Spanish a text's small words tell of."""
    held = {word.norm for word in words}
    return frozenset(language for language, told in _TELLS.items() if len(held & told) >= 2)


@cache
def _phrases() -> Mapping[str, tuple[tuple[tuple[str, ...], int, str], ...]]:
    """Numbers in German, French and Spanish by their first word, the longest first."""
    found: list[tuple[str, int, str]] = []
    tens = dict(
        zip("zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig".split(), range(20, 100, 10), strict=True)
    )
    teens = "dreizehn vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn".split()
    de = [*_DE, *teens]
    found += [(word, n, "de") for n, word in enumerate(de)]
    for ten, value in tens.items():
        found.append((ten, value, "de"))
        ones = ["ein", *de[2:10]]
        found += [(f"{one}und{ten}", value + n, "de") for n, one in enumerate(ones, start=1)]
    found += [("hundert", 100, "de"), ("einhundert", 100, "de"), ("tausend", 1000, "de"), ("eintausend", 1000, "de")]
    found += [(word.replace("funf", "fuenf").replace("zwolf", "zwoelf"), n, of) for word, n, of in found if "f" in word]
    found += [(word, n, "fr") for n, word in enumerate(_FR)]
    found += [("dix sept", 17, "fr"), ("dix huit", 18, "fr"), ("dix neuf", 19, "fr")]
    for ten, value in {"vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60}.items():
        found += [(ten, value, "fr"), (f"{ten} et un", value + 1, "fr")]
        found += [(f"{ten} {_FR[n]}", value + n, "fr") for n in range(2, 10)]
    upper = [*_FR[10:17], "dix sept", "dix huit", "dix neuf"]
    found += [(f"soixante {'et ' if n == 1 else ''}{word}", 70 + n, "fr") for n, word in enumerate(upper)]
    found += [("quatre vingts", 80, "fr"), ("quatre vingt", 80, "fr")]
    found += [(f"quatre vingt {word}", 80 + n, "fr") for n, word in enumerate([*_FR[1:10], *upper], start=1)]
    found += [("cent", 100, "fr"), ("mille", 1000, "fr")]
    found += [(word, n, "es") for n, word in enumerate(_ES)]
    es = dict(
        zip("treinta cuarenta cincuenta sesenta setenta ochenta noventa".split(), range(30, 100, 10), strict=True)
    )
    for ten, value in es.items():
        found.append((ten, value, "es"))
        found += [(f"{ten} y {_ES[n]}", value + n, "es") for n in range(1, 10)]
    found += [("cien", 100, "es"), ("ciento", 100, "es"), ("mil", 1000, "es")]
    by: dict[str, list[tuple[tuple[str, ...], int, str]]] = {}
    for text, n, language in found:
        if text not in _UNIT:
            by.setdefault(text.split()[0], []).append((tuple(text.split()), n, language))
    return {first: tuple(sorted(of, key=lambda one: -len(one[0]))) for first, of in by.items()}


_NOT_ONE = set("no any every some each this that which the another other right wrong correct only".split())
"""Words before `one` where it is no number."""


def _with_number_words(words: Sequence[Word], languages: frozenset[str]) -> list[Word]:
    """Words, with those that say a number together in one."""
    out: list[Word] = []
    i = 0
    while i < len(words):
        word = words[i]
        found = (
            _after_figures(words, i)
            or (_in_english(words, i) if not word.values else None)
            or (_in_another(words, i, languages) if not word.values else None)
        )
        if found is None:
            out.append(word)
            i += 1
            continue
        n, length, ordinal = found
        pieces = [word.raw, *(w.gap + w.raw for w in words[i + 1 : i + length])]
        out.append(replace(word, raw="".join(pieces), values=(Decimal(n),), ordinal=ordinal))
        i += length
    return out


def _below_zero(words: Sequence[Word]) -> list[Word]:
    """Words, with `minus` and its number in one where it is none between two numbers."""
    out: list[Word] = []
    for n, word in enumerate(words):
        minus = out[-1] if out else None
        if (
            minus is not None
            and minus.norm in ("minus", "negative")
            and word.values
            and not word.joint
            and _near(word)
            and not (n > 1 and words[n - 2].values)
        ):
            below = tuple(-value for value in word.values)
            out[-1] = replace(
                word, norm=f"-{word.norm}", raw=minus.raw + word.gap + word.raw, gap=minus.gap, values=below
            )
        else:
            out.append(word)
    return out


def _near(word: Word) -> bool:
    return word.gap.strip(" -") == ""


def _after_figures(words: Sequence[Word], i: int) -> tuple[Decimal, int, bool] | None:
    """`1.2 million`."""
    word = words[i]
    if not word.values or word.joint or i + 1 == len(words) or not _near(words[i + 1]):
        return None
    scale = _SCALE.get(words[i + 1].norm)
    return (word.values[0] * scale, 2, False) if scale else None


def _in_english(words: Sequence[Word], i: int) -> tuple[int, int, bool] | None:
    """The number that begins here, how many words say it, and whether it is an ordinal."""
    first = words[i].norm
    if first in _NTH:
        return _NTH[first], 1, True
    if first == "one" and i and (words[i - 1].norm in _NOT_ONE and _near(words[i])):
        return None
    if first == "one" and i + 1 < len(words) and words[i + 1].norm == "of":
        return None
    total = now = 0
    n, last = i, ""
    while n < len(words) and (n == i or _near(words[n])):
        w = words[n].norm
        follows = words[n + 1].norm if n + 1 < len(words) and _near(words[n + 1]) else ""
        if w in _UNIT and (n == i or last in ("hundred", "scale", "and") or (last == "tens" and 0 < _UNIT[w] < 10)):
            now, last = now + _UNIT[w], "unit"
        elif w in _UNIT and n == i + 1 and 10 <= now < 100 and _UNIT[w] >= 10:
            now, last = now * 100 + _UNIT[w], "year"
        elif w in _TENS and (n == i or last in ("hundred", "scale", "and")):
            now, last = now + _TENS[w], "tens"
        elif w in _TENS and n == i + 1 and 10 <= now < 100:
            now, last = now * 100 + _TENS[w], "tens"  # nineteen forty-five
        elif w == "hundred" and 0 < now < 100 and last in ("unit", "tens"):
            now, last = now * 100, "hundred"
        elif w in _SCALE and now > 0 and last != "scale" and (not total or _SCALE[w] < total):
            total, now, last = total + now * _SCALE[w], 0, "scale"
        elif w == "and" and last in ("hundred", "scale") and (follows in _UNIT or follows in _TENS):
            last = "and"
        elif w in ("a", "an") and n == i and follows in ("hundred", *_SCALE):
            now, last = 1, "unit"
        elif w in _NTH and last in ("tens", "hundred", "scale", "and") and _NTH[w] < 20:
            return total + now + _NTH[w], n - i + 1, True  # twenty-first
        else:
            break
        n += 1
    return (total + now, n - i, False) if last else None


def _in_another(words: Sequence[Word], i: int, languages: frozenset[str]) -> tuple[int, int, bool] | None:
    for phrase, n, language in _phrases().get(words[i].norm, ()):
        held = words[i : i + len(phrase)]
        if tuple(w.norm for w in held) != phrase or not all(_near(w) for w in held[1:]):
            continue
        if len(phrase) > 1 or phrase[0] not in _SAME or (language in languages and phrase != ("un",)):
            return n, len(phrase), False
    return None
