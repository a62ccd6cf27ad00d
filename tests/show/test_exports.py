"""Segmentations as files: they give back what went in; files of other tools are read or refused.

A refusal is one line that names the file, the line in it and the column.
"""

import json

import pytest
from hand_made import SEGMENTATION, WORDS
from praatio import textgrid

from sgpa_core import Segment, Segmentation


@pytest.mark.parametrize("ending", [".TextGrid", ".json", ".csv"])
def test_files_give_back_the_words(tmp_path, ending):
    path = SEGMENTATION.write(tmp_path / f"words{ending}")
    assert Segmentation.read(path).words == WORDS
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_webvtt_gives_them_back_to_the_millisecond(tmp_path):
    read = Segmentation.read(SEGMENTATION.to_vtt(tmp_path / "words.vtt")).words
    for word, back in zip(WORDS, read, strict=True):
        assert (word.text, word.status, word.refined) == (back.text, back.status, back.refined)
        assert abs(word.start - back.start) <= 0.0005
        assert back.confidence == word.confidence
    lines = (tmp_path / "words.vtt").read_text("utf-8").splitlines()
    assert lines[0] == "WEBVTT"
    assert lines[3] == "00:00:00.100 --> 00:00:00.300"
    assert "&lt;b&gt;&amp;amp;" in lines


def test_json_keeps_everything_else(tmp_path):
    read = Segmentation.read(SEGMENTATION.to_json(tmp_path / "words.json"))
    for name in ("text", "duration", "method", "alpha", "aligner", "notes"):
        assert getattr(read, name) == getattr(SEGMENTATION, name)
    assert json.loads((tmp_path / "words.json").read_text())["words"][0]["text"] == "What"


def test_praat_reads_the_textgrid(tmp_path):
    SEGMENTATION.to_textgrid(tmp_path / "words.TextGrid")
    grid = textgrid.openTextgrid(str(tmp_path / "words.TextGrid"), includeEmptyIntervals=True)
    assert grid.tierNames == ("words", "status", "confidence", "refined")
    assert grid.maxTimestamp == 2.0
    labels = [interval.label for interval in grid.getTier("words").entries]
    assert labels == ["", "What", '"10,000"', "北京,", "<b>&amp;", ""]


def test_a_file_that_is_something_else(tmp_path):
    for name, content in [
        ("a.json", "{}"),
        ("b.json", "no json"),
        ("c.csv", "x,y\n1,2\n"),
        ("d.vtt", "WEBVTT\n\nhello"),
        ("e.TextGrid", "no grid"),
        ("f.json", '{"words": [{"text": "a", "start": 1, "end": 0}], "notes": []}'),
    ]:
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=name):
            Segmentation.read(tmp_path / name)


def test_unknown_format_and_missing_places(tmp_path):
    with pytest.raises(ValueError, match=r"unknown format '\.xyz'"):
        SEGMENTATION.write(tmp_path / "words.xyz")
    with pytest.raises(ValueError, match="unknown format"):
        Segmentation.read(tmp_path / "words")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        SEGMENTATION.write(tmp_path / "nowhere" / "words.json")
    with pytest.raises(FileNotFoundError, match="no such file"):
        Segmentation.read(tmp_path / "words.json")


# Files that other programs wrote

TWO = Segmentation(
    (Segment("so", 0.1, 0.5, 0.9, "aligned", True), Segment('"it"', 0.5, 0.7, 0.3, "unalignable")),
    'so "it"',
    1.0,
)
ASSUMED = "assumed: confidence (1.0), status (aligned), refined (no)"


def text_of(ending, folder):
    return TWO.write(folder / f"own{ending}").read_text("utf-8")


