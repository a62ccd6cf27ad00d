"""The paper's concentration tests: paired t-tests of words against native tokens, corrected.

One schema of runs serves recorded (`recorded.runs`) and measured ones (`study.Study.runs`): a row
for each explanation, with condition, regime, row (the utterance) and attribution.
"""

from collections.abc import Iterable, Sequence
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from .. import stats
from ..checks import choice
from ..concentration import measure
from .recorded import CONDITIONS, problems

ALPHA = 0.05
#: Names of SGPA words and native tokens in recorded runs.
REGIMES = ("sgpa", "raw")

TESTS = (
    "condition", "metric", "pairs", "left out", "players", "other players", "first", "second",
    "d_z", "low", "high", "t", "p",
)  # fmt: skip
#: Metric by divisor.
ENTROPY = {"log": "H/log n", "sqrt": "H/√n", "none": "H"}

FAMILIES = {
    "published": "per metric, every pair of the folder's conditions × regimes, as the authors' "
    "analysis code counts",
    "all": "all tests listed",
}


def pairs(runs: pd.DataFrame, condition: str, regimes: Sequence[str] = REGIMES) -> pd.DataFrame:
    """Return the attributions of utterances with both regimes: a column for each, by row.

    Raises
    ------
    ValueError
        If there is no such condition.
    """
    known = sorted(set(runs["condition"]))
    if condition not in known:
        raise ValueError(f"no condition {condition!r}; the runs have {', '.join(known)}")
    rows = runs[runs["condition"] == condition]
    wide = rows.pivot(index="row", columns="regime", values="attribution")
    return wide.reindex(columns=list(regimes)).dropna()


