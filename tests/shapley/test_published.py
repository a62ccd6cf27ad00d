"""The simulation of the published sampler, run by run and in the mean."""

import time

import numpy as np
import pytest

from sgpa_core.cost import law, plan
from sgpa_core.shapley import published
from sgpa_core.shapley.published import published_budget, published_runs


@pytest.mark.parametrize("n", [3, 6, 7, 12])
def test_simulated_runs_are_what_the_law_averages(n):
    runs, (means,) = published_runs(n), law([n]).itertuples()
    assert runs.counter.shape == runs.in_phase_1.shape == (published.SIMULATIONS,)
    assert runs.means() == [means.evaluations, means.distinct, means.counter]
    assert runs.means() == published_runs(n, published_budget(n)).means()
    ended = runs.in_phase_1.astype(bool)
    assert (runs.counter[ended] == runs.evaluations[ended]).all()
    assert (runs.counter[~ended] < runs.evaluations[~ended]).all()
    assert (runs.distinct <= np.minimum(runs.evaluations, 2**n)).all()
    assert ended.all() == ended.any() == (n <= 5)


def test_many_players_have_one_expected_run():
    runs = published_runs(25)
    assert runs.counter.shape == (1,) and not runs.in_phase_1.any()
    assert published_runs(25, 60).in_phase_1.all()  # too little to fill the cells


def test_a_large_m_init_is_scaled(monkeypatch):
    whole = published_runs(20, 32_000)  # m_init = 40
    monkeypatch.setattr(published, "SIMULATED_DRAWS", 20)
    published_runs.cache_clear()
    assert published_runs(20, 32_000).counter == pytest.approx(whole.counter, rel=0.05)
    published_runs.cache_clear()
    start = time.perf_counter()
    assert plan(40, budget="2^n").set_index("method").evaluations["cc-neyman-published"] >= 2**40
    assert time.perf_counter() - start < 10
