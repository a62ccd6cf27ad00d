"""Sphinx extension: every chapter as a notebook to download, and to run elsewhere.

The header of a chapter offers its notebook as a file. Where the repository's public address is
known, it also offers Binder, which builds ``environment.yml``, and Colab, for which a copy of the
notebook is written beside the pages whose first cell fetches and installs the package. Colab reads
from GitHub, so its copies are found once the book is published there, on the branch ``gh-pages``.
The address is the one of git's remote "origin", where that is on GitHub, or what SGPA_REPOSITORY
says ("owner/name").
"""

import json
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
GITHUB = re.compile(r"(?:^|github\.com[:/])([\w.-]+/[\w.-]+?)(?:\.git)?/?$")
BRANCH, PAGES = "main", "gh-pages"
BINDER = "https://mybinder.org/v2/gh/{repository}/{branch}?labpath=notebooks/{name}.ipynb"
COLAB = "https://colab.research.google.com/github/{repository}/blob/{pages}/colab/{name}.ipynb"
INSTALL = """\
# Only in this copy: fetch the book's repository and install the package. Takes some minutes.
import os
import sys

if not os.path.isdir("/content/{folder}"):
    !git clone --quiet --depth 1 https://github.com/{repository} /content/{folder}
    !pip install --quiet "/content/{folder}[book]"
sys.path.insert(0, "/content/{folder}")
os.chdir("/content/{folder}/notebooks")"""


def repository():
    """Say "owner/name" of the repository on GitHub, or nothing where it is not known."""
    told = os.environ.get("SGPA_REPOSITORY")
    if told is None:
        command = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        told = done.stdout.strip() if "github.com" in done.stdout else ""
    found = GITHUB.search(told)
    if told and not found:
        raise ValueError(f"SGPA_REPOSITORY is {told!r}; write owner/name, as on GitHub")
    return found[1] if found else ""


def buttons(name, to, repository):
    """List the header's entries for a chapter; ``to`` gives a file's address from its page."""
    entries = [("Notebook", to(f"notebooks/{name}.ipynb"), "fas fa-download")]
    if repository:
        where = {"repository": repository, "branch": BRANCH, "pages": PAGES, "name": name}
        entries += [
            ("Binder", BINDER.format(**where), "fas fa-rocket"),
            ("Colab", COLAB.format(**where), "fas fa-play"),
        ]
    return [
        {
            "type": "link",
            "text": text,
            "url": url,
            "icon": icon,
            "tooltip": f"{'Open in' if url.startswith('https:') else 'Download the'} {text}",
            "label": f"launch-{text.lower()}",
        }
        for text, url, icon in entries
    ]


def add(app, pagename, templatename, context, doctree):
    """Put the entries into a chapter's header."""
    name = pagename.removeprefix("book/")
    if not (NOTEBOOKS / f"{name}.ipynb").exists():
        return
    entries = buttons(name, lambda file: context["pathto"](file, 1), app.config.sgpa_repository)
    context["header_buttons"].append(
        {
            "type": "group",
            "buttons": entries,
            "icon": "fas fa-rocket",
            "tooltip": "Run this chapter",
            "label": "launch-buttons",
        }
    )


def for_colab(text, repository):
    """Give Colab's copy of a notebook: one cell more, which installs."""
    notebook = json.loads(text)
    source = INSTALL.format(repository=repository, folder=repository.split("/")[1])
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "install",
        "metadata": {},
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }
    notebook["cells"].insert(0, cell)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def copy(app, exception):
    """Put the notebooks, and Colab's copies, beside the pages."""
    if exception or app.builder.format != "html":
        return
    out = pathlib.Path(app.outdir)
    for folder in ("notebooks", "colab"):
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir()
    for file in NOTEBOOKS.glob("*.ipynb"):
        text = file.read_text("utf-8")
        (out / "notebooks" / file.name).write_text(text, "utf-8")
        if app.config.sgpa_repository:
            copied = for_colab(text, app.config.sgpa_repository)
            (out / "colab" / file.name).write_text(copied, "utf-8")


def setup(app):
    """Register the setting and the hooks."""
    app.add_config_value("sgpa_repository", repository(), "html", str)
    app.connect("html-page-context", add, priority=600)  # after the theme has begun its list
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