def read(folder, name, content):
    """Read a file with this content."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return Segmentation.read(folder / name)


@pytest.mark.parametrize("ending", [".TextGrid", ".csv", ".vtt", ".json"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path, ending, encoding, line):
    content = text_of(ending, tmp_path).replace("\n", line).encode(encoding)
    assert read(tmp_path, f"a{ending}", content).words == TWO.words


HEAD = "text,start,end,confidence,status,refined\n"
WAS = ("so", 0.1, 1.5, 0.5, "aligned", True)
TABLES = {
    "TRUE of a spreadsheet": HEAD + "so,0.1,1.5,0.5,aligned,TRUE\n",
    "VRAI, semicolons, commas in numbers, empty rows": HEAD.replace(",", ";")
    + "so;0,1;1,5;5,0E-01;aligned;VRAI\n;;;;;\n\n",
    "tabs": (HEAD + "so,0.1,1.5,0.5,aligned,True\n").replace(",", "\t"),
    "bars": (HEAD + "so,0.1,1.5,0.5,aligned,True\n").replace(",", "|"),
    "the separator in a line of its own": "sep=;\n"
    + (HEAD + "so,0.1,1.5,0.5,aligned,True\n").replace(",", ";"),
    "quotes, capital letters, another order": '"START","END","Confidence","Status","Refined",'
    '"Text"\n"0.1","1.5","0.5","aligned","yes","so"\n',
    "more columns, the last ones empty": HEAD.strip() + ",by,,\nso,0.1,1.5,0.5,aligned,1,ann,,\n",
    "spaces after the commas": HEAD.replace(",", ", ") + "so, 0.1, 1.5, 0.5, aligned, True\n",
}  # fmt: skip


@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES)
def test_tables_of_spreadsheets(tmp_path, content):
    found = read(tmp_path, "a.csv", content)
    assert found.words == (Segment(*WAS),) and not found.notes


def test_words_and_times_alone_are_enough_and_it_is_said(tmp_path):
    bare = Segment("so", 0.25, 1.5, 1.0, "aligned", False)
    cue = "00:00:00,250 --> 00:00:01,500"
    for name, content in {
        "a.csv": "text,start,end\nso,0.25,1.5\n",
        "a.srt": f"1\n{cue}\nso\n",
        "a.vtt": f"WEBVTT\n\n{cue.replace(',', '.')}\nso\n",
        "a.TextGrid": short(("words", ((0.25, 1.5, "so"),))),
    }.items():
        found = read(tmp_path, name, content)
        assert found.words == (bare,) and found.notes[0].endswith(ASSUMED), name


def test_cues_notes_settings_and_tags(tmp_path):
    content = (
        "WEBVTT - a title\nKind: captions\nLanguage: en\n\nNOTE made\nby hand\n\n"
        "STYLE\n::cue { color: red }\n\nREGION\nid:a\n\n"
        "1\n00:01.000 --> 00:01.500 align:start position:0%\n<v Ann><c.loud>so</c></v>\n\n"
        "NOTE between\n\n00:01.500 --> 00:01.600\n<i></i>\n\n"
        "00:01.600 --> 01:00:02.000\n&lt;it&gt;\n\n\n"
    )
    words = read(tmp_path, "a.vtt", content).words
    assert [(w.text, w.start, w.end) for w in words] == [("so", 1, 1.5), ("<it>", 1.6, 3602)]
    blank = (
        "WEBVTT\n\n00:01.000 --> 00:01.500 align:start\n \n so\n \n00:02.000 --> 00:03.000\nit\n"
    )
    assert [w.text for w in read(tmp_path, "a.vtt", blank).words] == ["so", "it"]
    srt = "1\r\n0:00:01,0 --> 0:00:01,500 X1:40\r\n{\\an8}<font color='red'>so</font>\r\n\r\n"
    assert read(tmp_path, "a.srt", srt).words[0].text == "so"


def test_words_of_this_project_may_look_like_tags_and_be_very_short(tmp_path):
    words = [Segment("{\\an8}", 0, 1e-4, 1.0), Segment("<i>", 1e-4, 3e-4, 1.0)]
    words = (*words, Segment("NOTE", 3e-4, 4e-4, 1.0), Segment("-->", 4e-4, 0.5, 1.0))
    found = Segmentation.read(Segmentation(words, "", 1.0).write(tmp_path / "a.vtt"))
    assert [w.text for w in found.words] == [w.text for w in words]


def short(*tiers, kind="IntervalTier"):
    """A TextGrid in the short format."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", "2", "<exists>"]
    lines.append(str(len(tiers)))
    for name, entries in tiers:
        lines += [f'"{kind}"', f'"{name}"', "0", "2", str(len(entries))]
        for *times, label in entries:
            lines += [*map(str, times), f'"{label}"']
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["words", "Words", "ann - words", "word", "ORT"])
def test_textgrids_of_others(tmp_path, name):
    intervals = ((0, 0.2, "sil"), (0.2, 0.5, "so"), (0.5, 0.9, "item"), (0.9, 2, "<eps>"))
    tiers = [(name, intervals)]
    if name != "ORT":
        tiers.append(("phones", ((0, 2, "s"),)))
    found = read(tmp_path, "a.TextGrid", short(*tiers))
    assert [(w.text, w.start, w.end) for w in found.words] == [("so", 0.2, 0.5), ("item", 0.5, 0.9)]
    assert found.duration == 2


