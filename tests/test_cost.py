"""The plan, the call law, the evaluations really made, and the reductions that follow."""

import time

import numpy as np
import pandas as pd
import pytest

from sgpa_core import cost
from sgpa_core.companion import recorded, reduction
from sgpa_core.companion.claims import published
from sgpa_core.game import FunctionGame
from sgpa_core.shapley import NAMES, estimate
from sgpa_core.shapley.cc import published_budget

LAW = {  # players: recorded mean, counter, evaluations, distinct, over all published runs
    4: (14, 14, 14, 10.8),
    5: (30, 30, 30, 21.8),
    6: (17.4, 18.0, 65, 39.6),
    7: (66.7, 66.3, 129, 75),
    8: (121.3, 120.9, 196, 126),
    10: (199.3, 197.8, 305, 232),
    25: (1455, 1449, 1888, 1778),
    50: (6346, 6352, 7523, 7308),
    66: (11344, 11369, 13100, 12822),
}


@pytest.mark.parametrize(("n", "known"), LAW.items())
def test_law(n, known):
    (row,) = cost.law([n]).itertuples()
    recorded_mean, counter, evaluations, distinct = known
    assert row.counter == pytest.approx(counter, rel=0.02)
    assert row.counter == pytest.approx(recorded_mean, rel=0.04 if n == 6 else 0.01)
    assert row.evaluations == pytest.approx(evaluations, rel=0.01)
    assert row.distinct == pytest.approx(distinct, rel=0.03)
    assert row.budget <= row.evaluations <= 1.08 * row.budget


@pytest.mark.parametrize("n", [5, 6, 8, 20])
def test_law_is_what_the_estimator_does(n):
    rng = np.random.default_rng(n)
    made = []
    for seed in range(30):
        weights = rng.normal(size=n)
        game = FunctionGame(n, lambda c, w=weights: np.tanh(c @ w / n))
        made.append(estimate(game, "cc-neyman-published", "3n^2", seed).evaluations)
    (row,) = cost.law([n]).itertuples()
    assert np.mean(made) == pytest.approx(row.evaluations, rel=0.03)


def fake_runs(raw, sgpa, calls=None):
    """Recorded runs of one condition: players by utterance, raw and with SGPA."""
    rows = [
        {"regime": regime, "row": row, "players": n, "native_tokens": raw.get(row, 40)}
        for regime, players in (("raw", raw), ("sgpa", sgpa))
        for row, n in players.items()
    ]
    frame = pd.DataFrame(rows).assign(condition="SM2S-1k", seconds=lambda r: r["players"] * 2.0)
    return frame.assign(n_calls=calls if calls is not None else cost.law(frame["players"]).counter)


def test_evaluations_of_a_run_that_ended_in_phase_1():
    runs = fake_runs({}, {1: 6, 2: 6, 3: 4}, calls=[18, 0, 14])
    (law,) = cost.law([6]).itertuples()
    np.testing.assert_allclose(
        reduction.evaluations(runs), [law.evaluations, law.evaluations - law.counter, 14]
    )


