"""Faithfulness of the authors' own attributions, on their complete games of two large models."""

from typing import Any

import numpy as np
import pandas as pd

from ..faithfulness import drops, infidelity, rank_correlation, skill, top_against_others
from ..game import TableGame
from ..shapley.exact import shapley_of_table
from .recorded import GAME

#: Conditions over the same LibriSpeech recordings: silence, noise, cut out, Stage 3 off.
SAME_PROMPTS = ("original", "mask_noise", "mask_concat", "stage3off")


def measures(
    games: pd.DataFrame, players: pd.DataFrame, utility: str = "embedding"
) -> pd.DataFrame:
    """Return how faithful the exact values of each game are, one row per game.

    Parameters
    ----------
    games, players : pandas.DataFrame
        As from `recorded.games` and `recorded.players`.
    utility : {"embedding", "tfidf"}

    Returns
    -------
    pandas.DataFrame
        model, condition, sample, players; top and others (drop by the word of the largest |value|,
        mean drop by the others); spearman and kendall (values and single drops); values, alone,
        duration (`faithfulness.skill` by deletion of words ranked by value, by single drop, by
        duration; NaN where the durations are not known); unexplained (`faithfulness.infidelity`
        over that of values of zero).
    """
    durations = _durations(players)
    rows = []
    for row in games.to_dict("records"):
        key = tuple(row[name] for name in GAME)
        game = TableGame(row[utility])
        values, alone = _values(game), drops(game)
        ranks = [rank_correlation(values, alone, kind) for kind in ("spearman", "kendall")]
        skills = [skill(game, ranking) for ranking in (values, alone)]
        skills.append(skill(game, durations[key]) if key in durations else np.nan)
        unexplained = infidelity(game, values) / (infidelity(game, np.zeros(game.n)) or np.nan)
        drop = top_against_others(values, alone)
        rows.append([*key, game.n, *drop, *ranks, *skills, unexplained])
    columns = ["players", "top", "others", "spearman", "kendall", "values", "alone", "duration"]
    return pd.DataFrame(rows, columns=[*GAME, *columns, "unexplained"])


def crossed(games: pd.DataFrame, players: pd.DataFrame, utility: str = "embedding") -> pd.DataFrame:
    """Return how values of one condition do in the game of another, over the same recording.

    Recordings that have all of `SAME_PROMPTS`, with the same number of words in each.

    Returns
    -------
    pandas.DataFrame
        model, sample; values (a condition, or ``"duration"``) and tested (a condition); skill (by
        deletion), top and others (drops in the game that tests).
    """
    durations = _durations(players)
    rows = []
    same = games[games["condition"].isin(SAME_PROMPTS)]
    for (model, sample), prompts in same.groupby(["model", "sample"]):
        if len(prompts) < len(SAME_PROMPTS) or prompts["players"].nunique() > 1:
            continue
        tables = prompts.set_index("condition")[utility].map(TableGame)
        scores = {condition: _values(game) for condition, game in tables.items()}
        if (key := (model, SAME_PROMPTS[0], sample)) in durations:
            scores["duration"] = durations[key]
        for tested, game in tables.items():
            alone = drops(game)
            for name, score in scores.items():
                top_and_others = top_against_others(score, alone)
                rows.append((model, sample, name, tested, skill(game, score), *top_and_others))
    columns = ["model", "sample", "values", "tested", "skill", "top", "others"]
    return pd.DataFrame(rows, columns=columns)


def _durations(players: pd.DataFrame) -> dict[Any, np.ndarray]:
    """Return the words' durations in s, by game."""
    return {key: words["duration"].to_numpy() for key, words in players.groupby(GAME)}


def _values(game: TableGame) -> np.ndarray:
    """Return exact values, rounded so that equal ones are ties on every machine."""
    return shapley_of_table(game.values).round(9)
