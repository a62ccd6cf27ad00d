"""What the scripts of the stored results share: prompts, and files that go on after a stop."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# What several processes compute at once, each computes on one thread, matrix libraries included.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
from tqdm import tqdm

import sgpa_core
from sgpa_core.companion.record import Record, compact
from sgpa_core.companion.recordings import Recording
from sgpa_core.companion.runner import run
from sgpa_core.files import write_text
from sgpa_core.partition import Partition

VOICES = ("awb", "slt")
"""A man that no training has heard, and a woman that it has."""
LONGEST, COUNT = 9, 36
"""Words of a prompt, each more doubles the coalitions; and prompts of a voice for native frames."""
PROCESSES = 2
SHORTEST_SECONDS = 0.02
"""What a moved boundary leaves of a word."""


def recordings(longest: int = LONGEST) -> list[Recording]:
    """Return the recordings of both voices with at most so many words."""
    every = sgpa_core.instructions()
    return [r for r in every if r.voice in VOICES and len(r.words) <= longest]


def spread() -> list[str]:
    """Name the utterances to explain by native frames, spread over all kinds of question."""
    by_voice = [[r.id for r in recordings() if r.voice == voice] for voice in VOICES]
    return [ids[k * len(ids) // COUNT] for ids in by_voice for k in range(COUNT)]


def moved(players: Partition, seconds: np.ndarray) -> Partition:
    """Move each inner boundary, as far as both words keep some length."""
    spans = players.spans.copy()
    for k, shift in enumerate(seconds):
        low = spans[k, 0] + SHORTEST_SECONDS - spans[k, 1]
        high = players.spans[k + 1, 1] - SHORTEST_SECONDS - players.spans[k + 1, 0]
        shift = float(np.clip(shift, min(low, 0), max(high, 0)))
        spans[k, 1] += shift
        spans[k + 1, 0] += shift
    return Partition("moved", players.labels, spans)


def complete(
    file: Path,
    key: Sequence[str],
    work: Callable[..., dict[str, Any]],
    tasks: Sequence[tuple[Any, ...]],
    workers: int = PROCESSES,
) -> list[dict[str, Any]]:
    """Bring a file of rows up to ``work(*task)`` of every task; return its rows in their order.

    A row holds its task under the names in `key`. One that is there is not computed again, and a
    new one is appended at once. Tasks that fail are named by a ValueError after all others.
    """
    record, failures = Record(file, key), []
    todo = [task for task in tasks if task not in record.rows]
    for task, row, reason in tqdm(run(work, todo, workers), total=len(todo)):
        if reason:
            failures.append(f"{', '.join(map(str, task))}: {reason}")
        else:
            record.append(row)
    if failures:
        raise ValueError("\n".join(failures))
    rows = [record.rows[task] for task in tasks]
    write_text(file, "".join(f"{compact(row)}\n" for row in rows))
    return rows
