"""Texts and tables as other programs save them: their encodings, separators and line ends."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path


def decoded(path: Path) -> str:
    r"""Return the text of a file in UTF-8 or UTF-16, without its byte-order mark.

    Raises
    ------
    ValueError
        If it is no such text; the message tells the line.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "a.txt")
    >>> _ = file.write_text("so it is", encoding="utf-16")
    >>> decoded(file)
    'so it is'
    """
    content = path.read_bytes()
    # a binary file of Praat, an archive (xlsx, ods), a file of an old Excel
    if content.startswith((b"ooBinaryFile", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ValueError("it is a spreadsheet or binary; save it as text: CSV in UTF-8, TextGrid")
    encoding = "utf-8-sig"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif len(content) > 3 and (content[0] == 0) != (content[1] == 0):  # no mark, Latin letters
        encoding = "utf-16-be" if content[0] == 0 else "utf-16-le"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        byte, name = content[fault.start], encoding[:6].rstrip("-").upper()
        told = f"line {line}: the byte 0x{byte:02x} is no text in {name} ({fault.reason})"
        raise ValueError(f"{told}; save it as UTF-8") from fault


def rows(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    r"""Read a CSV file with commas, semicolons, tabs or bars, as spreadsheets save it.

    Parameters
    ----------
    path : Path
    needed : sequence of str
        Columns that its first line must name, in small or capital letters; others may be there.

    Returns
    -------
    list of (int, dict)
        The number of a row's first line in the file, and its cells by column. Empty rows are left
        out, and what a row lacks at its end is empty.

    Raises
    ------
    ValueError
        If it is no such table, a needed column is missing, a name occurs twice, or a row has more
        cells than there are columns (a comma in a text that is not in quotes).

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "a.csv")
    >>> _ = file.write_text("audio;text\n;\na.wav;so, it is\n")
    >>> rows(file, ["audio", "text"])
    [(3, {'audio': 'a.wav', 'text': 'so, it is'})]
    """
    text = re.sub("^sep=.", "", decoded(path), flags=re.IGNORECASE)  # a spreadsheet's own line
    stream = io.StringIO(text, newline="" if re.match(r"[^\r\n]*\r(?!\n)", text) else "\n")
    head = re.split("[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    heads = {key: [*map(_name, head.split(key))] for key in ",;\t|"}
    mark = max(heads, key=lambda key: (len({*heads[key]} & {*needed}), len(heads[key])))
    reader = csv.reader(stream, delimiter=mark, skipinitialspace=f"{mark} " in head, strict=True)
    lines, line = [], 1
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                lines.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as fault:
        raise ValueError(f"line {line}: {fault}; is a quote missing?") from fault
    names = [_name(name) for name in lines[0][1]] if lines else []
    if any(names.count(name) != 1 for name in (*needed, *filter(None, names))):
        columns = " and ".join(needed)
        raise ValueError(f"its first line must name the columns {columns} once; it reads {names}")
    table = []
    for line, cells in lines[1:]:
        if any(name is None or (cell and not name) for cell, name in zip_longest(cells, names)):
            told = f"{len(cells)} cells for the {len([*filter(None, names)])} columns {names}"
            raise ValueError(f"line {line}: {told}; a text with {mark!r} in it must be in quotes")
        table.append((line, dict(zip_longest(names, cells, fillvalue=""))))
    return table


def _name(cell: str) -> str:
    return cell.strip().strip('"').strip().casefold()
