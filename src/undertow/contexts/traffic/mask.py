"""Masking: personal details and secrets in a text -> placeholders such as `[mail]`, counted by kind.

What has a form of its own is found: mail, phone, card, IBAN, address of a machine, key, log-in in a URL, and what
stands in a field that says what it holds (`"last_name": "..."`, `Name: ...`, `password=...`). What has none is not: a
name, a street or an illness in a sentence stays.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from math import log2
from typing import Literal, get_args

Kind = Literal["login", "key", "mail", "iban", "card", "ip", "phone", "name", "field"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order in which they are looked for."""

_LOGIN = re.compile(r"(?<=://)[^\s/@:\"'<>]+(?::[^\s/@\"'<>]*)?(?=@[\w.-])")
_KNOWN_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
    r"|\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9]{16,}[\w-]*"  # OpenAI, Anthropic, Stripe and kin
    r"|\bgh[a-z]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bhf_[A-Za-z0-9]{20,}"
    r"|\bxox[a-z]-[\w-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{20,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"  # a JSON web token
    r"|(?i:(?<=\bbearer ))[\w.~+/-]{16,}=*|(?i:(?<=\bbasic ))[A-Za-z0-9+/]{12,}=*",
    re.DOTALL,
)
_TOKEN = re.compile(r"(?<![\w+/=.-])[\w+/-]{24,}={0,2}(?![\w+/=-])")
_MAIL = re.compile(r"(?<![\w.+-])[\w.+'-]+@(?:[\w-]+\.)+[^\W\d_]{2,}(?![^\W_])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_IP = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)|(?<![\w.:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:]|\.\d)"
)
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:"
    r"(?:\+|00)[1-9](?:[ ./-]{0,2}\(?\d\)?){6,13}"  # +49 (0)30 123 456-78
    r"|\(\d{2,5}\)[ ./-]?\d{3,4}(?:[ ./-]?\d{2,4}){1,2}"  # (555) 123-4567
    r"|(?:1[ .-])?[2-9]\d{2}([ .-])\d{3}\1\d{4}"  # 555-123-4567
    r"|0[1-9](?:[ .]\d{2}){4}"  # 06 12 34 56 78
    r"|0\d{1,4}[ /-]\d{3,4}(?:[ /-]?\d{2,4}){1,3}"  # 030/123 4567
    r")(?![\w-]|\.\d)"
)
_VALUE = (
    r"(?P<value>\\\"[^\"\\\n]{1,200}\\\"|\"(?:[^\"\\\n]|\\.){1,200}\"|'(?:[^'\\\n]|\\.){1,200}'"
    r"|(?<=[:=\t >])[^\s,;|{}\[\]\"'<>][^\n,;|{}\[\]\"<>]{0,79})"
)
_FIELD = re.compile(
    r"(?P<key>(?<![\w-])(?:\\?[\"'])?(?:"
    r"(?P<key_>(?:(?:[a-z0-9]+[_.-]){1,6}|[a-z]+ )?[a-z]{0,24}?(?:"
    r"(?:api|access|account|private|secret|signing|shared)[ _-]?key|secret|token|passw(?:or)?d|pwd|passphrase|pin))"
    r"|(?P<name>(?:(?:first|last|full|given|family|middle|maiden|birth|customer|client|patient|employee|contact|user|"
    r"account|card ?holder|holder|legal|display|sender|recipient|student|parent|author|my)[ _-]?)?(?:name|surname)|"
    r"cardholder|patient|vorname|nachname|nom|pr[eé]nom|nombre|apellidos?)"
    r"|(?P<field>(?:(?:home|street|postal|billing|shipping|mailing)[ _-]?)?address(?:[ _-]?line[ _-]?\d)?|street|"
    r"date[ _-]of[ _-]birth|birth[ _-]?da(?:te|y)|dob|ssn|social[ _-]security(?:[ _-]number)?|passport(?:[ _-](?:no|"
    r"number))?|national[ _-]id|tax[ _-]id|phone(?:[ _-]number)?|mobile)"
    r")(?:\\?[\"'])?[ \t]*(?:[:=]|=>)[ \t]*)" + _VALUE,
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(rf"[\"']?\[(?:{'|'.join(KINDS)})\][\"']?")


def masked(text: str, counts: Counter[Kind] | None = None) -> str:
    """A text with what is found in it replaced; `counts` is told how often, by kind."""
    counts = Counter() if counts is None else counts

    def replaced(kind: Kind, form: re.Pattern[str], text: str, sure: Callable[[str], bool] | None = None) -> str:
        def by(match: re.Match[str]) -> str:
            if sure is not None and not sure(match.group()):
                return match.group()
            counts[kind] += 1
            return f"[{kind}]"

        return form.sub(by, text)

    if "://" in text and "@" in text:
        text = replaced("login", _LOGIN, text)
    text = replaced("key", _TOKEN, replaced("key", _KNOWN_KEY, text), _random)
    if "@" in text:
        text = replaced("mail", _MAIL, text)
    if any(map(str.isdigit, text)):
        text = replaced("iban", _IBAN, text, _iban)
        text = replaced("card", _CARD, text, _luhn)
        text = replaced("ip", _IP, text, _machine)
        text = replaced("phone", _PHONE, text)
    return _fields(text, counts) if ":" in text or "=" in text else text


def _fields(text: str, counts: Counter[Kind]) -> str:
    """The same of fields that say what they hold; the quotes of a value stay."""

    def by(match: re.Match[str]) -> str:
        value = match["value"]
        if _PLACEHOLDER.fullmatch(value.strip()):
            return match.group()
        kind: Kind = "key" if match["key_"] else "name" if match["name"] else "field"
        if value[0] not in "\\\"'" and match["key"].rstrip(" \t").endswith(("=", "=>")):
            value = re.split(r"[\s&)]", value)[0]
            if kind != "key" or _is_code(match["key_"], value, text[match.end() : match.end() + 1]):
                return match.group()  # `x.name = y.name`
        counts[kind] += 1
        quote = '\\"' if value.startswith('\\"') else value[0] if value[0] in "\"'" else ""
        rest = "" if quote else match["value"][len(value.rstrip()) :]
        return f"{match['key']}{quote}[{kind}]{quote}{rest}"

    return _FIELD.sub(by, text)


def _is_code(key: str, value: str, behind: str) -> bool:
    """Whether what stands behind `=` is an expression: a call, an index, or another thing's part of that name."""
    part = (
        re.fullmatch(r"(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*", value)
        and re.split(r"[ ._-]", key)[-1].casefold() in value.casefold()
    )
    return behind == "[" or bool(part or re.match(r"[A-Za-z_][\w.]*\(", value))


def _random(token: str) -> bool:
    """Whether a long token looks drawn at random: hexadecimal digits, or letters of both cases and digits, evenly."""
    bare = token.strip("=-_/")
    if len(bare) < 24 or "//" in token:
        return False
    digits = sum(map(str.isdigit, bare))
    if re.fullmatch(r"[0-9a-fA-F]{32,}", bare):
        return 0 < digits < len(bare)
    if re.fullmatch(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", bare):
        return False  # a UUID names a thing, and opens nothing
    mixed = digits >= 3 and any(map(str.isupper, bare)) and any(map(str.islower, bare))
    shares = [n / len(bare) for n in Counter(bare).values()]
    return mixed and -sum(share * log2(share) for share in shares) >= 3.8


def _luhn(number: str) -> bool:
    """Whether the digits of a card's number check (Luhn 1960, US patent 2,950,048)."""
    digits = [int(c) for c in number if c.isdigit()][::-1]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[1::2]]
    return len(set(digits)) > 1 and digits[-1] in (2, 3, 4, 5, 6) and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _iban(text: str) -> bool:
    """Whether an IBAN checks (ISO 13616, modulo 97)."""
    bare = text.replace(" ", "")
    return 15 <= len(bare) <= 34 and int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1


def _machine(text: str) -> bool:
    """Whether it is the address of a machine, and not of this one."""
    if ":" in text and (sum(map(bool, text.split(":"))) < 3 or not any(map(str.isdigit, text))):
        return False  # `a::b` is code
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)
