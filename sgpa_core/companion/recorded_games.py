"""Faithfulness of the authors' own attributions, on their complete games of two large models."""

import pandas as pd

from ..faithfulness import drops, skill, top_against_others
from ..game import TableGame
from ..shapley.exact import shapley_of_table
from .recorded import GAME

#: Conditions over the same LibriSpeech recordings, and how they mask.
MASKINGS = {"original": "silence", "mask_noise": "noise", "mask_concat": "cut"}


def crossed(games: pd.DataFrame, players: pd.DataFrame, utility: str = "tfidf") -> pd.DataFrame:
    """Return how values under one masking do in the game of each, over the same recording.

    Recordings that have all of `MASKINGS`, with the same number of words in each.

    Parameters
    ----------
    games, players : pandas.DataFrame
        As from `recorded.games` and `recorded.players`.
    utility : {"embedding", "tfidf"}

    Returns
    -------
    pandas.DataFrame
        model, sample; values (a masking, or ``"duration"`` where words are ranked by it) and
        tested (a masking); skill (by deletion), top and others (drop by the word of the largest
        |value|, mean drop by the others) in the game that tests.
    """
    durations = {key: words["duration"].to_numpy() for key, words in players.groupby(GAME)}
    rows = []
    same = games[games["condition"].isin(MASKINGS)]
    for (model, sample), prompts in same.groupby(["model", "sample"]):
        if len(prompts) < len(MASKINGS) or prompts["players"].nunique() > 1:
            continue
        tables = prompts.set_index("condition")[utility].map(TableGame).rename(MASKINGS)
        scores = {name: shapley_of_table(g.values).round(9) for name, g in tables.items()}
        if (key := (model, "original", sample)) in durations:
            scores["duration"] = durations[key]
        for tested, game in tables.items():
            alone = drops(game)
            for name, score in scores.items():
                two = top_against_others(score, alone)
                rows.append((model, sample, name, tested, skill(game, score), *two))
    columns = ["model", "sample", "values", "tested", "skill", "top", "others"]
    return pd.DataFrame(rows, columns=columns)
