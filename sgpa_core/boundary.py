"""Are word boundaries right? Errors in ms, hits, clicks, and simple makers to compare with.

Times are in seconds, errors in milliseconds, positive where a boundary was put too late.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from . import masking
from .audio import Audio
from .refine import Features
from .transcript import decompose

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE_SECONDS = 0.020
"""A boundary this close to a true one is a hit: the usual tolerance, and one CTC frame."""

WITHIN_MS = (20, 50, 100)
"""Shares of boundaries within these errors are reported."""

LOUD_SHARE = 0.05
"""Speech begins and ends where the energy is above this share of its maximum."""

LEAST_APART_SECONDS = 0.080
"""Energy minima closer than this are one."""

CLICK_SECONDS = 0.004
"""A click is looked for this far to either side of a cut."""


def errors(truth: ArrayLike, found: ArrayLike) -> np.ndarray:
    """Return found − true in ms, for times of the same shape.

    Examples
    --------
    >>> errors([0.10, 0.50], [0.12, 0.47]).round(6).tolist()
    [20.0, -30.0]
    """
    true, given = np.asarray(truth, dtype=float), np.asarray(found, dtype=float)
    if true.shape != given.shape or not np.isfinite([*true.flat, *given.flat]).all():
        raise ValueError(
            f"errors need as many finite times as true ones, not {given.shape} for {true.shape}"
        )
    return 1000 * (given - true)


def summary(errors_ms: ArrayLike) -> dict[str, float]:
    """Return n, median and 90 % of |error|, bias (median error), and percent within `WITHIN_MS`.

    Examples
    --------
    >>> summary([10, -10, 30, 40])
    {'n': 4, 'median': 20.0, 'p90': 37.0, 'bias': 20.0, 'within 20': 50.0, 'within 50': 100.0,
     'within 100': 100.0}
    """
    signed = np.ravel(np.asarray(errors_ms, dtype=float))
    if not len(signed) or not np.isfinite(signed).all():
        raise ValueError(f"a summary needs finite errors, at least one, not {errors_ms!r:.60}")
    size = np.abs(signed)
    shares = {f"within {ms}": float(100 * np.mean(size <= ms + 1e-9)) for ms in WITHIN_MS}
    middle, p90 = np.quantile(size, (0.5, 0.9))
    return {
        "n": len(signed),
        "median": float(middle),
        "p90": float(p90),
        "bias": float(np.median(signed)),
        **shares,
    }


def hits(truth: ArrayLike, found: ArrayLike, tolerance: float = TOLERANCE_SECONDS) -> int:
    """Count pairs of a true and a found boundary at most `tolerance` (s) apart, each used once.

    Examples
    --------
    >>> hits([0.10, 0.50], [0.09, 0.11, 0.60])
    1
    """
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance must be seconds, 0 or more, not {tolerance!r}")
    true, given = np.sort(np.asarray(truth, dtype=float)), np.sort(np.asarray(found, dtype=float))
    if true.ndim != 1 or given.ndim != 1 or not np.isfinite([*true, *given]).all():
        raise ValueError(f"hits need two lists of finite times, not {truth!r:.40}, {found!r:.40}")
    count = i = j = 0
    while i < len(true) and j < len(given):
        apart = given[j] - true[i]
        matched = bool(abs(apart) <= tolerance + 1e-9)
        count += int(matched)
        i += matched or apart > 0
        j += matched or apart < 0
    return count


def interval(
    groups: Sequence[ArrayLike],
    statistic: Callable[[np.ndarray], float],
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return a 95 % percentile bootstrap interval, whole groups (recordings) drawn anew.

    Boundaries of one recording are not independent, recordings are. `groups` hold one row per
    boundary, in as many columns as the statistic needs.

    Examples
    --------
    >>> interval([[1.0, 1.0], [1.0], [1.0, 1.0, 1.0]], np.median)
    (1.0, 1.0)
    """
    parts = [np.asarray(group, dtype=float) for group in groups]
    if not any(len(part) for part in parts) or draws < 1:
        raise ValueError(f"an interval needs values and draws, not {len(parts)} empty groups")
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(parts), (draws, len(parts)))
    found = [statistic(np.concatenate([parts[i] for i in draw])) for draw in chosen]
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


@dataclass(frozen=True)
class Detection:
    """How well boundaries were found, each in [0, 1] except that `r_value` can fall below 0."""

    precision: float
    recall: float
    f1: float
    r_value: float


