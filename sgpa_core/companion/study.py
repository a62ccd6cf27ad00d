"""What a reproduction measured, beside what the paper printed: cost, concentration, a report."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from inspect import getdoc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..files import write_text
from .concentration_tests import corrected, p_text, paired_tests
from .paper import published

#: The regime that others are held against.
BASE = "words"

METRICS = ("Gini", "H/√n", "H/log n", "top-20 %")
#: Names of the metrics in published.yaml, and here.
PRINTED = {"gini": "Gini", "entropy": "entropy", "top20": "top-20 %"}

#: Entries of a row, and their names in the schema of `recorded.runs`.
RUN = {"voice": "condition", "id": "row", "counter": "n_calls", "values": "attribution"}
COLUMNS = [
    "condition", "regime", "row", "players", "n_calls", "evaluations", "distinct", "calls",
    "seconds", "resumed", "attribution",
]  # fmt: skip

COST_NAMES = {"n_calls": "counter", "calls": "model calls", "n_calls ratio": "counter ratio"}
COST = [
    "source", "condition", "regime", "n", "players", "counter", "evaluations", "distinct",
    "model calls", "seconds", "timed", "counter ratio", "evaluations ratio", "seconds ratio",
]  # fmt: skip
CONCENTRATION = (
    "source", "condition", "against", "metric", "pairs", "left out", "words", "other", "d_z",
    "low", "high", "t", "p", "corrected p",
)  # fmt: skip
VERSIONS = {"v1": "paper, v1", "revised": "paper, revised"}


@dataclass(frozen=True, eq=False)
class Study:
    """The outcome of :func:`sgpa_core.companion.reproduce.reproduce`.

    Attributes
    ----------
    rows : list of dict
        One explanation each: id, voice, regime, status ("done", "failed" with its reason, "begun"),
        and what was measured.
    record : dict
        settings, left_out (of the corpus) and runs: command, versions, machine, times.
    folder : Path
    """

    rows: list[dict[str, Any]] = field(repr=False)
    record: dict[str, Any] = field(repr=False)
    folder: Path

    @property
    def runs(self) -> pd.DataFrame:
        """The explanations that succeeded, in the schema of `recorded.runs`, one row each.

        Columns: condition (the voice), regime, row (the utterance), players, n_calls (the counter
        that the published code would record), evaluations, distinct, calls (of the model), seconds,
        resumed (not in one go), attribution (players,).
        """
        done = [row for row in self.rows if row["status"] == "done"]
        runs = pd.DataFrame(done).rename(columns=RUN).reindex(columns=COLUMNS)
        runs = runs.astype({"n_calls": float, "resumed": bool})
        return runs.assign(players=runs["players"].map(len))

    @property
    def source(self) -> str:
        """How tables call what was measured here."""
        return f"measured, {self.record['settings']['model']}"

    def cost(self) -> pd.DataFrame:
        """Return means by condition and regime, then what the paper printed.

        n: explanations; from players on: means. counter: what the published code records as its
        number of calls, the evaluations of its last phase only; evaluations: utilities asked for,
        repeats included; distinct: different coalitions among them; model calls: recordings handed
        to the model. Model calls and seconds are of the explanations that ran in one go (timed).
        Ratios are of means, over the utterances that have both regimes.
        """
        rows: list[dict[str, Any]] = []
        for condition, part in self.runs.groupby("condition", sort=False):
            regimes = dict(list(part.set_index("row").groupby("regime", sort=False)))
            for regime, runs in regimes.items():
                timed = runs[~runs["resumed"]]
                row = {"source": self.source, "condition": condition, "regime": regime}
                row |= {"n": len(runs), "timed": len(timed)}
                row |= runs[["players", "n_calls", "evaluations", "distinct"]].mean().to_dict()
                row |= timed[["calls", "seconds"]].mean().to_dict()
                if regime != BASE and BASE in regimes:
                    row |= _ratios(runs, regimes[BASE])
                rows.append(row)
        for source, entry in _printed("cost"):
            row = {"source": source, "condition": entry["mode"], "regime": "native"}
            row |= {"n_calls": entry["calls"], "seconds": entry["seconds"]}
            if entry["sgpa"]:
                row["regime"], words = BASE, row
            else:
                row |= {f"{name} ratio": row[name] / words[name] for name in ("n_calls", "seconds")}
            rows.append(row)
        return pd.DataFrame(rows).rename(columns=COST_NAMES).reindex(columns=COST)

    def concentration(self) -> pd.DataFrame:
        """Return paired differences between regimes, then what the paper printed.

        Of the shares |φ| / Σ|φ| of raw values, an utterance's two regimes being a pair; words and
        other: means; d_z: mean / sd of words minus other, with its 95 % interval; t, p: paired
        t-test, not corrected; corrected p: Bonferroni, over the tests measured here. Left out:
        pairs in which all values are 0 or, for log n, with a single player. The paper prints one
        entropy.
        """
        runs, rows = self.runs, []
        for regime in runs.loc[runs["regime"] != BASE, "regime"].unique():
            tests = paired_tests(runs, METRICS, regimes=(BASE, regime))
            tests = tests.rename(columns={"first": "words", "second": "other"})
            rows += tests.assign(source=self.source, against=regime).to_dict("records")
        rows = [row | {"corrected p": corrected(row["p"], len(rows))} for row in rows]
        for source, entry in _printed("concentration"):
            row = {name: entry[name] for name in ("d_z", "p")}
            row |= {"source": source, "condition": entry["mode"], "against": "native"}
            rows.append(row | {"metric": PRINTED[entry["metric"]]})
        return pd.DataFrame(rows, columns=CONCENTRATION)

    def report(self) -> str:
        """Return both tables and where they come from, as Markdown."""
        settings, left_out = self.record["settings"], self.record["left_out"]
        run = self.record["runs"][-1]
        failed = [row for row in self.rows if row["status"] == "failed"]
        dropped = len(left_out["rows"]) + sum(left_out["curation"].values())
        versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
        tests = self.concentration()
        for name in ("p", "corrected p"):  # those of the paper are as printed
            tests[name] = [p_text(p, ".3g") if isinstance(p, float) else p for p in tests[name]]
        lines = [
            f"# {settings['model']} on {settings['corpus']}",
            f"{len(self.runs)} of {settings['utterances'] * len(settings['regimes'])} explanations "
            f"done, {len(failed)} failed; {dropped} utterances of the corpus left out. "
            f"{settings['method']}, budget {settings['budget']}, seed {settings['seed']}, utility "
            f"{settings['utility']}, masking {settings['masking']}, aligner {settings['aligner']}; "
            f"corpus at {settings['revision']}.",
            f'Rows of "{self.source}" were measured here, with that model; the paper\'s are as '
            "printed, with LFM2-Audio-1.5B on its own corpora.",
            "## Cost",
            _markdown(self.cost()),
            _about(Study.cost),
            "## Concentration",
            _markdown(tests),
            _about(Study.concentration),
            "## Failed" if failed else "",
            "\n".join(f"- {row['id']}, {row['regime']}: {row['reason']}" for row in failed),
            "## Where this comes from",
            f"`{run['command']}`, {run['began']}; {run['machine']}; {versions}. "
            f"Sessions: {len(self.record['runs'])}.",
        ]
        return "\n\n".join(line for line in lines if line) + "\n"

    def write(self) -> str:
        """Write report.md, cost.csv and concentration.csv; return the report."""
        text = self.report()
        write_text(self.folder / "report.md", text)
        for name, table in (("cost", self.cost()), ("concentration", self.concentration())):
            write_text(self.folder / f"{name}.csv", table.to_csv(index=False))
        return text


def _about(table: Callable[..., Any]) -> str:
    """Return what the documentation of a table says of its columns, in one line."""
    return " ".join((getdoc(table) or "").partition("\n\n")[2].split())


def _ratios(runs: pd.DataFrame, words: pd.DataFrame) -> dict[str, float]:
    """Return the ratios of means, over the utterances that have both regimes."""
    both = runs.join(words.add_suffix(" of words"), how="inner")
    fresh = both[~(both["resumed"] | both["resumed of words"])]
    ratios = {}
    for name, rows in (("n_calls", both), ("evaluations", both), ("seconds", fresh)):
        base = rows[f"{name} of words"].mean()
        ratios[f"{name} ratio"] = rows[name].mean() / base if base > 0 else np.nan
    return ratios


def _printed(table: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of a table of the paper, in both versions, by condition, words first."""
    for version, source in VERSIONS.items():
        rows = [{"mode": row.get("condition"), **row} for row in published(f"{version}.{table}")]
        modes = [row["mode"] for row in rows]
        yield from ((source, row) for row in sorted(rows, key=lambda r: modes.index(r["mode"])))


def _markdown(table: pd.DataFrame) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, str):
            return value
        if pd.isna(value):
            return "–"
        size = abs(value)
        places = ".0f" if not value % 1 else ".1f" if size >= 100 else ".2f" if size >= 1 else ".3g"
        return format(value, places)

    lines = [table.columns, ["---"] * table.shape[1], *table.map(cell).to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