def test_reductions_are_ratios_of_means():
    runs = fake_runs({1: 40, 2: 30}, {1: 4, 2: 5, 3: 9})
    table = reduction.reductions(runs).set_index(["basis", "quantity"])
    law = cost.law([40, 30, 4, 5, 9]).set_index("players").evaluations
    assert table.loc[("all runs", "evaluations"), "ratio"] == pytest.approx(
        law[[40, 30]].mean() / law[[4, 5, 9]].mean()
    )
    assert table.loc[("matched", "evaluations"), "ratio"] == pytest.approx(
        law[[40, 30]].mean() / law[[4, 5]].mean()
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
    runs = {n: cost.published_runs(n) for n in set(players.tolist())}
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
        made = cost.law(players).evaluations
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


# The simulator of the published sampler


@pytest.mark.parametrize("n", [3, 6, 7, 12])
def test_simulated_runs_are_what_the_law_averages(n):
    runs, (law,) = cost.published_runs(n), cost.law([n]).itertuples()
    assert runs.counter.shape == runs.in_phase_1.shape == (cost.SIMULATIONS,)
    assert runs.means() == [law.evaluations, law.distinct, law.counter]
    assert runs.means() == cost.published_runs(n, published_budget(n)).means()
    ended = runs.in_phase_1.astype(bool)
    assert (runs.counter[ended] == runs.evaluations[ended]).all()
    assert (runs.counter[~ended] < runs.evaluations[~ended]).all()
    assert (runs.distinct <= np.minimum(runs.evaluations, 2**n)).all()
    assert ended.all() == ended.any() == (n <= 5)


def test_many_players_have_one_expected_run():
    runs = cost.published_runs(25)
    assert runs.counter.shape == (1,) and not runs.in_phase_1.any()
    assert cost.published_runs(25, 60).in_phase_1.all()  # too little to fill the cells


def test_a_large_m_init_is_scaled(monkeypatch):
    whole = cost.published_runs(20, 32_000)  # m_init = 40
    monkeypatch.setattr(cost, "SIMULATED_DRAWS", 20)
    cost.published_runs.cache_clear()
    assert cost.published_runs(20, 32_000).counter == pytest.approx(whole.counter, rel=0.05)
    cost.published_runs.cache_clear()
    start = time.perf_counter()
    assert row(40, budget="2^n").evaluations >= 2**40
    assert time.perf_counter() - start < 10


# The plan


def row(n, method="cc-neyman-published", **options):
    return cost.plan(n, **options).set_index("method").loc[method]


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_counter_is_exact_up_to_five_players(n):
    assert row(n).published_counter == 2**n - 2


@pytest.mark.parametrize(("n", "known"), LAW.items())
def test_the_plan_gives_the_recorded_means_and_distinct_coalitions(n, known):
    recorded_mean, _, _, distinct = known
    assert row(n).published_counter == pytest.approx(recorded_mean, rel=0.05 if n == 6 else 0.01)
    assert row(n).distinct == pytest.approx(distinct, rel=0.03)


def test_counter_against_the_runs(reference):
    runs = pd.read_csv(reference / "runs.csv")
    means = runs[runs.n_calls > 0].groupby("n_players").n_calls.agg(["mean", "size"])
    for n, (mean, size) in means.iterrows():
        counter = row(int(n)).published_counter
        if n <= 5:
            assert counter == mean
        elif size >= 10:
            assert counter == pytest.approx(mean, rel=0.05 if n == 6 else 0.011)
        else:
            assert counter == pytest.approx(mean, rel=0.04)


@pytest.mark.parametrize("n", [5, 7, 10])
def test_plan_agrees_with_the_estimators(n):
    rng = np.random.default_rng(n)
    table = cost.plan(n).set_index("method")
    for method in ("permutation", "kernel", "surrogate", "cc", "cc-neyman", "cc-neyman-published"):
        weights = rng.normal(size=n)
        runs = [
            estimate(FunctionGame(n, lambda c, w=weights: np.tanh(c @ w / n)), method, "3n^2", seed)
            for seed in range(3)
        ]
        asked, distinct = np.mean([[r.evaluations, r.distinct] for r in runs], axis=0)
        assert table.loc[method, "distinct"] == pytest.approx(distinct, rel=0.1)
        loose = 0.15 if method == "cc-neyman" else 0.02
        assert table.loc[method, "evaluations"] == pytest.approx(asked, rel=loose)


def test_shape_and_words():
    table = cost.plan(7, seconds_per_call=1.5)
    assert sorted(table.method) == sorted(set(NAMES) - {"auto"})
    table = table.set_index("method")
    assert table.loc["exact", "seconds"] == 128 * 1.5
    assert table.loc["cc-neyman-published", "exact_is_cheaper"]
    assert not table.loc["permutation", "exact_is_cheaper"]
    assert "taken by auto" in table.loc["exact", "note"]
    assert cost.plan(7).seconds.isna().all()
    assert table.published_counter.notna().sum() == 1


def test_many_players():
    start = time.perf_counter()
    table = cost.plan(150, 1.0).set_index("method")
    assert table.loc["exact", "evaluations"] == 2**150
    assert "refused" in table.loc["exact", "note"]
    assert table.loc["kernel", "note"] == "taken by auto"
    assert table.loc["kernel", "evaluations"] == 67_500
    assert np.isfinite(cost.plan(2000)["distinct"][1:].astype(float)).all()
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1,), "players must be a whole number of at least 2, got 1"),
        ((7.5,), "players"),
        ((7, -1.0), "seconds_per_call"),
        ((7, float("nan")), "seconds_per_call"),
        ((7, None, "3m"), "got '3m'"),
        ((7, None, 0), "budget"),
        ((7, None, 10), "permutation needs at least 14"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        cost.plan(*arguments)