def detection(hits: int, true: int, found: int) -> Detection:
    """Return precision, recall, F1 and R-value of so many hits of true and found boundaries.

    With HR = hits / true and OS = found / true − 1 the R-value is 1 − (|r1| + |r2|) / 2, where
    r1 = √((1 − HR)² + OS²) and r2 = (HR − 1 − OS) / √2 (Räsänen, Laine and Altosaar 2009):
    unlike F1, it cannot be raised by strewing boundaries.

    Examples
    --------
    >>> detection(10, 10, 10)
    Detection(precision=1.0, recall=1.0, f1=1.0, r_value=1.0)
    >>> strewn = detection(10, 10, 20)
    >>> round(strewn.f1, 3), round(strewn.r_value, 3)
    (0.667, 0.146)
    """
    if not 0 <= hits <= min(true, found) or true < 1:
        raise ValueError(f"{hits} hits of {true} true and {found} found boundaries cannot be")
    recall, over = hits / true, found / true - 1
    r1, r2 = np.hypot(1 - recall, over), (recall - 1 - over) / np.sqrt(2)
    return Detection(
        precision=hits / found if found else 0.0,
        recall=recall,
        f1=2 * hits / (true + found),
        r_value=float(1 - (abs(r1) + abs(r2)) / 2),
    )


def proportional(weights: ArrayLike, start: float, end: float) -> np.ndarray:
    """Return the inner boundaries of [start, end] cut in proportion; equal weights: equal pieces.

    Examples
    --------
    >>> proportional([1, 1, 2], 0.0, 2.0).tolist()
    [0.5, 1.0]
    """
    share = np.asarray(weights, dtype=float)
    if share.ndim != 1 or not len(share) or not (share > 0).all() or not start < end:
        raise ValueError(
            f"positive weights and start < end are needed, not {weights!r:.60}, {start}, {end}"
        )
    return start + (end - start) * np.cumsum(share)[:-1] / share.sum()


def loud(features: Features) -> tuple[float, float]:
    """Return where the energy first and last is above `LOUD_SHARE` of its maximum, in seconds."""
    above = features.times[features.energy >= LOUD_SHARE * features.energy.max()]
    return float(above[0]), float(above[-1])


def energy_minima(features: Features, count: int, apart: float = LEAST_APART_SECONDS) -> np.ndarray:
    """Return the `count` deepest minima of the energy between the loud edges, in order.

    None is closer than `apart` (s) to a deeper one; where there are too few, `apart` is halved
    until there are enough, down to one frame.

    Examples
    --------
    >>> from sgpa_core import refine
    >>> tone = np.sin(np.arange(16000) * 0.3)
    >>> tone[4000:4800] *= 0.1
    >>> tone[9600:11200] *= 0.2
    >>> found = energy_minima(refine.features(Audio(tone, 16000)), 1)
    >>> bool(0.25 <= found[0] <= 0.30)
    True
    """
    from scipy.signal import find_peaks

    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
        raise ValueError(f"count must be a whole number, 0 or more, not {count!r}")
    times = features.times
    first, last = np.searchsorted(times, loud(features))
    inside = features.energy[first : last + 1]
    steps = max(1.0, apart / features.hop_seconds)
    while True:
        found, _ = find_peaks(-inside, distance=steps)
        if len(found) >= count:
            deepest = found[np.argsort(inside[found], kind="stable")[:count]]
            return times[first + np.sort(deepest)]
        if steps == 1:
            raise ValueError(f"the energy has {len(found)} minima, {count} are wanted")
        steps = max(1.0, steps / 2)