def test_edits_in_praat(tmp_path):
    own = text_of(".TextGrid", tmp_path)

    def after(before, now):
        assert before in own
        return read(tmp_path, "a.TextGrid", own.replace(before, now))

    assert after('text = "so"', 'text = ""').words == TWO.words[1:]
    deleted = after('text = "unalignable"', 'text = ""')
    assert deleted.words[1] == Segment('"it"', 0.5, 0.7, 0.3, "aligned", False)
    assert deleted.notes[0].endswith("assumed: status (aligned)")
    moved = read(tmp_path, "a.TextGrid", own.replace("xmax = 0.5", "xmax = 0.4", 1)).words[0]
    assert moved == Segment("so", 0.1, 0.4, 0.9, "aligned", True)
    for kind in ("short_textgrid", "long_textgrid"):
        grid = textgrid.openTextgrid(str(tmp_path / "own.TextGrid"), includeEmptyIntervals=True)
        grid.save(str(tmp_path / "b.TextGrid"), kind, includeBlankSpaces=True)
        assert Segmentation.read(tmp_path / "b.TextGrid").words == TWO.words
    added = after('text = "so"', 'text = "item [1]:"')
    assert added.words[0].text == "item [1]:"


CSV, CUE = HEAD.strip(), "00:00:01.000 --> 00:00:01.500"
OWN = '{"text": "", "duration": 2.0, "method": "", "alpha": 1, "aligner": "", "words": [],'
OWN += ' "notes": ["none"]}'
OTHERS = [
    ("a.csv", f"{CSV}\nso,x,1,0.5,aligned,TRUE", r"line 2, column start: 'x' is no number from 0"),
    ("a.csv", f"{CSV}\nso,nan,1,0.5,aligned,TRUE", "line 2, column start: 'nan' is no number"),
    ("a.csv", f"{CSV}\nso,0,inf,0.5,aligned,TRUE", "line 2, column end: 'inf' is no number"),
    ("a.csv", f"{CSV}\nso,0,1,55,aligned,TRUE", "line 2, column confidence: '55' is no number"),
    ("a.csv", f"{CSV}\n\nso,0,1,0.5,aligned,maybe", "unknown refined in line 3: 'maybe'"),
    ("a.csv", f"{CSV}\nso,0,1,0.5,lost,TRUE", "unknown status in line 2: 'lost'"),
    ("a.csv", f"{CSV}\n10,000,0,1,0.5,aligned,TRUE", "line 2: 7 cells for the 6 columns"),
    ("a.csv", f'{CSV}\n"so,0,1,0.5,aligned,TRUE', "line 2: unexpected end of data; is a quote"),
    ("a.csv", f"{CSV}\n,0,1,0.5,aligned,TRUE", "line 2, column text: one word is needed, not ''"),
    ("a.csv", f"{CSV}\nso,2,1,0.5,aligned,TRUE", "line 2: 'so' from 2.0 to 1.0 s has no length"),
    ("a.csv", f"{CSV}\ncaf\xe9,0,1,".encode("cp1252"), "line 2: the byte 0xe9 is no text in UTF-8"),
    ("a.csv", "text,start,end\nso it,0,1", "line 2, column text: one word is needed, not 'so it'"),
    ("a.csv", "word,start,end\nso,0,1", r"once; it reads \['word', 'start', 'end'\]"),
    ("a.csv", "text,start,end,end\nso,0,1,2", r"start and end once; it reads .*'end', 'end'\]"),
    ("a.csv", "", r"must name the columns text and start and end.*reads \[\]"),
    ("a.csv", b"PK\x03\x04 xlsx", "it is a spreadsheet or binary; save it as text: CSV in UTF-8"),
    ("a.csv", b"\xd0\xcf\x11\xe0 xls", "it is a spreadsheet or binary"),
    ("a.vtt", f"WEBVTT\n\n{CUE}\nso it", "line 3, column text: one word is needed, not 'so it'"),
    ("a.vtt", f"WEBVTT\n\n1\n{CUE[:-1]}x\nso", "line 4: .* is neither a note nor a cue's"),
    ("a.vtt", f"WEBVTT\n\n{CUE}\nso\n\n{CUE}\nit", "line 6: 'it' from .* before its neighbour"),
    ("a.vtt", f"WEBVTT\n\nlost refined 0.5\n{CUE}\nso", "unknown status in line 4: 'lost'"),
    ("a.vtt", f"WEBVTT\n\n{CUE}\nso<00:00:01.200><c> it</c>", "one word is needed, not 'so it'"),
    ("a.srt", "", "the file holds no cue"),
    ("a.srt", "1\n00:00:01,000 -> 00:00:01,500\nso", "line 1: '1' is neither"),
    ("a.TextGrid", b"ooBinaryFile\x08TextGrid", "or binary; save it as text: .*TextGrid"),
    ("a.TextGrid", "", "line 1: no TextGrid that can be read from here on"),
    ("a.TextGrid", short()[:-2], "line 1: no TextGrid that can be read from"),
    ("a.TextGrid", short(("words", ((0, "x", "so"),))), "line 13: no TextGrid that can be"),
    ("a.TextGrid", short(("words", ((0, 1, "so it"),))), "interval at 0 s, column text: one"),
    ("a.TextGrid", short(("words", ((0, 1, "so"),)))[:-9], "line 13: no TextGrid that can"),
    ("a.TextGrid", short(("a", ()), ("b", ())), r"must be called words; there are \['a', 'b'\]"),
    ("a.TextGrid", short(("words", ()), ("words", ())), "a second tier is called 'words'"),
    ("a.TextGrid", short(("words", ((0, "so"),)), kind="TextTier"), r"words; there are \[\]"),
    ("a.json", '{"text": "so", "segments": [], "language": "en"}', "holds text, segments, lang"),
    ("a.json", "[1]", "JSON, but not as Segmentation.write writes it .* it holds list"),
    ("a.json", "[" * 100_000, "JSON, but not as Segmentation.write"),
    ("a.json", '{"words"', "line 1 column 9"),
    ("a.json", OWN.replace("2.0", '"x"'), "duration must be a number from 0 to 1e.*, got 'x'"),
    ("a.json", OWN.replace("[]", "5"), "JSON, but not as .*'int' object is not iterable"),
    ("a.json", OWN.replace("[]", '[{"text": "so", "start": 0}]'), "JSON, but not as .*'end'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "told"), OTHERS)
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path, name, content, told):
    with pytest.raises(ValueError, match=told) as fault:
        read(tmp_path, name, content)
    assert str(fault.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(fault.value)
