"""Texts and tables as other programs save them: their encodings, separators and line ends."""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

#: How files begin that are no text, and what they are.
BINARY = {
    b"ooBinaryFile": "a binary file of Praat; save it there as a text file",
    b"PK\x03\x04": "a spreadsheet or an archive; save it as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of Excel; save it as CSV in UTF-8",
}
SEPARATORS = ",;\t|"


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
    for head, kind in BINARY.items():
        if content.startswith(head):
            raise ValueError(f"it is {kind}")
    encoding = "utf-8-sig"
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    elif len(content) > 3 and (content[0] == 0) != (content[1] == 0):  # no mark, Latin letters
        encoding = "utf-16-be" if content[0] == 0 else "utf-16-le"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1
        byte = content[fault.start : fault.start + 1].hex()
        raise ValueError(
            f"line {line}: the byte 0x{byte} is no text in {encoding[:6].rstrip('-').upper()} "
            f"({fault.reason}); save it as UTF-8"
        ) from fault


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
    text, skipped = decoded(path), 0
    if text[:4].lower() == "sep=":  # a spreadsheet's own line
        text, skipped = text.partition("\n")[2], 1
    ending = (re.search("\r\n|\r|\n", text) or [""])[0]
    stream = io.StringIO(text, newline="" if ending == "\r" else "\n")
    head = stream.readline()
    heads = {separator: head.split(separator) for separator in SEPARATORS}
    known = {key: {*map(_name, names)} & {*needed} for key, names in heads.items()}
    separator = max(SEPARATORS, key=lambda key: (len(known[key]), len(heads[key])))
    spaced = any(name[:1] == " " for name in heads[separator][1:])
    stream.seek(0)
    reader = csv.reader(stream, delimiter=separator, skipinitialspace=spaced, strict=True)
    lines, line = [], 1 + skipped
    try:
        for cells in reader:
            lines.append((line, cells))
            line = reader.line_num + skipped + 1
    except csv.Error as fault:
        raise ValueError(f"line {line}: {fault}; is a quote missing?") from fault
    names = [_name(name) for name in lines[0][1]] if lines else []
    if missing := [name for name in needed if name not in names]:
        raise ValueError(
            f"its first line must name the columns {' and '.join(needed)}; it lacks "
            f"{' and '.join(missing)} and reads {names}"
        )
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"line {1 + skipped}: the column {twice[0]} is named twice")
    table = []
    for line, cells in lines[1:]:
        unnamed = [cell for cell, name in zip(cells, names, strict=False) if cell and not name]
        if len(cells) > len(names) or unnamed:
            raise ValueError(
                f"line {line}: {len(cells)} cells for the {len([*filter(None, names)])} columns "
                f"{names}; a text with {separator!r} in it must stand in quotes"
            )
        if any(map(str.strip, cells)):
            padded = cells + [""] * (len(names) - len(cells))
            table.append((line, dict(zip(names, padded, strict=True))))
    return table


def _name(cell: str) -> str:
    return cell.strip().strip('"').strip().casefold()
