"""The game: what it returns, what it counts, and what it refuses."""

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgpa_core import game as game_module
from sgpa_core.game import BudgetExceeded, FunctionGame, Game, TableGame, all_coalitions, pack


class Counting:
    """A value function that counts its own work."""

    def __init__(self, n):
        self.weights = np.arange(1.0, n + 1)
        self.coalitions = 0
        self.batches = []

    def __call__(self, coalitions):
        assert coalitions.dtype == bool
        assert coalitions.shape[1] == len(self.weights)
        self.coalitions += len(coalitions)
        self.batches.append(len(coalitions))
        return coalitions @ self.weights


@given(n=st.integers(1, 70), k=st.integers(0, 40), seed=st.integers(0, 99))
def test_packing_is_one_to_one(n, k, seed):
    coalitions = np.random.default_rng(seed).random((k, n)) < 0.5
    keys = pack(coalitions)
    assert np.array_equal(game_module.unpack(keys, n), coalitions)
    masks = [sum(1 << int(p) for p in np.flatnonzero(row)) for row in coalitions]
    assert [int.from_bytes(key, "little") for key in keys] == masks


@given(n=st.integers(1, 9), batch=st.integers(1, 20), seed=st.integers(0, 99))
def test_counts_and_values(n, batch, seed):
    function = Counting(n)
    game = Game(n, function, batch_size=batch)
    rng = np.random.default_rng(seed)
    asked = 0
    seen = set()
    for _ in range(3):
        coalitions = rng.random((rng.integers(0, 30), n)) < 0.5
        assert np.array_equal(game(coalitions), coalitions @ function.weights)
        asked += len(coalitions)
        seen.update(pack(coalitions))
    assert game.asked == asked
    assert game.distinct == len(seen) == game.calls == function.coalitions
    assert max(function.batches, default=0) <= batch


def test_empty_and_full_are_evaluated_once():
    function = Counting(5)
    game = Game(5, function)
    assert (game.empty, game.full, game.empty, game.full) == (0.0, 15.0, 0.0, 15.0)
    assert (game.asked, game.distinct, game.calls, function.coalitions) == (4, 2, 2, 2)


def test_observed_returns_what_was_paid_for():
    game = Game(4, Counting(4))
    game(all_coalitions(4)[[3, 9, 3]])
    coalitions, values = game.observed()
    assert values.tolist() == (coalitions @ np.arange(1.0, 5)).tolist()
    assert sorted(coalitions @ (1 << np.arange(4))) == [3, 9]
    assert Game(4, Counting(4)).observed()[0].shape == (0, 4)


def test_subclass():
    class Size(Game):
        def value_function(self, coalitions):
            return coalitions.sum(axis=1)

    assert Size(6).full == 6.0
    with pytest.raises(NotImplementedError, match="override"):
        Game(3).full  # noqa: B018


def test_function_game_one_coalition_at_a_time():
    calls = []

    def utility(coalition):
        calls.append(coalition.copy())
        if len(calls) == 4:
            raise RuntimeError("model down")
        return coalition.sum()

    game = FunctionGame(3, utility, each=True)
    with pytest.raises(RuntimeError, match="model down"):
        game(all_coalitions(3))
    assert (game.distinct, game.calls) == (3, 4)
    assert game(all_coalitions(3)).tolist() == all_coalitions(3).sum(axis=1).tolist()
    assert len(calls) == game.calls == 4 + 5


def test_table_game_indexing():
    values = np.random.default_rng(1).normal(size=16)
    game = TableGame(values)
    assert game.n == 4
    assert np.array_equal(game(all_coalitions(4)), values)
    assert game(np.array([[True, False, False, True]]))[0] == values[0b1001]
    values[0] = 99.0
    assert game.empty != 99.0


def test_4096_players_without_a_table():
    tracemalloc.start()
    game = Game(4096, lambda coalitions: coalitions.mean(axis=1))
    coalitions = np.random.default_rng(0).random((50, 4096)) < 0.3
    assert np.array_equal(game(coalitions), coalitions.mean(axis=1))
    assert game.full == 1.0
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_overhead_per_coalition(benchmark_seconds=20e-6):
    import time

    coalitions = np.random.default_rng(0).random((20_000, 12)) < 0.5
    game = Game(12, lambda c: np.zeros(len(c)), batch_size=64)
    start = time.perf_counter()
    game(coalitions)
    assert (time.perf_counter() - start) / len(coalitions) < benchmark_seconds


def test_progress_bar(capsys):
    Game(3, Counting(3), progress=True)(all_coalitions(3))
    assert "8/8" in capsys.readouterr().err


