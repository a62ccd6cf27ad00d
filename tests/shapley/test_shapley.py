"""Estimators against definitions, axioms and another library, on games with known values."""

import sys
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgpa_core import shapley
from sgpa_core.game import FunctionGame, Game, TableGame, all_coalitions
from sgpa_core.shapley import NAMES, estimate, parse_budget
from sgpa_core.shapley.attribution import CONVERGED_SHARE, DEFAULT_BUDGET, Attribution
from sgpa_core.shapley.complementary import MAX_DRAWS_PER_EVALUATION, neyman_weights
from sgpa_core.shapley.estimate import METHODS, choose, replaced_by_kernel
from sgpa_core.shapley.exact import (
    banzhaf_of_table,
    check_exact,
    interactions_of_table,
    shapley_of_table,
)
from sgpa_core.shapley.kernel import allocate, class_sizes, draw_class
from sgpa_core.shapley.published import (
    fill_cells,
    first_phase,
    published_budget,
    published_m_init,
    rounded_up,
)
from sgpa_core.shapley.surrogate import choose_pairs, covariance, index_covariance, make_kernel

SAMPLERS = tuple(m for m in NAMES if m not in ("exact", "auto"))
EFFICIENT = ("exact", "kernel", "surrogate", "permutation")

games = st.builds(
    lambda n, seed: np.random.default_rng(seed).normal(size=2**n),
    st.integers(2, 6),
    st.integers(0, 10_000),
)


def players_of(values):
    return len(values).bit_length() - 1


def brute_shapley(values):
    """Average marginal contribution over all n! orders, one by one."""
    n = players_of(values)
    phi = np.zeros(n)
    orders = list(permutations(range(n)))
    for order in orders:
        mask = 0
        for player in order:
            phi[player] += values[mask | 1 << player] - values[mask]
            mask |= 1 << player
    return phi / len(orders)


def voting(n, seed):
    """A made-up answer game: the answer turns when enough weight is heard."""
    rng = np.random.default_rng(seed)
    weight = rng.exponential(size=n)
    share = all_coalitions(n) @ weight / weight.sum()
    return 1 / (1 + np.exp(-8 * (share - rng.uniform(0.3, 0.7))))


# Exact values: definition and axioms


@given(values=games)
@settings(max_examples=30)
def test_exact_is_the_definition(values):
    if players_of(values) > 5:
        values = values[:32]
    assert np.allclose(estimate(TableGame(values), "exact").values, brute_shapley(values))


@given(values=games)
def test_efficiency(values):
    assert abs(shapley_of_table(values).sum() - (values[-1] - values[0])) < 1e-9


@given(values=games, data=st.data())
def test_symmetry(values, data):
    n = players_of(values)
    i, j = data.draw(st.permutations(range(n)))[:2]
    masks = np.arange(2**n)
    bit_i, bit_j = masks >> i & 1, masks >> j & 1
    swapped = masks ^ ((bit_i ^ bit_j) << i) ^ ((bit_i ^ bit_j) << j)
    alike = (values + values[swapped]) / 2
    phi = shapley_of_table(alike)
    assert abs(phi[i] - phi[j]) < 1e-9
    order = np.arange(n)
    order[[i, j]] = j, i
    assert np.allclose(shapley_of_table(values[swapped]), shapley_of_table(values)[order])


@given(values=games, data=st.data())
def test_dummy(values, data):
    n = players_of(values)
    i = data.draw(st.integers(0, n - 1))
    worth = data.draw(st.floats(-3, 3))
    masks = np.arange(2**n)
    with_dummy = values[masks & ~(1 << i)] + worth * (masks >> i & 1)
    assert abs(shapley_of_table(with_dummy)[i] - worth) < 1e-9


