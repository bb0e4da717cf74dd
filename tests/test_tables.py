"""Records of a CSV file: an empty cell is nothing, and a header that cannot be meant is refused."""

import pytest

from undertow.errors import InputError
from undertow.tables import records


def test_an_empty_cell_holds_nothing(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("a,b\n1,\n , x\n")
    assert list(records(path)) == [(f"{path}:2", {"a": "1", "b": None}), (f"{path}:3", {"a": " ", "b": " x"})]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b,a\n1,2,3\n", ":1: has the column 'a' twice; a name for each column; rename or drop one"),
        ("a;b\n1;2\n", ":1: is parted by ';'; commas between cells; save it as CSV with commas"),
        ("a\tb\n1\t2\n", ":1: is parted by '\\t'; commas between cells; save it as CSV with commas"),
        ("a,b\n1,2,3\n", ":2: has 1 cell more than the header; mend the line: quote what holds commas"),
    ],
)
def test_what_is_no_table_with_commas(tmp_path, text, told):
    path = tmp_path / "some.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        list(records(path))
    assert str(caught.value) == f"{path}{told}"
