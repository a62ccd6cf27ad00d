"""Faithfulness: games whose answer is known by formula, brute force, and bad input."""

import gc
import json
import weakref
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgpa_core import Audio, Game, TableGame, faithfulness, instructions, speech_game
from sgpa_core.shapley.exact import shapley_of_table

SEEDS = st.integers(0, 10_000)
PLAYERS = st.integers(2, 6)
WORTHS = np.array([0.5, -0.2, 0.3, 0.1])


def random_game(n, seed):
    return TableGame(np.random.default_rng(seed).normal(size=2**n))


def additive():
    return Game(4, lambda coalitions: coalitions @ WORTHS)


def every_curve(game, kind):
    """All n! curves, one by one."""
    curves = []
    for path in permutations(range(game.n)):
        scores = np.empty(game.n)
        scores[list(path)] = np.arange(game.n, 0, -1)
        curves.append(faithfulness.curve(game, scores, kind))
    return np.array(curves)


def test_an_additive_game_is_explained_without_infidelity():
    for weights in faithfulness.WEIGHTS:
        assert faithfulness.infidelity(additive(), WORTHS, weights) == pytest.approx(0, abs=1e-20)
    assert faithfulness.drops(additive()) == pytest.approx(WORTHS)
    assert faithfulness.rank_correlation(WORTHS, faithfulness.drops(additive())) == 1
    assert faithfulness.rank_correlation(WORTHS, -WORTHS, "kendall") == -1


def test_equal_players_have_straight_curves():
    game = Game(5, lambda coalitions: coalitions.sum(axis=1) / 5)
    straight = np.linspace(1, 0, 6)
    assert faithfulness.curve(game, [3, 1, 2, 5, 4]) == pytest.approx(straight)
    assert faithfulness.best_curve(game) == pytest.approx(straight)
    assert faithfulness.random_curve(game, "insertion") == pytest.approx(straight[::-1])
    assert faithfulness.area(straight) == pytest.approx(0.5)
    assert np.isnan(faithfulness.skill(game, [3, 1, 2, 5, 4]))


def test_players_leave_and_enter_by_falling_score():
    assert faithfulness.curve(additive(), WORTHS) == pytest.approx([0.7, 0.2, -0.1, -0.2, 0])
    entered = faithfulness.curve(additive(), WORTHS, "insertion")
    assert entered == pytest.approx([0, 0.5, 0.8, 0.9, 0.7])
    assert faithfulness.skill(additive(), WORTHS) == pytest.approx(1)


@given(PLAYERS, SEEDS, st.sampled_from(faithfulness.KINDS))
def test_random_and_best_curves_are_those_of_all_orders(n, seed, kind):
    game = random_game(min(n, 5), seed)
    curves = every_curve(game, kind)
    areas = np.array([faithfulness.area(curve) for curve in curves])
    assert faithfulness.random_curve(game, kind) == pytest.approx(curves.mean(axis=0))
    best = faithfulness.area(faithfulness.best_curve(game, kind))
    assert best == pytest.approx(areas.min() if kind == "deletion" else areas.max())


@given(PLAYERS, SEEDS, st.sampled_from(faithfulness.KINDS))
def test_skill_is_one_at_most_and_ignores_scale_and_offset(n, seed, kind):
    game = random_game(n, seed)
    scores = np.random.default_rng(seed + 1).normal(size=n)
    skill = faithfulness.skill(game, scores, kind)
    assert skill <= 1 + 1e-9
    other = TableGame(3 * game.values + 7)
    assert faithfulness.skill(other, 2 * scores - 1, kind) == pytest.approx(skill)


def test_no_game_is_kept_alive():
    game = random_game(4, 0)
    faithfulness.skill(game, WORTHS)
    alive = weakref.ref(game)
    del game
    gc.collect()
    assert alive() is None


@given(PLAYERS, SEEDS)
def test_deleting_is_inserting_into_the_dual_game(n, seed):
    game, scores = random_game(n, seed), np.arange(n, 0, -1)
    dual = TableGame(game.values[-1] - game.values[::-1])  # U*(S) = U(N) − U(N∖S)
    deleted = faithfulness.curve(game, scores)
    assert game.full - deleted == pytest.approx(faithfulness.curve(dual, scores, "insertion"))


@given(PLAYERS, SEEDS)
def test_shapley_values_have_the_least_infidelity_under_their_kernel(n, seed):
    game = random_game(n, seed)
    values = shapley_of_table(game.values)
    least = faithfulness.infidelity(game, values, "shapley")
    aside = np.random.default_rng(seed).normal(size=n)
    aside -= aside.mean()  # still efficient
    assert faithfulness.infidelity(game, values + aside, "shapley") >= least - 1e-12


def test_infidelity_is_its_sum():
    game, values = random_game(4, 0), np.array([0.3, -1.0, 2.0, 0.1])
    every = [set(c) for k in range(1, 5) for c in combinations(range(4), k)]
    misses = [
        sum(values[i] for i in removed)
        - (game.values[15] - game.values[sum(1 << i for i in range(4) if i not in removed)])
        for removed in every
    ]
    assert faithfulness.infidelity(game, values) == pytest.approx(np.mean(np.square(misses)))


def test_the_top_player_against_the_others():
    top, others = faithfulness.top_against_others(WORTHS, [0.9, 0.4, 0.1, 0.1])
    assert (top, others) == pytest.approx((0.9, 0.2))
    assert np.isnan(faithfulness.top_against_others([1, -1, 1], [1, 2, 3])).all()


