"""Stage 3, spectral boundary refinement: character spans → quiet, shared boundaries.

Every boundary between two characters lies in the gap [t_L, t_R] that the aligner left between
them. In a window around it, the paper takes the time with the least

    J(t) = α·E(t) + (1 − α)·SF(t)

E the short-time RMS energy, SF the spectral flux, each min-max scaled inside the window. The
window is centred on the gap (*gap-midpoint anchoring*), both characters share the boundary (*joint
resolution*), and the midpoint is kept where the minimum is not quiet (*silence-aware fallback*).
Features are computed once per recording and all windows are resolved together.
"""

from dataclasses import dataclass, field

import numpy as np

from .audio import Audio
from .checks import choice, number

#: Weight α of the energy; the flux weighs β = 1 − α.
ALPHA = 0.8

#: Length of a feature frame, in samples at the recording's own rate.
FRAME_SAMPLES = 256

#: From one feature frame to the next, in samples at the recording's own rate.
HOP_SAMPLES = 64

#: How far a window reaches beyond its gap on either side.
PADDING_SECONDS = 0.040

#: Half-width of the window around the first and the last edge.
EDGE_SECONDS = 0.080

#: A minimum is accepted if its RMS is below this share of its window's mean RMS.
SILENCE_RATIO = 0.5

# Chosen on people, eight speakers: the least at which cuts are quieter than with the paper's rule.
#: Distance from the midpoint that costs "anchored" as much as mean energy and flux together.
ANCHOR_SECONDS = 0.025

METHODS = ("anchored", "sgpa", "none", "left-edge")

#: The method by which `align` resolves boundaries where none is named; the paper's is "sgpa".
DEFAULT = "anchored"

#: Smallest and largest value of each setting that make sense.
LIMITS = {"alpha": (0.0, 1.0)}
LIMITS |= dict.fromkeys(("padding", "edge", "silence"), (0.0, 10.0)) | {"anchor": (0.001, 10.0)}

#: Frames in one block of the spectrogram: bounds memory on long recordings.
BLOCK_FRAMES = 16_384


@dataclass(frozen=True, eq=False)
class Features:
    """Short-time features of a recording.

    Attributes
    ----------
    energy : ndarray of float, shape (F,)
        RMS of the samples in each frame.
    flux : ndarray of float, shape (F,)
        L2 norm of the change of the magnitude spectrum since the frame before; 0 for the first.
    hop_seconds : float
        Frame ``i`` is centred on ``i * hop_seconds``.
    duration : float
        Length of the recording in seconds.
    """

    energy: np.ndarray
    flux: np.ndarray
    hop_seconds: float
    duration: float

    @property
    def times(self) -> np.ndarray:
        """Centres of the frames, in seconds, shape (F,)."""
        return np.arange(len(self.energy)) * self.hop_seconds


@dataclass(frozen=True, eq=False)
class Boundaries:
    """Resolved boundaries: the result of Stage 3.

    Boundary ``0`` is where the first character begins, boundary ``i`` is shared by characters
    ``i - 1`` and ``i``, boundary ``N`` is where the last one ends.

    Attributes
    ----------
    times : ndarray of float, shape (N + 1,)
        Increasing, in seconds.
    refined : ndarray of bool, shape (N + 1,)
        False where no minimum was accepted and the anchor was kept.
    anchors : ndarray of float, shape (N + 1,)
        The gaps' midpoints; for the two edges, the raw times.
    minima : ndarray of float, shape (N + 1,)
        Where the cost is least in each window, accepted or not.
    windows : ndarray of float, shape (N + 1, 2)
        The search windows.
    """

    times: np.ndarray
    refined: np.ndarray
    anchors: np.ndarray = field(repr=False)
    minima: np.ndarray = field(repr=False)
    windows: np.ndarray = field(repr=False)


