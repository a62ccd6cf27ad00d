"""Write ``notebooks/*.ipynb`` from the chapters in ``book/*.md``: one way, without outputs.

A notebook differs from its chapter in three ways. Its first code cell checks the installation, and
that the repository's data are beside it, unless the chapter names no path outside its folder. Its
links lead to notebooks. And where a page shows a number inside its text, a notebook, whose text
cannot be computed, shows the number's ‹name›; the cell that computes it prints it under that name.

``--check`` writes nothing and fails where a notebook is missing, differs or has no chapter.
"""

import hashlib
import pathlib
import re
import sys
import tempfile

import jupytext
import nbformat

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "book"
NOTEBOOKS = ROOT / "notebooks"
NUMBER = re.compile(r"\{glue(?::text)?\}`([^:`]+)(?::[^`]*)?`")
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


def prose(text):
    """Say in a notebook what a page says: numbers and citations by name, links to notebooks."""

    names = {chapter.stem for chapter in chapters()}

    def link(found):
        return f"]({found[1]}.ipynb" if found[1] in names else f"](../book/{found[1]}.md"

    return PAGE.sub(link, CITATION.sub(r"[\1]", NUMBER.sub(r"‹\1›", text)))


def convert(chapter):
    """Give a chapter's notebook as the text of its file."""
    notebook = jupytext.read(chapter)
    first = [cell.cell_type for cell in notebook.cells].index("code")
    alone = not any(cell.cell_type == "code" and '"../' in cell.source for cell in notebook.cells)
    check = CHECK.replace("notebook()", "notebook(None)") if alone else CHECK
    notebook.cells.insert(first, nbformat.v4.new_code_cell(check))
    seen = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = prose(cell.source)
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
    if "--check" not in sys.argv[1:]:
        write(NOTEBOOKS)
        for orphan in {p.stem for p in NOTEBOOKS.glob("*.ipynb")} - {p.stem for p in chapters()}:
            (NOTEBOOKS / (orphan + ".ipynb")).unlink()
    elif wrong := differences():
        sys.exit("not in step with book/, run 'make notebooks': " + ", ".join(wrong))
