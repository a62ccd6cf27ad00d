"""Are word boundaries right? Errors and hits against true ones, clicks, words that are lost.

These are measures; Stage 3 itself is in :mod:`sgpa_core.refine`.

Times are in seconds, errors in milliseconds, positive where a boundary was put too late.
"""

from collections import namedtuple
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .audio import Audio
from .checks import number, vector
from .masking import mask
from .spoken import spoken_form

#: A boundary this close to a true one is a hit: the usual tolerance, and one CTC frame.
TOLERANCE_SECONDS = 0.020

#: Shares of boundaries within these errors are reported.
WITHIN_MS = (20, 50, 100)

#: A click is looked for this far to either side of a cut: farther than a fade of 5 ms reaches.
CLICK_SECONDS = 0.010

#: Silence before and after a word that is heard alone.
REST_SECONDS = 0.25


def errors(truth: ArrayLike, estimate: ArrayLike) -> np.ndarray:
    """Return estimate − truth in ms.

    Parameters
    ----------
    truth, estimate : array_like of float, of the same shape
        Times in seconds.

    Returns
    -------
    ndarray of float, of that shape

    Raises
    ------
    ValueError
        If the shapes differ or a time is not finite.

    Examples
    --------
    >>> errors([0.10, 0.50], [0.12, 0.47]).round(6).tolist()
    [20.0, -30.0]
    """
    true, estimated = np.asarray(truth, dtype=float), np.asarray(estimate, dtype=float)
    if true.shape != estimated.shape or not np.isfinite([true, estimated]).all():
        given = f"{estimated.shape} for {true.shape}"
        raise ValueError(f"errors need as many finite times as true ones, not {given}")
    return 1000 * (estimated - true)


def summary(errors_ms: ArrayLike) -> dict[str, float]:
    """Return n, median and 90 % of |error|, bias (median error), and percent within `WITHIN_MS`.

    Parameters
    ----------
    errors_ms : array_like of float
        Signed errors in ms, at least one.

    Raises
    ------
    ValueError
        If there is no error, or one is not finite.

    Examples
    --------
    >>> summary([10, -10, 30, 40])
    {'n': 4, 'median': 20.0, 'p90': 37.0, 'bias': 20.0, 'within 20': 50.0, 'within 50': 100.0,
     'within 100': 100.0}
    """
    signed = vector(np.ravel(np.asarray(errors_ms, dtype=float)), "errors_ms")
    size = np.abs(signed)
    median, p90 = np.quantile(size, (0.5, 0.9)).tolist()
    row = {"n": len(signed), "median": median, "p90": p90, "bias": float(np.median(signed))}
    return row | {f"within {ms}": float(100 * np.mean(size <= ms + 1e-9)) for ms in WITHIN_MS}


def hits(truth: ArrayLike, estimate: ArrayLike, tolerance: float = TOLERANCE_SECONDS) -> int:
    """Count pairs of a true and an estimated boundary close together, each boundary used once.

    Parameters
    ----------
    truth, estimate : array_like of float
        Times in seconds, in any order.
    tolerance : float, default 0.02
        Largest distance of a pair, 0 to 10 seconds.

    Raises
    ------
    ValueError
        If a time is not finite or the tolerance out of range.

    Examples
    --------
    >>> hits([0.10, 0.50], [0.09, 0.11, 0.60])
    1
    """
    reach = number(tolerance, "tolerance", 0, 10, " s") + 1e-9
    estimated = np.sort(vector(estimate, "estimate", least=0))
    count = free = 0  # estimated ones before `free` are used, or too early for all that follow
    for true in np.sort(vector(truth, "truth", least=0)):
        free = max(free, int(np.searchsorted(estimated, true - reach)))
        if free < len(estimated) and estimated[free] <= true + reach:
            count, free = count + 1, free + 1
    return count


#: How well boundaries are detected, each in [0, 1] except that `r_value` can fall below 0.
Detection = namedtuple("Detection", ("precision", "recall", "f1", "r_value"))


def detection(hits: int, true: int, estimated: int) -> Detection:
    """Return precision, recall, F1 and R-value of so many hits of true and estimated boundaries.

    With HR = hits / true and OS = estimated / true − 1 the R-value is 1 − (|r1| + |r2|) / 2, where
    r1 = √((1 − HR)² + OS²) and r2 = (HR − 1 − OS) / √2 (Räsänen, Laine and Altosaar 2009):
    unlike F1, it cannot be raised by strewing boundaries.

    Raises
    ------
    ValueError
        Unless ``0 <= hits <= min(true, estimated)`` and ``true >= 1``.

    Examples
    --------
    >>> detection(10, 10, 10)
    Detection(precision=1.0, recall=1.0, f1=1.0, r_value=1.0)
    >>> strewn = detection(10, 10, 20)
    >>> round(strewn.f1, 3), round(strewn.r_value, 3)
    (0.667, 0.146)
    """
    if not 0 <= hits <= min(true, estimated) or true < 1:
        raise ValueError(f"{hits} hits of {true} true and {estimated} boundaries cannot be")
    recall, over = hits / true, estimated / true - 1
    r1, r2 = np.hypot(1 - recall, over), (recall - 1 - over) / np.sqrt(2)
    precision, f1 = hits / estimated if estimated else 0.0, 2 * hits / (true + estimated)
    return Detection(precision, recall, f1, r_value=float(1 - (abs(r1) + abs(r2)) / 2))


