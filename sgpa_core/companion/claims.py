"""The claim ledger: each published number, what it is recomputed from, and whether it holds.

``data/paper/published.yaml`` holds the numbers as printed, ``claims.yaml`` the ledger, and
``recomputed.yaml`` what `store` last recomputed, for readers who do not have the recorded data.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ..files import write_text
from .paper import PAPER, published, read
from .pedigree import environment
from .recompute import FROM_PRINTED, RECOMPUTE, RecordedData, TooLittle, Value

__all__ = ["Value", "check", "counts", "entries", "ledger", "recompute", "status", "store"]

RECOMPUTED, LOW_POWER, ARITHMETIC = "recomputed", "consistent (low power)", "arithmetic"
DIFFERS, NOT_HERE = "differs", "not checkable here"
#: The classes of claims; `status` says what they mean.
STATUSES = (RECOMPUTED, LOW_POWER, ARITHMETIC, DIFFERS, NOT_HERE)
#: What a recomputation rests on; empty where neither data nor models for it are at hand.
SOURCES = ("paper's tables", "paper's runs", "later public results", "live model", "not public", "")
DEFAULTS = {"unit": "", "recompute": "", "args": [], "tolerance": 0, "of": None, "comment": ""}


@cache
def entries() -> dict[str, dict[str, Any]]:
    """Return the rows of ``claims.yaml`` by id, each with what its group says."""
    rows: dict[str, dict[str, Any]] = {}
    for group in read("claims.yaml")["claims"]:
        for row in group["rows"]:
            claim = DEFAULTS | group | row
            del claim["rows"]
            if isinstance(claim["published"], str):
                claim["published"] = published(claim["published"])
            rows[claim["id"]] = claim
    return rows


def ledger() -> pd.DataFrame:
    """Return the ledger, one row per claim, with the stored recomputation.

    Columns: id, name (plain words), version, where, published, unit, formula, recompute (a name in
    `recompute.RECOMPUTE`) and its args, rests_on (one of `SOURCES`), tolerance, of (runs that the
    paper used, where that is known), status (one of `STATUSES`), comment, and what was stored:
    stored (the value), half_width, n, stderr.
    """
    stored, nothing = read("recomputed.yaml")["values"], asdict(Value(np.nan))
    rows = [{"id": id} | row | nothing | stored.get(id, {}) for id, row in entries().items()]
    return pd.DataFrame(rows).rename(columns={"value": "stored", "source": "rests_on"})


def counts() -> pd.DataFrame:
    """Return how many rows each class has, and what their recomputation rests on."""
    table = pd.crosstab(ledger()["status"], ledger()["rests_on"])
    table = table.reindex(STATUSES, columns=SOURCES, fill_value=0)
    told = {
        status: ", ".join(f"{n} {source or 'nothing at hand'}" for source, n in row.items() if n)
        for status, row in table.iterrows()
    }
    return pd.DataFrame({"rows": table.sum(axis=1), "resting on": told})


def status(row: Mapping[str, Any], value: Value | None) -> str:
    """Derive the class of a claim, one of `STATUSES`, from its published and recomputed value.

    - *differs*: they are further apart than the half width of the value's interval and the
      tolerance; from a part of the data (fewer runs than the paper's), two standard errors replace
      the tolerance where they are more.
    - *consistent (low power)*: they agree, but the value's interval, ± its half width or for a part
      ± two standard errors, is wider than half of the published value. So a published value near 0,
      a d_z of 0.05 say, is confirmed by a very narrow interval only, and never by one that has both
      0 and the published value in it.
    - *arithmetic*: they agree, and printed numbers are all that it takes (`FROM_PRINTED`).
    - *recomputed*: they agree, and the value was computed from data.
    - *not checkable here*: nothing was recomputed, or from a part that says nothing: of a value
      printed as "< 0.01", or of a p-value, whose standard error is infinite.

    Parameters
    ----------
    row : mapping
        With published, recompute, tolerance and of, as in `ledger`.
    value : Value, optional

    Examples
    --------
    >>> row = {"published": 43, "recompute": "mean", "tolerance": 0.5, "of": 100}
    >>> [status(row, Value(45, n=30, stderr=stderr)) for stderr in (0.9, 5, 6)]
    ['differs', 'recomputed', 'consistent (low power)']
    """
    if value is None:
        return NOT_HERE
    printed, bound = row["published"], str(row["published"]).startswith("<")
    part = value.n is not None and row["of"] is not None and value.n < row["of"]
    if part and (bound or np.isinf(value.stderr)):
        return NOT_HERE
    agrees = ARITHMETIC if row["recompute"] in FROM_PRINTED else RECOMPUTED
    if bound:
        return agrees if value.value < float(printed[1:]) else DIFFERS
    printed, spread = float(printed), 2 * value.stderr if part else 0.0
    if abs(value.value - printed) > value.half_width + max(row["tolerance"], spread) + 1e-9:
        return DIFFERS
    return LOW_POWER if 2 * (value.half_width + spread) > abs(printed) / 2 else agrees


def recompute(id: str, folder: str | os.PathLike[str] | None = None) -> Value | None:
    """Recompute one claim; None where the ledger has no way to do so.

    Parameters
    ----------
    id : str
        As in `ledger`.
    folder : path, optional
        Of the recorded data, as for `recorded.find`.

    Raises
    ------
    ValueError
        If there is no such claim, or (`recompute.TooLittle`) the data lack what it needs.
    FileNotFoundError
        If it needs recorded data and there are none.
    """
    if id not in entries():
        raise ValueError(f"no claim {id!r}; claims.ledger() lists {len(entries())}")
    return _recomputed(entries()[id], RecordedData(folder))


def check(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Recompute what the data at hand allow, and compare with what the ledger states.

    Columns: id, published, value, n, stated, status, origin (``live``, ``stored`` where the data
    are missing, ``none`` where nothing is recomputed), agrees. A live value from other data than
    the stored one may have another status; only ``n`` runs against ``n`` runs disagree.
    """
    before, data = ledger().set_index("id"), RecordedData(folder)
    rows = []
    for id, row in entries().items():
        stored, origin = before.loc[id], "live"
        try:
            value = _recomputed(row, data)
        except (FileNotFoundError, TooLittle):
            origin = "stored"
            value = Value(*stored[["stored", "half_width", "n", "stderr"]])
        origin = "none" if value is None else origin
        now, shown = status(row, value), value or Value(np.nan)
        close = np.isclose(shown.value, stored["stored"], rtol=1e-3, atol=1e-9, equal_nan=True)
        comparable = shown.n == stored["n"] or pd.isna(stored["n"])
        same = bool(close and now == row["status"]) or not comparable
        rows.append((id, row["published"], shown.value, shown.n, row["status"], now, origin, same))
    columns = ["id", "published", "value", "n", "stated", "status", "origin", "agrees"]
    return pd.DataFrame(rows, columns=columns)


def store(folder: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Recompute all claims, write ``data/paper/recomputed.yaml``, return the status of each."""
    data = RecordedData(folder)
    recomputed = {id: _recomputed(row, data) for id, row in entries().items()}
    told = {id: asdict(value).items() for id, value in recomputed.items() if value is not None}
    values = {id: {k: v for k, v in items if v or k == "value"} for id, items in told.items()}
    made = {
        "command": 'python -c "from sgpa_core.companion import claims; claims.store()"',
        "versions": environment()[0],
        "data": "a third of the published recordings, runs and games, split by utterance",
    }
    text = yaml.safe_dump({"made": made, "values": values}, sort_keys=False)
    write_text(PAPER / "recomputed.yaml", text)
    read.cache_clear()
    return {id: status(entries()[id], value) for id, value in recomputed.items()}


def _recomputed(row: Mapping[str, Any], data: RecordedData) -> Value | None:
    if not row["recompute"]:
        return None
    given = [] if row["recompute"] in FROM_PRINTED else [data]
    value = RECOMPUTE[row["recompute"]](*given, *row["args"])
    return value if isinstance(value, Value) else Value(float(value))
