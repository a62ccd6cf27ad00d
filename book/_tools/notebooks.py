"""Write ``notebooks/*.ipynb`` from the chapters in ``book/*.md``: one way, without outputs.

``--check`` writes nothing and fails where a notebook is missing, differs or has no chapter.
"""

import pathlib
import sys
import tempfile

from jupytext.cli import jupytext

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "book"
NOTEBOOKS = ROOT / "notebooks"


def chapters():
    """Chapters with executable cells: those whose header names jupytext."""
    return [p for p in sorted(CHAPTERS.glob("*.md")) if "\njupytext:" in p.read_text("utf-8")[:200]]


def write(folder, start_from=None):
    """Convert every chapter into ``folder``, keeping the cell ids of those in ``start_from``."""
    for chapter in chapters():
        target = folder / (chapter.stem + ".ipynb")
        known = start_from / target.name if start_from else target
        if known.exists() and known != target:
            target.write_bytes(known.read_bytes())
        jupytext(["--quiet", "--to", "ipynb", "--update", "--output", str(target), str(chapter)])


def differences():
    """Names of the notebooks that are not what their chapter would give now."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = pathlib.Path(scratch)
        write(fresh, start_from=NOTEBOOKS)
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
