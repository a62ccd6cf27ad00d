"""The 43×: what was really counted, reductions with intervals, and printed numbers inverted."""

import numpy as np
import pandas as pd
import pytest

from sgpa_core.companion import findings, recorded, reduction
from sgpa_core.companion.paper import published
from sgpa_core.cost import law
from sgpa_core.shapley.published import published_runs


def fake_runs(raw, sgpa, calls=None):
    """Recorded runs of one condition: players by utterance, raw and with SGPA."""
    rows = [
        {"regime": regime, "row": row, "players": n, "native_tokens": raw.get(row, 40)}
        for regime, players in (("raw", raw), ("sgpa", sgpa))
        for row, n in players.items()
    ]
    frame = pd.DataFrame(rows).assign(condition="SM2S-1k", seconds=lambda r: r["players"] * 2.0)
    return frame.assign(n_calls=calls if calls is not None else law(frame["players"]).counter)


def test_evaluations_of_a_run_that_ended_in_phase_1():
    runs = fake_runs({}, {1: 6, 2: 6, 3: 4}, calls=[18, 0, 14])
    (expected,) = law([6]).itertuples()
    np.testing.assert_allclose(
        reduction.evaluations(runs),
        [expected.evaluations, expected.evaluations - expected.counter, 14],
    )


def test_reductions_are_ratios_of_means():
    runs = fake_runs({1: 40, 2: 30}, {1: 4, 2: 5, 3: 9})
    table = reduction.reductions(runs).set_index(["basis", "quantity"])
    made = law([40, 30, 4, 5, 9]).set_index("players").evaluations
    assert table.loc[("all runs", "evaluations"), "ratio"] == pytest.approx(
        made[[40, 30]].mean() / made[[4, 5, 9]].mean()
    )
    assert table.loc[("matched", "evaluations"), "ratio"] == pytest.approx(
        made[[40, 30]].mean() / made[[4, 5]].mean()
    )
    assert table.loc[("matched", "seconds"), "ratio"] == pytest.approx(70 / 9)
    by_law = table.loc[("by law", "players")]
    assert by_law.ratio == pytest.approx((40 + 30 + 40) / 18)
    assert (by_law.raw, by_law.sgpa) == (3, 3)
    assert ((table.low <= table.ratio) & (table.ratio <= table.high)).all()


def test_a_ratio_of_constants_has_no_width():
    table = reduction.reductions(fake_runs(dict.fromkeys(range(5), 40), dict.fromkeys(range(5), 5)))
    assert table.low.to_numpy() == pytest.approx(table.high.to_numpy())
    single = reduction.reductions(fake_runs({1: 40}, {1: 5}))
    assert single.low.isna().all()


def printed(players, rng):
    """What would be printed of runs with these numbers of players."""
    runs = {n: published_runs(n) for n in set(players.tolist())}
    counters = np.array([rng.choice(runs[n].counter) for n in players])
    low, q1, median, q3, high = np.percentile(counters, [0, 25, 50, 75, 100])
    first = 100 * np.mean([n <= 5 for n in players])
    row = {"n": len(players), "min": low, "q1": q1, "median": median, "q3": q3, "max": high}
    return row | {"calls": counters.mean(), "phase1": first}


@pytest.mark.parametrize("mean", [6, 30])
def test_inversion_holds_the_truth(mean):
    rng = np.random.default_rng(mean)
    for _ in range(2):
        players = np.clip(rng.normal(mean, mean / 4, 100).round().astype(int), 3, 60)
        bounds = reduction.inverted(printed(players, rng))
        made = law(players).evaluations
        assert bounds["players"][0] <= players.mean() <= bounds["players"][1]
        assert bounds["evaluations"][0] <= made.mean() <= bounds["evaluations"][1]
        low, high = np.percentile(players, [25, 75])
        assert bounds["iqr"][0] - 1 <= high - low <= bounds["iqr"][1] + 1
        assert bounds["players"][1] - bounds["players"][0] < 0.2 * mean


def test_what_v1_printed():
    words, native = (
        published(f"v1.cost.{i}") | published(f"v1.calls_distribution.{i}") for i in (1, 3)
    )
    words, native = reduction.inverted(words), reduction.inverted(native)
    assert 5.5 < words["players"][0] < words["players"][1] < 6.5
    assert 27 < native["players"][0] < native["players"][1] < 33
    ratio = native["evaluations"][0] / words["evaluations"][1]
    assert 28 < ratio < native["evaluations"][1] / words["evaluations"][0] < 34


