"""Sphinx extension: the built book needs no network, and no server either.

MathJax comes from an installed package; the parts that the pages need are copied beside them, and
only pages with formulas load them. The theme asks for its icon fonts in a way that browsers refuse
for pages opened from the file system; its icon script draws the same icons as SVG, so the font and
its preloads are dropped, and of the script's two thousand icons those that no page shows. Whatever
else would still be fetched from outside makes the build fail.
"""

import importlib.util
import pathlib
import re
import shutil

from sphinx.util import logging

logger = logging.getLogger(__name__)

MATHJAX = "vendor/mathjax"
PARTS = (  # formulas in TeX, drawn as SVG, which needs no fonts; MathML for screen readers
    "startup.js",
    "core.js",
    "input/tex.js",
    "output/svg.js",
    "output/svg/fonts/tex.js",
    "a11y/assistive-mml.js",
)
DESIGN = re.compile(r"<link[^>]*/sphinx-design[^>]*>\n?")  # cards and grids, on few pages
FORMULA = 'class="math '
MATHJAX_TAGS = re.compile(
    r'<script[^>]*src="[^"]*vendor/mathjax/[^"]*"[^>]*></script>\n?'
    r"|<script>window\.MathJax = .*?</script>\n?"
)
ICON = re.compile(
    r'"?([\w-]+)"?:\[\d+,\d+,\[([^\]]*)\],"[^"]*",(?:"[^"]*"|\[[^\]]*\])\](,?)'
)  # name: [width, height, [other names], code point, path]
ICON_FONTS = re.compile(
    r'<link\b[^>]*?(?:\brel="preload" as="font"|fontawesome/[^"]*?/css/all\.min\.css)[^>]*>\n?'
)
OUTSIDE = re.compile(
    r"""<(?:script|img|audio|video|source|iframe|link rel="(?:stylesheet|preload|icon)")\b[^>]*?"""
    r"""\b(?:src|href)=["'](?:https?:)?//[^"']*["']"""
)

REDIRECT_HEAD = '<!DOCTYPE html><title>SGPA companion</title><link rel="icon" href="data:,">'


def copy_mathjax(static):
    """Copy the parts of MathJax that draw formulas."""
    package = pathlib.Path(importlib.util.find_spec("mathjax").origin).parent
    for part in PARTS:
        target = static / MATHJAX / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / "static" / "mathjax" / "es5" / part, target)


def trim_icons(out):
    """Leave out of the icon scripts what no page, style or other script names."""
    scripts = list((out / "_static").rglob("fontawesome/**/js/*.js"))
    named = set()
    for file in [*out.rglob("*.html"), *(out / "_static").rglob("*.js")]:
        if file not in scripts:
            named.update(re.findall(r"\bfa-([a-z0-9-]+)", file.read_text("utf-8")))
    for script in scripts:

        def kept(found):
            names = {found[1], *re.findall(r"[a-z][\w-]*", found[2])}
            return found[0] if names & named else ""

        script.write_text(ICON.sub(kept, script.read_text("utf-8")), "utf-8")


def finish(app, exception):
    """Put the scripts of others beside the pages and look at every page once."""
    if exception or app.builder.format != "html":
        return
    out = pathlib.Path(app.outdir)
    copy_mathjax(out / "_static")
    trim_icons(out)
    for page in out.rglob("*.html"):
        if page.is_relative_to(out / "_static"):
            continue
        text = page.read_text("utf-8")
        kept = ICON_FONTS.sub("", text)
        if FORMULA not in kept:
            kept = MATHJAX_TAGS.sub("", kept)
        if not re.search(r'class="[^"]*\bsd-', kept):
            kept = DESIGN.sub("", kept)
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