@given(values=games, seed=st.integers(0, 99), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_additivity(values, seed, a, b):
    other = np.random.default_rng(seed).normal(size=len(values))
    together = shapley_of_table(a * values + b * other)
    assert np.allclose(together, a * shapley_of_table(values) + b * shapley_of_table(other))


@given(values=games)
@settings(max_examples=25)
def test_banzhaf_and_interactions_are_their_definitions(values):
    n = players_of(values)
    for i in range(n):
        gains = [values[m | 1 << i] - values[m] for m in range(2**n) if not m >> i & 1]
        assert np.isclose(banzhaf_of_table(values)[i], np.mean(gains))
    index = interactions_of_table(values)
    assert np.allclose(index, index.T)
    for i, j in combinations(range(n), 2):
        merged = []  # Grabisch and Roubens: mean over orders in which i and j come together
        for size in range(n - 1):
            rest = [p for p in range(n) if p not in (i, j)]
            masks = [sum(1 << p for p in s) for s in combinations(rest, size)]
            both, first, second = 1 << i | 1 << j, 1 << i, 1 << j
            steps = [
                values[m | both] - values[m | first] - values[m | second] + values[m] for m in masks
            ]
            merged.append(np.mean(steps))
        assert np.isclose(index[i, j], np.mean(merged))


def test_against_shapiq():
    shapiq = pytest.importorskip("shapiq")
    values = voting(7, 3)
    shapiq_index = shapiq.ExactComputer(TableGame(values).to_shapiq())
    computed = {name: shapiq_index(name, order=order) for name, order in (("SV", 1), ("BV", 1))}
    for name, values_of in (("SV", shapley_of_table(values)), ("BV", banzhaf_of_table(values))):
        assert np.allclose([computed[name][(i,)] for i in range(7)], values_of, atol=1e-10)
    pairs = shapiq_index("SII", order=2)
    index = interactions_of_table(values)
    for i, j in combinations(range(7), 2):
        assert np.isclose(pairs[(i, j)], index[i, j], atol=1e-10)


# All estimators


@pytest.mark.parametrize("method", NAMES)
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_every_method_runs_and_counts(method, n):
    values = voting(n, 1)
    game = TableGame(values)
    a = estimate(game, method, "3n^2", seed=4)
    assert a.values.shape == (n,)
    assert np.isfinite(a.values).all()
    assert a.seed == 4
    assert a.index == "Shapley"
    assert a.method in NAMES
    assert a.method != "auto"
    assert game.calls == a.distinct <= a.evaluations
    assert a.distinct <= 2**n
    if a.stderr is not None:
        assert a.stderr.shape == (n,)
        assert (a.stderr >= 0).all()
    again = estimate(TableGame(values), method, "3n^2", seed=4)
    assert np.array_equal(a.values, again.values)
    b = estimate(game, method, "3n^2", seed=4)  # on a warm game: same values, same counts, no calls
    assert np.array_equal(a.values, b.values)
    assert (b.evaluations, b.distinct) == (a.evaluations, a.distinct)
    assert game.calls == a.distinct


@pytest.mark.parametrize("method", EFFICIENT)
@given(values=games, extra=st.integers(0, 40), seed=st.integers(0, 50))
@settings(max_examples=25)
def test_efficiency_of_estimates(method, values, extra, seed):
    budget = 2 * players_of(values) + extra
    phi = estimate(TableGame(values), method, budget, seed).values
    assert abs(phi.sum() - (values[-1] - values[0])) < 1e-9


@pytest.mark.parametrize("method", ["kernel", "surrogate", "auto"])
@given(values=games)
@settings(max_examples=25)
def test_all_coalitions_give_exact_values(method, values):
    a = estimate(TableGame(values), method, "2^n")
    assert np.allclose(a.values, shapley_of_table(values), atol=1e-9)
    assert np.array_equal(a.stderr, np.zeros(len(a.values)))
    assert a.converged


@pytest.mark.parametrize("method", ["kernel", "surrogate"])
@given(n=st.integers(2, 11), budget=st.integers(4, 200), seed=st.integers(0, 20))
@settings(max_examples=40)
def test_no_evaluation_is_wasted(method, n, budget, seed):
    a = estimate(FunctionGame(n, lambda c: np.sqrt(c.sum(axis=1))), method, budget, seed)
    assert a.evaluations == a.distinct
    assert min(budget, 2**n) - 1 <= a.evaluations <= min(budget, 2**n)


@pytest.mark.parametrize("n", [20, 22, 29, 40, 64])
@pytest.mark.parametrize("budget", ["2n", "4n", "8n", "n^2"])
def test_kernel_on_many_players_leaves_out_sizes_without_pairs(n, budget):
    a = estimate(FunctionGame(n, lambda c: c.mean(axis=1)), "kernel", budget, seed=101)
    assert np.allclose(a.values, 1 / n, atol=1e-9)  # an additive game is fitted exactly


@pytest.mark.parametrize("method", ["kernel", "permutation", "surrogate", "cc"])
def test_many_players_of_a_threshold_game_are_not_pulled_together(method):
    # 24 frames, six words of four: a word is heard if three are, two words decide
    def utility(coalitions):
        first_heard, second_heard = (
            coalitions[:, first : first + 4].sum(axis=1) >= 3 for first in (4, 12)
        )
        return 0.6 * (first_heard & second_heard) + 0.2 * first_heard + 0.2 * second_heard

    truth = np.zeros(24)
    truth[4:8] = truth[12:16] = 1 / 8  # by symmetry: all of it lies on these eight frames
    estimates = [
        estimate(FunctionGame(24, utility), method, "3n^2", seed).values for seed in range(4)
    ]
    slope = np.polyfit(truth, np.mean(estimates, axis=0), 1)[0]
    assert 0.9 <= slope <= 1.1


@pytest.mark.parametrize("method", SAMPLERS)
def test_flat_game_gives_zeros(method):
    a = estimate(TableGame(np.full(64, 0.7)), method, "2n")
    assert np.abs(a.values).max() < 1e-12


@pytest.mark.parametrize("method", SAMPLERS)
def test_scale_and_shift(method):
    values = voting(6, 2)
    plain = estimate(TableGame(values), method, 40, seed=1)
    scaled = estimate(TableGame(1000 * values - 300), method, 40, seed=1)
    assert np.allclose(scaled.values, 1000 * plain.values, atol=1e-6)
    if plain.stderr is not None:
        assert np.allclose(scaled.stderr, 1000 * plain.stderr, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["permutation", "cc", "cc-neyman"])
def test_sampling_converges(method):
    values = voting(5, 7)
    a = estimate(TableGame(values), method, 20_000, seed=0)
    assert np.abs(a.values - shapley_of_table(values)).max() < 0.02


@pytest.mark.parametrize("method", ["permutation", "cc", "kernel"])
def test_mean_over_seeds_is_unbiased_enough(method):
    values = voting(6, 5)
    runs = [estimate(TableGame(values), method, 44, seed).values for seed in range(300)]
    error = np.mean(runs, axis=0) - shapley_of_table(values)
    bound = 4 * np.std(runs, axis=0) / np.sqrt(len(runs))
    slack = {"cc": 0.05, "kernel": 0.015}.get(method, 0.005)  # both trade some bias for variance
    assert (np.abs(error) < bound + slack).all()


def test_additive_games_are_found_exactly():
    weights = np.array([0.3, -1.0, 2.0, 0.0, 0.7, 0.1])
    game = FunctionGame(6, lambda c: 5 + c @ weights)
    for method, budget, tolerance in (
        ("permutation", "2n", 1e-9),
        ("kernel", 30, 1e-9),
        ("surrogate", 30, 1e-2),
    ):
        assert np.allclose(estimate(game, method, budget).values, weights, atol=tolerance)


@pytest.mark.parametrize("method", ["permutation", "kernel", "surrogate", "cc"])
def test_standard_errors_cover(method):
    inside = total = 0
    for seed in range(40):
        values = voting(8, seed)
        a = estimate(TableGame(values), method, 2000 if method == "cc" else 120, seed)
        low, high = a.interval()
        truth = shapley_of_table(values)
        inside += ((low <= truth) & (truth <= high)).sum()
        total += 8
    assert 0.85 <= inside / total <= 1.0


def test_surrogate_beats_paired_kernel_on_made_up_games():
    errors = dict.fromkeys(("kernel", "surrogate"), 0.0)
    for seed in range(20):
        values = voting(7, seed)
        for method in errors:
            estimated = estimate(TableGame(values), method, 28, seed).values
            errors[method] += np.abs(estimated - shapley_of_table(values)).sum()
    assert errors["surrogate"] < 0.78 * errors["kernel"]


def test_auto():
    assert estimate(TableGame(voting(7, 0)), budget=128).method == "exact"
    assert estimate(TableGame(voting(7, 0)), budget=127).method == "surrogate"
    many = FunctionGame(80, lambda c: c.mean(axis=1))
    assert estimate(many, budget="2n").method == "surrogate"
    assert estimate(many, budget=5000).method == "kernel"
    a = estimate(FunctionGame(300, lambda c: c.mean(axis=1)), budget=1000)
    assert a.method == "kernel"
    assert np.allclose(a.values, 1 / 300)


def test_4096_players():
    game = FunctionGame(4096, lambda c: c[:, :10].sum(axis=1).astype(float))
    a = estimate(game, "permutation", "2n")
    assert np.allclose(a.values, np.arange(4096) < 10)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_memory_of_150_players_in_a_fresh_process():
    import subprocess

    code = (
        "import pathlib, re, numpy as np\n"
        "from sgpa_core.game import FunctionGame\n"
        "from sgpa_core.shapley import estimate\n"
        "a = estimate(FunctionGame(150, lambda c: c.mean(axis=1)), budget='3n^2')\n"
        "assert a.distinct == 67500 and abs(a.values.sum() - 1) < 1e-9, a\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(out.stdout) * 1024 < 2**30


# The paper's estimator: complementary contributions with Neyman allocation


class Asked(FunctionGame):
    """A flat game that notes all coalitions asked for: Neyman allocation ends with phase 1."""

    def __init__(self, n):
        super().__init__(n, lambda coalitions: np.full(len(coalitions), 0.5))
        self.coalitions = np.zeros((0, n), dtype=bool)

    def __call__(self, coalitions):
        self.coalitions = np.concatenate([self.coalitions, coalitions])
        return super().__call__(coalitions)

    def least(self):
        """Return how often the emptiest (player, size) cell below size n was drawn."""
        sizes = self.coalitions.sum(axis=1)
        return min(self.coalitions[sizes == k].sum(axis=0).min() for k in range(1, self.n))


@pytest.mark.parametrize(("budget", "m_init"), [(48, 2), (95, 2), (96, 3), (127, 3), (128, 4)])
def test_phase_1_draws_the_paper_s_m_init(budget, m_init):
    """The paper: phase 1 fills every (player, size) stratum to m_init = max(2, ⌊m / 2n²⌋)."""
    game = Asked(4)  # 2n² = 32
    estimate(game, "cc-neyman", budget)
    assert game.least() == m_init


@pytest.mark.parametrize(("budget", "m_init"), [(244, 2), (324, 2), (326, 3), (486, 3), (488, 4)])
def test_the_published_code_rounds_m_init_up(budget, m_init):
    """The paper's text rounds m / 2n² down, the published code up."""
    assert published_m_init(9, budget) == m_init  # 2n² = 162
    game = Asked(9)
    estimate(game, "cc-neyman-published", budget)
    assert game.least() == m_init


def test_the_default_budget_is_the_paper_s():
    """The paper: budget m = 3n²."""
    assert DEFAULT_BUDGET == "3n^2"
    for n in (2, 7, 10):
        a = estimate(TableGame(voting(n, 0)), "kernel")
        assert a.budget == parse_budget(None, n) == 3 * n**2
        assert a.distinct == min(2**n, 3 * n**2)


@pytest.mark.parametrize("n", [2, 5, 6])
def test_neyman_weights_are_their_formula(n):
    """The paper: phase 2 spends in proportion to the standard deviations of the strata."""
    variance = np.random.default_rng(n).exponential(size=(n, n + 1))
    sizes = range(-(-n // 2), n + 1)
    expected = [
        np.sqrt(sum(v[k] / (k + 1) + v[n - k] / (n - k + 1) for v in variance)) for k in sizes
    ]
    assert neyman_weights(variance) == pytest.approx(expected)
    assert rounded_up(10, np.array([1.0, 2.0, 1.0])).tolist() == [3, 5, 3]


def test_cells_are_filled_by_size_as_in_the_whole_phase():
    n, m_init = 7, 3
    for sizes in ([2, 5], [1, 6]):
        pairs, finished = fill_cells(n, sizes, m_init, np.random.default_rng(0))
        both = np.concatenate([pairs, ~pairs])
        count = [both[both.sum(axis=1) == size].sum(axis=0) for size in sizes]
        assert finished and np.min(count) >= m_init
        assert set(pairs.sum(axis=1)) <= set(sizes)
    every = fill_cells(n, range(n + 1), 2, np.random.default_rng(0), 30)
    again = first_phase(n, 60, np.random.default_rng(0))
    assert np.array_equal(every[0], again[0]) and every[1] == again[1]
    assert fill_cells(n, range(n + 1), 2, np.random.default_rng(0), 3)[0].shape == (3, n)


def test_free_repeats_end_after_twenty_pairs_for_each_evaluation():
    a = estimate(TableGame(voting(3, 0)), "cc-neyman", 8)
    assert MAX_DRAWS_PER_EVALUATION == 20
    assert 2 + 2 * 160 <= a.evaluations < 2 + 2 * (160 + 64)


# The published estimator


def test_published_budget():
    assert [published_budget(n) for n in (2, 3, 4, 5, 6, 7, 8)] == [2, 6, 14, 30, 62, 126, 192]
    assert published_budget(9) == 244  # 3n² = 243, rounded up to even


@pytest.mark.parametrize("n", [3, 4, 5])
def test_published_ends_inside_phase_1(n):
    pairs, finished = first_phase(n, published_budget(n), np.random.default_rng(0))
    assert not finished
    assert 2 * len(pairs) == 2**n - 2
    a = estimate(TableGame(voting(n, 0)), "cc-neyman-published", "3n^2")
    assert a.evaluations == 2**n - 2
    assert a.stderr is None
    assert not a.converged


def test_published_phase_1_fills_all_cells():
    n = 9
    pairs, finished = first_phase(n, published_budget(n), np.random.default_rng(1))
    assert finished
    both = np.concatenate([pairs, ~pairs])
    for size in range(1, n + 1):
        assert (both[both.sum(axis=1) == size].sum(axis=0) >= 2).all()
    assert not pairs[0].any()  # the walk starts with the empty coalition of the first player's row


def test_published_repeats_and_overspends():
    game = FunctionGame(7, lambda c: c @ np.arange(1.0, 8))
    runs = [estimate(game, "cc-neyman-published", "3n^2", seed) for seed in range(40)]
    assert 126 <= np.mean([r.evaluations for r in runs]) <= 132
    assert np.mean([r.distinct for r in runs]) == pytest.approx(75, rel=0.05)


def test_cached_neyman_spends_its_budget_on_distinct_coalitions():
    a = estimate(TableGame(voting(8, 0)), "cc-neyman", 100)
    assert 98 <= a.distinct <= 100 < a.evaluations


# Pieces


@given(n=st.integers(2, 40), pairs=st.integers(1, 300), seed=st.integers(0, 9))
def test_allocation(n, pairs, seed):
    counts = allocate(pairs, n, np.random.default_rng(seed))
    assert (counts <= class_sizes(n)).all()
    assert counts.sum() == min(pairs, class_sizes(n).sum())


@given(n=st.integers(2, 24), data=st.data())
@settings(max_examples=40)
def test_drawn_pairs_are_distinct(n, data):
    size = data.draw(st.integers(1, n // 2))
    count = int(min(class_sizes(n)[size - 1], data.draw(st.integers(1, 60))))
    drawn = draw_class(n, size, count, np.random.default_rng(0))
    assert drawn.shape == (count, n)
    sizes = drawn.sum(axis=1)
    assert ((sizes == size) | (sizes == n - size)).all()
    assert len({*map(bytes, drawn), *map(bytes, ~drawn)}) == 2 * count


@pytest.mark.parametrize("n", [2, 3, 5, 6])
@pytest.mark.parametrize("index", ["shapley", "banzhaf", "interaction"])
def test_closed_form_covariances(n, index):
    of_table = {
        "shapley": shapley_of_table,
        "banzhaf": banzhaf_of_table,
        "interaction": lambda v: interactions_of_table(v)[np.triu_indices(n, 1)],
    }[index]
    parity = 1 if index == "interaction" else -1
    kernel = make_kernel(n, 0.3, 3.0, 2.0, parity)
    signs = np.where(all_coalitions(n), 1.0, -1.0)
    gram = covariance(kernel, signs, signs)
    linear = np.array([of_table(unit) for unit in np.eye(2**n)]).T / 2
    cov, variance = index_covariance(kernel, index, signs)
    assert np.allclose(cov, linear @ gram, atol=1e-9)
    assert np.allclose(np.diag(linear @ gram @ linear.T), variance, atol=1e-9)


@pytest.mark.parametrize(("n", "count"), [(5, 6), (7, 30), (14, 40), (40, 60)])
def test_chosen_pairs_are_distinct_and_proper(n, count):
    pairs = choose_pairs(n, count, np.random.default_rng(0))
    assert pairs.shape == (count, n)
    assert len({*map(bytes, pairs), *map(bytes, ~pairs)}) == 2 * count
    assert pairs.any(axis=1).all()
    assert not pairs.all(axis=1).any()


def test_banzhaf_and_interactions_from_the_same_evaluations():
    values = voting(7, 11)
    game = TableGame(values)
    estimate(game, "surrogate", 80)
    calls = game.calls
    banzhaf, pairs = shapley.banzhaf(game), shapley.interactions(game)
    assert game.calls == calls
    assert banzhaf.index == "Banzhaf"
    assert "interaction" in pairs.index
    assert banzhaf.method == pairs.method == "surrogate"
    assert pairs.distinct == banzhaf.distinct == 80
    truth = banzhaf_of_table(values)
    assert np.abs(banzhaf.values - truth).mean() < 0.1 * np.abs(truth).mean()
    index = interactions_of_table(values)
    assert np.abs(pairs.values - index).mean() < 0.5 * np.abs(index).mean()
    assert np.array_equal(pairs.values, pairs.values.T)
    estimate(game, "exact")
    assert np.allclose(shapley.interactions(game).values, index)
    assert shapley.banzhaf(game).method == "exact"
    assert not shapley.banzhaf(game).stderr.any()


def test_interactions_need_pairs():
    game = TableGame(voting(4, 0))
    game(all_coalitions(4)[[1, 2]])
    with pytest.raises(ValueError, match="no coalition together with its complement"):
        shapley.interactions(game)
    with pytest.raises(ValueError, match="no coalition together with its complement"):
        shapley.banzhaf(TableGame(voting(4, 0)))
    with pytest.raises(ValueError, match="at least 2 players"):
        shapley.interactions(TableGame([0.0, 1.0]))


@pytest.mark.parametrize(
    ("text", "n", "number"),
    [
        (12, 5, 12),
        ("3n^2", 7, 147),
        ("3n²", 7, 147),
        ("2n", 6, 12),
        ("3*n**2", 4, 48),
        (None, 10, 300),
        ("n", 9, 9),
        ("2^n", 6, 64),
        ("2**n", 6, 64),
        ("4 n", 3, 12),
        ("250", 9, 250),
        ("n^3", 4, 64),
    ],
)
def test_budgets(text, n, number):
    assert parse_budget(text, n) == number


# Attribution


def test_attribution_tables():
    a = estimate(TableGame(voting(3, 0)), "exact")
    frame = a.to_frame(["what", "is", "this"])
    assert frame.value.tolist() == a.values.tolist()
    assert a.to_frame().player.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="2 names for 3 players"):
        a.to_frame(["a", "b"])
    assert a.baseline == voting(3, 0)[0]
    with pytest.raises(AttributeError):
        a.values = None
    none = estimate(TableGame(voting(5, 0)), "cc-neyman-published")
    assert np.isnan(none.interval()[0]).all()


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # shap's use of matplotlib
def test_to_shap(monkeypatch):
    shap = pytest.importorskip("shap", reason="the package shap is not installed")
    a = estimate(TableGame(voting(3, 0)), "exact")
    explanation = a.to_shap(["what", "is", "this"])
    assert isinstance(explanation, shap.Explanation)
    assert explanation.base_values + explanation.values.sum() == pytest.approx(voting(3, 0)[-1])
    assert explanation.feature_names == ["what", "is", "this"]
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ImportError, match="pip install shap"):
        a.to_shap()


def test_converged_means_a_tenth_of_the_values_at_most():
    values = np.array([1.0, -3.0])  # mean size 2
    at, above = (np.full(2, CONVERGED_SHARE * size) for size in (2, 2.001))
    for stderr, converged in ((at, True), (above, False), (None, False), (at * np.nan, False)):
        assert Attribution(values, stderr, 4, 4, "kernel", 4, 0).converged is converged


# Limits


def test_limits_are_inclusive():
    assert choose(7, 128) == "exact" and choose(7, 127) == "surrogate"
    assert choose(20, 2**20) == "exact" and choose(21, 2**21) == "kernel"
    assert not replaced_by_kernel(256, 2000)
    assert replaced_by_kernel(257, 2000) and replaced_by_kernel(256, 2001)
    check_exact(20)
    with pytest.raises(ValueError, match="the limit is 20 players"):
        check_exact(21)
    for method, (_, smallest) in METHODS.items():
        least = smallest(5)
        assert estimate(TableGame(voting(5, 0)), method, least).budget == least


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "magic"}, "method must be one of exact, permutation.*got 'magic'"),
        ({"budget": 0}, "got 0"),
        ({"budget": -4}, "got -4"),
        ({"budget": "many"}, "got 'many'"),
        ({"budget": 3.5}, "got 3.5"),
        ({"budget": True}, "got True"),
        ({"method": "permutation", "budget": 9}, "at least 10 evaluations for 5 players, got 9"),
        ({"method": "kernel", "budget": 3}, "at least 4"),
        ({"method": "surrogate", "budget": 2}, "at least 4"),
        ({"method": "cc", "budget": 3}, "at least 4"),
        ({"method": "cc-neyman", "budget": 1}, "at least 4"),
    ],
)
def test_bad_requests(arguments, message):
    with pytest.raises(ValueError, match=message):
        estimate(TableGame(voting(5, 0)), **arguments)


