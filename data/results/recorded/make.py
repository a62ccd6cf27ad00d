"""Summarise the authors' recorded runs, where they are at hand: ``make results``.

Only what a chapter needs to be readable without them: counts and means by number of players, and
ratios with intervals. Without the runs (`SGPA_REFERENCE`, or ``python -m sgpa_core fetch
recorded``) the stored summaries stay as they are.
"""

from __future__ import annotations

from pathlib import Path

from sgpa_core.companion import concentration_tests, macro_trend, recorded, reduction
from sgpa_core.companion.pedigree import write_pedigree

HERE = Path(__file__).resolve().parent


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