# Budget


def test_budget_is_hard_and_exact():
    function = Counting(6)
    game = Game(6, function, batch_size=4, budget=10)
    game(all_coalitions(6)[:8])
    with pytest.raises(BudgetExceeded, match=r"3 new coalitions asked for, but 2 of the budget"):
        game(all_coalitions(6)[6:11])
    assert function.coalitions == game.calls == 8
    game(all_coalitions(6)[:10])
    assert function.coalitions == 10
    game(all_coalitions(6)[:10])  # what is remembered is free
    with pytest.raises(ValueError, match="budget"):
        game(all_coalitions(6)[10:11])


def test_failure_in_the_middle_keeps_what_was_paid_for():
    function = Counting(5)

    def breaks(coalitions):
        if function.coalitions >= 12:
            raise ConnectionError("server gone")
        return function(coalitions)

    game = Game(5, breaks, batch_size=4)
    with pytest.raises(ConnectionError):
        game(all_coalitions(5))
    assert game.distinct == 12
    function.coalitions = -100
    values = game(all_coalitions(5))
    assert values.tolist() == (all_coalitions(5) @ function.weights).tolist()
    assert function.coalitions == -100 + 32 - 12


# Bad input


@pytest.mark.parametrize("n", [0, -1, 2.5, "3", True, None, float("nan")])
def test_bad_player_counts(n):
    with pytest.raises(ValueError, match="number of players n must be a whole number"):
        Game(n, lambda c: c)


def test_one_player_is_a_game():
    assert FunctionGame(1, lambda c: c[:, 0] * 2.0).full == 2.0


@pytest.mark.parametrize(
    "coalitions",
    [
        np.ones(3, dtype=bool),
        np.ones((2, 4), dtype=bool),
        np.ones((2, 3)),
        np.ones((2, 3), dtype=int),
        np.ones((1, 2, 3), dtype=bool),
        [],
        "TFT",
        None,
    ],
)
def test_bad_coalitions(coalitions):
    with pytest.raises(ValueError, match=r"bool array of shape \(k, 3\)"):
        Game(3, lambda c: c.sum(axis=1))(coalitions)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1.0, 2.0, 3.0], r"4 coalitions need values of shape \(4,\), not of shape \(3,\)"),
        (1.0, r"shape \(\)"),
        (np.zeros((4, 1)), r"shape \(4, 1\)"),
        (["a", "b", "c", "d"], "must return 4 numbers"),
        (None, r"shape \(\)"),
        ([0.0, np.nan, 0.0, 0.0], r"nan for the coalition \{0\} \(mask 1\)"),
        ([0.0, 1.0, -np.inf, 0.0], r"-inf for the coalition \{1\} \(mask 2\)"),
    ],
)
def test_bad_value_functions(returned, message):
    game = Game(2, lambda c: returned)
    with pytest.raises(ValueError, match=message):
        game(all_coalitions(2))
    assert game.calls == 4


def test_named_coalition_is_short_for_many_players():
    game = Game(100, lambda c: np.full(len(c), np.inf))
    with pytest.raises(ValueError, match=r"\{0, 1, 2.*… \(100 players\)\}: utilities"):
        game.full  # noqa: B018


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 2.0, 3.0], r"2\^n utilities"),
        ([1.0], r"2\^n utilities"),
        ([], r"2\^n utilities"),
        (np.zeros((2, 2)), r"2\^n utilities"),
        ([0.0, 1.0, np.nan, 1.0], r"nan for the coalition \{1\} \(mask 2\)"),
    ],
)
def test_bad_tables(values, message):
    with pytest.raises(ValueError, match=message):
        TableGame(values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"budget": -1}, "budget must be a whole number of at least 0, got -1"),
        ({"budget": 1.5}, "budget"),
        ({"function": 3}, "callable"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        Game(3, **options)
    with pytest.raises(ValueError, match="callable"):
        FunctionGame(3, "no function")


# shapiq


def test_to_shapiq_shares_the_count():
    shapiq = pytest.importorskip("shapiq")
    values = np.random.default_rng(2).normal(size=32)
    game = TableGame(values, budget=32)
    theirs = shapiq.ExactComputer(game.to_shapiq())("SV")
    assert game.calls == 32
    from sgpa_core.shapley import estimate

    ours = estimate(game, "exact").values
    assert np.allclose([theirs[(i,)] for i in range(5)], ours, atol=1e-9)
    assert game.calls == 32


def test_a_table_game_travels_between_processes():
    game = pickle.loads(pickle.dumps(TableGame([0.0, 1.0, 2.0, 4.0])))
    assert game.full == 4.0
