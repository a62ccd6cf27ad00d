"""Where numbers come from: versions, machine, seed, data, seconds. On a page or beside a result."""

import hashlib
import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from .. import IMPORTED_AT, __version__
from ..files import DATA, write_text

PACKAGES = (
    "numpy", "scipy", "pandas", "torch", "torchaudio", "transformers", "librosa", "datasets",
)  # fmt: skip


@dataclass(frozen=True)
class Pedigree:
    """Facts by name, shown as a small table that opens on request."""

    facts: dict[str, str]

    def __repr__(self) -> str:
        width = max(map(len, self.facts))
        return "\n".join(f"{name:{width}}  {value}" for name, value in self.facts.items())

    def _repr_html_(self) -> str:
        table = pd.Series(self.facts).to_frame().to_html(header=False, border=0)
        return f"<details><summary>Where this page comes from</summary>{table}</details>"


@cache
def environment() -> tuple[dict[str, str], str]:
    """Return what numbers may depend on: packages (Python among them) and their versions, machine.

    Of `PACKAGES`, those that are installed.
    """
    packages = {"python": platform.python_version(), "sgpa_core": __version__}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {gpu}"
    return packages, machine


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
    >>> facts = pedigree(DATA / "paper" / "published.yaml").facts
    >>> sorted(facts)[:4], len(facts["published.yaml"])
    (['machine', 'packages', 'published.yaml', 'seconds'], 8)
    """
    packages, machine = environment()
    facts = {"packages": ", ".join(f"{name} {number}" for name, number in packages.items())}
    facts |= {"machine": machine, "seed": "none" if seed is None else str(seed)}
    facts |= {Path(file).name: digest(file) for file in files}
    return Pedigree(facts | {"seconds": f"{time.perf_counter() - IMPORTED_AT:.0f}"})


def write_pedigree(folder: Path, seed: int | None, **more: Any) -> None:
    """Write pedigree.json beside the results that the folder's make.py has just made."""
    packages, machine = environment()
    content = {
        "made_by": f"python {(folder / 'make.py').relative_to(DATA.parent).as_posix()}",
        "seed": seed,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(time.perf_counter() - IMPORTED_AT),
        "cpu_seconds": round(sum(os.times()[:4])),  # of this process and those it started
        "packages": packages,
        "machine": machine,
        **more,
    }
    write_text(folder / "pedigree.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def digest(path: str | os.PathLike[str]) -> str:
    """Return the first digits of the SHA-256 of a file, or of all files of a folder in order."""
    place = Path(path)
    if not place.exists():
        raise FileNotFoundError(f"there is no {path}")
    total = hashlib.sha256()
    for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
        if file.is_file() and "__pycache__" not in file.parts:
            total.update(file.relative_to(place).as_posix().encode() if place.is_dir() else b"")
            total.update(file.read_bytes())
    return total.hexdigest()[:8]
