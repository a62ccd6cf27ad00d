"""Are values true to the model, and do they point at the words that decide?

The authors' later results measure faithfulness by deletion: what the utility loses without the word
of the largest value, against the other words (`top_against_others`; over their own games:
:mod:`sgpa_core.companion.recorded_games`). The rest are usual measures.

Everything here looks at a game and at scores of its players, which are ranked by falling score,
the first of equal ones first. Where a question has no answer (all scores equal, or a game in which
no order is better than another) it is NaN, so that such cases can be counted.
"""

from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from .audio import Audio
from .checks import choice, vector, whole
from .game import Game, all_coalitions
from .shapley.exact import check_exact

#: Players leave the full coalition, or enter the empty one, the highest score first.
KINDS = ("deletion", "insertion")

#: How `infidelity` weighs what is removed: all sets alike, or by the Shapley kernel.
WEIGHTS = ("uniform", "shapley")


def order(scores: ArrayLike) -> np.ndarray:
    """Return the players by falling score, int (n,).

    Examples
    --------
    >>> order([0.1, -0.7, 0.2]).tolist()
    [2, 0, 1]
    """
    return np.argsort(-vector(scores, "scores"), kind="stable")


def drops(game: Game) -> np.ndarray:
    """Return U(N) − U(N∖i) for each player, what its deletion alone takes away.

    Examples
    --------
    >>> drops(Game(3, lambda s: s @ [1.0, 2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    return game.full - game(~np.eye(game.n, dtype=bool))


def curve(game: Game, scores: ArrayLike, kind: str = "deletion") -> np.ndarray:
    """Return the utility while players leave or enter by falling score.

    Deletion: U(N), U(N∖o₁), … U(∅); insertion: U(∅), U(o₁), … U(N) (Petsiuk et al. 2018).

    Parameters
    ----------
    game : Game
    scores : array_like of float, shape (n,)
        Values, or what a baseline ranks by: durations, loudness, random numbers.
    kind : {"deletion", "insertion"}

    Examples
    --------
    >>> curve(Game(3, lambda s: s @ [1.0, 2.0, 3.0]), [1, 2, 3]).tolist()
    [6.0, 3.0, 1.0, 0.0]
    """
    choice(kind, KINDS, "kind")
    rank = np.argsort(order(vector(scores, "scores", game.n)))
    coalitions = rank < np.arange(game.n + 1)[:, None]
    return game(~coalitions if kind == "deletion" else coalitions)


def random_curve(game: Game, kind: str = "deletion") -> np.ndarray:
    """Return the mean of `curve` over all n! orders, exactly: the mean utility of each size.

    Needs all 2^n utilities; so does `best_curve`.

    Examples
    --------
    >>> random_curve(Game(3, lambda s: s @ [1.0, 2.0, 3.0])).tolist()
    [6.0, 4.0, 2.0, 0.0]
    """
    choice(kind, KINDS, "kind")
    utilities, sizes = _table(game)
    means = np.bincount(sizes, utilities) / np.bincount(sizes)
    return means[::-1] if kind == "deletion" else means


def best_curve(game: Game, kind: str = "deletion") -> np.ndarray:
    """Return the curve of the best of all n! orders, smallest by deletion, largest by insertion.

    By dynamic programming over the 2^n coalitions: f(S) = U(S) + min_{i ∈ S} f(S∖i).

    Examples
    --------
    >>> best_curve(Game(3, lambda s: s @ [1.0, 2.0, 3.0]), "insertion").tolist()
    [0.0, 3.0, 5.0, 6.0]
    """
    choice(kind, KINDS, "kind")
    utilities, sizes = _table(game)
    n, sign = game.n, 1.0 if kind == "deletion" else -1.0
    bits, total = 1 << np.arange(n), sign * utilities

    def without(masks: np.ndarray) -> np.ndarray:
        return np.where(masks & bits, total[masks & ~bits], np.inf)

    for size in range(1, n + 1):
        of_size = np.flatnonzero(sizes == size)
        total[of_size] += without(of_size[:, None]).min(axis=1)
    mask, path = 2**n - 1, [utilities[-1]]
    while mask:
        mask &= ~bits[without(mask).argmin()]
        path.append(utilities[mask])
    return np.array(path if kind == "deletion" else path[::-1])


def area(curve: ArrayLike) -> float:
    """Return the area under a curve over the share of players moved, by trapezia, in units of U.

    Examples
    --------
    >>> area([0.0, 1.0, 1.0])
    0.75
    """
    utilities = vector(curve, "a curve")
    return float(np.trapezoid(utilities, np.linspace(0, 1, len(utilities))))


def skill(game: Game, scores: ArrayLike, kind: str = "deletion") -> float:
    """Return where an order stands between a random one (0) and the best one there is (1).

    (A − A_random) / (A_best − A_random) with A the `area` of the curve; A_random is exact. Areas
    of different games become comparable. Negative: worse than random. NaN where all scores are
    equal or no order is better than random.

    Examples
    --------
    >>> game = Game(3, lambda s: s @ [1.0, 2.0, 3.0])
    >>> skill(game, [1, 2, 3]), round(skill(game, [3, 2, 1]), 9), skill(game, [1, 1, 1])
    (1.0, -1.0, nan)
    """
    if np.ptp(vector(scores, "scores", game.n)) == 0:
        return np.nan
    random, best = area(random_curve(game, kind)), area(best_curve(game, kind))
    if abs(best - random) < 1e-12:
        return np.nan
    return (area(curve(game, scores, kind)) - random) / (best - random)


def top_against_others(values: ArrayLike, drops: ArrayLike) -> tuple[float, float]:
    """Return the drop by the player of the largest |value|, and the mean drop by the others.

    Over utterances, the paired d_z of the two is the authors' measure of deletion faithfulness.

    Examples
    --------
    >>> top_against_others([0.1, -0.6, 0.2], [0.0, 0.9, 0.2])
    (0.9, 0.1)
    """
    values = vector(values, "values", least=2)
    drops = vector(drops, "drops", len(values))
    if np.ptp(np.abs(values)) == 0:
        return np.nan, np.nan
    top = order(np.abs(values))[0]
    return float(drops[top]), float(np.delete(drops, top).mean())


def rank_correlation(values: ArrayLike, drops: ArrayLike, method: str = "spearman") -> float:
    """Return Spearman's ρ or Kendall's τ_b of two sets of scores; NaN where one is constant.

    Examples
    --------
    >>> rank_correlation([1, 2, 3], [1, 3, 2]), rank_correlation([1, 2], [5, 5])
    (0.5, nan)
    """
    from scipy import stats

    choice(method, ("spearman", "kendall"), "method")
    values = vector(values, "values", least=2)
    drops = vector(drops, "drops", len(values))
    if np.ptp(values) == 0 or np.ptp(drops) == 0:
        return np.nan
    correlation = stats.spearmanr if method == "spearman" else stats.kendalltau
    return float(correlation(values, drops).statistic)


def infidelity(game: Game, values: ArrayLike, weights: str = "uniform") -> float:
    """Return E_T (Σ_{i∈T} φ_i − (U(N) − U(N∖T)))², the infidelity of deletion (Yeh et al. 2019).

    The expectation is exact, over all removed sets T that are not empty. With ``"shapley"`` the
    sets 0 < |T| < n weigh as in the Shapley kernel (Lundberg and Lee 2017), and the Shapley values
    are the minimum among those that sum to U(N) − U(∅). In squared units of U; 0 for an additive
    game and its values.

    Examples
    --------
    >>> game = Game(3, lambda s: s @ [1.0, 2.0, 3.0])
    >>> infidelity(game, [1, 2, 3]), round(infidelity(game, [2, 2, 2]), 3)
    (0.0, 0.571)
    """
    choice(weights, WEIGHTS, "weights")
    values = vector(values, "values", n := game.n, least=2 if weights == "shapley" else 1)
    check_exact(n)
    removed = all_coalitions(n)[1:]
    chance = np.ones(len(removed))
    if weights == "shapley":
        removed = removed[:-1]
        kernel = [1 / (comb(n, k) * k * (n - k)) for k in range(1, n)]
        chance = np.array(kernel)[removed.sum(axis=1) - 1]
    misses = removed @ values - (game.full - game(~removed))
    return float(np.average(misses**2, weights=chance))


def relative_change(values: ArrayLike, other: ArrayLike) -> float:
    """Return Σ|φ' − φ| / Σ|φ|; NaN where φ is zero throughout.

    Examples
    --------
    >>> relative_change([1.0, -1.0], [1.5, -1.0])
    0.25
    """
    values = vector(values, "values")
    moved = np.abs(vector(other, "other", len(values)) - values).sum()
    return float(moved / np.abs(values).sum()) if values.any() else np.nan


def precision_recall(
    scores: ArrayLike, relevant: Sequence[int], k: int | None = None
) -> tuple[float, float]:
    """Return precision and recall of the k largest scores against the relevant players.

    Equal scores at the k-th place: the mean over all ways to break the tie. By chance precision is
    r/n and recall k/n. With k = 1 the precision is the pointing game (Zhang et al. 2018).

    Parameters
    ----------
    scores : array_like of float, shape (n,)
    relevant : sequence of int
        Players that decide the answer, for instance ``Recording.rationale``; r of them.
    k : int, optional
        As many as are relevant without it, so that both are the same.

    Examples
    --------
    >>> precision_recall([0.1, 0.6, 0.2], [1, 0], 1), precision_recall([1, 1, 0], [1], 1)
    ((1.0, 0.5), (0.5, 0.5))
    """
    scores = vector(scores, "scores")
    n, players = len(scores), sorted(set(relevant))
    if not players or not 0 <= players[0] <= players[-1] < n:
        raise ValueError(f"relevant must name players 0 to {n - 1}, got {list(relevant)!r}")
    is_relevant = np.isin(np.arange(n), players)
    k = int(is_relevant.sum()) if k is None else whole(k, "k", 1, n)
    if np.ptp(scores) == 0:
        return np.nan, np.nan
    limit = np.sort(scores)[-k]
    above, tied = scores > limit, scores == limit
    hits = is_relevant[above].sum() + (k - above.sum()) * is_relevant[tied].mean()
    return float(hits / k), float(hits / is_relevant.sum())


def onto(values: ArrayLike, spans: ArrayLike, targets: ArrayLike) -> np.ndarray:
    """Hand values of players out to other spans in proportion to the overlap in time.

    ψ_w = Σ_p φ_p · |p ∩ w| / |p|: what overlaps no target is lost.

    Parameters
    ----------
    values : array_like of float, shape (n,)
    spans : array_like of float, shape (n, 2)
        Of the players, in seconds.
    targets : array_like of float, shape (m, 2)

    Examples
    --------
    >>> onto([1.0, 2.0], [[0, 1], [1, 2]], [[0, 1.5], [1.5, 2]]).tolist()
    [2.0, 1.0]
    """
    spans, targets = _spans(spans, "spans"), _spans(targets, "targets")
    values = vector(values, "values", len(spans))
    shared = np.minimum(spans[:, 1], targets[:, 1:]) - np.maximum(spans[:, 0], targets[:, :1])
    return np.maximum(shared, 0) @ (values / np.diff(spans)[:, 0])


def loudness(audio: Audio, spans: ArrayLike) -> np.ndarray:
    """Return the root mean square of the samples in each span, a baseline to rank by.

    Examples
    --------
    >>> loudness(Audio(np.repeat([0.5, 0.1], 1000), 1000), [[0, 1], [1, 2]]).round(3).tolist()
    [0.5, 0.1]
    """
    edges = np.rint(_spans(spans, "spans") * audio.sample_rate).astype(int)
    samples = audio.samples.astype(np.float64)
    return np.array([np.sqrt(np.mean(samples[a : max(b, a + 1)] ** 2)) for a, b in edges])


def _table(game: Game) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2^n utilities by mask, and the size of each coalition."""
    check_exact(game.n)
    coalitions = all_coalitions(game.n)
    return game(coalitions), coalitions.sum(axis=1)


def _spans(spans: ArrayLike, name: str) -> np.ndarray:
    array = np.asarray(spans, dtype=float)
    if array.ndim != 2 or array.shape[1] != 2 or not (array[:, 0] < array[:, 1]).all():
        raise ValueError(f"{name} must be rows (start, end) in seconds with start < end")
    return array
