"""How concentrated an attribution is: a few players or all of them (Section 4 of the paper).

The measures take values (…, n), of any sign, and look at s̃_i = |φ_i| / Σ_j |φ_j| over the last
axis; `measure` takes a ragged list, and other shares. Special cases:

================  =====  ==========  ===========  =======  =========  ====  =======
values            Gini   unbiased    top 20 %     H/log n  H/√n       H     exp H
================  =====  ==========  ===========  =======  =========  ====  =======
one player        0      NaN         1            NaN      0          0     1
all equal, not 0  0      0           ⌈0.2 n⌉ / n  1        ln n / √n  ln n  n
all 0             NaN    NaN         NaN          NaN      NaN        NaN   NaN
================  =====  ==========  ===========  =======  =========  ====  =======
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike

from .checks import choice, vector

#: The paper's share of players for `top_mass`.
TOP_SHARE = 0.2

#: What an entropy is divided by: √n, as the paper's text says, ln n, or nothing.
DIVISORS = ("sqrt", "log", "none")

#: What shares are shares of; see `shares`.
FORMS = ("absolute", "positive", "negative", "minmax")


def shares(values: ArrayLike, form: str = "absolute") -> np.ndarray:
    """Return s̃, which sums to 1 over the last axis; NaN where there is nothing to share out.

    Parameters
    ----------
    values : array_like, shape (…, n)
    form : {"absolute", "positive", "negative", "minmax"}
        Of |φ|, as the paper's text says; of the signed values' positive part max(φ, 0), what speaks
        for the answer, or negative part max(−φ, 0); or of (φ − min) / (max − min), as the published
        code scales attributions before they are stored, where flat vectors become 1/n.

    Examples
    --------
    >>> [shares([3.0, -1.0, 1.0], form).round(2).tolist() for form in FORMS]
    [[0.6, 0.2, 0.2], [0.75, 0.0, 0.25], [0.0, 1.0, 0.0], [0.67, 0.0, 0.33]]
    """
    choice(form, FORMS, "form")
    size = np.asarray(values, dtype=float)
    if size.ndim == 0 or size.shape[-1] == 0:
        raise ValueError(f"concentration needs the values of at least one player, got {values!r}")
    size = _divided(size, np.abs(size).max(axis=-1, keepdims=True), 0.0)  # no over- or underflow
    if form == "minmax":
        low = size.min(axis=-1, keepdims=True)
        size = _divided(size - low, np.ptp(size, axis=-1, keepdims=True), 1.0)
    else:
        part = {"absolute": np.abs(size), "positive": size, "negative": -size}[form]
        size = np.maximum(part, 0.0)
    return _divided(size, size.sum(axis=-1, keepdims=True), np.nan)


def _divided(size: np.ndarray, by: np.ndarray, otherwise: float) -> np.ndarray:
    """Return size / by where that is defined; NaN stays."""
    fill = np.where(np.isnan(by), np.nan, np.full_like(size, otherwise))
    return np.divide(size, by, out=fill, where=by > 0)


def gini(values: ArrayLike, unbiased: bool = False) -> np.ndarray:
    """Return G = (1/2n) Σ_i Σ_j |s̃_i − s̃_j|: 0 where all are equal, 1 − 1/n where one has all.

    `unbiased` multiplies by n / (n − 1), so that one who has all gives 1 for any n.

    Examples
    --------
    >>> gini([[1.0, 1.0, -1.0, 1.0], [0.0, 0.0, 2.0, 0.0]]).tolist()
    [0.0, 0.75]
    >>> gini([0.0, 0.0, 2.0, 0.0], unbiased=True).tolist()
    1.0
    """
    ordered = np.sort(shares(values), axis=-1)
    n = ordered.shape[-1]
    by = (n - 1 or np.nan) if unbiased else n
    return np.maximum(ordered @ (2 * np.arange(1, n + 1) - n - 1) / by, 0.0)


def top_mass(values: ArrayLike, share: float = TOP_SHARE) -> np.ndarray:
    """Return what the ⌈share · n⌉ largest s̃ sum to; `share` in (0, 1].

    Examples
    --------
    >>> top_mass([3.0, -5.0, 1.0, 1.0, 0.0, 0.0]).round(3).tolist()  # two of six
    0.8
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], got {share!r}")
    ordered = np.sort(shares(values), axis=-1)
    count = int(np.ceil(share * ordered.shape[-1] - 1e-9))
    return ordered[..., -count:].sum(axis=-1)


def entropy(values: ArrayLike, divisor: str = "log") -> np.ndarray:
    """Return H = −Σ s̃ ln s̃ over ``"sqrt"`` (√n), ``"log"`` (ln n) or ``"none"`` (1), in nats.

    H / ln n lies in [0, 1] and is NaN for a single player; H / √n reaches ln(n) / √n.

    Examples
    --------
    >>> [entropy([1.0, 1.0, 1.0, 1.0], by).round(3).tolist() for by in DIVISORS]
    [0.693, 1.0, 1.386]
    """
    choice(divisor, DIVISORS, "divisor")
    s = shares(values)
    plain = -(s * np.log(np.where(s > 0, s, 1.0))).sum(axis=-1) + 0.0
    n = s.shape[-1]
    by = {"sqrt": np.sqrt(n), "log": np.log(n) or np.nan, "none": 1.0}[divisor]
    return plain / by


def effective_players(values: ArrayLike) -> np.ndarray:
    """Return exp(H): as many equal players would be as concentrated.

    Examples
    --------
    >>> effective_players([[2.0, -2.0, 0.0], [1.0, 0.0, 0.0]]).round(6).tolist()
    [2.0, 1.0]
    """
    return np.exp(entropy(values, "none"))


#: All measures by name. More of it is more concentrated, except of H in any form and exp H.
METRICS: dict[str, Callable[[ArrayLike], np.ndarray]] = {
    "Gini": gini,
    "unbiased Gini": lambda values: gini(values, unbiased=True),
    "top-20 %": top_mass,
    "H/log n": lambda values: entropy(values, "log"),
    "H/√n": lambda values: entropy(values, "sqrt"),
    "H": lambda values: entropy(values, "none"),
    "effective players": effective_players,
}


def measure(metric: str, values: Iterable[ArrayLike], form: str = "absolute") -> np.ndarray:
    """Return a metric of each vector of a ragged list, shape (vectors,).

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    values : iterable of array_like
        Vectors of any lengths ≥ 1.
    form : str
        As for `shares`.

    Examples
    --------
    >>> measure("top-20 %", [[1.0, 3.0], [1.0, 1.0, 1.0, 1.0]]).tolist()
    [0.75, 0.25]
    >>> measure("Gini", [[1.0, 3.0], [1.0, 1.0, 1.0, 1.0]], "minmax").tolist()
    [0.5, 0.0]
    """
    function = METRICS[choice(metric, METRICS, "metric")]
    vectors = [vector(value, f"vector {index}") for index, value in enumerate(values)]
    measured, sizes = np.full(len(vectors), np.nan), np.array([len(value) for value in vectors])
    for n in np.unique(sizes):
        same = np.flatnonzero(sizes == n)
        measured[same] = function(shares(np.stack([vectors[i] for i in same]), form))
    return measured
