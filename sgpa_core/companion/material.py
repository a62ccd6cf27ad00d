"""Where the material that the authors of the paper published lies, and how it is laid out."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = "https://github.com/Pawlo77/MLLM-Shap"
LEM = "experiments/interspeech/outputs/lem_runs"
FAITH = "experiments/faithfulness/outputs"
"""Folders of the repository that hold recorded runs, and games."""


def find(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of published material: `folder`, ``$SGPA_REFERENCE`` or what was fetched.

    Raises
    ------
    FileNotFoundError
        If there is none; the message says how to get it.
    """
    named = folder or os.environ.get("SGPA_REFERENCE")
    place = Path(named) if named else cache()
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


def cache() -> Path:
    """Return the place in the user's cache for what is fetched."""
    import pooch

    return Path(pooch.os_cache("sgpa-core")) / "recorded"
