"""What a model hears of a coalition: players that are out are silenced, nothing moves in time."""

from __future__ import annotations

import numpy as np

from .audio import Audio


def silence(audio: Audio, spans: np.ndarray, coalition: np.ndarray) -> Audio:
    """Give the recording with every player outside the coalition replaced by zeros.

    The paper's masking: the rest keeps its place in time, and what belongs to no player stays.

    Parameters
    ----------
    audio : Audio
    spans : array_like of float, shape (n, 2)
        Where each player begins and ends, in seconds; for instance ``Segmentation.spans``.
    coalition : array_like of bool, shape (n,)
        True for players that are heard.

    Returns
    -------
    Audio
        Of the same length and rate.

    Raises
    ------
    ValueError
        If the shapes do not fit, the coalition is not bool, or a span lies outside the recording.

    Examples
    --------
    >>> audio = Audio(np.ones(8000) * 0.5, 16000)
    >>> silence(audio, [[0.0, 0.1], [0.1, 0.3]], [True, False]).samples[[1599, 1600, 4800]].tolist()
    [0.5, 0.0, 0.5]
    """
    spans, coalition = np.asarray(spans, dtype=float), np.asarray(coalition)
    if spans.ndim != 2 or spans.shape[1] != 2:
        raise ValueError(f"spans must have shape (players, 2), not {spans.shape}")
    if coalition.dtype != bool or coalition.shape != (len(spans),):
        raise ValueError(
            f"the coalition must be {len(spans)} bools, one a player, "
            f"not {coalition.dtype} of shape {coalition.shape}"
        )
    edges = np.rint(spans * audio.sample_rate)
    if (
        not ((edges[:, 0] >= 0) & (edges[:, 0] <= edges[:, 1])).all()
        or not (edges <= len(audio.samples) + 1).all()
    ):
        raise ValueError(f"spans must lie in order inside the recording's {audio.duration:.3f} s")
    samples = audio.samples.copy()
    for first, last in edges[~coalition].astype(int):
        samples[first:last] = 0.0
    return Audio(samples, audio.sample_rate)
