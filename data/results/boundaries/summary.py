"""Summarise errors.csv, lost.csv and sweeps.csv: how far boundaries are off, what Stage 3 buys.

summary.csv: one row per kind of speech, way to cut and measure, with a 95 % interval, for which
whole recordings are drawn anew. Takes a minute; make.py calls it. Measures:

error, mean, within: median and mean size of the error (ms), and the share within 50 ms (%); of the
authors' recordings it is the difference from pocketsphinx. change: median error less that of the
midpoint. moved: median distance from the midpoint (ms). flux: mean at inner cuts over that of the
raw cut (left edge). click, faded: what one cut in ten exceeds, in % of the recording's average, and
with a fade of 5 ms (`boundary.clicks`); median-click: what half of them exceed. reduction: the
paper's, mean over recordings of the fall of flux at all cuts (%). lost: words not heard rightly
alone (%), lost-change: points more than with the midpoint.

Ranges of other numbers have no interval: fade-gain, how many times less one cut in ten clicks with
a fade; alpha-…, over all α; shift-…, the fall of flux (%) with windows in their place, and far off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from sgpa_core import stats
from sgpa_core.companion import stored_boundaries

HERE = Path(__file__).resolve().parent
KINDS = {
    "people": ["people"],
    "natural": ["questions"],
    "synthetic": ["speech", "instructions"],
    "fresh": ["fresh"],
    "chirp": ["SM2S-1k", "SM2F-1k"],  # the authors'
    "voicebench": ["SO2S-1k"],
    "librispeech": ["SO2S-500"],
}
MEASURES: dict[str, tuple[int, list[str], Callable[[np.ndarray], float]]] = {
    "error": (1, ["ms"], lambda v: np.median(np.abs(v))),
    "mean": (1, ["ms"], lambda v: np.abs(v).mean()),
    "within": (1, ["ms"], lambda v: 100 * (np.abs(v) <= 50).mean()),
    "change": (1, ["ms", "none"], lambda v: np.diff(np.median(np.abs(v), axis=0)[::-1])[0]),
    "moved": (1, ["ms", "none"], lambda v: np.median(np.abs(v[:, 0] - v[:, 1]))),
    "flux": (2, ["flux", "raw"], lambda v: v[:, 0].mean() / v[:, 1].mean()),
    "click": (1, ["click"], lambda v: 100 * np.quantile(v, 0.9)),
    "faded": (3, ["click_faded"], lambda v: 100 * np.quantile(v, 0.9)),
    "median-click": (2, ["click"], lambda v: 100 * np.median(v)),
    "reduction": (1, ["reduction"], np.mean),
    "lost": (0, ["lost", "words"], lambda v: 100 * v[:, 0].sum() / v[:, 1].sum()),
    "lost-change": (0, ["more", "words"], lambda v: 100 * v[:, 0].sum() / v[:, 1].sum()),
}
"""Digits, columns that are needed, and what is made of them."""
FAR = 0.09
"""Shifts of windows beyond this (s) are far off."""
Row = dict[str, object]


def boundaries() -> pd.DataFrame:
    """Return a row per boundary and way to cut, with the midpoint's error and the raw flux."""
    _, inner = stored_boundaries.read_errors(HERE / "errors.csv")
    inner["k"] = inner.groupby(["recording", "method"]).cumcount()
    key = ["recording", "k"]
    for method, column, name in (("none", "ms", "none"), ("left-edge", "flux", "raw")):
        of = inner.loc[inner["method"] == method, [*key, column]]
        inner = inner.merge(of.rename(columns={column: name}), on=key)
    return inner


def recordings() -> pd.DataFrame:
    """Return a row per recording and way to cut: fall of the mean flux at all cuts, words lost."""
    key = ["set", "voice", "id"]
    errors = pd.read_csv(HERE / "errors.csv", dtype={"id": str}).dropna(subset="edge_flux")
    fluxes = errors["flux"].fillna("").astype(str) + " " + errors["edge_flux"]
    errors["mean"] = [np.mean([float(value) for value in text.split()]) for text in fluxes]
    lost = pd.read_csv(HERE / "lost.csv", dtype={"id": str})
    for table, method, column, name in (
        (errors, "left-edge", "mean", "reduction"),
        (lost, "none", "lost", "more"),
    ):
        base = table[table["method"] == method].set_index(key)[column]
        usual = base.loc[pd.MultiIndex.from_frame(table[key])].to_numpy()
        change = table[column] - usual
        table[name] = change if name == "more" else -100 * change / usual
    both = errors[[*key, "method", "reduction"]].merge(lost, on=[*key, "method"], how="outer")
    return both.assign(recording=both["set"] + " " + both["voice"] + " " + both["id"])


def estimates(table: pd.DataFrame, kind: str) -> Iterator[Row]:
    """Estimate each measure that a table has the columns of."""
    for method, of in table[table["set"].isin(KINDS[kind])].groupby("method"):
        for measure, (digits, columns, statistic) in MEASURES.items():
            if not set(columns) <= set(of) or (values := of.dropna(subset=columns)).empty:
                continue
            groups = [group[columns].to_numpy() for _, group in values.groupby("recording")]
            low, high = stats.bootstrap_groups(groups, statistic)
            value = statistic(np.concatenate(groups))
            row = {"name": f"{kind}-{method}-{measure}", "kind": kind, "method": method}
            row |= {"measure": measure, "value": value, "low": low, "high": high}
            row |= {"n": int(values["words"].sum() if "words" in columns else len(values))}
            ends = (f"{round(x, digits) + 0.0:.{digits}f}" for x in (value, low, high))  # no −0
            shown = "{} ({} to {})".format(*ends).replace("-", "−")
            yield row | {"recordings": len(groups), "text": shown}


def ranges(rows: pd.DataFrame) -> Iterator[Row]:
    """Say what a page says of several numbers together."""
    hard, faded = (
        rows[(rows["measure"] == m) & rows["kind"].isin(list(KINDS)[:3])].set_index(
            ["kind", "method"]
        )
        for m in ("click", "faded")
    )
    gain = (hard["value"] / faded["value"]).min()
    yield {"name": "fade-gain", "value": gain, "text": f"{gain:.0f}"}
    sweeps = pd.read_csv(HERE / "sweeps.csv")
    sgpa = sweeps[sweeps["method"] == "sgpa"]
    for measure, digits in {"ms": 1, "flux": 2, "click": 0}.items():
        value = np.ptp(sgpa.loc[sgpa["setting"] == "alpha", measure])
        yield {"name": f"alpha-{measure}", "value": value, "text": f"{value:.{digits}f}"}
    shift = sgpa[sgpa["setting"] == "shift"].set_index("value")["flux"]
    fall, far = 100 * (1 - shift[0.0]), 100 * (1 - shift[abs(shift.index) > FAR])
    yield {"name": "shift-none", "value": fall, "text": f"{fall:.0f}"}
    yield {"name": "shift-far", "value": far.max(), "text": f"{far.min():.0f} to {far.max():.0f}"}


def main() -> None:
    tables = boundaries(), recordings()
    rows = [row for kind in KINDS for table in tables for row in estimates(table, kind)]
    rows += ranges(pd.DataFrame(rows))
    table = pd.DataFrame(rows)
    table[["value", "low", "high"]] = table[["value", "low", "high"]].round(4)
    table[["n", "recordings"]] = table[["n", "recordings"]].astype("Int64")
    table.to_csv(HERE / "summary.csv", index=False)


if __name__ == "__main__":
    main()
