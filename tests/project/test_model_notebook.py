"""The template: another recording, model and settings in its one cell, in a folder of its own."""

import json
import pathlib
import re
import threading

import nbformat
import pytest
import tiny_models
from nbclient import NotebookClient

from sgpa_core import instructions, questions

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks/adapt.ipynb"
EXAMPLES = re.findall(r"```python\n(.+?)```", (ROOT / "book/adapt.md").read_text("utf-8"), re.S)


def run(folder, **settings):
    """Run the template in a folder where nothing else is; give what its code cells show."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [c for c in notebook.cells if c.cell_type == "code" and "\nMODEL = " in c.source]
    lines = cell.source.split("\n")
    for name, value in settings.items():
        (place,) = [k for k, line in enumerate(lines) if line.startswith(f"{name} = ")]
        goes_on = isinstance(value, dict)
        lines[place] = f"{name} = {repr(value)[:-1]}," if goes_on else f"{name} = {value!r}"
    cell.source = "\n".join(lines)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    shown = {}
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        outputs = [o.get("data", {}).get("text/plain") or o.get("text", "") for o in cell.outputs]
        shown[cell.source] = "\n".join(outputs)
    return shown


def of_cell(shown, part):
    """What the one cell shows that has this in its code."""
    (text,) = [text for source, text in shown.items() if part in source]
    return text


def test_it_names_no_file_beside_it():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert "../" not in code and "doctor.notebook(None)" in code
    assert 'OUT = Path("sgpa-results")' in code and "mkdtemp" not in code


def test_the_adapter_in_one_cell_has_at_most_twenty_lines():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    (cell,) = [c for c in cells if "class Recogniser" in c.source]
    assert len([line for line in cell.source.split("\n") if line.strip()]) <= 20


@pytest.mark.slow
def test_another_model_takes_the_assistants_place_and_a_second_run_goes_on(tmp_path):
    other = tiny_models.whisper(tmp_path / "other", words=(*tiny_models.WORDS, "moreover"))
    settings = {"MODEL": str(other), "TEXT": questions("bf_emma-014").text}
    shown = run(tmp_path, **settings)
    explained = shown["explanation"]
    assert explained.startswith("Explanation(5 words, exact, 32 evaluations")
    assert set(explained.split("'")[1].split()) <= {*tiny_models.WORDS, "moreover"}
    assert of_cell(shown, "to_html(").startswith("the same again: 0 model calls\n")
    assert of_cell(shown, "class Recogniser").startswith("recogniser: 10 of 10 checks passed")
    assert of_cell(shown, "explain_many(").count(" done ") == 2
    (folder,) = (tmp_path / "sgpa-results").glob("other-*")
    names = {re.sub("^bf_emma-014[.-]", "", file.name) for file in folder.iterdir()}
    assert names == {
        "html", "json", "values.csv", "answers.csv", "TextGrid", "vtt", "answers.sqlite",
        "corpus-words-auto-silence-tfidf",
    }  # fmt: skip
    assert "32 evaluations, 0 model calls" in run(tmp_path, **settings)["explanation"]


@pytest.mark.slow
def test_every_setting_counts(tmp_path):
    recording, corpus = instructions("ked-001"), tmp_path / "corpus"
    corpus.mkdir()
    for sound in (tmp_path / "mine.wav", corpus / "one.wav"):
        recording.audio.write(sound)
    (corpus / "one.txt").write_text(recording.text, "utf-8")
    settings = {"PARTITION": "ctc", "METHOD": "kernel", "MASKING": "noise", "UTILITY": "f1"}
    settings |= {"ALIGNER": str(tiny_models.wav2vec2(tmp_path / "aligner")), "BUDGET": 40}
    run(
        tmp_path,
        AUDIO=str(tmp_path / "mine.wav"),
        TEXT=recording.text,
        MODEL="embedded",
        OPTIONS={"max_new_tokens": 3},
        CORPUS=str(corpus),
        **settings,
    )
    (folder,) = (tmp_path / "sgpa-results").glob("embedded-*")
    written = json.loads((folder / "mine.json").read_text("utf-8"))
    expected = {name.lower(): value for name, value in settings.items()}
    assert expected.items() <= written.items()
    assert written["players"] == recording.text.split()
    assert any("cut at 3 tokens" in note for note in written["notes"])
    (line,) = (folder / "corpus-ctc-kernel-noise-f1" / "summary.csv").read_text().split("\n")[1:-1]
    assert line.startswith("one,done")
    for name in ("mine.TextGrid", "mine.vtt", "mine-values.csv"):
        assert recording.text.split()[0] in (folder / name).read_text("utf-8")


def executed(folder, monkeypatch, name, **changes):
    """Run an example that the page only shows, on the question of the page; give its names."""
    (code,) = [code for code in EXAMPLES if name in code]
    for before, after in changes.items():
        assert before in code
        code = code.replace(before, after)
    monkeypatch.chdir(folder)
    questions("bf_emma-014").audio.write("question.wav")
    names = {}
    exec(f"import sgpa_core as sgpa\n{code}", names)
    return names


def test_the_example_of_a_server_runs_on_a_stand_in(tmp_path, monkeypatch, script, capsys):
    server = script("tests/models/test_server.py").Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served = "http://localhost:8000/v1#mistralai/Voxtral-Mini-3B-2507"
    names = executed(tmp_path, monkeypatch, "localhost", **{served: server.address})
    server.shutdown()
    server.server_close()
    assert "10 of 10 checks passed" in capsys.readouterr().out
    assert names["explanation"].evaluations == 32 and (tmp_path / "voxtral.sqlite").is_file()
    assert server.most > 1  # requests in flight


def test_the_example_of_qwen2_audio_runs_on_a_tiny_one(tmp_path, monkeypatch, capsys):
    tiny = str(tiny_models.qwen2_audio(tmp_path / "tiny"))
    changes = {"Qwen/Qwen2-Audio-7B-Instruct": tiny, "cuda": "cpu", "bfloat16": "float32"}
    names = executed(tmp_path, monkeypatch, "Qwen2-Audio", **changes)
    assert "11 of 11 checks passed" in capsys.readouterr().out
    assert names["model"].instruction and names["explanation"].evaluations == 32


def test_the_example_of_another_language_names_settings_of_the_page():
    (code,) = [code for code in EXAMPLES if "ALIGNER" in code]
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    (settings,) = [c.source for c in cells if c.cell_type == "code" and "\nMODEL = " in c.source]
    for name in re.findall(r"^(\w+) =", code, re.M):
        assert f"\n{name} = " in settings