def paired(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Return the means, d_z, t and p of paired values, without the pairs that lack one.

    Examples
    --------
    >>> test = paired(np.array([1.0, 2.0, 4.0, np.nan]), np.array([0.0, 0.0, 3.0, 1.0]))
    >>> test["pairs"], test["left out"], round(test["d_z"], 3), round(test["p"], 3)
    (3, 1, 2.309, 0.057)
    """
    defined = np.isfinite(first) & np.isfinite(second)
    first, second = first[defined], second[defined]
    row: dict[str, float] = {"pairs": len(first), "left out": int((~defined).sum())}
    if len(first):
        row |= {"first": first.mean(), "second": second.mean()}
    if len(first) > 1 and (test := stats.paired(first, second)).sd > 0:
        row |= {"d_z": test.d, "low": test.ci[0], "high": test.ci[1], "t": test.t, "p": test.p}
    return row


def paired_tests(
    runs: pd.DataFrame,
    metrics: Iterable[str],
    conditions: Iterable[str] | None = None,
    regimes: Sequence[str] = REGIMES,
) -> pd.DataFrame:
    """Return the paired tests of two regimes, one row per condition and metric; not corrected.

    Parameters
    ----------
    runs : pandas.DataFrame
        condition, regime, row and attribution.
    metrics : iterable of str
        Names in `concentration.METRICS`.
    conditions : iterable of str, optional
        By default those that have both regimes.
    regimes : pair of str
        The first minus the second is tested.

    Returns
    -------
    pandas.DataFrame
        condition, metric, pairs and left out (pairs in which the metric is not defined); players
        and other players (means), first and second (means of the metric), d_z, low, high (95 %),
        t, p: NaN where there is nothing to test.
    """
    if conditions is None:
        groups = runs.groupby("condition", sort=False)["regime"]
        conditions = [name for name, known in groups if {*regimes} <= {*known}]
    rows = []
    for condition in conditions:
        both = pairs(runs, condition, regimes)
        sizes = zip(TESTS[4:6], both.map(len).mean(), strict=True)
        common = {"condition": condition, **dict(sizes)}
        for metric in metrics:
            test = paired(*(measure(metric, both[regime]) for regime in regimes))
            rows.append({**common, "metric": metric, **test})
    return pd.DataFrame(rows, columns=TESTS)


def corrected(p: pd.Series, size: int, correction: str = "bonferroni") -> np.ndarray:
    """Return p-values corrected for a family of so many tests; by Bonferroni, each by itself."""
    if correction == "bonferroni":
        return np.minimum(p * size, 1.0)
    return stats.correct(p, correction, size)


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


def largest_family(p: float) -> int:
    """Return the size of the largest Bonferroni family in which `p` is significant.

    Examples
    --------
    >>> largest_family(0.0013), largest_family(0.2)
    (38, 0)
    """
    return int(np.ceil(ALPHA / p)) - 1 if p > 0 else 0


def families(p: Iterable[float], significant: Iterable[bool]) -> range:
    """Return the sizes of a Bonferroni family that give all of these verdicts.

    Examples
    --------
    >>> families([0.0077, 0.0013], [False, True])
    range(7, 39)
    """
    largest = [(largest_family(value), kept) for value, kept in zip(p, significant, strict=True)]
    too_small = max((size for size, kept in largest if not kept), default=0)
    return range(too_small + 1, min((size for size, kept in largest if kept), default=10**9) + 1)


def compare(
    runs: pd.DataFrame,
    family: str | int = "published",
    correction: str = "bonferroni",
    divisors: Iterable[str] = ("log", "sqrt"),
    conditions: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Return the paper's table: SGPA words minus native tokens, attributions as stored.

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
    printed = list(CONDITIONS.values())
    modes = sorted(set(runs["condition"]), key=lambda mode: [*printed, mode].index(mode))
    entropies = [ENTROPY[choice(divisor, ENTROPY, "divisor")] for divisor in divisors]
    metrics = ["Gini", *entropies, "top-20 %"]
    tests = paired_tests(runs, metrics, modes if conditions is None else conditions)
    names = {"condition": "mode", "players": "words", "other players": "tokens"}
    names |= {"first": "sgpa", "second": "raw"}
    table = tests.drop(columns=["left out", "t"]).rename(columns=names)
    size = family_size(family, len(modes), len(table))
    if family == "published":  # for each metric
        groups = table.groupby("metric")["p"]
        table["corrected"] = groups.transform(corrected, size=size, correction=correction)
    else:
        table["corrected"] = corrected(table["p"], size, correction)
    table["significant"] = table["corrected"] < ALPHA
    table["up_to"] = table["p"].map(largest_family)
    meant = FAMILIES.get(str(family), "as asked for")
    table.attrs = {"family": size, "of": meant, "correction": correction}
    return table


def left_out(runs: pd.DataFrame) -> list[str]:
    """Say which runs are in no pair, or odd, and why."""
    lines = []
    by_reason = problems(runs).groupby(["left_out", "reason"], sort=False)["file"]
    for (gone, reason), files in by_reason:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        lines.append(f"{'left out' if gone else 'kept'}: {reason}: {files.iloc[0]}{more}")
    for mode, rows in runs.groupby("condition", sort=False):
        paired_rows = rows["row"].isin(pairs(runs, str(mode)).index)
        for regime in REGIMES:
            alone = rows.loc[(rows["regime"] == regime) & ~paired_rows, "row"].sort_values()
            if len(alone):
                some = ", ".join(map(str, alone[:5])) + (", …" if len(alone) > 5 else "")
                lines.append(f"{mode}: {len(alone)} {regime} runs without a partner (rows {some})")
        if flat := int((rows["flat"] & paired_rows).sum()):
            lines.append(f"{mode}: {flat} runs of pairs are flat (1/n for all), kept")
    return lines


def report(runs: pd.DataFrame, table: pd.DataFrame) -> str:
    """Return the text of a table that `compare` made of these runs, and what it leaves out."""
    shown = table.drop(columns=["low", "high"])
    shown["significant"] = np.where(table["significant"], "yes", "no")
    ends = [f"{low:.2f} to {high:.2f}" for low, high in table[["low", "high"]].to_numpy()]
    shown.insert(8, "95 % of d_z", ends)
    shown = shown.rename(columns={"pairs": "n pairs", "corrected": "corrected p"})
    places = {"words": 1, "tokens": 1, "sgpa": 3, "raw": 3, "d_z": 2}
    formats: dict[str, Any] = {name: f"{{:.{count}f}}".format for name, count in places.items()}
    formats |= dict.fromkeys(("p", "corrected p"), p_text)
    correction, size, meant = (table.attrs[name] for name in ("correction", "family", "of"))
    lines = [
        "SGPA words minus native tokens; pairs matched by row; attributions as stored.",
        f"Paired t-tests, two-sided; {correction} over a family of {size} ({meant}).",
        f"significant: corrected p < {ALPHA}; up_to: largest Bonferroni family that keeps it so.",
        "\n" + shown.to_string(index=False, na_rep="–", formatters=formats) + "\n",
        *left_out(runs),
    ]
    return "\n".join(lines)


def p_text(p: float, form: str = ".4f") -> str:
    """Return a p-value as it is printed.

    Examples
    --------
    >>> p_text(0.0077), p_text(0.2, ".3g"), p_text(1.3e-07)
    ('0.0077', '0.2', '< .001')
    """
    return "–" if np.isnan(p) else "< .001" if p < 0.001 else format(p, form)
