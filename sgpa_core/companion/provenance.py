"""Where the numbers of a page come from: versions, models, data, seconds."""

from __future__ import annotations

import hashlib
import html
import os
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .. import IMPORTED_AT, __version__

PACKAGES = ("numpy", "scipy", "pandas", "torch", "torchaudio", "transformers", "librosa")
DIGITS = 8


@dataclass(frozen=True)
class Pedigree:
    """Facts by name, shown as a small table that opens on request."""

    facts: dict[str, str]

    def __repr__(self) -> str:
        width = max(map(len, self.facts))
        return "\n".join(f"{name:{width}}  {value}" for name, value in self.facts.items())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(value)}</td></tr>"
            for name, value in self.facts.items()
        )
        return (
            f"<details><summary>Where this page comes from</summary><table>{rows}</table></details>"
        )


def pedigree(*files: str | os.PathLike[str], seed: int | None = 0) -> Pedigree:
    """Return versions, models and data digests, and the seconds since the package was imported.

    Parameters
    ----------
    *files : path
        Data that the page read; named with the first digits of their SHA-256. A folder stands for
        all files in it.
    seed : int, optional
        Of whatever was drawn at random.

    Raises
    ------
    FileNotFoundError
        If one of them is missing.

    Examples
    --------
    >>> from sgpa_core.data import DATA
    >>> found = pedigree(DATA / "paper" / "published.yaml").facts
    >>> sorted(found)[:4], len(found["published.yaml"])
    (['Python', 'packages', 'published.yaml', 'seconds'], 8)
    """
    facts = {
        "sgpa_core": __version__,
        "Python": f"{platform.python_version()}, {platform.system()} {platform.machine()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "seed": "none" if seed is None else str(seed),
    }
    facts |= {Path(file).name: digest(file) for file in files}
    return Pedigree(facts | {"seconds": f"{time.perf_counter() - IMPORTED_AT:.0f}"})


def digest(path: str | os.PathLike[str]) -> str:
    """Return the first digits of the SHA-256 of a file, or of all files of a folder in order."""
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"there is no {path}")
    found = hashlib.sha256()
    for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
        if file.is_file() and "__pycache__" not in file.parts:
            found.update(file.relative_to(place).as_posix().encode() if place.is_dir() else b"")
            found.update(file.read_bytes())
    return found.hexdigest()[:DIGITS]