def test_ranks_of_a_constant_are_undefined():
    assert np.isnan(faithfulness.rank_correlation([0, 0, 0], [1, 2, 3]))
    assert np.isnan(faithfulness.rank_correlation([1, 2, 3], [1, 1, 1], "kendall"))


def test_a_change_is_relative_to_the_size_of_the_values():
    assert faithfulness.relative_change(WORTHS, WORTHS + 0.1) == pytest.approx(0.4 / 1.1)
    assert np.isnan(faithfulness.relative_change([0, 0], [1, 0]))


@given(PLAYERS, SEEDS, st.data())
def test_precision_and_recall_over_ties_are_means_over_orders(n, seed, data):
    scores = np.random.default_rng(seed).integers(0, 3, n)
    relevant = data.draw(st.lists(st.integers(0, n - 1), min_size=1, unique=True))
    k = data.draw(st.integers(1, n))
    precision, recall = faithfulness.precision_recall(scores, relevant, k)
    if np.ptp(scores) == 0:
        assert np.isnan([precision, recall]).all()
        return
    hits = [
        len({*sorted(path, key=lambda i: -scores[i])[:k]} & {*relevant})
        for path in permutations(range(n))
    ]
    assert precision == pytest.approx(np.mean(hits) / k)
    assert recall == pytest.approx(np.mean(hits) / len(relevant))


@given(SEEDS)
def test_handing_values_on_keeps_their_sum_where_time_is_covered(seed):
    rng = np.random.default_rng(seed)
    first, second = (np.sort([0, *rng.uniform(0.1, 1.9, k), 2]) for k in (3, 5))
    first, second = (np.column_stack([edges[:-1], edges[1:]]) for edges in (first, second))
    values = rng.normal(size=4)
    assert faithfulness.onto(values, first, second).sum() == pytest.approx(values.sum())
    assert faithfulness.onto(values, first, first) == pytest.approx(values)


def test_time_that_no_target_covers_takes_its_share_along():
    assert faithfulness.onto([2.0], [[0, 1]], [[0.5, 0.75], [0.9, 1.4]]) == pytest.approx(
        [0.5, 0.2]
    )


def test_loudness_is_the_root_mean_square():
    time = np.arange(8000) / 8000
    audio = Audio(np.where(time < 0.5, 0.5, 0.1) * np.sin(2 * np.pi * 100 * time), 8000)
    loud, quiet = faithfulness.loudness(audio, [[0, 0.5], [0.5, 1]])
    assert loud == pytest.approx(0.5 / np.sqrt(2), rel=1e-4)
    assert quiet == pytest.approx(0.1 / np.sqrt(2), rel=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: faithfulness.curve(g, [1, 2]), r"scores must be 4 numbers, one for each player"),
        (lambda g: faithfulness.curve(g, [1, 2, 3, 4], "both"), "unknown kind 'both'; choose"),
        (lambda g: faithfulness.skill(g, [1, 2, 3, np.nan]), "scores must be finite"),
        (lambda g: faithfulness.infidelity(g, WORTHS, "size"), "unknown weights 'size'"),
        (lambda g: faithfulness.rank_correlation([1], [1]), "at least 2 numbers"),
        (lambda g: faithfulness.rank_correlation(WORTHS, WORTHS, "rho"), "unknown method 'rho'"),
        (lambda g: faithfulness.top_against_others(WORTHS, [1, 2]), "drops must be 4 numbers"),
        (lambda g: faithfulness.precision_recall(WORTHS, [4]), "players 0 to 3, got \\[4\\]"),
        (lambda g: faithfulness.precision_recall(WORTHS, []), "relevant must name"),
        (
            lambda g: faithfulness.precision_recall(WORTHS, [1], 5),
            "k must be a whole number from 1 to 4, got 5",
        ),
        (lambda g: faithfulness.onto([1], [[1, 1]], [[0, 1]]), "start < end"),
        (lambda g: faithfulness.best_curve(Game(25, lambda s: s.sum(axis=1))), "limit is 20"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(additive())


def test_stored_answers_say_what_the_chapters_say(root):
    lines = (root / "data" / "results" / "answers" / "tables.jsonl").read_text("utf-8").splitlines()
    wanted = [f'"id":"awb-0{k:02}","voice":"awb","regime":"' for k in range(1, 25)]
    rows = [line for line in lines if any(line.startswith("{" + start) for start in wanted)]
    tables = {
        (table.id, table.regime, table.masking): table
        for table in (speech_game.AnswerTable(**json.loads(line)) for line in rows)
        if table.regime in ("words", "uniform", "truth", "shift+10", "shift+80")
    }
    skill, share, moved = [], {"words": [], "uniform": []}, {10: [], 80: []}
    for id in sorted({id for id, _, _ in tables}):
        recording, values = instructions(id), tables[id, "words", "silence"].values()
        skill.append(faithfulness.skill(tables[id, "words", "noise"].game(), values))
        true = tables[id, "truth", "silence"].values()
        for regime, shares in share.items():
            table = tables[id, regime, "silence"]
            size = np.abs(faithfulness.onto(table.values(), table.spans, recording.spans))
            size = np.abs(values) if regime == "words" else size
            shares.append(size[list(recording.rationale)].sum() / size.sum())
        for ms, changes in moved.items():
            if (other := tables.get((id, f"shift+{ms}", "silence"))) is not None:
                changes.append(faithfulness.relative_change(true, other.values()))
    assert len(skill) >= 20 and len(moved[10]) >= 12
    assert np.mean(skill) > 0.9  # by values of another mask
    assert np.mean(share["words"]) > 0.9 > np.mean(share["uniform"])
    assert np.mean(moved[10]) < 0.05 < np.mean(moved[80])