def test_exact_names_its_cost():
    game = Game(21, lambda c: pytest.fail("no evaluation is due"))
    with pytest.raises(ValueError, match=r"21 players need 2\^21 ≈ 2\.1e\+06 evaluations"):
        estimate(game, "exact")


def test_surrogate_names_its_limits():
    with pytest.raises(ValueError, match=r"up to .* players and 2000 evaluations.*use 'kernel'"):
        estimate(FunctionGame(30, lambda c: c.mean(axis=1)), "surrogate", 2700)


def test_not_a_game():
    with pytest.raises(ValueError, match=r"got ndarray: wrap utilities in TableGame"):
        estimate(np.zeros(8))


def test_budget_of_the_game_holds_against_the_estimator():
    game = TableGame(voting(6, 0), budget=20)
    with pytest.raises(ValueError, match=r"20 calls are left|budget of 20"):
        estimate(game, "kernel", 40)
    assert game.calls <= 20


def test_the_products_of_the_surrogate_have_one_thread():
    import scipy.linalg  # noqa: F401, with a BLAS of its own
    from threadpoolctl import threadpool_info, threadpool_limits

    from sgpa_core.shapley.surrogate import one_thread

    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(2, "blas"):
        assert one_thread(threads)() == {1}
        assert threads() == {2}