def features(audio: Audio) -> Features:
    """Compute energy and spectral flux of a recording, once for all boundaries.

    E(t) is the RMS of a frame, SF(t) = ‖M_t − M_{t−1}‖₂ with M the magnitude of the Hann-windowed
    short-time spectrum; frames of 256 samples every 64, centred, zeros beyond the ends. A constant
    offset (`Audio.offset`) is taken off first.

    Examples
    --------
    >>> burst = np.zeros(1600)
    >>> burst[672:928] = 0.5                                 # centred on sample 800
    >>> track = features(Audio(burst, 16000))
    >>> round(float(track.times[track.energy.argmax()]), 3)
    0.048
    """
    padded = np.pad(audio.samples.astype(np.float64) - audio.offset, FRAME_SAMPLES // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME_SAMPLES)[::HOP_SAMPLES]
    hann = np.sin(np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES) ** 2
    energy, flux = np.empty(len(frames)), np.zeros(len(frames))
    for first in range(0, len(frames), BLOCK_FRAMES):
        part = slice(max(first - 1, 0), first + BLOCK_FRAMES)  # with the frame before
        block = frames[part]
        energy[part] = np.sqrt(np.einsum("ij,ij->i", block, block) / FRAME_SAMPLES)
        spectrum = np.abs(np.fft.rfft(block * hann, axis=1))
        flux[part][1:] = np.linalg.norm(np.diff(spectrum, axis=0), axis=1)
    return Features(energy, flux, HOP_SAMPLES / audio.sample_rate, audio.duration)


def boundaries(
    features: Features,
    starts: np.ndarray,
    ends: np.ndarray,
    method: str = "sgpa",
    alpha: float = ALPHA,
    padding: float = PADDING_SECONDS,
    edge: float = EDGE_SECONDS,
    silence: float = SILENCE_RATIO,
    anchor: float = ANCHOR_SECONDS,
) -> Boundaries:
    """Resolve the boundaries of character spans (Stage 3 of the paper).

    Parameters
    ----------
    features : Features
    starts, ends : ndarray of float, shape (N,)
        Character spans in seconds, ordered and without overlap.
    method : {"anchored", "sgpa", "none", "left-edge"}, default "sgpa"
        ``"sgpa"``: the paper's. The window is centred on the gap's midpoint with half-width
        (t_R − t_L)/2 + ``padding``; the least cost is accepted if it is quiet enough, then held
        inside the gap; else the midpoint is kept.
        ``"anchored"``: least α·E/Ē + (1 − α)·SF/S̄F + ((t − midpoint) / ``anchor``)², the means
        over all windows, so that a move is worth as much everywhere. Asks for no silence and may
        leave the gap by a third of the neighbouring characters.
        ``"none"``: the gap's midpoint. ``"left-edge"``: t_L, the naive cut.
    alpha : float in [0, 1], default 0.8
    padding, edge : float, seconds
    silence : float
        The accepted minimum's RMS, as a share of the window's mean RMS.
    anchor : float, seconds, at least 0.001
        How far from the midpoint "anchored" may go at little cost.

    Returns
    -------
    Boundaries

    Raises
    ------
    ValueError
        If the method is unknown, a setting is outside its `LIMITS`, or the spans are not ordered.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=8000) * 0.1
    >>> noise[3900:4100] = 0                                # quiet around 0.25 s
    >>> resolved = boundaries(features(Audio(noise, 16000)), [0.0, 0.3], [0.22, 0.5])
    >>> bool(abs(resolved.times[1] - 0.25) < 0.01), bool(resolved.refined[1])
    (True, True)
    """
    check_settings(method, alpha=alpha, padding=padding, edge=edge, silence=silence, anchor=anchor)
    starts, ends = np.asarray(starts, dtype=float), np.asarray(ends, dtype=float)
    if starts.ndim != 1 or starts.shape != ends.shape or len(starts) == 0:
        raise ValueError(f"starts and ends must be like vectors, not {starts.shape}, {ends.shape}")
    if not (starts < ends).all() or not (ends[:-1] <= starts[1:] + 1e-9).all():
        raise ValueError("character spans must be ordered, not overlap, and end after they start")
    left, right = np.append(starts[0], ends), np.append(starts, ends[-1])
    anchors = (left + right) / 2
    half = (right - left) / 2 + padding
    half[[0, -1]] = edge
    windows = np.stack([anchors - half, anchors + half], axis=1)
    if method in ("none", "left-edge"):
        times = left if method == "left-edge" else anchors
        return Boundaries(times, np.zeros(len(times), dtype=bool), anchors, anchors, windows)
    anchored = method == "anchored"
    minima, quiet = _minima(features, windows, alpha, silence, anchor if anchored else None)
    if anchored:
        accepted, third = np.ones(len(minima), dtype=bool), (ends - starts) / 3
        lowest, highest = np.append(0.0, ends - third), np.append(starts + third, features.duration)
    else:
        accepted, hop = quiet, features.hop_seconds
        lowest = np.concatenate([[0.0], ends[:-1], [min(ends[-1], starts[-1] + hop)]])
        highest = np.concatenate([[max(starts[0], ends[0] - hop)], starts[1:], [features.duration]])
    times = np.where(accepted, np.clip(minima, lowest, highest), anchors)
    times[-1] = max(times[-1], times[0] + features.hop_seconds)  # a single short character
    return Boundaries(times, accepted, anchors, minima, windows)


def _minima(
    features: Features, windows: np.ndarray, alpha: float, silence: float, anchor: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the least cost in every window at once; without an anchor the paper's cost.

    Returns the times of the minima, and whether each is quiet: RMS below ``silence`` times the
    window's mean. The windows' frames are laid end to end, so that one ``reduceat`` serves all.
    """
    hop, last_frame = features.hop_seconds, len(features.energy) - 1
    first = np.clip(np.ceil(windows[:, 0] / hop - 1e-6), 0, last_frame).astype(int)
    last = np.clip(np.floor(windows[:, 1] / hop + 1e-6), first, last_frame).astype(int)
    counts = last - first + 1
    offsets = np.concatenate(([0], np.cumsum(counts)[:-1]))
    window = np.repeat(np.arange(len(windows)), counts)
    frame = np.arange(len(window)) - offsets[window] + first[window]

    def scaled(values: np.ndarray) -> np.ndarray:
        if anchor is not None:
            return values / (values.mean() or 1.0)
        low = np.minimum.reduceat(values, offsets)
        span = np.maximum.reduceat(values, offsets) - low
        return (values - low[window]) / np.where(span > 0, span, 1.0)[window]

    energy = features.energy[frame]
    cost = alpha * scaled(energy) + (1 - alpha) * scaled(features.flux[frame])
    if anchor is not None:
        cost += ((frame * hop - windows.mean(axis=1)[window]) / anchor) ** 2
    least = np.flatnonzero(cost == np.minimum.reduceat(cost, offsets)[window])
    chosen = least[np.searchsorted(least, offsets)]
    mean = np.add.reduceat(energy, offsets) / counts
    return frame[chosen] * hop, energy[chosen] < silence * mean


def check_settings(method: str, **settings: float) -> None:
    """Raise a ValueError for an unknown method or setting, or a value outside its `LIMITS`."""
    choice(method, METHODS, "refinement")
    for name, value in settings.items():
        number(value, name, *LIMITS[choice(name, LIMITS, "setting")])
