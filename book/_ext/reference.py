"""Sphinx extension: docstrings that are written to be read in a terminal, as pages.

Public functions are named as a reader imports them, and a bar is a bar: |φ|, not a substitution.
"""

import re

import sgpa_core

NAMED = re.compile(r":(func|class):`(~?)sgpa_core\.(\w+)`")
LITERAL = re.compile(r"(``.*?``)")


def home(match):
    """Point ``sgpa_core.align`` to the module that holds it."""
    role, short, public = match.groups()
    module = getattr(getattr(sgpa_core, public, None), "__module__", None)
    if module is None:  # a module, not a name of one
        return match[0]
    shown = public if short else f"sgpa_core.{public}"
    return f":{role}:`{shown} <{module}.{public}>`"


def prepare(app, what, name, obj, options, lines):
    """Mend a docstring in place, its examples left alone."""
    example = False
    for number, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if not example:
            parts = LITERAL.split(NAMED.sub(home, line))
            parts[::2] = [part.replace("|", "\\|") for part in parts[::2]]
            lines[number] = "".join(parts)


def skip(app, what, name, obj, skipped, options):
    """Leave registries out: their values are functions, which have entries of their own."""
    return True if isinstance(obj, dict) else None


def setup(app):
    """Register the hooks."""
    app.connect("autodoc-process-docstring", prepare, priority=400)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
