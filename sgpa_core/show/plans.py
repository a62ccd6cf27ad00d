"""Plans of the combinatorial cost, as one reads them."""

from math import isnan

import pandas as pd

SPANS = (
    (365.25 * 86_400, "years"), (86_400, "days"), (3_600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"),
)  # fmt: skip
SIZES = ((1e6, "TB"), (1e3, "GB"), (1, "MB"), (1e-3, "kB"))


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a plan as one reads it: rounded numbers, times in their unit, a row for each method.

    Columns in which nothing stands are left out.

    Examples
    --------
    >>> from sgpa_core import plan
    >>> readable(plan(38, seconds_per_call=0.5)).loc["exact", ["evaluations", "time", "memory"]]
    evaluations    274,877,906,944
    time               4,355 years
    memory                  137 TB
    Name: exact, dtype: str
    >>> readable(plan(7)).columns.tolist()
    ['evaluations', 'distinct', 'calls', 'memory', 'exact is cheaper', 'published counter', 'note']
    """
    counts = ("evaluations", "distinct", "calls", "published_counter")
    shown = table.set_index("method").astype(object)
    for name in shown.columns.intersection(counts):
        shown[name] = shown[name].map(_number)
    shown["seconds"] = shown["seconds"].map(lambda s: _in_unit(s, SPANS))
    shown["memory_mb"] = shown["memory_mb"].map(lambda mb: _in_unit(mb, SIZES))
    shown["exact_is_cheaper"] = shown["exact_is_cheaper"].map({True: "yes", False: ""})
    shown = shown.loc[:, (shown != "").any()].rename_axis(None)
    shown = shown.rename(columns={"seconds": "time", "memory_mb": "memory"})
    return shown.rename(columns=lambda name: name.replace("_", " ")).astype(str)


def _number(value: float) -> str:
    """Print three figures at least, and all of a whole number that one can still read."""
    if isnan(value):
        return ""
    return f"{value:.1e}" if value >= 1e15 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _in_unit(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """Print a value in the largest unit that it reaches."""
    size, unit = next((step for step in units if value >= step[0]), units[-1])
    return "" if isnan(value) else f"{_number(value / size)} {unit}"
