"""The stored errors of word boundaries, of every way to cut a recording."""

import os

import numpy as np
import pandas as pd


def read_errors(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the stored errors (``data/results/boundaries/errors.csv``).

    Parameters
    ----------
    path : path
        A table with a row for each recording and ``method``.

    Returns
    -------
    words : DataFrame
        A row per word: ``start_ms``, ``end_ms`` and whether it is an ``edge`` of its recording.
    inner : DataFrame
        A row per boundary between two words: ``ms``, the error of the middle of the gap;
        ``flux``, ``accepted``, ``click``, ``click_faded``. NaN where nothing was measured.
    """
    table = pd.read_csv(path, dtype={"id": str})
    table["recording"] = table["set"] + " " + table["voice"] + " " + table["id"]
    described = table[["recording", "set", "id", "voice", "engine", "held_out", "method"]]
    counts = table["words"].to_numpy()

    def values(column: str, lengths: np.ndarray, skipped: int = 0) -> np.ndarray:
        lists = [
            text.split()[skipped : skipped + length] if isinstance(text, str) else [np.nan] * length
            for text, length in zip(table[column], lengths, strict=True)
        ]
        return np.concatenate([np.array(numbers, dtype=float) for numbers in lists])

    repeated = (described.index.repeat(lengths) for lengths in (counts, counts - 1))
    words, inner = (described.loc[rows].reset_index(drop=True) for rows in repeated)
    words["start_ms"], words["end_ms"] = values("start_ms", counts), values("end_ms", counts)
    first = np.concatenate([np.arange(n) == 0 for n in counts])
    last = np.concatenate([np.arange(n) == n - 1 for n in counts])
    words["edge"] = np.where(first, "first", np.where(last, "last", ""))
    inner["ms"] = (words["start_ms"].to_numpy()[~first] + words["end_ms"].to_numpy()[~last]) / 2
    for column in ("flux", "click", "click_faded"):
        inner[column] = values(column, counts - 1)
    inner["accepted"] = values("accepted", counts - 1, skipped=1)
    return words, inner
