"""Word boundaries without a CTC model: in proportion, at energy minima, by HMMs, by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from sgpa_core import Audio, decompose
from sgpa_core.checks import vector, whole
from sgpa_core.refine import Features

LOUD_SHARE = 0.05
"""Speech begins and ends where the energy is above this share of its maximum."""

LEAST_APART_SECONDS = 0.080
"""Energy minima closer than this are one."""


def proportional(weights: ArrayLike, start: float, end: float) -> np.ndarray:
    """Return the inner boundaries of [start, end] cut in proportion.

    Parameters
    ----------
    weights : array_like of float
        Positive lengths of the pieces, in any unit; equal weights give equal pieces.
    start, end : float
        Seconds.

    Returns
    -------
    ndarray of float, shape (pieces - 1,)

    Raises
    ------
    ValueError
        If a weight is not positive, or the end not after the start.

    Examples
    --------
    >>> proportional([1, 1, 2], 0.0, 2.0).tolist()
    [0.5, 1.0]
    """
    share = vector(weights, "weights")
    if not (share > 0).all() or not start < end:
        raise ValueError(
            f"positive weights and start < end are needed, not {weights!r:.60}, {start}, {end}"
        )
    return start + (end - start) * np.cumsum(share)[:-1] / share.sum()


def loud(features: Features) -> tuple[float, float]:
    """Return where the energy first and last is above `LOUD_SHARE` of its maximum, in seconds."""
    above = features.times[features.energy >= LOUD_SHARE * features.energy.max()]
    return float(above[0]), float(above[-1])


def energy_minima(features: Features, count: int, apart: float = LEAST_APART_SECONDS) -> np.ndarray:
    """Return the `count` deepest minima of the energy between the loud edges.

    Parameters
    ----------
    features : Features
        Of the recording.
    count : int
        How many, at least 0.
    apart : float, default 0.08
        No minimum is closer to a deeper one, in seconds. Where there are too few minima, it is
        halved until there are enough, down to one frame.

    Returns
    -------
    ndarray of float, shape (count,)
        Times in seconds, in order.

    Raises
    ------
    ValueError
        If the energy has fewer minima.

    Examples
    --------
    >>> from sgpa_core import refine
    >>> tone = np.sin(np.arange(16000) * 0.3)
    >>> tone[4000:4800] *= 0.1
    >>> tone[9600:11200] *= 0.2
    >>> minimum = energy_minima(refine.features(Audio(tone, 16000)), 1)
    >>> bool(0.25 <= minimum[0] <= 0.30)
    True
    """
    from scipy.signal import find_peaks

    whole(count, "count", 0)
    times = features.times
    first, last = np.searchsorted(times, loud(features))
    inside = features.energy[first : last + 1]
    steps = max(1.0, apart / features.hop_seconds)
    while True:
        minima, _ = find_peaks(-inside, distance=steps)
        if len(minima) >= count:
            deepest = minima[np.argsort(inside[minima], kind="stable")[:count]]
            return times[first + np.sort(deepest)]
        if steps == 1:
            raise ValueError(f"the energy has {len(minima)} minima, {count} are wanted")
        steps = max(1.0, steps / 2)


def people(reference: Path) -> Iterator[tuple[str, str, Audio, str, np.ndarray]]:
    """Give the sentences that were timed by hand: id, speaker, audio, text, word spans (s)."""
    for path in sorted(reference.glob("human/*.json")):
        told = json.loads(path.read_text("utf-8"))
        spans = np.array([times for _, *times in told["words"]])
        text = " ".join(word for word, *_ in told["words"])
        yield path.stem, told["speaker"], Audio.read(path.with_suffix(".flac")), text, spans


def pocketsphinx_spans(audio: Audio, text: str) -> np.ndarray | None:
    """Return where pocketsphinx's English HMMs put each word, in steps of 10 ms.

    Numbers are aligned as spoken.

    Parameters
    ----------
    audio : Audio
    text : str
        The transcript.

    Returns
    -------
    ndarray of float, shape (words, 2), or None
        Seconds; None where the dictionary lacks a word, or no path is found.

    Raises
    ------
    ImportError
        If pocketsphinx, an optional package, is not installed.
    """
    from pocketsphinx import Decoder

    spoken = [re.sub(r"[^a-z' ]", " ", w.spoken.lower()).split() for w in decompose(text).words]
    parts = [part for word in spoken for part in word]
    decoder = Decoder(
        samprate=16000, lm=None, beam=1e-100, pbeam=1e-100, wbeam=1e-80, loglevel="FATAL"
    )
    if not all(spoken) or any(decoder.lookup_word(part) is None for part in parts):
        return None
    decoder.set_align_text(" ".join(parts))
    decoder.start_utt()
    samples = np.clip(audio.resample(16000).samples * 32767, -32768, 32767).astype(np.int16)
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    aligned = [part for part in decoder.seg() or () if part.word[0] not in "<["]
    if [part.word.split("(")[0] for part in aligned] != parts:
        return None
    frames = np.array([[part.start_frame, part.end_frame + 1] for part in aligned])
    edges = np.append(0, np.cumsum([len(word) for word in spoken]))
    return np.column_stack([frames[edges[:-1], 0], frames[edges[1:] - 1, 1]]) / 100
