"""Measure how faithful the authors' attributions of two large models are: ``make results``.

One row per complete game, and one per pair of conditions over the same recording. Without the
games (`SGPA_REFERENCE`, or ``python -m sgpa_core fetch recorded``) the stored rows stay.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import pandas as pd
import pedigree

from sgpa_core.companion import (
    recorded,
    recorded_games,
)


def main() -> None:
    began = time.time()
    if not recorded.available():
        print("the recorded games are not here; the stored measures stay as they are")
        return
    tables, words = recorded.games(), recorded.players()
    recorded_games.measures(tables, words).round(8).to_csv(HERE / "measures.csv", index=False)
    crossed = {name: recorded_games.crossed(tables, words, name) for name in ("embedding", "tfidf")}
    rows = pd.concat(crossed, names=["utility"]).reset_index("utility")
    rows.round(8).to_csv(HERE / "crossed.csv", index=False)
    pedigree.write(
        HERE,
        began,
        None,
        games=len(tables),
        left_out=int(recorded.problems(tables)["left_out"].sum()),
        utility="embedding; crossed.csv also tfidf",
        source="github.com/Pawlo77/MLLM-Shap, branch feature/aaai (Apache-2.0), or a part of it",
    )


if __name__ == "__main__":
    main()
