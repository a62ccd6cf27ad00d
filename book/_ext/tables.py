"""Sphinx extension: tables of pandas as one would print them.

The numbers of the rows say nothing, so they go; the name of an index stands beside those of the
columns, not in a row of its own; where there is no number, a dash. Styled tables are left alone.
"""

import re

from docutils import nodes

TABLE = re.compile(r'<table border="1" class="dataframe">.*?</table>', re.DOTALL)
CORNER = re.compile(r"(<tr[^>]*>)\s*<th></th>")
NUMBER = re.compile(r"(<tr>)\s*<th>(\d+)</th>")
ROW = re.compile(r"<tr[^>]*>.*?</tr>", re.DOTALL)
CELL = re.compile(r"<th[^>]*>(.*?)</th>", re.DOTALL)


def without_numbers(head, body):
    """Drop the first column where it only counts the rows."""
    numbers = [int(number) for _, number in NUMBER.findall(body)]
    counts = numbers and numbers == list(range(body.count("<tr>")))
    if not counts or len(CORNER.findall(head)) < head.count("<tr"):
        return head, body
    return CORNER.sub(r"\1", head), NUMBER.sub(r"\1", body)


def in_one_row(head):
    """Put the names of the index, which stand alone in the last row, into the cells above them."""
    above, last = ["", "", *ROW.findall(head)][-2:]
    columns, names = CELL.findall(above), CELL.findall(last)
    count = sum(map(bool, names))
    if not count or any(names[count:]) or any(columns[:count]) or not columns:
        return head
    waiting = iter(names)
    merged = re.sub("<th></th>", lambda _: f"<th>{next(waiting)}</th>", above)
    return head.replace(last, "").replace(above, merged)


def mended(html):
    """Mend each table of some HTML."""

    def mend(found):
        head, mark, body = found[0].partition("<tbody>")
        head, body = without_numbers(head, body)
        return in_one_row(head) + mark + body.replace("<td>NaN</td>", "<td>–</td>")

    return TABLE.sub(mend, html)


def mend_page(app, doctree, name):
    """Mend every table of a page."""
    for node in doctree.findall(nodes.raw):
        if node.get("format") == "html" and 'class="dataframe"' in node.astext():
            node.rawsource = mended(node.astext())
            node.children = [nodes.Text(node.rawsource)]


def setup(app):
    """Register the hook."""
    app.connect("doctree-resolved", mend_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
