"""Summarise the authors' recorded runs, where they are at hand: ``make results``.

Only what a chapter needs to be readable without them: counts and means by number of players, and
ratios with intervals. Without the runs (`SGPA_REFERENCE`, or ``python -m sgpa_core fetch
recorded``) the stored summaries stay as they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sgpa_core import TableGame, shapley
from sgpa_core.companion import concentration_tests, macro_trend, recorded, reduction
from sgpa_core.companion.pedigree import write_pedigree
from sgpa_core.faithfulness import relative_change
from sgpa_core.shapley.exact import shapley_of_table
from sgpa_core.stats import over_prompts

HERE = Path(__file__).resolve().parent
PLAYERS, BUDGETS = 7, (14, 26, 50, 74, 98, 126)
METHODS = ("cc-neyman-published", "cc-neyman", "permutation", "kernel", "surrogate")
SYNTHETIC = ("female", "male", "ttsorig")
"""Conditions over the same prompts of VoiceBench; all others are over LibriSpeech."""


def estimators(games: pd.DataFrame) -> pd.DataFrame:
    """Return the error Σ|φ̂ − φ| / Σ|φ| by method and budget, on complete games of 7 words.

    Mean over prompts with interval: models, voices and maskings of a prompt are averaged. `inside`
    is the share of players whose exact value lies in the estimate's 95 % interval.
    """
    games = games[games["players"] == PLAYERS]
    sets = np.where(games["condition"].isin(SYNTHETIC), "VoiceBench-", "LibriSpeech-")
    prompts, rows = sets + games["sample"].astype(str), []
    for method in METHODS:
        for budget in BUDGETS:
            errors, inside = [], []
            for table in games["tfidf"]:
                exact = shapley_of_table(table)
                found = shapley.estimate(TableGame(table), method, budget)
                low, high = found.interval()
                errors.append(relative_change(exact, found.values))
                inside.append(np.mean((low <= exact) & (exact <= high)))
            held = np.nan if found.stderr is None else np.mean(inside)
            mean = over_prompts(errors, prompts)
            rows.append((method, budget, mean.mean, mean.low, mean.high, mean.n, len(games), held))
    names = ["method", "budget", "error", "low", "high", "prompts", "games", "inside"]
    return pd.DataFrame(rows, columns=names)


def main() -> None:
    if not recorded.available():
        print("the recorded runs are not here; the stored summaries stay as they are")
        return
    runs = recorded.runs()
    reduction.against_law(runs).round(6).to_csv(HERE / "law.csv", index=False)
    reduction.reductions(runs).round(6).to_csv(HERE / "reductions.csv", index=False)
    counts = runs.groupby(["condition", "regime", "players"]).size().rename("runs").reset_index()
    counts.to_csv(HERE / "players.csv", index=False)
    concentration_tests.compare(runs).round(6).to_csv(HERE / "concentration.csv", index=False)
    macro_trend.recorded_profiles(runs).round(6).to_csv(HERE / "profiles.csv", index=False)
    estimators(recorded.games()).round(6).to_csv(HERE / "estimators.csv", index=False)
    left_out = recorded.problems(runs)
    write_pedigree(
        HERE,
        0,
        runs=len(runs),
        left_out=int(left_out["left_out"].sum()),
        flagged=int((~left_out["left_out"]).sum()),
        source="github.com/Pawlo77/MLLM-Shap, commit 2a16b94 (Apache-2.0), or a part of it",
    )


if __name__ == "__main__":
    main()
