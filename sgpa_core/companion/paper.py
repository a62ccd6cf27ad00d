"""What the authors of the paper published: its numbers as printed, and where their data lie."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pooch
import yaml

from ..files import DATA

PAPER = DATA / "paper"
REPOSITORY = "https://github.com/Pawlo77/MLLM-Shap"
LEM = "experiments/interspeech/outputs/lem_runs"
#: Folders of the repository that hold recorded runs, and games.
FAITH = "experiments/faithfulness/outputs"


def find(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of published material: `folder`, ``$SGPA_REFERENCE`` or what was fetched.

    Raises
    ------
    FileNotFoundError
        If there is none; the message says how to get it.
    """
    named = folder or os.environ.get("SGPA_REFERENCE")
    place = Path(named) if named else cache_folder()
    if place.is_dir() and (named or any(place.glob("*/experiments"))):
        return place.resolve()
    raise FileNotFoundError(
        f"no published material in {place}: run 'python -m sgpa_core fetch recorded' (downloads "
        f"{REPOSITORY}), or set SGPA_REFERENCE to a folder that holds it"
    )


def available(folder: str | os.PathLike[str] | None = None) -> bool:
    """Tell whether `find` finds published material."""
    try:
        return bool(find(folder))
    except FileNotFoundError:
        return False


def cache_folder() -> Path:
    """Return the place in the user's cache for what is fetched."""
    return Path(pooch.os_cache("sgpa-core")) / "recorded"


@cache
def read(name: str) -> Any:
    """Read a file of data/paper."""
    return yaml.safe_load((PAPER / name).read_text(encoding="utf-8"))


def published(path: str) -> Any:
    """Return a published number by its dotted path in ``data/paper/published.yaml``.

    Examples
    --------
    >>> published("v1.cost.1.calls")
    59.32
    """
    entry: Any = read("published.yaml")
    for key in path.split("."):
        try:
            entry = entry[int(key) if isinstance(entry, list) else key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ValueError(f"no published number {path!r}: there is no {key!r}") from None
    return entry
