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
from .recompute import RECOMPUTE, EmbeddedData, RecordedData, TooLittle, Value

__all__ = ["Value", "check", "entries", "ledger", "published", "recompute", "status", "store"]

HOLDS, DIFFERS, NOT_HERE = "reproduced", "reproduced differently", "not reproducible here"
DEFAULTS: dict[str, Any] = {"recompute": "", "args": [], "tolerance": 0, "of": None, "comment": ""}
COLUMNS = [
    "id", "version", "where", "published", "formula", "recompute", "source", "tolerance", "of",
    "status", "stored", "half_width", "n", "stderr", "comment",
]  # fmt: skip


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

    Columns: id, version, where, published, formula, recompute (a name in `recompute.RECOMPUTE`),
    source, tolerance, of (runs that the paper used, where that is known), status, stored,
    half_width, n, stderr, comment.
    """
    stored = read("recomputed.yaml")["values"]
    nothing = {"value": np.nan, "half_width": 0.0, "n": None, "stderr": 0.0}
    rows = [row | nothing | stored.get(id, {}) for id, row in entries().items()]
    return pd.DataFrame(rows).rename(columns={"value": "stored"})[COLUMNS]


def status(row: Mapping[str, Any], value: Value | None) -> str:
    """Derive the status of a claim from its published and its recomputed value.

    They differ if they are further apart than the tolerance and the half width; for a value from a
    part of the data, than two standard errors. A part whose two standard errors are more than half
    of the published value cannot confirm it: not reproducible here. A part cannot confirm a value
    that is printed as "< 0.01" either.
    """
    if value is None:
        return NOT_HERE
    printed = row["published"]
    part = value.n is not None and row["of"] is not None and value.n < row["of"]
    if str(printed).startswith("<"):
        holds = value.value < float(printed[1:])
        return NOT_HERE if part else HOLDS if holds else DIFFERS
    printed = float(printed)
    spread = 2 * value.stderr if part else 0.0
    allowed = max(row["tolerance"] + value.half_width, spread)
    if abs(value.value - printed) > allowed + 1e-9:
        return DIFFERS
    return NOT_HERE if spread > abs(printed) / 2 else HOLDS


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
    return _recomputed(entries()[id], _sources(folder))


def check(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Recompute what the data at hand allow, and compare with what the ledger states.

    Columns: id, published, value, n, stated, status, origin (``live``, ``stored`` where the data
    are missing, ``none`` where nothing is recomputed), agrees. A live value from other data than
    the stored one may have another status; only ``n`` runs against ``n`` runs disagree.
    """
    before, sources = ledger().set_index("id"), _sources(folder)
    rows = []
    for id, row in entries().items():
        stored, origin = before.loc[id], "live"
        try:
            value = _recomputed(row, sources)
        except (FileNotFoundError, TooLittle):
            origin = "stored"
            value = Value(*stored[["stored", "half_width", "n", "stderr"]])
        origin = "none" if value is None else origin
        now, shown = status(row, value), value or Value(np.nan)
        rtol = 0.01 if "embedded" in row["source"] else 1e-3
        close = np.isclose(shown.value, stored["stored"], rtol=rtol, atol=1e-9, equal_nan=True)
        comparable = shown.n == stored["n"] or pd.isna(stored["n"])
        same = bool(close and now == row["status"]) or not comparable
        rows.append((id, row["published"], shown.value, shown.n, row["status"], now, origin, same))
    columns = ["id", "published", "value", "n", "stated", "status", "origin", "agrees"]
    return pd.DataFrame(rows, columns=columns)


def store(folder: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Recompute all claims, write ``data/paper/recomputed.yaml``, return the status of each."""
    sources = _sources(folder)
    recomputed = {id: _recomputed(row, sources) for id, row in entries().items()}
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


def _sources(folder: str | os.PathLike[str] | None) -> dict[str, RecordedData]:
    """Return the data that claims are recomputed from, by the first word of their source."""
    return {"recorded": RecordedData(folder), "embedded": EmbeddedData()}


def _recomputed(row: Mapping[str, Any], sources: Mapping[str, RecordedData]) -> Value | None:
    if not row["recompute"]:
        return None
    data = sources.get(row["source"].split()[0])
    value = RECOMPUTE[row["recompute"]](*([] if data is None else [data]), *row["args"])
    return value if isinstance(value, Value) else Value(float(value))