@pytest.mark.parametrize("n", [7, 10, 12, 20])
def test_kernel_errors_have_the_size_of_the_errors(n):
    """Pairs and triples interact, so that the kernel's fit is wrong: intervals must hold that."""
    inside, largest = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        linear, triples = rng.normal(size=n), rng.integers(n, size=(n, 3))
        triples = np.array([t for t in triples if len(set(t)) == 3])
        weight = rng.normal(size=len(triples)) / 2
        truth = linear.copy()
        np.add.at(truth, triples.ravel(), np.repeat(weight / 3, 3))

        def worth(coalitions, linear=linear, triples=triples, weight=weight):
            return coalitions @ linear + coalitions[:, triples].all(axis=2) @ weight

        attribution = shapley.estimate(
            FunctionGame(n, worth), "kernel", min(3 * n * n, 2**n - 4), seed
        )
        inside += (np.abs(attribution.values - truth) <= 1.96 * attribution.stderr + 1e-9).tolist()
        largest.append(attribution.stderr.max() / np.abs(truth).max())
    assert 0.85 <= np.mean(inside) <= 1
    assert min(largest) > 0 and max(largest) < 1


@pytest.mark.parametrize("method", ["permutation", "kernel", "surrogate", "cc", "cc-neyman"])
def test_a_budget_beyond_any_memory_is_refused(method):
    with pytest.raises(ValueError, match=f"at most 1000000000 evaluations is run, got {2**70}$"):
        estimate(FunctionGame(70, lambda coalitions: coalitions.sum(axis=1)), method, "2^n")
