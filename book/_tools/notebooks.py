"""Write ``notebooks/*.ipynb`` from the chapters in ``book/*.md``: one way, without outputs.

A notebook differs from its chapter in three ways. Its first code cell checks the installation, and
that the repository's data are beside it, unless the chapter names no path outside its folder. Its
links lead to notebooks. And where a page shows a number inside its text, a notebook, whose text
cannot be computed, shows the number that the last build had (``book/values.json``), or the number's
‹name› if there was none; the cell that computes it prints it under that name.

``--check`` writes nothing and fails where a notebook is missing, differs or has no chapter.
``--values FOLDER`` first takes the numbers of a build from its executed notebooks.
"""

import hashlib
import json
import pathlib
import re
import sys
import tempfile

import jupytext
import nbformat
from myst_nb.core.variables import format_plain_text

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "book"
NOTEBOOKS = ROOT / "notebooks"
VALUES = CHAPTERS / "values.json"
NUMBER = re.compile(r"\{glue(?::text)?\}`([^:`]+)(?::([^`]*))?`")
PAGE = re.compile(r"\]\(([\w/-]+)\.md")
CITATION = re.compile(r"\{cite\}`([^`]+)`")
CHECK = """\
# Can this notebook run here? If not, this cell says what to do.
try:
    from sgpa_core.companion import doctor
except ModuleNotFoundError as fault:
    raise ModuleNotFoundError(
        f"{fault.name} is not installed in this kernel. In the project's folder, say "
        "'make lab', or: python -m pip install -c constraints.txt -e '.[book]'"
    ) from None
doctor.notebook()"""


def chapters():
    """Chapters with executable cells: those whose header names jupytext."""
    return [p for p in sorted(CHAPTERS.glob("*.md")) if "\njupytext:" in p.read_text("utf-8")[:200]]


def values(folder):
    """Collect from a build the text of every number inside the text of a chapter."""
    texts = {}
    for chapter in chapters():
        glued = folder / f"{chapter.stem}.glue.json"
        outputs = json.loads(glued.read_text("utf-8")) if glued.exists() else {}
        texts[chapter.stem] = {
            found[0]: format_plain_text(outputs[found[1]]["data"]["text/plain"], found[2] or "s")
            for found in NUMBER.finditer(chapter.read_text("utf-8"))
            if found[1] in outputs
        }
    return texts


def prose(text, numbers):
    """Say in a notebook what a page says: its numbers, citations by name, links to notebooks."""

    names = {chapter.stem for chapter in chapters()}

    def number(found):
        return numbers.get(found[0], f"‹{found[1]}›")

    def link(found):
        return f"]({found[1]}.ipynb" if found[1] in names else f"](../book/{found[1]}.md"

    return PAGE.sub(link, CITATION.sub(r"[\1]", NUMBER.sub(number, text)))


def convert(chapter):
    """Give a chapter's notebook as the text of its file."""
    notebook = jupytext.read(chapter)
    first = [cell.cell_type for cell in notebook.cells].index("code")
    alone = not any(cell.cell_type == "code" and '"../' in cell.source for cell in notebook.cells)
    check = CHECK.replace("notebook()", "notebook(None)") if alone else CHECK
    notebook.cells.insert(first, nbformat.v4.new_code_cell(check))
    texts = json.loads(VALUES.read_text("utf-8")) if VALUES.exists() else {}
    seen = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = prose(cell.source, texts.get(chapter.stem, {}))
        same = seen[cell.source] = seen.get(cell.source, 0) + 1
        cell.id = hashlib.sha256(f"{same} {cell.source}".encode()).hexdigest()[:8]
    return jupytext.writes(notebook, "ipynb").rstrip("\n") + "\n"


def write(folder):
    """Convert every chapter into ``folder``."""
    for chapter in chapters():
        (folder / (chapter.stem + ".ipynb")).write_text(convert(chapter), encoding="utf-8")


def differences():
    """Names of the notebooks that are not what their chapter would give now."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = pathlib.Path(scratch)
        write(fresh)
        names = {p.name for folder in (fresh, NOTEBOOKS) for p in folder.glob("*.ipynb")}
        return sorted(
            name
            for name in names
            if not (fresh / name).exists()
            or not (NOTEBOOKS / name).exists()
            or (fresh / name).read_bytes() != (NOTEBOOKS / name).read_bytes()
        )


if __name__ == "__main__":
    if "--values" in sys.argv[1:]:
        text = json.dumps(values(pathlib.Path(sys.argv[-1])), ensure_ascii=False, indent=1)
        VALUES.write_text(text + "\n", "utf-8")
    if "--check" not in sys.argv[1:]:
        write(NOTEBOOKS)
        for orphan in {p.stem for p in NOTEBOOKS.glob("*.ipynb")} - {p.stem for p in chapters()}:
            (NOTEBOOKS / (orphan + ".ipynb")).unlink()
    elif wrong := differences():
        sys.exit("not in step with book/, run 'make notebooks': " + ", ".join(wrong))
