"""Why an attribution concentrates, beside questions 2 to 2d of PLAN.md: ``make results-assistant``.

Exploratory. The steps from frames to words by three other Gini coefficients: the unbiased one,
whose range is the same for any number of players; that of the pieces with speech, without the
silence before the first word and after the last; that of values which are min-max scaled, as the
authors stored theirs. What the pieces without speech hold, and how far the length of a piece goes
with its |φ|. What the published estimator makes of the Gini coefficient of the very same words. One
row of pieces.csv for each model, measure and prompt; voices, cuttings and seeds of a prompt are
averaged. Runs after frames.py and make.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from measures import (
    BUDGET,
    FLAT,
    PUBLISHED,
    SEEDS,
    Frames,
    Game,
    Games,
    Row,
    flat,
    frames_of_answerer,
    frames_of_assistant,
    of_answerer,
    of_assistant,
)

import sgpa_core as sgpa
from sgpa_core import faithfulness
from sgpa_core.concentration import measure, shares
from sgpa_core.shapley.estimate import estimate

CUTS = {"words": "words", "equal": "uniform", "random": "random"}
STEPS = (
    ("words", "frames"), ("equal", "frames"), ("random", "equal"), ("words", "random"),
    ("words", "equal"),
)  # fmt: skip
LITTLE = 0.01
"""The share of |φ| below which a word has no weight."""
SCALES = ("unbiased Gini", "Gini of speech", "scaled Gini")


def levels(cut: str, values: np.ndarray, spans: np.ndarray, words: np.ndarray) -> dict[str, float]:
    """Measure an attribution in three ways, and what its pieces without speech are and hold."""
    spoken = (spans[:, 1] > words[0, 0]) & (spans[:, 0] < words[-1, 1])
    return {
        f"unbiased Gini, {cut}": measure("unbiased Gini", [values])[0],
        f"Gini of speech, {cut}": measure("Gini", [values[spoken]])[0],
        f"scaled Gini, {cut}": measure("Gini", [values], "minmax")[0],
        f"pieces without speech, {cut}": float(1 - spoken.mean()),
        f"mass without speech, {cut}": float(shares(values)[~spoken].sum()),
    }


def of_games(games: Games) -> Iterator[Row]:
    """Yield the measures of words and of as many other pieces."""
    of_words = games["words", "silence"]
    for (regime, masking), by_id in games.items():
        cut = next((cut for cut, begins in CUTS.items() if regime.startswith(begins)), "")
        for id in by_id.keys() & of_words.keys() if cut and masking == "silence" else ():
            game = by_id[id]
            if not flat(game):
                measured = levels(cut, game.values(), game.spans, of_words[id].spans)
                measured |= lengths(cut, game) | (as_published(game) if cut == "words" else {})
                yield from ((name, game.prompt, value) for name, value in measured.items())


def lengths(cut: str, game: Game) -> dict[str, float]:
    """Measure how uneven pieces are, and whether the long ones are worth more."""
    length, size = np.diff(game.spans)[:, 0], np.abs(game.values())
    measured = {f"Gini of lengths, {cut}": measure("Gini", [length])[0]}
    if cut != "equal" and min(np.ptp(length), np.ptp(size)) > FLAT:
        measured[f"ρ of length and size, {cut}"] = faithfulness.rank_correlation(length, size)
    return measured


def as_published(game: Game) -> dict[str, float]:
    """Measure words by exact values, and by those of the published estimator at its budget."""
    table = sgpa.TableGame(game.utilities["tfidf"])
    runs = [estimate(table, PUBLISHED, BUDGET, seed).values for seed in SEEDS]
    exact, published = measure("Gini", [game.values()])[0], measure("Gini", runs).mean()
    measured = {"Gini, words, exact": exact, "Gini, words, as published": published}
    measured["words of no weight"] = float((shares(game.values()) < LITTLE).mean())
    return measured | {"Gini, words, as published − exact": published - exact}


def of_frames(frames: list[Frames]) -> Iterator[Row]:
    """Yield the measures of frames."""
    for f in frames:
        measured = levels("frames", f.values, f.spans, f.words)
        for scale, form in (("Gini", "absolute"), ("scaled Gini", "minmax")):
            words, native = measure("Gini", [f.of_words[0].values, f.published], form)
            measured[f"{scale}, words − frames, both as published"] = words - native
        yield from ((name, f.prompt, value) for name, value in measured.items())


def main() -> None:
    assistant, answerer = of_assistant()[0], of_answerer()[0]
    models = {
        "assistant": (assistant, frames_of_assistant(assistant, "answer")),
        "answerer": (answerer, frames_of_answerer(answerer)),
    }
    rows = [
        (model, *row)
        for model, (games, frames) in models.items()
        for row in (*of_games(games), *of_frames(frames))
    ]
    table = pd.DataFrame(rows, columns=["model", "measure", "prompt", "value"]).dropna()
    wide = table.pivot_table(index=["model", "prompt"], columns="measure", values="value")
    for scale in SCALES:
        for more, less in STEPS:
            both = [wide.get(f"{scale}, {cut}", np.nan) for cut in (more, less)]
            wide[f"{scale}, {more} − {less}"] = both[0] - both[1]
    stored = wide.stack().rename("value").dropna().round(6).reset_index()
    stored[["model", "measure", "prompt", "value"]].to_csv(HERE / "pieces.csv", index=False)


if __name__ == "__main__":
    main()
