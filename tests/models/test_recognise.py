"""Recognised transcripts, and the template that uses them on a recording of one's own."""

import json
import pathlib
import sys

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from sgpa_core import Audio, instructions
from sgpa_core.models.recognise import transcribe

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks/your-recording.ipynb"


def test_pocketsphinx_understands_clear_speech(tmp_path):
    recording = instructions("awb-001")
    path = tmp_path / "question.wav"
    recording.audio.write(path)
    assert transcribe(path) == transcribe(recording.audio) == recording.text


def test_any_transformers_recogniser_can_be_named():
    recording = instructions("slt-019")
    text = transcribe(recording.audio, str(ROOT / "data/models/aligner"))
    assert text == " ".join(text.split())
    letters = set(recording.text) & set(text)
    assert len(letters) > 5  # the character model writes letters, not yet words


def test_silence_has_no_transcript():
    with pytest.raises(ValueError, match=r"pocketsphinx understood nothing in 1\.00 s"):
        transcribe(Audio(np.zeros(16_000) + 1e-6, 16_000))


def test_without_pocketsphinx_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ValueError, match="pip install pocketsphinx, or name a model"):
        transcribe(instructions("awb-001").audio)


@pytest.mark.slow
def test_the_template_explains_another_recording(tmp_path):
    recording = instructions("ked-001")
    recording.audio.write(tmp_path / "mine.wav")
    settings = {
        "AUDIO": repr(str(tmp_path / "mine.wav")),
        "TEXT": repr(recording.text),
        "PARTITION": "'ctc'",
        "METHOD": "'kernel'",
        "BUDGET": "40",
        "MASKING": "'noise'",
        "UTILITY": "'f1'",
        "OUT": f"Path({str(tmp_path / 'out')!r})",
    }
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [c for c in notebook.cells if "RECOGNISER =" in c.source]
    lines = cell.source.split("\n")
    for name, value in settings.items():
        (place,) = [k for k, line in enumerate(lines) if line.startswith(f"{name} = ")]
        lines[place] = f"{name} = {value}"
    cell.source = "\n".join(lines)
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=240, resources=resources).execute()
    written = json.loads((tmp_path / "out/explained.json").read_text("utf-8"))
    expected = {"partition": "ctc", "method": "kernel", "masking": "noise", "utility": "f1"}
    assert expected.items() <= written.items()
    assert written["players"] == recording.text.split()
    made = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"explained.html", "values.csv", "answers.csv", "words.TextGrid"} <= made
    assert recording.text.split()[0] in (tmp_path / "out/words.TextGrid").read_text("utf-8")
