"""The macro-trend on the embedded answerer: stored profiles, and values on altered recordings."""

import json

import numpy as np
import pytest

import sgpa_core
from sgpa_core import partition, profile, speech_game
from sgpa_core.companion import macro_trend


@pytest.fixture
def folder(tmp_path):
    """Two prompts in two voices: words decide at the end, native frames at once."""
    tables, lines = [], []
    for id in ("awb-001", "awb-002", "slt-001", "slt-002"):
        audio = sgpa_core.instructions(id).audio
        halves = np.array([[0, 0.5], [0.5, 1]]) * audio.duration
        for regime in ("words", "random-0", "random-1", "uniform", *macro_trend.PIECES[:3]):
            which = [0, 0, 1, 1] if regime != "random-0" else [0, 1, 0, 1]  # who decides
            names = (id, id[:3], regime, "silence", ("a", "b"))
            tables.append(speech_game.AnswerTable(*names, halves, ("no", "yes"), which))
        n = len(partition.native(audio, macro_trend.FRAME_SECONDS))
        for seed in (0, 1):
            values = [0.5 + (-1) ** seed * 0.25, *[0.0] * (n - 2), 0.5 - (-1) ** seed * 0.25]
            run = {"id": id, "seed": seed, "values": values, "word_values": [0.5, 0.5]}
            lines.append(json.dumps(run | {"spans": halves.tolist()}))
    for name in ("answers", "native"):
        (tmp_path / name).mkdir()
    tables = "\n".join(table.to_json() for table in tables)
    (tmp_path / "answers" / "tables.jsonl").write_text(tables, "utf-8")
    (tmp_path / "native" / "values.jsonl").write_text("\n".join(lines), "utf-8")
    return tmp_path


def test_profiles_by_hand(folder):
    table = macro_trend.profiles(folder=folder)
    assert len(table) == 4 and set(table.columns) == {"words", "native", *macro_trend.PIECES}
    words, random, native = (table.loc["awb-001", r] for r in ("words", "random", "native"))
    assert np.interp([0.25, 0.5, 0.75], profile.GRID, words) == pytest.approx([0, 0, 0.5])
    assert np.interp([0.25, 0.5, 0.75], profile.GRID, random) == pytest.approx([0.25, 0.5, 0.75])
    assert np.interp([0.25, 0.5, 0.75], profile.GRID, native) == pytest.approx([0.5, 0.5, 0.5])
    each = macro_trend.compare("words", voice="awb", folder=folder)
    both = macro_trend.compare("words", folder=folder)
    assert each["n"] == both["n"] == 2  # a prompt in two voices counts once
    assert both["difference"] == pytest.approx(-0.5) and both["p_equivalent"] == 1
    by_index = macro_trend.compare("uniform", by="index", folder=folder)
    assert by_index["difference"] == pytest.approx(-0.5)
    with pytest.raises(ValueError, match="axis of a profile 'place'; choose from time, index"):
        macro_trend.profiles(by="place", folder=folder)


def test_stored_values_are_whole_and_efficient():
    frame = macro_trend.stored()
    counts = frame.groupby("regime")["id"].nunique()
    assert counts.min() == counts.max() >= 72
    for row in frame[frame["regime"].isin(["words", "native"])].itertuples():
        assert len(row.values) == len(row.spans)
        assert 0.3 < sum(row.values) < 1 + 1e-4  # U(N) − U(∅), U(N) = 1; rounded


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
