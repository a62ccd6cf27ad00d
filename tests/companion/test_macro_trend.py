"""The macro-trend: stored profiles, recorded ones, and values on altered recordings."""

import json

import numpy as np
import pandas as pd
import pytest

import sgpa_core
from sgpa_core import partition, profile


def test_stored_profiles_rise_inside_their_bands(root):
    table = pd.read_csv(root / "data/results/real/profiles.csv")
    for (_, regime), curve in table.groupby(["model", "regime"]):
        assert regime in ("words", "frames") and curve["n"].nunique() == 1
        assert curve["x"].to_numpy() == pytest.approx(profile.GRID, abs=1e-4)
        assert (np.diff(curve["mean"]) >= -1e-4).all() and curve["mean"].iloc[-1] == 1
        assert ((curve["low"] <= curve["mean"]) & (curve["mean"] <= curve["high"])).all()


@pytest.fixture(scope="module")
def altered(root):
    lines = (root / "data/results/order/values.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_altered_recordings_are_of_the_same_prompts(altered):
    ids = {c: sorted(r["id"] for r in altered if r["condition"] == c) for c in ("swapped", "noise")}
    assert ids["swapped"] == ids["noise"] and len(set(ids["noise"])) >= 60
    for row in altered:
        n = len(row["values"])
        assert sorted(row["order"]) == list(range(n)) and len(row["spans"]) == n
        if row["condition"] == "swapped":
            assert row["order"] == [*range(n // 2, n), *range(n // 2)]
            assert (row["answer"] == sgpa_core.instructions(row["id"]).answer) == row["same"]


def test_swapping_moves_the_sound_with_the_words(script):
    make = script("data/results/order/make.py")
    audio = sgpa_core.instructions("slt-001").audio
    players = partition.words(sgpa_core.align(audio, sgpa_core.instructions("slt-001").text))
    sound, spans, order = make.swapped(players, audio)
    assert len(sound.samples) == pytest.approx(len(audio.samples), abs=2)
    for place, word in enumerate(order):
        there, here = (
            x.samples[round(s * x.sample_rate) + 2 : round(e * x.sample_rate) - 2]
            for x, (s, e) in ((audio, players.spans[word]), (sound, spans[place]))
        )
        n = min(len(there), len(here))
        assert n > 100
        lags = [np.corrcoef(there[3 : n - 3], here[3 + k : n - 3 + k])[0, 1] for k in (-1, 0, 1)]
        assert max(lags) > 0.999


def test_a_slice_of_the_altered_is_what_it_was(script, altered):
    make = script("data/results/order/make.py")
    shortest = min(altered, key=lambda row: len(row["values"]))
    for condition in make.CONDITIONS:
        before = next(
            r for r in altered if (r["id"], r["condition"]) == (shortest["id"], condition)
        )
        now = make.run(shortest["id"], condition)
        assert now["answer"] == before["answer"]
        assert now["values"] == pytest.approx(before["values"], abs=1e-4)
