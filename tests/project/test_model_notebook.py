"""Another model in place of the assistant, by one line of the notebook that promises it."""

import pathlib

import nbformat
import pytest
import tiny_models
from nbclient import NotebookClient

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "notebooks/bring-your-own-model.ipynb"
LINE = 'MODEL = "assistant"'


def printed(cell):
    """Everything that a cell shows as text."""
    outputs = [o.get("data", {}).get("text/plain") or o.get("text", "") for o in cell.outputs]
    return "\n".join(outputs)


@pytest.mark.slow
@pytest.mark.usefixtures("open_weights")
def test_another_model_takes_the_assistants_place(tmp_path):
    folder = tiny_models.whisper(tmp_path / "other", words=(*tiny_models.WORDS, "moreover"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    places = [c for c in notebook.cells if c.cell_type == "code" and LINE in c.source.split("\n")]
    assert len(places) == 1
    places[0].source = places[0].source.replace(LINE, f"MODEL = {str(folder)!r}")
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=240, resources=resources).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = {cell.source: printed(cell) for cell in code}
    everything = "\n".join(shown.values())
    assert "other@" in everything and "assistant@" not in everything
    explained = next(text for source, text in shown.items() if "recording.text, model)" in source)
    assert explained.startswith("Explanation(5 words, exact, 32 evaluations")
    answer = explained.split("'")[1]
    assert set(answer.split()) <= {*tiny_models.WORDS, "moreover"}
    joined = next(text for source, text in shown.items() if "pair = " in source)
    said = "How do bees make honey?"
    assert joined.startswith(f"heard:  {said}\n") and "\nanswer: " in joined
    alone = next(text for source, text in shown.items() if source.startswith("whisper = "))
    assert alone.startswith("Explanation(5 words, exact, 32 evaluations") and said in alone
    verdicts = [text for text in shown.values() if "checks passed" in text]
    assert [v.split(" checks")[0] for v in verdicts] == ["recogniser: 10 of 10", "hasty: 8 of 10"]


def test_the_adapter_in_one_cell_has_at_most_twenty_lines():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [c for c in notebook.cells if "class Recogniser" in c.source]
    assert len([line for line in cell.source.split("\n") if line.strip()]) <= 20
