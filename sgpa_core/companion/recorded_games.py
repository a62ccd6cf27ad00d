"""Faithfulness of the authors' own attributions, on their complete games of two large models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import faithfulness
from ..game import TableGame
from ..shapley.exact import shapley_of_table
from .recorded import GAME

if TYPE_CHECKING:
    import pandas as pd

SAME_PROMPTS = ("original", "mask_noise", "mask_concat", "stage3off")
"""Conditions over the same LibriSpeech recordings: silence, noise, cut out, Stage 3 off."""


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
    import pandas as pd

    durations = {key: words["duration"].to_numpy() for key, words in players.groupby(GAME)}
    rows = []
    for row in games.to_dict("records"):
        key = tuple(row[name] for name in GAME)
        game = TableGame(row[utility])
        values, drops = _values(game), faithfulness.drops(game)
        top, others = faithfulness.top_against_others(values, drops)
        nothing = faithfulness.infidelity(game, np.zeros(game.n))
        seconds = durations.get(key)
        rows.append(
            {
                **dict(zip(GAME, key, strict=True)),
                "players": game.n,
                "top": top,
                "others": others,
                "spearman": faithfulness.rank_correlation(values, drops),
                "kendall": faithfulness.rank_correlation(values, drops, "kendall"),
                "values": faithfulness.skill(game, values),
                "alone": faithfulness.skill(game, drops),
                "duration": np.nan if seconds is None else faithfulness.skill(game, seconds),
                "unexplained": faithfulness.infidelity(game, values) / nothing
                if nothing
                else np.nan,
            }
        )
    return pd.DataFrame(rows)


def crossed(games: pd.DataFrame, players: pd.DataFrame, utility: str = "embedding") -> pd.DataFrame:
    """Return how values of one condition do in the game of another, over the same recording.

    Recordings that have all of `SAME_PROMPTS`, with the same number of words in each.

    Returns
    -------
    pandas.DataFrame
        model, sample; values (a condition, or ``"duration"``) and tested (a condition); skill (by
        deletion), top and others (drops in the game that tests).
    """
    import pandas as pd

    durations = {key: words["duration"].to_numpy() for key, words in players.groupby(GAME)}
    rows = []
    chosen = games[games["condition"].isin(SAME_PROMPTS)]
    for (model, sample), of_one in chosen.groupby(["model", "sample"]):
        if len(of_one) < len(SAME_PROMPTS) or of_one["players"].nunique() > 1:
            continue
        played = {row["condition"]: TableGame(row[utility]) for row in of_one.to_dict("records")}
        scores = {name: _values(game) for name, game in played.items()}
        if (model, SAME_PROMPTS[0], sample) in durations:
            scores["duration"] = durations[model, SAME_PROMPTS[0], sample]
        for tested, game in played.items():
            drops = faithfulness.drops(game)
            for name, by in scores.items():
                skill = faithfulness.skill(game, by)
                against = faithfulness.top_against_others(by, drops)
                rows.append((model, sample, name, tested, skill, *against))
    columns = ["model", "sample", "values", "tested", "skill", "top", "others"]
    return pd.DataFrame(rows, columns=columns)


def _values(game: TableGame) -> np.ndarray:
    """Return exact values, rounded so that equal ones are ties on every machine."""
    return shapley_of_table(game.values).round(9)
