"""Renew the README's picture: run the welcome notebook and keep its figure."""

import base64
import pathlib

import nbformat
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
PICTURE = ROOT / "book" / "_static" / "overview.png"


def main():
    """Execute ``notebooks/index.ipynb`` and write its first figure to ``PICTURE``."""
    notebook = nbformat.read(NOTEBOOKS / "index.ipynb", as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    picture = next(o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {}))
    PICTURE.write_bytes(base64.b64decode(picture))
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
