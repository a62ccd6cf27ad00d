"""What a model hears of a coalition: absent players as silence, as noise, or cut out."""

import numpy as np

from .audio import Audio
from .checks import choice, number

#: Zeros (the paper's), noise at the recording's own floor, or cut out and the rest joined.
KINDS = ("silence", "noise", "cut")

MAX_FADE_SECONDS = 0.05

FLOOR_FRAME_SECONDS = 0.02
#: The noise floor is this quantile of the RMS of short frames that are not digitally silent.
FLOOR_QUANTILE = 0.1


def mask(
    audio: Audio,
    spans: np.ndarray,
    coalitions: np.ndarray,
    kind: str = "silence",
    fade: float = 0.0,
    seed: int = 0,
) -> list[np.ndarray]:
    """Give what is heard of each coalition.

    What belongs to no player is always kept, sample by sample, whatever the kind.

    Parameters
    ----------
    audio : Audio
    spans : array_like of float, shape (n, 2)
        Where each player begins and ends, in seconds; for instance ``Partition.spans``.
    coalitions : array_like of bool, shape (k, n)
        True for players that are heard.
    kind : {"silence", "noise", "cut"}
        ``"silence"``: zeros, as in the paper. ``"noise"``: white noise at the recording's own
        floor, the same noise in every coalition, so that the game stays a function.
        ``"cut"``: removed and the rest joined, so that later words move; if nothing is left,
        one sample of silence.
    fade : float
        Seconds over which a masked stretch goes out and comes back, at most 0.05, against clicks.
        The ramp (half a cosine) lies inside the masked stretch: it lets that much of an absent
        player through and leaves present ones untouched. With ``"cut"`` it lies in the kept
        pieces, at their new joints.
    seed : int
        Of the noise.

    Returns
    -------
    list of ndarray of float32
        k recordings, as long as the audio except for ``"cut"``.

    Raises
    ------
    ValueError
        If the shapes do not fit, coalitions are not bool, a span lies outside the recording, or
        the kind or the fade is unknown.

    Examples
    --------
    >>> audio = Audio(np.full(1000, 0.5), 1000)
    >>> heard = mask(audio, [[0.0, 0.4], [0.4, 0.9]], [[True, False]], "cut")
    >>> len(heard[0])
    500
    """
    edges = _edges(audio, spans)
    heard = np.asarray(coalitions)
    if heard.dtype != bool or heard.ndim != 2 or heard.shape[1] != len(edges):
        shape = f"{heard.dtype} of shape {heard.shape}"
        raise ValueError(f"coalitions must be bools, {len(edges)} a row, one a player, not {shape}")
    choice(kind, KINDS, "masking")
    ramp = round(number(fade, "fade", 0, MAX_FADE_SECONDS, " s") * audio.sample_rate)
    absent = (_runs(edges[~coalition], len(audio.samples)) for coalition in heard)
    if kind == "cut":
        return [_cut(audio.samples, runs, ramp) for runs in absent]
    filling = noise_floor(audio, seed) if kind == "noise" else np.zeros_like(audio.samples)
    return [_fill(audio.samples, filling, runs, ramp) for runs in absent]


def silence(audio: Audio, spans: np.ndarray, coalition: np.ndarray) -> Audio:
    """Give the recording with every player outside one coalition replaced by zeros.

    The paper's masking, as a recording to listen to; see :func:`mask` for its arguments.

    Examples
    --------
    >>> audio = Audio(np.ones(8000) * 0.5, 16000)
    >>> silence(audio, [[0.0, 0.1], [0.1, 0.3]], [True, False]).samples[[1599, 1600, 4800]].tolist()
    [0.5, 0.0, 0.5]
    """
    return Audio(mask(audio, spans, np.asarray(coalition)[None])[0], audio.sample_rate)


def noise_floor(audio: Audio, seed: int = 0) -> np.ndarray:
    """Give white noise, float32, as long as the recording and as loud as its quiet places."""
    size = max(1, round(FLOOR_FRAME_SECONDS * audio.sample_rate))
    count = max(1, len(audio.samples) // size)
    frames = np.array_split(audio.samples[: count * size].astype(np.float64) - audio.offset, count)
    levels = np.sqrt([np.mean(frame**2) for frame in frames])
    level = np.quantile(levels[levels > 0], FLOOR_QUANTILE) if levels.any() else 0.0
    return np.random.default_rng(seed).normal(0.0, level, len(audio.samples)).astype(np.float32)


def _edges(audio: Audio, spans: np.ndarray) -> np.ndarray:
    """Spans in samples, checked."""
    spans = np.asarray(spans, dtype=float)
    if spans.ndim != 2 or spans.shape[1] != 2:
        raise ValueError(f"spans must have shape (players, 2), not {spans.shape}")
    edges = np.rint(spans * audio.sample_rate)
    first, last = edges.T
    if not ((first >= 0) & (first <= last) & (last <= len(audio.samples) + 1)).all():
        raise ValueError(f"spans must lie in order inside the recording's {audio.duration:.3f} s")
    return np.minimum(edges, len(audio.samples)).astype(int)


def _runs(edges: np.ndarray, length: int) -> np.ndarray:
    """The masked stretches, (runs, 2), neighbours merged."""
    absent = np.zeros(length + 2, dtype=bool)  # with a sample that is heard at each end
    for first, last in edges:
        absent[first + 1 : last + 1] = True
    return np.flatnonzero(np.diff(absent)).reshape(-1, 2)


def _slope(length: int) -> np.ndarray:
    """Half a cosine from near 1 down to near 0."""
    return (0.5 + 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))).astype("f4")


def _fill(samples: np.ndarray, filling: np.ndarray, runs: np.ndarray, ramp: int) -> np.ndarray:
    heard = samples.copy()
    for first, last in runs:
        heard[first:last] = filling[first:last]
        slope = _slope(min(ramp, (last - first) // 2))
        begins = [(first, slope)] if first > 0 else []
        ends = [(last - len(slope), slope[::-1])] if last < len(samples) else []
        for start, weight in begins + ends:
            part = slice(start, start + len(slope))
            heard[part] = weight * samples[part] + (1 - weight) * filling[part]
    return heard


def _cut(samples: np.ndarray, runs: np.ndarray, ramp: int) -> np.ndarray:
    ends, starts = runs.T
    pieces = []
    for start, end in zip([0, *starts], [*ends, len(samples)], strict=True):
        piece = samples[start:end].copy()
        slope = _slope(min(ramp, len(piece) // 2))
        if start > 0:
            piece[: len(slope)] *= slope[::-1]
        if end < len(samples):
            piece[len(piece) - len(slope) :] *= slope
        pieces.append(piece)
    return np.concatenate(pieces) if any(map(len, pieces)) else np.zeros(1, dtype=np.float32)
