"""Tables of the pages: row numbers go, heads take one row, whatever says something stays."""

import re

import pandas as pd
import pytest

TABLE = pd.DataFrame({"word": ["so", "it", "is"], "value": [0.5, 0.3, 0.2]})


@pytest.fixture(scope="module")
def mended(script):
    return script("book/_ext/tables.py").mended


def test_numbers_of_rows_go_and_nothing_else(mended):
    html = f"<p>0</p>{TABLE.to_html()}<p>1</p>{TABLE.to_html()}"
    found = mended(html)
    assert re.findall("<td>(.*)</td>", found) == 2 * TABLE.astype(str).to_numpy().ravel().tolist()
    assert re.findall("<th>(.*)</th>", found) == 2 * TABLE.columns.tolist()
    assert re.findall("<p>.</p>", found) == ["<p>0</p>", "<p>1</p>"]
    assert mended(found) == found


def test_of_two_rows_of_heads_as_well(mended):
    html = pd.concat({"right": TABLE, "wrong": TABLE}, axis=1).to_html()
    found = mended(html)
    heads = re.findall("<th[^>]*>(.*)</th>", found)
    assert heads == ["right", "wrong", *2 * TABLE.columns.tolist()]
    assert found.count("<td>") == html.count("<td>")


@pytest.mark.parametrize("index", [["word"], ["word", "value"]])
def test_names_of_an_index_stand_beside_those_of_the_columns(mended, index):
    table = TABLE.assign(n=[1, 2, 3])
    html = table.set_index(index).to_html()
    found = mended(html)
    rest = [name for name in table.columns if name not in index]
    assert html.count("<tr") - found.count("<tr") == 1
    assert re.findall("<th>(.*)</th>", found.partition("<tbody>")[0]) == index + rest
    assert found.partition("<tbody>")[2] == html.partition("<tbody>")[2]


@pytest.mark.parametrize(
    "table",
    [
        TABLE.iloc[1:],
        TABLE.iloc[::-1],
        TABLE.set_axis([10, 11, 12]),
        TABLE.set_index("word").rename_axis(None),
        TABLE.set_index("word").rename_axis(columns="quantity"),
        TABLE.iloc[:0],
    ],
)
def test_an_index_that_says_something_stays(mended, table):
    assert mended(table.to_html()) == table.to_html()


def test_where_there_is_no_number_is_a_dash(mended):
    table = TABLE.set_index("word").astype({"value": float}).reindex(["so", "no"])
    assert re.findall("<td>(.*)</td>", mended(table.to_html())) == ["0.5", "–"]


def test_a_styled_table_is_left_alone(mended):
    html = TABLE.style.to_html()
    assert mended(html) == html
