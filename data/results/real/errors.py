"""Measure what error estimators leave on the assistant's words: ``make results-assistant``.

Every coalition of tables.jsonl is answered, so the values are known exactly, and any estimator can
be run with any budget. One line of errors.csv for each prompt, estimator and budget: the error
Σ|φ̂ − φ| / Σ|φ| and the model calls, averaged over seeds and voices. As in `sgpa_core.cost.plan`, a
repeated coalition costs no call, but with the published estimator. The small answerer's errors are
in data/results/accuracy. Runs after make.py, in some minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from measures import PUBLISHED, SEEDS, Game, of_assistant

import sgpa_core as sgpa
from sgpa_core import faithfulness
from sgpa_core.shapley.attribution import parse_budget
from sgpa_core.shapley.estimate import METHODS, estimate

BUDGETS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, "3n^2", 256, 384)
COLUMNS = ["prompt", "players", "method", "evaluations", "calls", "error"]


def errors(game: Game) -> Iterator[tuple[int, str, int, float, float]]:
    """Yield players, estimator, budget, mean calls and mean error over seeds."""
    table, exact = sgpa.TableGame(game.utilities["tfidf"]), game.values()
    n = table.n
    budgets = sorted({parse_budget(budget, n) for budget in BUDGETS})
    for method in METHODS:
        for budget in (b for b in budgets if METHODS[method][1](n) <= b < 2**n):
            runs = [estimate(table, method, budget, seed) for seed in SEEDS]
            calls = [r.evaluations if method == PUBLISHED else r.distinct for r in runs]
            wrong = [faithfulness.relative_change(exact, r.values) for r in runs]
            yield n, method, budget, float(np.mean(calls)), float(np.mean(wrong))


def main() -> None:
    games, _ = of_assistant()
    rows = [
        (game.prompt, *line)
        for game in tqdm(games["words", "silence"].values())
        if game.values().any()
        for line in errors(game)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS).groupby(COLUMNS[:4], as_index=False).mean()
    table.round({"calls": 1, "error": 4}).to_csv(HERE / "errors.csv", index=False)


if __name__ == "__main__":
    main()
