"""The paper's macro-trend on the recorded runs: do words keep the profile of native tokens?

Profiles are those of :mod:`sgpa_core.profile`. On models that run here the question is measured in
``data/results/real``.
"""

import numpy as np
import pandas as pd

from .. import profile
from ..stats import over_prompts
from .concentration_tests import REGIMES, pairs
from .recorded import CONDITIONS


def recorded_profiles(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare the profiles of matched recorded runs, SGPA and raw; the last row has them all.

    The recordings' times are not stored with the runs, so profiles are by index, and attributions
    are min-max scaled. The voices of a prompt count once.

    Parameters
    ----------
    runs : pandas.DataFrame
        As from `recorded.runs`.

    Returns
    -------
    pandas.DataFrame
        mode; n, prompts; x and y, mean early mass of words and of tokens; difference, x − y, with
        its 95 % interval low and high; area between the two profiles of a prompt, and area_other,
        between its words and the tokens of another prompt of the same mode.

    Raises
    ------
    ValueError
        If no condition has two matched pairs.
    """
    rows = []
    for mode in [mode for mode in CONDITIONS.values() if mode in set(runs["condition"])]:
        both, corpus = pairs(runs, mode), mode.rpartition("-")[2]
        if len(both) < 2:
            continue
        words, tokens = (np.stack([profile.cumulative(v) for v in both[r]]) for r in REGIMES)
        areas = np.abs(words[:, None] - tokens).mean(axis=-1)
        others = (areas.sum(axis=1) - areas.diagonal()) / (len(both) - 1)
        early = profile.early_mass(words), profile.early_mass(tokens)
        names = [f"{corpus}-{row}" for row in both.index]
        values = (*early, early[0] - early[1], areas.diagonal(), others)
        rows += [(mode, *row) for row in zip(names, *values, strict=True)]
    if not rows:
        raise ValueError("profiles need a condition with at least 2 matched pairs")
    columns = ["mode", "prompt", "x", "y", "difference", "area", "area_other"]
    table, summaries = pd.DataFrame(rows, columns=columns), []
    for mode, group in [*table.groupby("mode", sort=False), ("all", table)]:
        means = group.groupby("prompt").mean(numeric_only=True)
        change = over_prompts(means["difference"], means.index)
        row = {"mode": mode, "n": change.n, "low": change.low, "high": change.high}
        summaries.append(row | means.mean().to_dict())
    return pd.DataFrame(summaries)[["mode", "n", *columns[2:5], "low", "high", *columns[5:]]]
