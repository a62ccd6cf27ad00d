"""Spectrogram-guided phonetic alignment and Shapley explanations of audio language models.

The package behind the executable companion of Muszyński, Ganzha and Pozorski (2026),
arXiv:2603.02250. Data flow in one direction::

    audio + text → transcript → ctc → refine → segments → game → attribution

Names are imported on first use, so that ``import sgpa_core`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Audio": "audio",
    "Transcript": "transcript",
    "Word": "transcript",
    "decompose": "transcript",
}
_MODULES = ("audio", "ctc", "refine", "segments", "plots", "transcript")

__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from .audio import Audio
    from .transcript import Transcript, Word, decompose


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
