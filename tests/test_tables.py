"""Tables of the pages: row numbers go, whatever says something stays."""

import re

import pandas as pd
import pytest

TABLE = pd.DataFrame({"word": ["so", "it", "is"], "value": [0.5, 0.3, 0.2]})


@pytest.fixture(scope="module")
def without_numbers(script):
    return script("book/_ext/tables.py").without_numbers


def test_numbers_of_rows_go_and_nothing_else(without_numbers):
    html = f"<p>0</p>{TABLE.to_html()}<p>1</p>{TABLE.to_html()}"
    mended = without_numbers(html)
    assert re.findall("<td>(.*)</td>", mended) == 2 * TABLE.astype(str).to_numpy().ravel().tolist()
    assert re.findall("<th>(.*)</th>", mended) == 2 * TABLE.columns.tolist()
    assert re.findall("<p>.</p>", mended) == ["<p>0</p>", "<p>1</p>"]
    assert without_numbers(mended) == mended


def test_of_two_rows_of_heads_as_well(without_numbers):
    html = pd.concat({"right": TABLE, "wrong": TABLE}, axis=1).to_html()
    mended = without_numbers(html)
    heads = re.findall("<th[^>]*>(.*)</th>", mended)
    assert heads == ["right", "wrong", *2 * TABLE.columns.tolist()]
    assert mended.count("<td>") == html.count("<td>")


@pytest.mark.parametrize(
    "table",
    [
        TABLE.set_index("word"),
        TABLE.iloc[1:],
        TABLE.iloc[::-1],
        TABLE.rename_axis("player"),
        TABLE.set_axis([10, 11, 12]),
        TABLE.groupby("word").agg(["mean", "max"]),
        TABLE.iloc[:0],
    ],
)
def test_an_index_that_says_something_stays(without_numbers, table):
    assert without_numbers(table.to_html()) == table.to_html()


def test_a_styled_table_is_left_alone(without_numbers):
    html = TABLE.style.to_html()
    assert without_numbers(html) == html
