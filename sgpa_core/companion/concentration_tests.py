"""The paper's concentration table, on any folder of recorded runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from .. import concentration, profile, stats
from . import recorded

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "compare",
    "families",
    "family_size",
    "left_out",
    "measured",
    "pairs",
    "profiles",
    "report",
]

ALPHA = 0.05
ENTROPY = {"log": "H/log n", "sqrt": "H/√n", "none": "H"}
"""Metric by divisor."""

FAMILIES = {
    "published": "per metric, every pair of the folder's conditions × regimes, as the authors' "
    "analysis code counts",
    "all": "all tests listed",
}


def pairs(runs: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Return the attributions of utterances with both regimes: columns sgpa and raw, by row.

    Raises
    ------
    ValueError
        If there is no such condition.
    """
    known = sorted(set(runs["condition"]))
    if condition not in known:
        raise ValueError(f"no condition {condition!r}; the runs have {', '.join(known)}")
    ours = runs[runs["condition"] == condition]
    sgpa, raw = (
        ours[ours["regime"] == regime].set_index("row")["attribution"].rename(regime)
        for regime in ("sgpa", "raw")
    )
    return sgpa.to_frame().join(raw, how="inner")


def measured(both: pd.DataFrame, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a metric of the `pairs`, SGPA and raw, without those where it is not defined."""
    ours, theirs = (concentration.measure(metric, both[regime]) for regime in ("sgpa", "raw"))
    there = np.isfinite(ours) & np.isfinite(theirs)
    return ours[there], theirs[there]


def family_size(family: str | int, conditions: int, listed: int) -> int:
    """Return how many tests the family has: the columns are `conditions` × 2 regimes.

    Examples
    --------
    >>> [family_size(which, conditions=4, listed=12) for which in ("published", "all", 6)]
    [28, 12, 6]
    """
    sizes = {"published": comb(2 * conditions, 2), "all": listed}
    if family in sizes:
        return sizes[str(family)]
    if not str(family).isdigit() or int(family) < 1:
        raise ValueError(f"unknown family {family!r}; choose {', '.join(sizes)} or a number ≥ 1")
    return int(family)


def families(p: Iterable[float], significant: Iterable[bool], alpha: float = ALPHA) -> range:
    """Return the sizes of a Bonferroni family that give all of these verdicts.

    Examples
    --------
    >>> families([0.0077, 0.0013], [False, True])
    range(7, 39)
    """
    low, high = 1, 10**9
    for value, verdict in zip(p, significant, strict=True):
        most = int(np.ceil(alpha / value)) - 1  # the largest with value < alpha / size
        low, high = (low, min(high, most)) if verdict else (max(low, most + 1), high)
    return range(low, high + 1)


def compare(
    runs: pd.DataFrame,
    family: str | int = "published",
    correction: str = "bonferroni",
    divisors: Iterable[str] = ("log", "sqrt"),
    conditions: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Return the paired tests, SGPA words minus native tokens, attributions as stored.

    Parameters
    ----------
    runs : pandas.DataFrame
        As from `recorded.runs`.
    family : {"published", "all"} or int
        See `FAMILIES`; a number is that of the tests.
    correction : {"bonferroni", "holm"}
    divisors : iterable of {"log", "sqrt", "none"}
        Of the entropy; one row each.
    conditions : iterable of str, optional
        All by default.

    Returns
    -------
    pandas.DataFrame
        mode, metric, pairs, words and tokens (mean players), sgpa and raw (means of the metric),
        d_z, low, high (95 %), p, corrected, significant (corrected < 0.05), up_to (largest
        Bonferroni family that would keep it so).
    """
    import pandas as pd

    divisors, printed = list(divisors), list(recorded.CONDITIONS.values())
    everywhere = sorted(set(runs["condition"]), key=lambda mode: [*printed, mode].index(mode))
    unknown = [divisor for divisor in divisors if divisor not in ENTROPY]
    if unknown or not divisors:
        raise ValueError(f"unknown divisors {unknown}; choose from {', '.join(ENTROPY)}")
    metrics = ["Gini", *(ENTROPY[divisor] for divisor in divisors), "top-20 %"]
    rows = []
    for mode in everywhere if conditions is None else conditions:
        both = pairs(runs, mode)
        sizes = both.map(len).mean().rename({"sgpa": "words", "raw": "tokens"}).to_dict()
        for metric in metrics:
            ours, theirs = measured(both, metric)
            row = {"mode": mode, "metric": metric, "pairs": len(ours), **sizes}
            if len(ours):
                row |= {"sgpa": ours.mean(), "raw": theirs.mean()}
            if len(ours) > 1:
                test = stats.paired(ours, theirs)
                row |= {"d_z": test.d, "low": test.ci[0], "high": test.ci[1], "p": test.p}
            rows.append(row)
    columns = [
        "mode",
        "metric",
        "pairs",
        "words",
        "tokens",
        "sgpa",
        "raw",
        "d_z",
        "low",
        "high",
        "p",
    ]
    table = pd.DataFrame(rows, columns=columns)
    size = family_size(family, len(everywhere), len(table))
    groups = [table["metric"] == metric for metric in metrics]
    for chosen in groups if family == "published" or correction == "bonferroni" else [slice(None)]:
        p = table.loc[chosen, "p"]
        table.loc[chosen, "corrected"] = (
            np.minimum(p * size, 1.0)  # each test by itself
            if correction == "bonferroni"
            else stats.correct(p, correction, size)
        )
    table["significant"] = table["corrected"] < ALPHA
    table["up_to"] = [int(np.ceil(ALPHA / p)) - 1 if p > 0 else 0 for p in table["p"]]
    table.attrs["family"] = size
    return table


def profiles(runs: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return `profile.compare` of the pairs, SGPA against raw, by player index; last row: all.

    The recordings' times are not stored with the runs, and attributions are min-max scaled.
    """
    import pandas as pd

    known = [mode for mode in recorded.CONDITIONS.values() if mode in set(runs["condition"])]
    sets = {mode: both for mode in known if len(both := pairs(runs, mode)) > 1}
    if not sets:
        raise ValueError("profiles need a condition with at least 2 matched pairs")
    sets["all"] = pd.concat(sets.values())
    rows = []
    for mode, both in sets.items():
        x, y = ([profile.cumulative(v) for v in both[regime]] for regime in ("sgpa", "raw"))
        rows.append({"mode": mode} | profile.compare(x, y, seed=seed))
    return pd.DataFrame(rows)


def left_out(runs: pd.DataFrame) -> list[str]:
    """Say which runs are in no pair, or odd, and why."""
    said = []
    problems = recorded.problems(runs)
    for (gone, reason), files in problems.groupby(["left_out", "reason"], sort=False)["file"]:
        what = "left out" if gone else "kept"
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        said.append(f"{what}: {reason}: {files.iloc[0]}{more}")
    for mode, ours in runs.groupby("condition", sort=False):
        both = pairs(runs, str(mode)).index
        for regime in ("sgpa", "raw"):
            alone = sorted(set(ours.loc[ours["regime"] == regime, "row"]) - set(both))
            if alone:
                rows = ", ".join(map(str, alone[:5])) + ", …" * (len(alone) > 5)
                said.append(f"{mode}: {len(alone)} {regime} runs without a partner (rows {rows})")
        flat = ours[ours["flat"] & ours["row"].isin(both)]
        if len(flat):
            said.append(f"{mode}: {len(flat)} runs of pairs are flat (1/n for all), kept")
    return said


def report(
    folder: str | os.PathLike[str] | None = None,
    family: str | int = "published",
    correction: str = "bonferroni",
    divisors: Iterable[str] = ("log", "sqrt"),
    conditions: Iterable[str] | None = None,
) -> tuple[str, pd.DataFrame]:
    """Return what ``python -m sgpa_core recorded stats`` prints, and its table."""
    runs = recorded.runs(folder)
    table = compare(runs, family, correction, divisors, conditions)
    size = table.attrs["family"]
    meant = FAMILIES.get(str(family), "as asked for")
    shown = table.rename(columns={"pairs": "n pairs", "corrected": "corrected p"})
    shown["significant"] = np.where(table["significant"], "yes", "no")
    shown["95 % of d_z"] = [f"{a:.2f} to {b:.2f}" for a, b in table[["low", "high"]].to_numpy()]
    columns = ["mode", "metric", "n pairs", "words", "tokens", "sgpa", "raw", "d_z"]
    columns += ["95 % of d_z", "p", "corrected p", "significant", "up_to"]
    formats = {
        "words": "{:.1f}",
        "tokens": "{:.1f}",
        "sgpa": "{:.3f}",
        "raw": "{:.3f}",
        "d_z": "{:.2f}",
    }
    lines = [
        "SGPA words minus native tokens; pairs matched by row; attributions as stored.",
        f"Paired t-tests, two-sided; {correction} over a family of {size} ({meant}).",
        f"significant: corrected p < {ALPHA}; up_to: largest Bonferroni family that keeps it so.",
        "",
        shown[columns].to_string(
            index=False,
            na_rep="–",
            formatters={name: text.format for name, text in formats.items()}
            | {"p": _p, "corrected p": _p},
        ),
        "",
        *left_out(runs),
    ]
    return "\n".join(lines), table


def _p(p: float) -> str:
    return f"{p:.4f}" if p >= 1e-4 else f"{p:.1e}"
