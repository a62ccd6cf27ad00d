"""Faithfulness of recorded games, on games made up here and on the reference data."""

import numpy as np
import pandas as pd
import pytest

import sgpa_core
from sgpa_core import faithfulness
from sgpa_core.companion import recorded, recorded_games
from sgpa_core.shapley.exact import shapley_of_table

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


def test_values_of_one_mask_are_tested_by_another():
    other = (np.arange(8) & 1).astype(float)  # here the first word decides
    tables = dict.fromkeys(recorded_games.MASKINGS, LAST) | {"mask_noise": other}
    measured = recorded_games.crossed(*made_up(tables)).set_index(["values", "tested"])
    skill = measured["skill"]
    assert skill["silence", "cut"] == skill["noise", "noise"] == 1
    assert skill["silence", "noise"] == pytest.approx(0)  # the first word comes second
    assert skill["duration", "noise"] == 1  # the longest word first
    assert skill["duration", "silence"] == pytest.approx(-1)  # the worst order
    assert measured.loc[("silence", "cut"), ["top", "others"]].tolist() == [1, 0]
    assert measured.loc[("silence", "noise"), ["top", "others"]].tolist() == [0, 0.5]
    del tables["mask_concat"]
    assert recorded_games.crossed(*made_up(tables)).empty


@pytest.mark.reference
def test_values_and_drops_are_the_published_ones(reference):
    tables, words = recorded.games(reference), recorded.players(reference)
    few = tables[(tables["model"] == "qwen") & (tables["condition"] == "original")].head(5)
    for row in few.to_dict("records"):
        known = words[(words[["model", "condition", "sample"]] == row_key(row)).all(axis=1)]
        values = shapley_of_table(row["embedding"])
        assert values == pytest.approx(known["shapley"].to_numpy(), abs=1e-6)
        alone = faithfulness.drops(sgpa_core.TableGame(row["embedding"]))
        assert alone == pytest.approx(known["deletion"].to_numpy(), abs=1e-5)


def row_key(row):
    return [row["model"], row["condition"], row["sample"]]


@pytest.mark.reference
def test_a_slice_of_the_stored_rows_is_recomputed(reference, root):
    tables, words = recorded.games(reference), recorded.players(reference)
    keys = ["model", "sample", "values", "tested"]
    stored = pd.read_csv(root / "data" / "results" / "faithfulness" / "crossed.csv")
    for utility, rows in stored.groupby("utility"):
        few = tables[tables["sample"].isin(rows["sample"].unique()[:3])]
        now = recorded_games.crossed(few, words, utility).set_index(keys)
        rows = rows.drop(columns="utility").set_index(keys).loc[now.index]
        assert len(now) >= 2 * 3 * 12
        pd.testing.assert_frame_equal(now, rows, atol=1e-4)
