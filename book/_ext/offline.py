"""Sphinx extension: the built book needs no network, and no server either.

MathJax comes from an installed package and is copied beside the pages. The theme asks for its icon
fonts in a way that browsers refuse for pages opened from the file system; its icon script draws the
same icons as SVG, so the font and its preloads are dropped. Whatever else would still be fetched
from outside makes the build fail.
"""

import importlib.util
import pathlib
import re
import shutil

from sphinx.util import logging

logger = logging.getLogger(__name__)

MATHJAX = "vendor/mathjax/tex-svg-full.js"
ICON_FONTS = re.compile(
    r'<link\b[^>]*?(?:\brel="preload" as="font"|fontawesome/[^"]*?/css/all\.min\.css)[^>]*>\n?'
)
OUTSIDE = re.compile(
    r"""<(?:script|img|audio|video|source|iframe|link rel="(?:stylesheet|preload|icon)")\b[^>]*?"""
    r"""\b(?:src|href)=["'](?:https?:)?//[^"']*["']"""
)

REDIRECT_HEAD = '<!DOCTYPE html><title>SGPA companion</title><link rel="icon" href="data:,">'


def copy_mathjax(static):
    """Copy the one-file MathJax build with SVG output, which needs no fonts."""
    package = pathlib.Path(importlib.util.find_spec("mathjax").origin).parent
    target = static / MATHJAX
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(package / "static" / "mathjax" / "es5" / target.name, target)


def finish(app, exception):
    """Put the scripts of others beside the pages and look at every page once."""
    if exception or app.builder.format != "html":
        return
    out = pathlib.Path(app.outdir)
    copy_mathjax(out / "_static")
    for page in out.rglob("*.html"):
        if page.is_relative_to(out / "_static"):
            continue
        text = page.read_text("utf-8")
        kept = ICON_FONTS.sub("", text)
        if "<head" not in kept:  # the bare redirect to the first page: browsers ask for its icon
            kept = REDIRECT_HEAD + kept
        if kept != text:
            page.write_text(kept, "utf-8")
        for link in OUTSIDE.findall(kept):
            logger.warning("%s needs the network: %s", page.relative_to(out), link)


def setup(app):
    """Register the hook."""
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
