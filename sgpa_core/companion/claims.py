"""The claim ledger: each published number, what it is recomputed from, and whether it holds.

``data/paper/published.yaml`` holds the numbers as printed, ``claims.yaml`` the ledger, and
``recomputed.yaml`` what `store` last recomputed, for readers who do not have the recorded data.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from . import recorded
from .recompute import PAPER, RECOMPUTE, TooLittle, Value, published, read

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Value", "check", "ledger", "published", "recompute", "status", "store"]

HOLDS, DIFFERS, NOT_HERE = "reproduced", "reproduced differently", "not reproducible here"


@cache
def _rows() -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for group in read("claims.yaml")["claims"]:
        common = {key: value for key, value in group.items() if key != "rows"}
        for row in group["rows"]:
            claim: dict[str, Any] = {"recompute": "", "args": [], "tolerance": 0, "of": None}
            claim |= {"comment": ""} | common | row
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
    import pandas as pd

    stored = read("recomputed.yaml")["values"]
    rows = []
    for row in _rows().values():
        value = stored.get(row["id"], {})
        named = {"half_width": 0.0, "n": None, "stderr": 0.0} | value
        rows.append(row | {"stored": named.pop("value", np.nan)} | named)
    columns = "id version where published formula recompute source tolerance of status stored "
    return pd.DataFrame(rows)[(columns + "half_width n stderr comment").split()]


def status(row: dict[str, Any], value: Value | None) -> str:
    """Derive the status of a claim from its published and its recomputed value.

    They differ if they are further apart than the tolerance and the half width; for a value from a
    part of the data, than two standard errors. A part whose two standard errors are more than half
    of the published value cannot confirm it either: not reproducible here. Nor can one a "< 0.01".
    """
    if value is None:
        return NOT_HERE
    printed = row["published"]
    part = value.n is not None and row["of"] is not None and value.n < row["of"]
    if str(printed).startswith("<"):
        holds = value.value < float(printed[1:])
        return NOT_HERE if part else HOLDS if holds else DIFFERS
    allowed, printed = row["tolerance"] + value.half_width, float(printed)
    vague = False
    if part:
        allowed = max(allowed, 2 * value.stderr)
        vague = 2 * value.stderr > abs(printed) / 2
    if abs(value.value - printed) > allowed + 1e-9:
        return DIFFERS
    return NOT_HERE if vague else HOLDS


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
    if id not in _rows():
        raise ValueError(f"no claim {id!r}; claims.ledger() lists {len(_rows())}")
    row = _rows()[id]
    if not row["recompute"]:
        return None
    if row["source"].startswith("recorded"):
        return RECOMPUTE[row["recompute"]](str(recorded.find(folder)), *row["args"])
    return RECOMPUTE[row["recompute"]](*row["args"])


def check(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Recompute what the data at hand allow, and compare with what the ledger states.

    Columns: id, published, value, n, stated, found (status), origin (``live``, ``stored`` where
    the data are missing, ``none`` where nothing is recomputed), agrees. A live value from other
    data than the stored one may have another status; only ``n`` runs against ``n`` runs disagree.
    """
    import pandas as pd

    kept = ledger().set_index("id")
    rows = []
    for id, row in _rows().items():
        stored, origin = kept.loc[id], "live"
        try:
            value = recompute(id, folder)
        except (FileNotFoundError, TooLittle):
            origin = "stored"
            value = Value(stored["stored"], stored["half_width"], stored["n"], stored["stderr"])
        if value is None:
            origin = "none"
        found = status(row, value)
        same = value is None or value.n == stored["n"] or pd.isna(stored["n"])
        rtol = 0.01 if "embedded" in row["source"] else 1e-3
        close = value is None or np.isclose(value.value, stored["stored"], rtol=rtol, atol=1e-9)
        agrees = not same or bool(found == row["status"] and close)
        number, n = (np.nan, None) if value is None else (value.value, value.n)
        rows.append((id, row["published"], number, n, row["status"], found, origin, agrees))
    columns = ["id", "published", "value", "n", "stated", "found", "origin", "agrees"]
    return pd.DataFrame(rows, columns=columns)


def store(folder: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Recompute all claims, write ``data/paper/recomputed.yaml``, return the status of each."""
    import platform

    import scipy
    import yaml

    found = {id: recompute(id, folder) for id in _rows()}
    values = {
        id: {k: v for k, v in asdict(value).items() if v} | {"value": float(value.value)}
        for id, value in found.items()
        if value is not None
    }
    made = {
        "command": 'python -c "from sgpa_core.companion import claims; claims.store()"',
        "versions": {"python": platform.python_version(), "numpy": np.__version__}
        | {"scipy": scipy.__version__},
        "data": "a third of the published recordings, runs and games, split by utterance",
    }
    text = yaml.safe_dump({"made": made, "values": values}, sort_keys=False)
    (PAPER / "recomputed.yaml").write_text(text, encoding="utf-8")
    read.cache_clear()
    return {id: status(_rows()[id], value) for id, value in found.items()}
