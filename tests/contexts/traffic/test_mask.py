"""What masking finds, what it leaves, and how well it does on labelled texts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.each import each

from undertow.contexts.traffic.mask import KINDS, Kind, masked

LABELLED = [json.loads(line) for line in Path(__file__).with_name("labelled.jsonl").read_text("utf-8").splitlines()]
IN_A_SENTENCE = ("Pavel Horak", "Adeyemi", "Leonie Brandt", "7 Harbour Lane", "correct horse")
"""What no form gives away."""
UNUSUAL = ("030/227 0 112", "5550104477")
"""Phone numbers that look like other numbers."""
WRONGLY = '{"name": "get_weather", "parameters": {"city": "string"}}'
"""The one labelled text that is masked for nothing: a field of a name, of a function."""


@each("row", LABELLED)
def test_the_labelled_texts(row: dict[str, object]) -> None:
    text, holds = str(row["text"]), row["holds"]
    counts: Counter[Kind] = Counter()
    clean = masked(text, counts)
    assert isinstance(holds, list)
    for kind, value in holds:
        assert (value in clean) == (value in (*IN_A_SENTENCE, *UNUSUAL)), (value, clean)
        assert value in clean or f"[{kind}]" in clean
    if not holds and text != WRONGLY:
        assert (clean, counts.total()) == (text, 0)
    assert masked(clean) == clean  # what is masked stays as it is


@each(
    "text, clean",
    [
        ("Name: Ann Lee  \nx", "Name: [name]  \nx"),
        ('{"name": "Ann", "b": 2}', '{"name": "[name]", "b": 2}'),
        ('{\\"name\\": \\"Ann Lee\\", \\"b\\": 2}', '{\\"name\\": \\"[name]\\", \\"b\\": 2}'),  # JSON in JSON
        ("x.name = other.name;", "x.name = other.name;"),
        ("password=hunter2&x=1", "password=[key]&x=1"),
        ("token = tokens[0]", "token = tokens[0]"),
        ("x.token = y.token\npassword = getpass()", "x.token = y.token\npassword = getpass()"),
        ("password = hunter2\nclient_secret = abcdef", "password = [key]\nclient_secret = [key]"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/b", "aws_secret_access_key = [key]"),
        ("'password' => hunter2, pwd=hunter2", "'password' => [key], pwd=[key]"),
        ("_ann@example.org_ bob@example.org--thanks", "[mail]_ [mail]--thanks"),
        ("authorization: bearer 7f3kLm9Qz2Xv8Bn4Tr6Y", "authorization: bearer [key]"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----", "[key]"),
        ("1-555-123-4567, 1.800.555.1234, 06 12 34 56 78", "[phone], [phone], [phone]"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/b", "AWS_SECRET_ACCESS_KEY=[key]"),
        ("MYSQL_ROOT_PASSWORD=hunter2pass", "MYSQL_ROOT_PASSWORD=[key]"),
        ('{"db_admin_password": "hunter2pass"}', '{"db_admin_password": "[key]"}'),
        ("SPRING_DATASOURCE_PASSWORD: hunter2pass", "SPRING_DATASOURCE_PASSWORD: [key]"),
        ("private_key: abcd\naccountKey=efgh", "private_key: [key]\naccountKey=[key]"),
        ("primary key: id, sort key: name", "primary key: id, sort key: name"),
        ("Mail ann@example.org or bob@example.org", "Mail [mail] or [mail]"),
        ("(ann@example.org)", "([mail])"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),  # no card: its digits do not check
        ("DE12 ABCD EFGH 1234 5678 90", "DE12 ABCD EFGH 1234 5678 90"),
        ("999.1.1.1 and 10.0.0.256", "999.1.1.1 and 10.0.0.256"),
        ("from 198.51.100.7:8080.", "from [ip]:8080."),
        ("", ""),
    ],
)
def test_what_is_masked_and_what_is_not(text: str, clean: str) -> None:
    assert masked(text) == clean


def test_counts_are_by_kind() -> None:
    counts: Counter[Kind] = Counter()
    masked("ann@example.org, bob@example.org, +49 30 901820", counts)
    assert counts == {"mail": 2, "phone": 1}
    assert set(counts) <= set(KINDS)
