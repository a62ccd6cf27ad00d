"""Argument checks: each error echoes the bad value and says what would be right."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def whole(value: Any, name: str, smallest: int = 1, largest: int | None = None) -> int:
    """Return `value` as an int if it is a whole number from `smallest` to `largest`.

    Examples
    --------
    >>> whole(True, "batch_size")
    Traceback (most recent call last):
    ValueError: batch_size must be a whole number of at least 1, got True
    """
    good = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool)
    if not good or value < smallest or (largest is not None and value > largest):
        limits = f"of at least {smallest}" if largest is None else f"from {smallest} to {largest}"
        raise ValueError(f"{name} must be a whole number {limits}, got {value!r}")
    return int(value)


def number(value: Any, name: str, low: float, high: float, unit: str = "") -> float:
    """Return `value` as a float if it is a number in [low, high].

    Examples
    --------
    >>> number(2.0, "alpha", 0, 1)
    Traceback (most recent call last):
    ValueError: alpha must be a number from 0 to 1, got 2.0
    """
    good = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not good or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}{unit}, got {value!r}")
    return float(value)


def fraction(value: Any, name: str) -> float:
    """Return `value` as a float if it lies strictly between 0 and 1.

    Examples
    --------
    >>> fraction(95, "confidence")
    Traceback (most recent call last):
    ValueError: confidence must be between 0 and 1, got 95
    """
    if isinstance(value, bool | str) or not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value!r}")
    return float(value)


def choice(value: Any, known: Iterable[str], name: str) -> Any:
    """Return `value` if it is one of the `known` names.

    Examples
    --------
    >>> choice("loud", ("silence", "noise"), "masking")
    Traceback (most recent call last):
    ValueError: unknown masking 'loud'; choose from silence, noise
    """
    names = list(known)
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"unknown {name} {value!r}; choose from {', '.join(names)}")
    return value


def vector(values: ArrayLike, name: str, n: int | None = None, least: int = 1) -> np.ndarray:
    """Return `values` as a float vector if they are finite: `n` of them, or at least `least`.

    Examples
    --------
    >>> vector([0.1, np.nan], "scores", 2)
    Traceback (most recent call last):
    ValueError: scores must be finite, got nan at 1
    """
    array = np.asarray(values, dtype=float)
    if array.ndim != 1 or len(array) < least or n not in (None, len(array)):
        wanted = f"{n} numbers, one for each player" if n else f"a list of at least {least} numbers"
        raise ValueError(f"{name} must be {wanted}, got shape {array.shape}")
    if not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite, got {array[bad]} at {bad}")
    return array


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """Name the settings in which two records differ.

    Examples
    --------
    >>> differences({"seed": 1, "n": 3}, {"seed": 2, "n": 3})
    'seed: 2 there, 1 here'
    """
    keys = sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
    return "; ".join(f"{key}: {theirs.get(key)!r} there, {ours.get(key)!r} here" for key in keys)
