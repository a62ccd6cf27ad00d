"""Sphinx extension: pages are read, which executes them, and written side by side."""

import os

#: More would need much memory: several pages load a model of their own.
AT_MOST = 4

#: They act when all pages are read, and do not say that reading side by side is safe for them.
SILENT = ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex")


def allow(app):
    """Say it for them."""
    for name in SILENT:
        app.extensions[name].parallel_read_safe = True


def tell(app, docname, source):
    """Name the page that is begun; what its process logs is shown only when that ends."""
    if app.parallel > 1:
        print(f"{docname} …", flush=True)


def setup(app):
    """Share the cores out among the pages that are read at the same time."""
    cores = os.cpu_count() or 1
    app.parallel = min(cores, AT_MOST)
    os.environ.setdefault("OMP_NUM_THREADS", str(cores // app.parallel))
    app.connect("builder-inited", allow)
    app.connect("source-read", tell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
