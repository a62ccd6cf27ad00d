"""The prompts that the stored results are about, and what all scripts beside it set."""

from __future__ import annotations

import os

# What several processes compute at once, each computes on one thread, matrix libraries included.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import sgpa_core
from sgpa_core.companion.recordings import Recording

VOICES = ("awb", "slt")
"""A man that no training has heard, and a woman that it has."""
LONGEST, COUNT = 9, 36
"""Words of a prompt, each more doubles the coalitions; and prompts of a voice for native frames."""
PROCESSES = 2


def recordings(longest: int = LONGEST) -> list[Recording]:
    """Return the recordings of both voices with at most so many words."""
    return [
        recording
        for recording in sgpa_core.instructions()
        if recording.voice in VOICES and len(recording.words) <= longest
    ]


def spread() -> list[str]:
    """Name the utterances to explain by native frames, spread over all kinds of question."""
    by_voice = [[r.id for r in recordings() if r.voice == voice] for voice in VOICES]
    return [ids[k * len(ids) // COUNT] for ids in by_voice for k in range(COUNT)]