def clicks(audio: Audio, cuts: ArrayLike, fade: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the high-frequency energy around each cut once one side is silenced, and before.

    The energy in the upper half of the spectrum, `CLICK_SECONDS` to either side of the cut, over
    what the recording has in as much time on average. First array: mean of both sides silenced in
    turn (by :func:`.masking.mask`, with its `fade`); second: of the recording as it is.

    Examples
    --------
    >>> hum = Audio(np.sin(2 * np.pi * 50 * np.arange(16000) / 16000) + 0.0, 16000)
    >>> masked, before = clicks(hum, [0.5, 0.505])     # at a zero of the wave, and at its top
    >>> bool(masked[1] > 10 * masked[0] > 10 * before[1])
    True
    """
    from scipy.signal import butter, sosfiltfilt

    times, rate = np.asarray(cuts, dtype=float), audio.sample_rate
    if times.ndim != 1 or not ((times > 0) & (times < audio.duration)).all():
        raise ValueError(f"cuts must lie inside the {audio.duration:.3f} s, not {cuts!r:.60}")
    high = butter(4, 0.5, "highpass", output="sos")
    reach, around = round(CLICK_SECONDS * rate), round(10 * CLICK_SECONDS * rate)
    padded = np.pad(audio.samples.astype(np.float64), around)
    mean = 2 * reach * np.mean(sosfiltfilt(high, padded) ** 2)
    sides = np.array([[0, around], [around, 2 * around]]) / rate
    energy = np.empty((len(times), 2))
    for k, cut in enumerate(np.rint(times * rate).astype(int)):
        piece = Audio(padded[cut : cut + 2 * around], rate)
        halves = masking.mask(piece, sides, np.eye(2, dtype=bool), fade=fade)
        heard = sosfiltfilt(high, np.stack([*halves, piece.samples]), axis=1)
        each = (heard[:, around - reach : around + reach] ** 2).sum(axis=1)
        energy[k] = each[:2].mean(), each[2]
    return energy[:, 0] / mean, energy[:, 1] / mean


def pocketsphinx_spans(audio: Audio, text: str) -> np.ndarray | None:
    """Return where pocketsphinx's English HMMs put each word, (words, 2) s, to 10 ms.

    None where its dictionary lacks a word or it finds no path. Numbers are aligned as spoken.

    Raises
    ------
    ImportError
        If pocketsphinx, an optional package, is not installed.
    """
    from pocketsphinx import Decoder

    spoken = [re.sub(r"[^a-z' ]", " ", w.spoken.lower()).split() for w in decompose(text).words]
    said = [part for word in spoken for part in word]
    decoder = Decoder(
        samprate=16000, lm=None, beam=1e-100, pbeam=1e-100, wbeam=1e-80, loglevel="FATAL"
    )
    if not all(spoken) or any(decoder.lookup_word(part) is None for part in said):
        return None
    decoder.set_align_text(" ".join(said))
    decoder.start_utt()
    samples = np.clip(audio.resample(16000).samples * 32767, -32768, 32767).astype(np.int16)
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    found = [s for s in decoder.seg() or () if s.word[0] not in "<["]
    if [s.word.split("(")[0] for s in found] != said:
        return None
    last = np.cumsum([len(word) for word in spoken]) - 1
    first = np.concatenate([[0], last[:-1] + 1])
    return np.array(
        [
            [found[a].start_frame / 100, (found[b].end_frame + 1) / 100]
            for a, b in zip(first, last, strict=True)
        ]
    )


def read(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read stored measurements (``data/results/boundaries/errors.csv``): words, boundaries.

    The first has a row per word (``start_ms``, ``end_ms``), the second one per boundary between
    two words (``ms``, the middle of the gap; ``flux``, ``accepted``, ``click``, ``click_faded``,
    ``unmasked``), for each recording and ``method``; NaN where nothing was measured.
    """
    import pandas as pd

    table = pd.read_csv(path, dtype={"id": str})
    table["recording"] = table["set"] + " " + table["voice"] + " " + table["id"]
    named = table[["recording", "set", "id", "voice", "engine", "held_out", "method"]]
    counts = table["words"].to_numpy()

    def values(column: str, lengths: np.ndarray, ends: int = 0) -> np.ndarray:
        lists = [
            np.array(text.split(), dtype=float)[ends : len(text.split()) - ends]
            if isinstance(text, str)
            else np.full(length, np.nan)
            for text, length in zip(table[column], lengths, strict=True)
        ]
        return np.concatenate(lists)

    def repeated(lengths: np.ndarray) -> pd.DataFrame:
        return named.loc[named.index.repeat(lengths)].reset_index(drop=True)

    words, inner = repeated(counts), repeated(counts - 1)
    words["start_ms"], words["end_ms"] = values("start_ms", counts), values("end_ms", counts)
    first = np.concatenate([np.arange(n) == 0 for n in counts])
    last = np.concatenate([np.arange(n) == n - 1 for n in counts])
    words["edge"] = np.where(first, "first", np.where(last, "last", ""))
    inner["ms"] = (words["start_ms"].to_numpy()[~first] + words["end_ms"].to_numpy()[~last]) / 2
    for column in ("flux", "click", "click_faded", "unmasked"):
        inner[column] = values(column, counts - 1)
    inner["accepted"] = values("accepted", counts - 1, ends=1)
    return words, inner