def test_numbers_that_cannot_be():
    row = published("v1.cost.1") | published("v1.calls_distribution.1")
    with pytest.raises(ValueError, match="no numbers of players give"):
        reduction.inverted(row | {"calls": 150.0})


def test_the_recorded_counter_follows_the_law(reference):
    table = reduction.against_law(recorded.runs(reference)).set_index("players")
    assert (table.loc[table.index <= 5, "difference"] == 0).all()
    assert abs(table.loc[6, "difference"]) < 0.05
    assert abs(table.loc[7:, "difference"]).max() < 0.03
    assert len(table.loc[7:]) >= 15
    per_call = table.loc[5:, "seconds_per_recorded"]
    per_evaluation = table.loc[5:, "seconds_per_evaluation"]
    assert per_evaluation.max() / per_evaluation.min() < 1.25
    assert per_call.max() / per_call.min() > 3


def test_reductions_of_the_reference_runs(reference):
    table = reduction.reductions(recorded.runs(reference)).set_index(
        ["condition", "basis", "quantity"]
    )
    known = {  # true calls over all published runs: (same basis, matched); seconds: the same
        "SM2S-1k": (18.2, 50.8, 17.0, 47.7),
        "SM2F-1k": (21.4, 59.9, 19.7, 55.5),
        "SO2S-1k": (54.1, 151.3, 53.5, 170.0),
        "SO2S-500": (100.5, 152.7, 91.9, 133.5),
    }
    for condition, (same, matched, seconds, matched_seconds) in known.items():
        of_one = table.loc[condition]
        for basis, quantity, whole in (
            ("all runs", "evaluations", same),
            ("matched", "evaluations", matched),
            ("all runs", "seconds", seconds),
            ("matched", "seconds", matched_seconds),
        ):
            row = of_one.loc[(basis, quantity)]
            assert 0.8 * row.low < whole < 1.2 * row.high, (condition, basis, quantity)
        assert 4 < of_one.loc[("by law", "players"), "ratio"] < 12
        calls = of_one.loc[("matched", "evaluations"), "ratio"]
        time = of_one.loc[("matched", "seconds"), "ratio"]
        assert calls == pytest.approx(time, rel=0.15)


def test_error_curves_end_at_exact_values(script):
    curves = script("data/results/real/curves.py")
    utilities = {"tfidf": np.random.default_rng(0).random(2**5)}
    spans = np.arange(10.0).reshape(5, 2)
    game = script("data/results/real/measures.py").Game("p", "v", spans, 9.0, spans, utilities)
    points = pd.DataFrame(curves.of_words(game), columns=["curve", "budget", "made", "error"])
    ours = points[points["curve"] == "words, surrogate"]
    assert ours["made"].is_monotonic_increasing and ours["made"].iloc[-1] == 2**5
    assert ours["error"].iloc[-1] == 0 < ours["error"].iloc[0]
    table = points.rename(columns={"made": "evaluations"}).assign(kind="answer", prompt="p")
    frames = [("frames, surrogate", 50, 9.0), ("frames in words, surrogate", 50, 0.0)]
    frames += [("frames in words, surrogate", 99, 0.0)]
    more = pd.DataFrame(frames, columns=["curve", "evaluations", "error"])
    (row,) = curves.needed(pd.concat([table, more.assign(kind="answer", prompt="p")]))
    assert (row["each"], row["each_reached"]) == (50, False)
    assert (row["inside"], row["inside_reached"]) == (50, True)
    assert row["words_surrogate"] <= 2**5 and row["words_surrogate_reached"]


def test_stored_curves_are_those_of_the_measures(root):
    needed = pd.read_csv(root / "data/results/real/needed.csv", dtype={"prompt": str})
    names = {"inside": "evaluations, frames, for the words' error"}
    names |= {"words_published": "evaluations, words, for that error"}
    for kind, model in (("transcript", "assistant, transcript"), ("answer", "assistant")):
        rows = findings.measures()[lambda t, model=model: t["model"] == model]
        stored = needed[needed["kind"] == kind].set_index("prompt")
        for column, measure in names.items():
            values = rows[rows["measure"] == measure].set_index("prompt")["value"]
            assert stored[column].to_dict() == pytest.approx(values.to_dict())
