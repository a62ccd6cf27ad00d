"""Spectrogram-guided phonetic alignment and Shapley explanations of audio language models.

The package behind the executable companion of Pozorski, Muszyński and Ganzha (2026),
arXiv:2603.02250. Data flow in one direction::

    audio + text → transcript → ctc → refine → segments → partition → game → attribution

Names are imported on first use, so that ``import sgpa_core`` stays fast.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
_BEGAN = time.perf_counter()

_HOME = {
    "Audio": "audio",
    "Transcript": "transcript",
    "Word": "transcript",
    "decompose": "transcript",
    "Aligner": "aligner",
    "load_aligner": "aligner",
    "Segment": "segments",
    "Segmentation": "segments",
    "align": "pipeline",
    "align_many": "pipeline",
    "instructions": "data",
    "speech": "data",
    "AudioLM": "models",
    "check_model": "models",
    "load_model": "models",
    "Partition": "partition",
    "Responses": "responses",
    "Explanation": "explanation",
    "explain": "explanation",
    "explain_many": "batch",
    "Game": "game",
    "TableGame": "game",
    "FunctionGame": "game",
    "plan": "planner",
    "pedigree": "provenance",
}
_MODULES = {
    "partition": ".partition",
    "masking": ".masking",
    "models": ".models",
    "utility": ".utility",
    "responses": ".responses",
    "audio": ".audio",
    "transcript": ".transcript",
    "ctc": ".ctc",
    "refine": ".refine",
    "segments": ".segments",
    "plots": ".plots",
    "player": ".player",
    "game": ".game",
    "shapley": ".shapley",
    "concentration": ".concentration",
    "stats": ".stats",
    "profile": ".profile",
    "boundary": ".boundary",
    "faithfulness": ".faithfulness",
    "answers": ".answers",
    "mute": ".mute",
    "widgets": ".widgets",
    "cost": ".cost",
}
_PAPER = ("claims", "fetch", "games", "matched", "recompute", "recorded")
_MODULES |= {name: f".paper.{name}" for name in _PAPER}
_MODULES |= {name: f".reproduction.{name}" for name in ("corpora", "curation", "hub")}

__all__ = [
    "Aligner",
    "Audio",
    "AudioLM",
    "Explanation",
    "FunctionGame",
    "Game",
    "Partition",
    "Responses",
    "Segment",
    "Segmentation",
    "TableGame",
    "Transcript",
    "Word",
    "__version__",
    "align",
    "align_many",
    "check_model",
    "decompose",
    "explain",
    "explain_many",
    "instructions",
    "load_aligner",
    "load_model",
    "pedigree",
    "plan",
    "speech",
]

if TYPE_CHECKING:
    from .aligner import Aligner, load_aligner
    from .audio import Audio
    from .batch import explain_many
    from .data import instructions, speech
    from .explanation import Explanation, explain
    from .game import FunctionGame, Game, TableGame
    from .models import AudioLM, check_model, load_model
    from .partition import Partition
    from .pipeline import align, align_many
    from .planner import plan
    from .provenance import pedigree
    from .responses import Responses
    from .segments import Segment, Segmentation
    from .transcript import Transcript, Word, decompose


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(_MODULES[name], __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
