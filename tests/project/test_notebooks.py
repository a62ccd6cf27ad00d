"""The notebooks: in step with the chapters, without outputs, and each runs alone."""

import json
import pathlib
import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from sgpa_core.companion import doctor

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS_A_CELL = 240


@pytest.fixture(scope="module")
def tool(script):
    """The script that writes the notebooks."""
    return script("book/_tools/notebooks.py")


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_checks_the_installation_first_and_reads_well(path):
    notebook = nbformat.read(path, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    alone = not any(c.cell_type == "code" and '"../' in c.source for c in notebook.cells)
    assert f"doctor.notebook({None if alone else ''})" in first.source
    prose = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "{glue" not in prose and "{cite}`" not in prose and "‹" not in prose
    for page in re.findall(r"\]\(([\w./-]+\.(?:ipynb|md))", prose):
        assert (path.parent / page).exists(), f"{path.name} links to {page}"


def test_the_first_cell_says_what_is_missing(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="does not hold the project's data; open the notebook"):
        doctor.notebook(tmp_path)
    monkeypatch.setattr(doctor, "NOTEBOOK", ("no_such_package",))
    with pytest.raises(RuntimeError, match=r"not installed.*: no_such_package;.*make lab"):
        doctor.notebook(ROOT / "data")


def test_numbers_of_the_text_are_those_of_a_build(tool, tmp_path, monkeypatch):
    chapter = tmp_path / "x.md"
    header = (ROOT / "book/index.md").read_text("utf-8").split("\n---\n")[0] + "\n---\n"
    chapter.write_text(
        header + "{glue:text}`x-half:.1f` and {glue:text}`x-name`, not {glue:text}`x-new`.\n\n"
        "```{code-cell} ipython3\n1\n```\n",
        "utf-8",
    )
    glued = {"x-half": "0.5", "x-name": "'so'"}
    glued = {name: {"data": {"text/plain": text}} for name, text in glued.items()}
    (tmp_path / "x.glue.json").write_text(json.dumps(glued), "utf-8")
    monkeypatch.setattr(tool, "chapters", lambda: [chapter])
    monkeypatch.setattr(tool, "VALUES", tmp_path / "values.json")
    tool.VALUES.write_text(json.dumps(tool.values(tmp_path)), "utf-8")
    notebook = nbformat.reads(tool.convert(chapter), as_version=4)
    assert notebook.cells[0].source == "0.5 and so, not ‹x-new›."


def test_numbers_of_the_text_are_printed_under_their_names(tool, tmp_path):
    chapter = tmp_path / "x.md"
    header = (ROOT / "book/index.md").read_text("utf-8").split("\n---\n")[0] + "\n---\n"
    chapter.write_text(
        header
        + "Half of it is {glue:text}`x-half:.1f`, says {cite}`sgpa2026`, [cost](cost.md).\n\n"
        "```{code-cell} ipython3\nfrom myst_nb import glue\n"
        'glue("x-half", 1 / 2, display=False)\n```\n',
        "utf-8",
    )
    notebook = nbformat.reads(tool.convert(chapter), as_version=4)
    assert (
        notebook.cells[0].source == "Half of it is ‹x-half›, says [sgpa2026], [cost](cost.ipynb)."
    )
    folder = {"metadata": {"path": str(ROOT / "notebooks")}}
    NotebookClient(notebook, timeout=SECONDS_A_CELL, resources=folder).execute()
    check, computed = (cell.outputs[0].text for cell in notebook.cells if cell.cell_type == "code")
    assert check.startswith("Ready: sgpa_core")
    assert computed.strip() == "‹x-half› 0.5"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs_alone(path, request):
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=SECONDS_A_CELL, resources=resources)
    try:
        client.execute()
    except CellExecutionError as fault:
        if "sgpa_core fetch models" in str(fault):
            request.getfixturevalue("open_weights")  # skips where there are none
        raise
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    run = [cell for cell in code if "skip-execution" not in cell.metadata.get("tags", [])]
    assert run and all(cell.execution_count for cell in run)
    assert len(code) - len(run) <= 1  # a form for readers, which tests/test_widgets.py drives
