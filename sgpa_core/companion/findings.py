"""What is found on models that run here: the questions of ``data/results/PLAN.md``, answered.

``data/results/questions.yaml`` names for each its measure and smallest effect of interest, and
``real/measures.csv`` has the measured values by prompt: of the small answerer, of the assistant,
and of its recogniser's transcripts alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ..files import DATA
from ..stats import Estimate, over_prompts
from . import claims
from .paper import published

FOLDER = DATA / "results"
#: Names of the models in measures.csv, and how pages call them.
MODELS = {
    "answerer": "small answerer (toy)",
    "assistant, transcript": "Whisper's transcript",
    "assistant": "assistant's answer",
}
#: Prompts without which nothing is said.
LEAST = 5
MEANS = {"above": "yes", "no effect": "no", "below": "the opposite", "open": "open"}


@dataclass(frozen=True)
class Question:
    """A question, its primary measure, and how large an effect must be to matter.

    Attributes
    ----------
    id, question, paper : str
        Its number in PLAN.md, what is asked, and what the paper says.
    measure, per : str
        A measure of measures.csv; the ratio of its mean to that of another.
    unit : str
    effect : float
        The smallest effect of interest, in that unit.
    factor, of : float
        The same of a ratio: a factor, around a value.
    means : dict of str to str
        What the findings of `stats.Estimate.finding` mean.
    """

    id: str
    question: str
    measure: str
    unit: str
    paper: str
    per: str = ""
    effect: float = 0.0
    factor: float = 0.0
    of: float = 1.0
    means: Any = None

    def answer(self, model: str = "assistant") -> tuple[Estimate | None, str]:
        """Return the estimate for a model, and what it means: None where it was not measured."""
        found = estimate(self.measure, model, self.per)
        if found is None:
            return None, text(None)
        if self.factor:
            mean, low, high = np.log([found.mean, found.low, found.high]).tolist()
            logs = Estimate(mean, low, high, found.n)
            finding = logs.finding(float(np.log(self.factor)), float(np.log(self.of)))
        else:
            finding = found.finding(self.effect)
        return found, (MEANS | (self.means or {}))[finding]


@cache
def questions() -> dict[str, Question]:
    """Return the questions by their numbers."""
    rows = yaml.safe_load((FOLDER / "questions.yaml").read_text("utf-8"))
    return {row["id"]: Question(**row) for row in rows}


@cache
def measures() -> pd.DataFrame:
    """Return all measured values: model, measure, prompt, value."""
    return pd.read_csv(FOLDER / "real" / "measures.csv", dtype={"prompt": str})


@cache
def estimate(measure: str, model: str = "assistant", per: str = "") -> Estimate | None:
    """Estimate a measure over the prompts of a model; None where there are fewer than `LEAST`.

    Parameters
    ----------
    measure : str
        As in `measures`.
    model : str
        One of `MODELS`.
    per : str
        A measure of the same prompts: the ratio of the two means.

    Raises
    ------
    ValueError
        If no model has such a measure, or there is no such model.
    """
    from statsmodels.stats.proportion import proportion_confint

    table, names = measures(), [measure, *filter(None, [per])]
    asked = {name for q in questions().values() for name in (q.measure, q.per)}
    of_all = sorted(asked.union(table["measure"]))
    for name, known in ((model, [*MODELS]), *((name, of_all) for name in names)):
        if name not in known:
            near = get_close_matches(name, known, 5, 0.3) or known[:5]
            raise ValueError(f"nothing was measured of {name!r}; there is {', or '.join(near)}")
    rows = table[(table["model"] == model) & table["measure"].isin(names)]
    wide = rows.pivot(index="prompt", columns="measure", values="value").reindex(columns=names)
    wide = wide.dropna()
    if len(wide) < LEAST:
        return None
    if not per and set(wide[measure]) <= {0.0, 1.0}:  # a share of prompts: Wilson's interval
        yes, n = int(wide[measure].sum()), len(wide)
        low, high = proportion_confint(yes, n, method="wilson")
        return Estimate(yes / n, float(low), float(high), n)
    return over_prompts(wide[measure], wide.index, wide[per] if per else None)


def text(found: Estimate | None, digits: int = 2) -> str:
    """Write an estimate with its interval, and n.

    Examples
    --------
    >>> text(Estimate(0.5, -0.25, 1.0, 12))
    '0.50 (−0.25 to 1.00), n = 12'
    """
    if found is None:
        return "not measured"
    mean, low, high = _written(found, digits)
    return f"{mean} ({low} to {high}), n = {found.n}"


def _written(found: Estimate, digits: int) -> list[str]:
    """Write the mean of an estimate and the ends of its interval."""
    values = (found.mean, found.low, found.high)
    return [f"{value:,.{digits}f}".replace("-", "−") for value in values]


def compare(
    names: Iterable[str], models: Iterable[str] = ("answerer", "assistant"), digits: int = 2
) -> pd.DataFrame:
    """Return measures of several models side by side, as `text`: a row a measure."""
    rows = {
        name: {MODELS[model]: text(estimate(name, model), digits) for model in models}
        for name in names
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("mean over prompts (95 %)")


def answers(ids: Iterable[str] = (), models: Iterable[str] = tuple(MODELS)) -> pd.DataFrame:
    """Return the answers to questions, all by default: a row each, what the paper says beside."""
    rows = []
    for question in [questions()[id] for id in ids or questions()]:
        row = {"question": question.question, "in": question.unit}
        for model in models:
            found, verdict = question.answer(model)
            told = text(found, 1 if question.factor else 2)
            row[MODELS[model]] = f"{told}: {verdict}" if found else told
        rows.append(row | {"paper": question.paper})
    return pd.DataFrame(rows).set_index("question")


@cache
def numbers() -> pd.DataFrame:
    """Return the canonical numbers of the book, by name: claim, said, text, interval, n.

    ``said`` is a pattern that finds the claim in the text of a page, where there is one.
    """
    rows = []
    for row in yaml.safe_load((FOLDER / "numbers.yaml").read_text("utf-8")):
        told = {"text": "not measured", "interval": "", "n": 0}
        if found := _number(row):
            mean, low, high = _written(found, row["digits"])
            told = {"text": mean, "interval": f"{low} to {high}", "n": found.n}
        own = {"name": row["name"], "claim": row["claim"], "said": row.get("said", "")}
        rows.append(own | told)
    return pd.DataFrame(rows).set_index("name")


def _number(row: dict[str, Any]) -> Estimate | None:
    """Compute a canonical number from its source."""
    if "measure" in row:
        return estimate(row["measure"], row.get("model", "assistant"), row.get("per", ""))
    if "boundary" in row:
        of, method = row["boundary"]
        table = pd.read_csv(FOLDER / "boundaries" / "summary.csv", index_col="name")
        value, low, high, n = table.loc[f"{of}-{method}-error", ["value", "low", "high", "n"]]
        return Estimate(value, low, high, int(n))
    if "own words" in row:
        lines = pd.read_json(FOLDER / "tokens" / "words.jsonl", lines=True).explode("words")
        lines = lines.dropna(subset="words")
        own = [100.0 * (distance == 0) for _, distance in lines["words"]]
        return over_prompts(own, lines["id"])
    ledger = claims.ledger().set_index("id")
    if "ledger" in row:
        value, half = ledger.loc[row["ledger"], ["stored", "half_width"]]
        return Estimate(value, value - half, value + half, 0)
    if "class" in row:
        count = len(ledger) if not row["class"] else int((ledger["status"] == row["class"]).sum())
        return Estimate(count, count, count, len(ledger))
    value = published(row["published"])
    return Estimate(value, value, value, 0)


def tell(*names: str) -> None:
    """Glue canonical numbers for a page: ``n-NAME``, interval ``n-NAME-ci`` and ``n-NAME-n``."""
    for name in names:
        row = numbers().loc[name]
        glue("n", {name: row["text"], f"{name}-ci": row["interval"], f"{name}-n": row["n"]})


def glue(prefix: str, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
    """Glue values for the text of a page: each as ``PREFIX-NAME``, an estimate as its `text`.

    Parameters
    ----------
    prefix : str
    values : mapping, optional
        By name.
    **more
        Values by name, with ``_`` for ``-``.
    """
    from myst_nb import glue as keep

    told = dict({} if values is None else values)
    told |= {name.replace("_", "-"): value for name, value in more.items()}
    for name, value in told.items():
        if value is None or isinstance(value, Estimate):
            value = text(value)
        keep(f"{prefix}-{name}", value.item() if isinstance(value, np.generic) else value, False)
