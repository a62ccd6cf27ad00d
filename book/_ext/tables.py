"""Sphinx extension: tables of pandas without the numbers of their rows, which say nothing.

An index that means something (it has a name, or is not 0, 1, 2, …) stays.
"""

import re

from docutils import nodes

TABLE = re.compile(r'<table border="1" class="dataframe">.*?</table>', re.DOTALL)
CORNER = re.compile(r"(<tr[^>]*>)\s*<th></th>")
NUMBER = re.compile(r"(<tr>)\s*<th>(\d+)</th>")


def without_numbers(html):
    """Drop the first column of each table in which it only counts the rows."""

    def mend(found):
        table = found[0]
        head, _, body = table.partition("<tbody>")
        numbers = [int(number) for _, number in NUMBER.findall(body)]
        counts = numbers and numbers == list(range(body.count("<tr>")))
        if not counts or len(CORNER.findall(head)) < head.count("<tr"):
            return table
        return CORNER.sub(r"\1", head) + "<tbody>" + NUMBER.sub(r"\1", body)

    return TABLE.sub(mend, html)


def mend_page(app, doctree, name):
    """Mend every table of a page."""
    for node in doctree.findall(nodes.raw):
        if node.get("format") == "html" and 'class="dataframe"' in node.astext():
            html = without_numbers(node.astext())
            node.children = [nodes.Text(html)]
            node.rawsource = html


def setup(app):
    """Register the hook."""
    app.connect("doctree-resolved", mend_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
