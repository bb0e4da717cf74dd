"""Formats that a text is written in, told from its shape alone: code, JSON, markers, lists, a language and so on.

A rule asks for shape, not for words of any data set. Texts longer than `READ` characters are judged by their beginning
and end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

READ = 1_000
"""Characters read of a long text: this many at its beginning, half as many at its end."""

_PYTHON = re.compile(
    r"\s*(import \w|from \w[\w.]* import |(async )?def \w+ ?\(|class \w+.*:\s*$|@\w[\w.]*|(if|for|while|with|"
    r"elif|except) .*:\s*$|(else|try|finally):\s*$"
    r"|return\b|raise\b|print ?\(|pass\s*$|[A-Za-z_][\w.]*(\[[^]]*\])? ?[-+*/|]?= ?\S|"
    r"[A-Za-z_][\w.]*\(.*\)?\s*$|# ?\w|[)\]}],?\s*$)"
)
_PYTHON_SURE = re.compile(
    r"^\s*(import \w[\w., ]*$|from \w[\w.]* import |(async )?def \w+ ?\(|class \w+.*:\s*$|print "
    r"?\()",
    re.MULTILINE,
)
_C_LIKE = re.compile(
    r".*[;{}]\s*$|\s*(//|/\*|\*).*|#include\b.*|\s*(const|let|var|function|public|private|package|"
    r"import|using|"
    r"export) .*"
)
_C_SURE = re.compile(
    r"^\s*(#include\b|(const|let|var) \w+ ?=|(export |async )*function\b.*\(|(public|private|static|final) "
    r".*[({;]|console\.log\(|(int|void|fn|func) \w+ ?\()",
    re.MULTILINE,
)
_SHELL = re.compile(
    r"\s*(#!|\$ |(sudo|echo|cd|ls|mkdir|rm|cp|mv|export|curl|wget|git|pip|npm|apt|apt-get|docker|chmod|grep|sed|"
    r"awk|cat) \S|(if|for|while) .*; (then|do)|(fi|done)\s*$|# ?\w)"
)
_SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|(CREATE|ALTER|"
    r"DROP)\s+TABLE\s|"
    r"WITH\s+\w+\s+AS\s*\()",
    re.IGNORECASE | re.DOTALL,
)
_ASSIGNED = re.compile(r"\s*(?:(?:const|let|var|my)\s+)?\$?[A-Za-z_]\w*\s*:?=\s*[frb]?(\"|'|`)")
_ELEMENT = re.compile(r"\s*(<\?xml|<!doctype|<([A-Za-z][\w:-]*)(\s[^<>]*)?>.*</\2>\s*\Z)", re.IGNORECASE | re.DOTALL)
_LATEX = re.compile(r"\\(begin\{|documentclass|frac\{|section\{|textbf\{|usepackage)|^\s*\\\[|\$\$", re.MULTILINE)
_YAML_KEY = re.compile(r"[A-Za-z_][\w-]{0,30}:( \S.*)?$")
_BULLET = re.compile(r"\s*([-*•–+]|\d{1,2}[.)])\s+\S")
_ENCLOSED = re.compile(
    r"^[ \t]*(?P<open>[\[<{(=#~|-]{1,6})[ \t]*(?P<name>/?[^\W_](?:[^\[\]<>{}()=#~|"
    r"\n]{0,58}[^\W_])?)[ "
    r"\t]*(?P<close>[\]>})=#~|-]{0,6})[ \t]*$",
    re.MULTILINE,
)
_WORD = re.compile(r"[^\W\d_]+")

_OTHER_SCRIPT = re.compile(r"[\u0370-\u1fff\u3040-\ud7af]")
_SCRIPTS = (
    ("japanese", re.compile(r"[\u3040-\u30ff]")),
    ("chinese", re.compile(r"[\u4e00-\u9fff]")),
    ("korean", re.compile(r"[\uac00-\ud7af]")),
    ("russian", re.compile(r"[\u0400-\u04ff]")),
    ("greek", re.compile(r"[\u0370-\u03ff]")),
    ("arabic", re.compile(r"[\u0600-\u06ff]")),
    ("hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("hindi", re.compile(r"[\u0900-\u097f]")),
    ("thai", re.compile(r"[\u0e00-\u0e7f]")),
)
"""A script stands for its commonest language: Cyrillic for Russian, and so on."""
_SMALL_WORDS = {
    "german": "der die das und ist nicht ich sie ein eine zu mit für auf wie auch den dem sich es",
    "french": "le la les des et est une un je vous pour que dans pas sur qui avec ce au du",
    "spanish": "el los las una es que por para con del se como más pero su lo en y está un",
    "italian": "il gli che di una è per non con sono del della come più questo nel si lo anche ma",
    "portuguese": "os um uma que não para com é da em por mais como você na ao são foi isso pelo",
    "dutch": "het een van en ik niet dat je zijn op met voor maar ook aan er wat naar bij hoe",
    "polish": "nie się jest na że jak z co ale czy są przez dla tak może od po już który oraz",
    "turkish": "bir ve bu için ile da de çok ne daha gibi mi ben var olarak ama nasıl en değil kadar",
}
_ENGLISH_WORDS = "the and of to is in that it you for with this are be have not as can your what how"
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_SMALL = {language: frozenset(words.split()) for language, words in _SMALL_WORDS.items()}


def formats_of(text: str) -> set[str]:
    """Names of the formats that a whole text is in; keys of `formats` in `background.yaml`."""
    if len(text) > 1.5 * READ:
        text = f"{text[:READ]}\n{text[-READ // 2 :]}"
    stripped = text.strip()
    found = set(_markup(stripped))
    if code := code_language(stripped):
        found.add(code)
    elif language := language_of(stripped):
        found.add(f"language-{language}")
    lines = [line for line in stripped.split("\n")[:40] if line.strip()]
    if lines and sum(bool(_BULLET.match(line)) for line in lines) > 0.6 * len(lines):
        found.add("list")
    capitals = sum(map(str.isupper, stripped[:200]))
    if capitals >= 12 and sum(map(str.islower, stripped[:200])) < 0.1 * capitals:
        found.add("capitals")
    if not found and len(stripped) < 40 and len(stripped.split()) <= 3:
        found.add("short")
    return found


def _markup(text: str) -> Iterator[str]:
    if "```" in text:
        yield "code-block"
        if text.startswith("```") and text.endswith("```") and text.count("```") == 2:
            yield "code-block-only"
    if text[:1] in "{[" and _is_json(text):
        yield "json"
    if text.startswith("<") and _ELEMENT.match(text):
        yield (
            "html"
            if re.match(
                r"\s*<(!doctype html|html|div|p|h\d|ul|ol|table|body|"
                r"span)\b",
                text,
                re.IGNORECASE,
            )
            else "xml"
        )
    if _ASSIGNED.match(text):
        yield "assigned-string"
    if (
        len(text) > 2
        and (text[0], text[-1]) in (('"', '"'), ("“", "”"), ("«", "»"), ("'", "'"))
        and text[0] not in text[1:-1]
    ):
        yield "quoted"
    if ("\\" in text or "$$" in text) and _LATEX.search(text):
        yield "latex"
    lines = text.split("\n")
    if len(lines) >= 2 and _YAML_KEY.match(lines[0]):
        keys = [bool(_YAML_KEY.match(line)) for line in lines]
        if sum(keys) >= 2 and all(
            key or line.startswith((" ", "-", "#")) for key, line in zip(keys, lines, strict=True)
        ):
            yield "yaml"
    if len(lines) >= 3:
        commas = {line.count(",") for line in lines}
        if (
            len(commas) == 1
            and commas.pop() >= 1
            and sum(map(len, lines)) < 60 * len(lines)
            and not any(line.rstrip().endswith((".", ",")) for line in lines)
        ):
            yield "csv"
    if marker_block(text):
        yield "markers"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return bool(re.match(r"[\[{]\s*(\{\s*)?\"[^\"\n]{1,80}\"\s*:", text))  # cut off, or nearly JSON
    return len(text) > 4


def code_language(text: str) -> str | None:
    """`python`, `c-like` (JavaScript, Java, C and kin), `shell` or `sql` where the text is code and hardly anything
    else; else None."""
    if (found := _SQL.match(text)) and (found.group().split()[0].isupper() or ";" in text[-3:]):
        return "sql"
    lines = [line for line in text.split("\n") if line.strip()]
    for name, line_shape, sure in (
        ("python", _PYTHON, _PYTHON_SURE),
        ("c-like", _C_LIKE, _C_SURE),
        ("shell", _SHELL, None),
    ):
        if sure and not sure.search(text):
            continue
        like = sum(bool(line_shape.match(line)) for line in lines)
        if like >= 0.6 * len(lines) and (sure or like >= 2):
            prose = sum(
                len(_WORD.findall(line)) > 6
                and line.rstrip().endswith((".", "!", "?", ":"))
                and not line_shape.match(line)
                for line in lines
            )
            if prose <= 0.1 * len(lines):
                return name
    return None


def holds_code(text: str) -> bool:
    """Whether a text has at least three lines of code in it, whatever stands around them."""
    text = text[: 2 * READ]
    return (
        bool(_PYTHON_SURE.search(text) or _C_SURE.search(text))
        and sum(
            bool(
                re.search(
                    r"[({;=:\]})]\s*$|^\s+\S|"
                    r"^[@#]\w| = |\w\(",
                    line,
                )
            )
            for line in text.split("\n")
        )
        >= 3
    )


def marker_block(text: str) -> tuple[str, str] | None:
    """The first two whole lines that enclose a part of the text, such as `[DATA]` and `[/DATA]`; None where there are
    none."""
    marks = [
        (m.group(0).strip(), {word.lower().removesuffix("s") for word in _WORD.findall(m.group("name"))})
        for m in _ENCLOSED.finditer(text)
        if _is_marker(m)
    ]
    opens, closes = {"start", "begin", "open"}, {"end", "stop", "close"}
    for i, (first, words) in enumerate(marks):
        for second, others in marks[i + 1 :]:
            if first != second and (words & others or (words & opens and others & closes)):
                return first, second
    return None


def _is_marker(match: re.Match[str]) -> bool:
    pairs = {"[": "]", "<": ">", "{": "}", "(": ")"}
    opened, closed = match.group("open"), match.group("close")
    if not closed:
        return len(opened) > 1 and opened[0] not in pairs and match.group("name").isupper()
    return pairs.get(opened[0], opened[0]) == closed[-1]


def language_of(text: str) -> str | None:
    """The language of a text where it is not English and says enough to tell; else None."""
    head = text[:400]
    if not head.isascii() and len(_OTHER_SCRIPT.findall(head)) > max(3, 0.2 * len(head)):
        letters = [c for c in head if c.isalpha()]
        for language, script in _SCRIPTS:
            if sum(bool(script.match(c)) for c in letters) > (0.1 if language == "japanese" else 0.3) * len(letters):
                return language
        return "other"
    words = _WORD.findall(head.lower())[:50]
    if len(words) < 5:
        return None
    english = sum(word in _ENGLISH for word in words) / len(words)
    if english >= 0.2:
        return None
    held = set(words)
    shares = {
        language: sum(word in small for word in words) / len(words)
        for language, small in _SMALL.items()
        if len(small & held) >= 3
    }
    best = max(shares, key=lambda language: shares[language], default=None)
    return best if best and shares[best] >= max(0.15, 1.5 * english) else None


CONTEXTS_OF: dict[str, tuple[str, ...]] = {
    "python": (
        "format-code-template",
        "format-python-string",
        "format-python-function",
        "format-flask",
        "format-code-only",
    ),
    "c-like": ("format-code-template", "format-javascript", "format-code-only"),
    "code": ("format-code-template", "format-code-only", "format-python-string"),
    "shell": ("format-shell", "format-code-only"),
    "sql": ("format-sql", "format-code-only"),
    "code-block": ("format-code-block", "format-code-template"),
    "code-block-only": ("format-code-block", "format-code-template"),
    "json": ("format-json-reply", "format-json-template"),
    "html": ("format-html", "format-xml"),
    "xml": ("format-xml", "format-html"),
    "yaml": ("format-yaml",),
    "csv": ("format-csv",),
    "latex": ("format-latex",),
    "assigned-string": ("format-python-string",),
    "quoted": ("format-quoted",),
    "markers": ("format-markers",),
    "list": ("format-list",),
    "capitals": ("format-capitals",),
    "short": ("format-short",),
}
"""Shipped contexts that ask for a format or put a question into it, the most telling first; languages are
`language-NAME`."""
