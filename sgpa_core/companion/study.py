"""What a reproduction found, beside what the paper printed: cost, concentration, a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import stats
from ..concentration import measure
from ..data import DATA
from ..files import write_text

if TYPE_CHECKING:
    import pandas as pd

BASE = "words"
"""The regime that others are held against."""

METRICS = ("Gini", "H/√n", "H/log n", "top-20 %")
PRINTED = {"gini": "Gini", "entropy": "entropy", "top20": "top-20 %"}
"""Names of the metrics in published.yaml, and here."""

COST = (
    "source", "condition", "regime", "n", "players", "counter", "evaluations", "distinct",
    "model calls", "seconds", "timed", "counter ratio", "evaluations ratio", "seconds ratio",
)  # fmt: skip
CONCENTRATION = (
    "source", "condition", "against", "metric", "pairs", "left out", "words", "other", "d_z", "t",
    "p",
)  # fmt: skip
VERSIONS = {"v1": "paper, v1", "revised": "paper, revised"}

COST_NOTE = (
    "n: explanations; from players on: means. counter: what the published code records as its "
    "number of calls, the evaluations of its last phase only; evaluations: utilities asked for, "
    "repeats included; distinct: different coalitions among them; model calls: recordings handed "
    "to the model. Model calls and seconds are of the explanations that ran in one go (timed). "
    "Ratios are of means, over the utterances that have both regimes."
)
CONCENTRATION_NOTE = (
    "Of the shares |φ| / Σ|φ| of raw values, an utterance's two regimes being a pair; words and "
    "other: means; d_z: mean / sd of words minus other; t, p: paired t-test, not corrected. Left "
    "out: pairs in which all values are 0 or, for log n, with a single player. The paper prints "
    "one entropy."
)


@dataclass(frozen=True, eq=False)
class Study:
    """The outcome of :func:`sgpa_core.companion.reproduce.reproduce`.

    Attributes
    ----------
    rows : list of dict
        One explanation each: id, voice, regime, status ("done", "failed" with its reason, "begun"),
        and what was found.
    record : dict
        settings, left_out (of the corpus) and runs: command, versions, machine, times.
    folder : Path
    """

    rows: list[dict[str, Any]] = field(repr=False)
    record: dict[str, Any] = field(repr=False)
    folder: Path

    @property
    def done(self) -> pd.DataFrame:
        """The explanations that succeeded, one row each."""
        import pandas as pd

        return pd.DataFrame([row for row in self.rows if row["status"] == "done"])

    @property
    def source(self) -> str:
        """How tables call what was measured here."""
        return f"measured, {self.record['settings']['model']}"

    def cost(self) -> pd.DataFrame:
        """Return means by condition and regime, then what the paper printed; see `COST_NOTE`."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for voice, regimes in self._regimes():
            for regime, part in regimes.items():
                timed = part[~part["resumed"]]
                rows.append(
                    {
                        "source": self.source,
                        "condition": voice,
                        "regime": regime,
                        "n": len(part),
                        "players": part["players"].map(len).mean(),
                        **{
                            name: part[name].mean()
                            for name in ("counter", "evaluations", "distinct")
                        },
                        "model calls": timed["calls"].mean(),
                        "seconds": timed["seconds"].mean(),
                        "timed": len(timed),
                    }
                )
                if regime != BASE and BASE in regimes:
                    both = part.join(regimes[BASE].add_suffix(" words"), how="inner")
                    fresh = both[~(both["resumed"] | both["resumed words"])]
                    rows[-1]["counter ratio"] = _ratio(both, "counter")
                    rows[-1]["evaluations ratio"] = _ratio(both, "evaluations")
                    rows[-1]["seconds ratio"] = _ratio(fresh, "seconds")
        for source, entry, entries in _printed("cost"):
            base = next(e for e in entries if e["sgpa"] and e["mode"] == entry["mode"])
            row = {"source": source, "condition": entry["mode"], "regime": BASE}
            row |= {"counter": entry["calls"], "seconds": entry["seconds"]}
            if entry is not base:
                row["regime"] = "native"
                row["counter ratio"] = entry["calls"] / base["calls"]
                row["seconds ratio"] = entry["seconds"] / base["seconds"]
            rows.append(row)
        return pd.DataFrame(rows, columns=COST)

    def concentration(self) -> pd.DataFrame:
        """Return paired differences between regimes, then the paper's; see `CONCENTRATION_NOTE`."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for voice, regimes in self._regimes():
            for regime, part in regimes.items():
                if regime == BASE or BASE not in regimes:
                    continue
                both = part.join(regimes[BASE].add_suffix(" words"), how="inner")
                for metric in METRICS:
                    pair = [measure(metric, both[c]) for c in ("values words", "values")]
                    row = {"source": self.source, "condition": voice, "metric": metric}
                    rows.append(row | {"against": regime} | paired(*pair))
        for source, entry, _ in _printed("concentration"):
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
        lines = [
            f"# {settings['model']} on {settings['corpus']}",
            f"{len(self.done)} of {settings['utterances'] * len(settings['regimes'])} explanations "
            f"done, {len(failed)} failed; {dropped} utterances of the corpus left out. "
            f"{settings['method']}, budget {settings['budget']}, seed {settings['seed']}, utility "
            f"{settings['utility']}, masking {settings['masking']}, aligner {settings['aligner']}; "
            f"corpus at {settings['revision']}.",
            f'Rows of "{self.source}" were measured here, with that model; the paper\'s are as '
            "printed, with LFM2-Audio-1.5B on its own corpora.",
            "## Cost",
            _markdown(self.cost()),
            COST_NOTE,
            "## Concentration",
            _markdown(self.concentration()),
            CONCENTRATION_NOTE,
            *["## Failed"] * bool(failed),
            "\n".join(f"- {row['id']}, {row['regime']}: {row['reason']}" for row in failed),
            "## Where this comes from",
            f"`{run['command']}`, {run['began']}; {run['machine']}; "
            + ", ".join(f"{name} {number}" for name, number in run["versions"].items())
            + f". Sessions: {len(self.record['runs'])}.",
        ]
        return "\n\n".join(line for line in lines if line) + "\n"

    def write(self) -> str:
        """Write report.md, cost.csv and concentration.csv; return the report."""
        text = self.report()
        write_text(self.folder / "report.md", text)
        for name, table in (("cost", self.cost()), ("concentration", self.concentration())):
            write_text(self.folder / f"{name}.csv", table.to_csv(index=False))
        return text

    def _regimes(self) -> Iterator[tuple[str, dict[str, pd.DataFrame]]]:
        """Yield each condition with its explanations by regime, indexed by utterance."""
        if len(self.done):
            for voice, part in self.done.groupby("voice", sort=False):
                groups = part.set_index("id").groupby("regime", sort=False)
                yield str(voice), {str(regime): group for regime, group in groups}


def paired(words: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Return means, d_z, t and p of paired values, without the pairs that lack one.

    Examples
    --------
    >>> found = paired(np.array([1.0, 2.0, 4.0, np.nan]), np.array([0.0, 0.0, 3.0, 1.0]))
    >>> found["pairs"], found["left out"], round(found["d_z"], 3), round(found["p"], 3)
    (3, 1, 2.309, 0.057)
    """
    there = np.isfinite(words) & np.isfinite(other)
    words, other = words[there], other[there]
    found: dict[str, float] = {"pairs": len(words), "left out": int((~there).sum())}
    if len(words):
        found |= {"words": words.mean(), "other": other.mean()}
    if len(words) > 1 and (test := stats.paired(words, other)).sd > 0:
        found |= {"d_z": test.d, "t": test.t, "p": test.p}
    return found


def _ratio(both: pd.DataFrame, column: str) -> float:
    base = both[f"{column} words"].mean()
    return both[column].mean() / base if base > 0 else np.nan


def _printed(table: str) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Yield the rows of a table of the paper, in both versions, each with all of its table."""
    import yaml

    paper = yaml.safe_load((DATA / "paper" / "published.yaml").read_text(encoding="utf-8"))
    for version, source in VERSIONS.items():
        entries = [{"mode": entry.get("condition"), **entry} for entry in paper[version][table]]
        modes = [entry["mode"] for entry in entries]
        order = sorted(range(len(entries)), key=[modes.index(mode) for mode in modes].__getitem__)
        entries = [entries[index] for index in order]
        yield from ((source, entry, entries) for entry in entries)


def _markdown(table: pd.DataFrame) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, str):
            return value
        if value is None or value != value:
            return "–"
        size = abs(value)
        places = ".0f" if not value % 1 else ".1f" if size >= 100 else ".2f" if size >= 1 else ".3g"
        return format(value, places)

    lines = [list(table.columns), ["---"] * table.shape[1]]
    lines += [[cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
