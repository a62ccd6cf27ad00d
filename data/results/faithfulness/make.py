"""Measure how faithful the authors' attributions of two large models are: ``make results``.

One row for each two maskings of the same recording: values of one, tested in the game of the other.
Without the games (`SGPA_REFERENCE`, or ``python -m sgpa_core fetch recorded``) these rows stay.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sgpa_core.companion import recorded, recorded_games
from sgpa_core.companion.pedigree import write_pedigree

HERE = Path(__file__).resolve().parent


def main() -> None:
    if not recorded.available():
        print("the recorded games are not here; the stored rows stay as they are")
        return
    tables, words = recorded.games(), recorded.players()
    crossed = {name: recorded_games.crossed(tables, words, name) for name in ("tfidf", "embedding")}
    rows = pd.concat(crossed, names=["utility"]).reset_index("utility")
    rows.round(8).to_csv(HERE / "crossed.csv", index=False)
    write_pedigree(
        HERE,
        None,
        games=len(tables),
        left_out=int(recorded.problems(tables)["left_out"].sum()),
        utility="tfidf, embedding",
        source="github.com/Pawlo77/MLLM-Shap, branch feature/aaai (Apache-2.0), or a part of it",
    )


if __name__ == "__main__":
    main()
