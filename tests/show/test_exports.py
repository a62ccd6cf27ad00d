"""Segmentations as files: they give back what went in; files of other tools are read or refused.

A refusal is one line that names the file, the line in it and the column.
"""

import json

import pytest
from praatio import textgrid

from sgpa_core import Segment, Segmentation

WORDS = (
    Segment("What", 0.1, 0.3000000000000004, 0.91, "aligned", True),
    Segment('"10,000"', 0.3000000000000004, 1.25, 0.5, "aligned", False),
    Segment("北京,", 1.25, 1.5, 0.75, "interpolated", True),
    Segment("<b>&amp;", 1.5, 1.75, 0.25, "unalignable", False),
)
SEGMENTATION = Segmentation(
    WORDS, 'What "10,000" 北京, <b>&amp;', 2.0, "sgpa", 0.8, "tiny", ("a note",)
)


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
