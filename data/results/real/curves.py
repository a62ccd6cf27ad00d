"""Measure how the error falls with evaluations, of words and of frames: ``make results-assistant``.

Beside question 1b of PLAN.md, and exploratory: the plan holds words by the published estimator
against frames by the surrogate; here words have the surrogate too. The error is
Σ|φ̂ − φ| / Σ|φ|. curves.csv has one line for each kind of answer, prompt, curve and budget;
needed.csv the evaluations at which a curve is first no worse than words by the published
estimator, and whether it is at all: where not, its last ones. Runs after frames.py and make.py, in
two minutes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from measures import (
    BUDGET,
    PUBLISHED,
    SEEDS,
    Frames,
    Game,
    frames_of_assistant,
    of_assistant,
    transcript_game,
)

import sgpa_core as sgpa
from sgpa_core import faithfulness
from sgpa_core.shapley.estimate import estimate

SHARES = {"n^2/4": 1 / 4, "n^2/2": 1 / 2, "n^2": 1, "2n^2": 2}
"""Budgets at which our estimator is read on words."""
TARGET = "words, published"
CURVES = {
    "words_surrogate": "words, surrogate",
    "inside": "frames in words, surrogate",
    "each": "frames, surrogate",
}
Point = tuple[str, str, float, float]
"""A curve, a budget, evaluations and the error."""


def of_words(game: Game) -> Iterator[Point]:
    """Errors of both estimators over words, whose values are known exactly: means over seeds."""
    table, exact = sgpa.TableGame(game.utilities["tfidf"]), game.values()
    n = table.n
    wanted: list[tuple[str, str, str | int]] = [(PUBLISHED, BUDGET, BUDGET)]
    for name, share in SHARES.items():
        wanted.append(("surrogate", name, min(2**n, max(2 * n, round(share * n * n)))))
    for method, name, budget in wanted:
        runs = [estimate(table, method, budget, seed) for seed in SEEDS]
        evaluations = float(np.mean([run.evaluations for run in runs]))
        error = float(np.mean([faithfulness.relative_change(exact, run.values) for run in runs]))
        yield TARGET if method == PUBLISHED else "words, surrogate", name, evaluations, error
    yield "words, surrogate", "2^n", 2**n, 0.0


def of_frames(f: Frames) -> Iterator[Point]:
    """Errors of both estimators over frames, each held against the other one's evaluations."""
    ours = [("surrogate", name, f.doubted, *point) for name, point in f.curve.items()]
    theirs = ("published", BUDGET, f.curve["n^2"][1], f.evaluations, f.published)
    for method, name, best, evaluations, values in [theirs, *ours]:
        inside = [faithfulness.onto(v, f.spans, f.words) for v in (best, values)]
        yield f"frames in words, {method}", name, evaluations, faithfulness.relative_change(*inside)
        yield f"frames, {method}", name, evaluations, faithfulness.relative_change(best, values)


def needed(table: pd.DataFrame) -> Iterator[dict]:
    """Find where the curves of a prompt are first no worse than words as published."""
    for (kind, prompt), points in table.groupby(["kind", "prompt"], sort=False):
        (target,) = points[points["curve"] == TARGET].itertuples()
        row = {"kind": kind, "prompt": prompt, "words_published": target.evaluations}
        for name, curve in CURVES.items():
            ours = points[points["curve"] == curve].sort_values("evaluations")
            enough = ours.loc[ours["error"] <= target.error, "evaluations"]
            row[name] = enough.min() if len(enough) else ours["evaluations"].max()
            row[f"{name}_reached"] = len(enough) > 0
        yield row


def main() -> None:
    games, _ = of_assistant()
    lines = map(json.loads, (HERE / "frames.jsonl").read_text("utf-8").splitlines())
    recording = {line["prompt"]: line["id"] for line in lines}
    rows = []
    for kind in ("transcript", "answer"):
        for f in frames_of_assistant(games, kind):
            id = recording[f.prompt]
            words = games["words", "silence"][id]
            words = words if kind == "answer" else transcript_game(id, words)
            if words.values().any():
                rows += [(kind, f.prompt, *point) for point in (*of_words(words), *of_frames(f))]
    columns = ["kind", "prompt", "curve", "budget", "evaluations", "error"]
    table = pd.DataFrame(rows, columns=columns).round(5)
    table.to_csv(HERE / "curves.csv", index=False)
    reached = [name for curve in CURVES for name in (curve, f"{curve}_reached")]
    found = pd.DataFrame(needed(table), columns=["kind", "prompt", "words_published", *reached])
    found.to_csv(HERE / "needed.csv", index=False)


if __name__ == "__main__":
    main()
