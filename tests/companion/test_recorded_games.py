"""Faithfulness of recorded games, on games made up here and on the reference data."""

import numpy as np
import pandas as pd
import pytest

from sgpa_core.companion import recorded, recorded_games
from sgpa_core.shapley.exact import shapley_of_table

SIZES = np.array([bin(mask).count("1") for mask in range(8)])
LAST = (np.arange(8) >> 2 & 1).astype(float)
"""A game of three words that the last one decides alone."""


def made_up(tables):
    rows = [
        {"model": "m", "condition": c, "sample": 7, "players": 3, "embedding": t, "tfidf": t}
        for c, t in tables.items()
    ]
    words = [
        {"model": "m", "condition": c, "sample": 7, "player": i, "duration": 0.3 - 0.1 * i}
        for c in tables
        for i in range(3)
    ]
    return pd.DataFrame(rows), pd.DataFrame(words)


def test_one_word_that_decides_everything():
    row = recorded_games.measures(*made_up({"original": LAST})).iloc[0]
    assert (row["top"], row["others"], row["players"]) == (1, 0, 3)
    assert row[["values", "alone", "spearman"]].tolist() == [1, 1, 1]
    assert row["duration"] == pytest.approx(-1)  # the longest word first: the worst order
    assert row["unexplained"] == pytest.approx(0)


def test_a_game_without_any_order_counts_as_undefined():
    row = recorded_games.measures(*made_up({"original": SIZES / 3})).iloc[0]
    assert row[["values", "duration", "spearman"]].isna().all()
    assert row["unexplained"] == pytest.approx(0)


def test_values_of_one_mask_are_tested_by_another():
    other = (np.arange(8) & 1).astype(float)  # here the first word decides
    tables = dict.fromkeys(recorded_games.SAME_PROMPTS, LAST) | {"mask_noise": other}
    measured = recorded_games.crossed(*made_up(tables)).set_index(["values", "tested"])["skill"]
    assert measured["original", "mask_concat"] == measured["mask_noise", "mask_noise"] == 1
    assert measured["original", "mask_noise"] == pytest.approx(0)  # the first word comes second
    assert measured["duration", "mask_noise"] == 1
    del tables["stage3off"]
    assert recorded_games.crossed(*made_up(tables)).empty


@pytest.mark.reference
def test_values_and_drops_are_the_published_ones(reference):
    tables, words = recorded.games(reference), recorded.players(reference)
    few = tables[(tables["model"] == "qwen") & (tables["condition"] == "original")]
    measured = recorded_games.measures(few, words).set_index("sample")
    published = words[(words["model"] == "qwen") & (words["condition"] == "original")]
    assert len(measured) == published["sample"].nunique() > 20
    for sample, of_one in published.groupby("sample"):
        top = of_one["shapley"].abs().to_numpy().argmax()
        if np.ptp(of_one["shapley"].abs()) > 1e-6:
            assert measured.loc[sample, "top"] == pytest.approx(
                of_one["deletion"].iloc[top], abs=1e-5
            )
    row = few.iloc[0]
    published = published[published["sample"] == row["sample"]]["shapley"]
    assert shapley_of_table(row["embedding"]) == pytest.approx(published.to_numpy(), abs=1e-6)


@pytest.mark.reference
def test_a_slice_of_the_stored_measures_is_recomputed(reference, root):
    tables, words = recorded.games(reference), recorded.players(reference)
    few = tables[(tables["model"] == "voxtral") & (tables["condition"] == "mask_noise")].head(5)
    keys = ["model", "condition", "sample"]
    stored = pd.read_csv(root / "data" / "results" / "faithfulness" / "measures.csv")
    measured = recorded_games.measures(few, words).set_index(keys)
    pd.testing.assert_frame_equal(measured, stored.set_index(keys).loc[measured.index], atol=1e-4)
