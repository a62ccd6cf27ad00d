"""The notebooks: in step with the chapters, without outputs, and each runs alone."""

import importlib.util
import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS_A_CELL = 240


@pytest.fixture(scope="module")
def tool():
    """The script that writes the notebooks."""
    spec = importlib.util.spec_from_file_location("tool", ROOT / "book/_tools/notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_notebooks_are_in_step_with_the_chapters(tool):
    assert tool.differences() == [], "run 'make notebooks'"


def test_a_changed_chapter_is_noticed(tool, tmp_path, monkeypatch):
    chapters, notebooks = tmp_path / "book", tmp_path / "notebooks"
    chapters.mkdir()
    notebooks.mkdir()
    source = (ROOT / "book/index.md").read_text("utf-8")
    (chapters / "index.md").write_text(source, "utf-8")
    monkeypatch.setattr(tool, "CHAPTERS", chapters)
    monkeypatch.setattr(tool, "NOTEBOOKS", notebooks)
    assert tool.differences() == ["index.ipynb"]
    tool.write(notebooks)
    assert tool.differences() == []
    (chapters / "index.md").write_text(source + "\nOne more line.\n", "utf-8")
    assert tool.differences() == ["index.ipynb"]
    (chapters / "index.md").unlink()
    assert tool.differences() == ["index.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_holds_no_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert not any(cell.source.lstrip().startswith(("!", "%pip")) for cell in code)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs_alone(path):
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=SECONDS_A_CELL, resources=resources)
    client.execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    run = [cell for cell in code if "skip-execution" not in cell.metadata.get("tags", [])]
    assert run and all(cell.execution_count for cell in run)
    assert len(code) - len(run) <= 1  # a form for readers, which tests/test_widgets.py drives
