"""The paper's macro-trend: where in an utterance the mass of an attribution lies.

The paper claims that SGPA keeps the early-mass shape of the position-normalised cumulative profile,
and gives no test. A profile is P(x), the share of Σ|φ| that lies before position x, with x from 0
to 1 on `GRID`. By index each player is 1/n wide; by time it is as wide as its span, in shares of
the recording. Inside a player the mass is even.

Noise in estimated values makes |φ| more even, and so its profile straighter. The form φ / Σφ
(``"signed"``) has no such bias, since Σφ = U(N) − U(∅) holds without noise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from . import concentration
from .checks import choice, fraction, vector

#: Positions, in shares of the utterance; halves, thirds, quarters and fifths are among them.
GRID = np.linspace(0.0, 1.0, 121)

#: What the mass is: as in `concentration.shares`, or φ / Σφ, which may fall and rise above 1.
FORMS = (*concentration.FORMS, "signed")

#: The early part of an utterance.
EARLY_SHARE = 1 / 3

#: The form φ / Σφ is undefined where |Σφ| is below this share of Σ|φ|.
NOTHING = 1e-6

#: Of a bootstrap.
RESAMPLES = 4_999


@dataclass(frozen=True, eq=False)
class Band:
    """A mean profile with a simultaneous 95 % band (or as asked) by bootstrap over prompts.

    Attributes
    ----------
    mean, low, high : ndarray, shape (len(GRID),)
    n, undefined : int
        Prompts that it rests on, and those left out because all their values are zero.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: int
    undefined: int


def cumulative(
    values: ArrayLike,
    spans: ArrayLike | None = None,
    duration: float | None = None,
    form: str = "absolute",
) -> np.ndarray:
    """Return the profile of one attribution on `GRID`; NaN where there is no mass (all zero).

    Parameters
    ----------
    values : array_like, shape (n,)
    spans : array_like, shape (n, 2), optional
        Start and end of each player, in s, in order: a profile by time. By index otherwise.
    duration : float, optional
        Of the recording, in s; needed with spans.
    form : str
        One of `FORMS`.

    Examples
    --------
    >>> profile = cumulative([1.0, -3.0])
    >>> np.interp([0.25, 0.5, 0.75], GRID, profile).round(3).tolist()
    [0.125, 0.25, 0.625]
    >>> late = cumulative([1.0, 3.0], spans=[[0.5, 0.75], [0.75, 1.0]], duration=1.0)
    >>> np.interp([0.5, 0.75], GRID, late).round(3).tolist()
    [0.0, 0.25]
    """
    phi = vector(values, "values")
    if choice(form, FORMS, "form") == "signed":
        whole = phi.sum()
        mass = phi / (whole if abs(whole) > NOTHING * np.abs(phi).sum() else np.nan)
    else:
        mass = concentration.shares(phi, form)
    edges = _edges(len(phi), spans, duration)
    done = np.r_[0.0, np.cumsum(mass)]
    if np.isclose(done[-1], 1.0, rtol=0.0, atol=1e-9):
        done[-1] = 1.0
    profile = np.interp(GRID, edges.ravel(), np.c_[done[:-1], done[1:]].ravel())
    return profile if np.isfinite(mass).all() else np.full(len(GRID), np.nan)


def _edges(n: int, spans: ArrayLike | None, duration: float | None) -> np.ndarray:
    """Return where the players begin and end, (n, 2), in shares of the utterance."""
    if spans is None:
        if duration is not None:
            raise ValueError(f"duration {duration!r} is used with spans only")
        spans, duration = np.c_[np.arange(n), np.arange(1, n + 1)], n
    times = np.asarray(spans, dtype=float)
    if times.shape != (n, 2):
        raise ValueError(f"{n} values need spans of shape ({n}, 2), got {times.shape}")
    if duration is None or not np.isfinite(duration) or duration <= 0:
        raise ValueError(f"spans need the duration of the recording in s, got {duration!r}")
    if not np.all(np.diff(times.ravel()) >= 0) or times[0, 0] < 0:
        raise ValueError(f"spans must be in order and not overlap, got {times.tolist()}")
    if times[-1, 1] > duration * (1 + 1e-3) + 1e-3:  # an edge may be rounded
        raise ValueError(f"the last span ends at {times[-1, 1]} s, after {duration} s")
    return np.minimum(times / duration, 1.0)


def early_mass(profiles: ArrayLike, share: float = EARLY_SHARE) -> np.ndarray:
    """Return P(share), the mass in the first `share` of the utterance, shape (…,).

    Examples
    --------
    >>> early_mass([cumulative([1.0, 0.0, 0.0]), cumulative([1.0, 1.0, 1.0])]).round(3).tolist()
    [1.0, 0.333]
    """
    fraction(share, "share")
    return np.apply_along_axis(lambda p: np.interp(share, GRID, p), -1, _on_grid(profiles))


def centre(profiles: ArrayLike) -> np.ndarray:
    """Return the centre of mass, 1 − ∫ P, shape (…,): 0.5 where the mass is even.

    Examples
    --------
    >>> centre([cumulative([1.0, 1.0]), cumulative([0.0, 1.0])]).round(3).tolist()
    [0.5, 0.75]
    """
    return 1 - np.trapezoid(_on_grid(profiles), GRID, axis=-1)


def band(profiles: ArrayLike, confidence: float = 0.95, seed: int = 0) -> Band:
    """Return the mean profile with its bootstrap band; profiles that are not defined are left out.

    The band is mean ± c · standard error, where c is the `confidence` quantile of the largest
    standardised deviation over the grid: the whole true mean lies in it that often.

    Parameters
    ----------
    profiles : array_like, shape (n, len(GRID))
        One for each prompt.
    confidence : float
    seed : int

    Raises
    ------
    ValueError
        If fewer than 2 of them are defined.
    """
    fraction(confidence, "confidence")
    everyone = np.atleast_2d(_on_grid(profiles))
    usable = everyone[np.isfinite(everyone).all(axis=1)]
    if len(usable) < 2:
        raise ValueError(f"at least 2 defined profiles are needed, got {len(usable)}")
    rng, n = np.random.default_rng(seed), len(usable)
    mean = usable.mean(axis=0)
    means = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n @ usable
    error = means.std(axis=0)
    away = np.abs(means - mean) / np.where(error > 0, error, np.inf)
    reach = np.quantile(away.max(axis=1), confidence) * error
    return Band(mean, mean - reach, mean + reach, n, len(everyone) - n)


def _on_grid(profiles: ArrayLike) -> np.ndarray:
    curves = np.asarray(profiles, dtype=float)
    if curves.ndim == 0 or curves.shape[-1] != len(GRID):
        raise ValueError(f"a profile has {len(GRID)} points, got shape {curves.shape}")
    return curves