def clicks(audio: Audio, cuts: ArrayLike, fade: float = 0.0) -> np.ndarray:
    """Return the high-frequency energy that silencing one side of a cut adds to the recording.

    With x the recording, g the gate that silences the side and H the upper half of the spectrum,
    it is the energy of H(g·x) − g·H(x): what is heard beyond the recording's own high frequencies,
    faded as it is. Energy is taken `CLICK_SECONDS` to either side of the cut, over what the
    recording has in as much time on average.

    Parameters
    ----------
    audio : Audio
    cuts : array_like of float
        Times in seconds, inside the recording.
    fade : float, default 0
        Seconds, as for :func:`sgpa_core.masking.mask`, which silences the sides.

    Returns
    -------
    ndarray of float, shape (cuts,)
        The mean of both sides silenced in turn, at least 0; 1 is the recording's average.

    Raises
    ------
    ValueError
        If a cut lies outside the recording.

    Examples
    --------
    >>> hum = Audio(np.sin(2 * np.pi * 50 * np.arange(16000) / 16000) + 0.0, 16000)
    >>> zero, top = clicks(hum, [0.5, 0.505])               # where the wave crosses zero; its top
    >>> bool(top > 10 * zero)
    True
    """
    from scipy.signal import butter, sosfiltfilt

    times, rate = vector(cuts, "cuts", least=0), audio.sample_rate
    if not ((times > 0) & (times < audio.duration)).all():
        raise ValueError(f"cuts must lie inside the {audio.duration:.3f} s, not {cuts!r:.60}")
    high = butter(4, 0.5, "highpass", output="sos")
    reach, around = round(CLICK_SECONDS * rate), round(4 * CLICK_SECONDS * rate)
    padded = np.pad(audio.samples.astype(np.float64), around)
    mean = 2 * reach * np.mean(sosfiltfilt(high, padded)[around:-around] ** 2)
    sides = np.array([[0, around], [around, 2 * around]]) / rate
    whole = Audio(np.ones(2 * around), rate)
    gates = np.stack(mask(whole, sides, np.eye(2, dtype=bool), fade=fade))
    energy = np.empty(len(times))
    for k, cut in enumerate(np.rint(times * rate).astype(int)):
        piece = padded[cut : cut + 2 * around]
        added = sosfiltfilt(high, gates * piece) - gates * sosfiltfilt(high, piece)
        energy[k] = (added[:, around - reach : around + reach] ** 2).sum(axis=1).mean()
    return energy / mean


def retranscribe(audio: Audio, spans: ArrayLike, words: list[str], recogniser: Any) -> pd.DataFrame:
    """Let a recogniser hear every word cut out, and tell which are lost: a check without labels.

    Good boundaries hold all of a word and nothing of its neighbours. Even with them a recogniser
    mishears many a short word without its context: compare ways to cut the same recordings.

    Parameters
    ----------
    audio : Audio
    spans : array_like of float, shape (n, 2)
        Where each word begins and ends, in seconds.
    words : list of str, length n
        The words as written.
    recogniser : AudioLM
        For instance ``load_model("openai/whisper-tiny.en")``; of a cascade, what hears.

    Returns
    -------
    DataFrame
        One row per word: `word`, `heard`, and whether it is `lost`: the spoken form of what was
        heard is not its own.

    Raises
    ------
    ValueError
        If there are not as many words as spans, or a span lies outside the recording.

    Examples
    --------
    >>> class Parrot:
    ...     name, sample_rate, token_seconds = "parrot", 16_000, 0.04
    ...     def respond(self, batch, sample_rate):
    ...         return ["Ten." for _ in batch]
    >>> noise = Audio(np.ones(16_000) / 2, 16_000)
    >>> retranscribe(noise, [[0.1, 0.4], [0.4, 0.9]], ["10", "cats"], Parrot()).lost.tolist()
    [False, True]
    """
    rows = np.atleast_2d(np.asarray(spans, dtype=float))
    if len(words) != len(rows):
        raise ValueError(f"give one word per span: {len(rows)} of them, not {len(words)}")
    rest = round(REST_SECONDS * audio.sample_rate)
    alone = [np.pad(audio.cut(*span).samples, rest) for span in rows]
    heard = getattr(recogniser, "hear", recogniser.respond)(alone, audio.sample_rate)
    lost = [_plain(said) != _plain(word) for said, word in zip(heard, words, strict=True)]
    return pd.DataFrame({"word": list(words), "heard": heard, "lost": lost})


def _plain(text: str) -> str:
    return " ".join(filter(None, map(spoken_form, text.split())))
