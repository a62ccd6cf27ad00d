"""Paired KernelSHAP: weighted least squares on complementary pairs, without repeats."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from .attribution import Run

HUGE = 10**300
"""Class sizes are counted up to this number."""

ENUMERATE_UP_TO = 20_000
"""A size class with at most this many pairs is listed and sampled without replacement directly."""

BALANCE_UP_TO = 2_000
"""In a class of at most this many pairs the drawn ones are balanced over the players."""

SINGULAR = 1e-9
"""Directions whose eigenvalue is below this share of the largest one are left at an equal share."""

FEW_PLAYERS = 7
"""Up to here a little bias pays: chosen on the recorded games, which have 5 to 7 players."""

SCARCE_PAIRS, SCARCE_SINGULAR = 1.5, 0.1
"""With fewer pairs than 1.5 n the system is near-singular, and the bound is this share instead."""


def class_sizes(n: int) -> np.ndarray:
    """Return the number of pairs {S, N∖S} whose smaller half has 1, 2 … ⌊n/2⌋ players.

    Numbers above 10^300 are returned as about that.

    Examples
    --------
    >>> class_sizes(6).tolist()
    [6.0, 15.0, 10.0]
    """
    sizes, number = [], 1
    for s in range(1, n // 2 + 1):
        number = number * (n - s + 1) // s if number < HUGE else number
        sizes.append(float(number) / (2 if 2 * s == n else 1))
    return np.array(sizes)


def allocate(pairs: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Share `pairs` among the size classes in proportion to their kernel mass, none overfull.

    The Shapley kernel gives all coalitions of size s together the mass 1 / (s (n − s)). A class
    that would get more pairs than it has is taken whole and the rest is shared again; fractions
    are rounded at random.
    """
    available = class_sizes(n)
    size = np.arange(1, len(available) + 1)
    mass = np.where(2 * size == n, 0.5, 1.0) / (size * (n - size))
    pairs = int(min(pairs, available.sum()))
    share = np.zeros(len(size))
    while True:
        open_ = share < available
        left = pairs - share[~open_].sum()
        if left <= 0 or not open_.any():
            break
        share[open_] = left * mass[open_] / mass[open_].sum()
        if (share <= available).all():
            break
        share = np.where(share >= available, available, 0.0)
    whole = np.floor(share + 1e-9)
    rest = round(pairs - whole.sum())
    if rest:
        chance = np.maximum(share - whole, 0.0) + 1e-12 * (whole < available)
        chosen = rng.choice(len(size), size=rest, replace=False, p=chance / chance.sum())
        whole[chosen] += 1
    return whole.astype(int)


def draw_class(n: int, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` distinct pairs whose smaller half has `size` players; return those halves."""
    total = int(class_sizes(n)[size - 1])
    if total <= ENUMERATE_UP_TO:
        listed = np.array(list(combinations(range(n), size)))[:total]  # halves: first ones hold 0
        chosen = listed[rng.permutation(total)[:count]]
        coalitions = np.zeros((count, n), dtype=bool)
        coalitions[np.arange(count)[:, None], chosen] = True
        return coalitions
    found: dict[bytes, np.ndarray] = {}
    while len(found) < count:
        ranks = np.argsort(rng.random((count, n)), axis=1)
        for coalition in ranks < size:
            if 2 * size == n and not coalition[0]:
                coalition = ~coalition
            found.setdefault(coalition.tobytes(), coalition)
    return np.array(list(found.values())[:count], dtype=bool).reshape(count, n)


def draw_balanced(n: int, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` distinct pairs like `draw_class`, as different from each other as can be.

    Each pair is the one of smallest summed squared correlation with those before, ties at random:
    no two players come to share their sides more often than they must.
    """
    total = int(class_sizes(n)[size - 1])
    if not 0 < count < total or total > BALANCE_UP_TO:
        return draw_class(n, size, count, rng)
    pool = draw_class(n, size, total, rng)
    signs = np.where(pool, 1.0, -1.0)
    score = np.zeros(total)
    chosen: list[int] = []
    for _ in range(count):
        chosen.append(int(rng.choice(np.flatnonzero(score <= score.min()))))
        score += (signs @ signs[chosen[-1]]) ** 2
        score[chosen[-1]] = np.inf
    return pool[chosen]


def solve(pairs: np.ndarray, u: np.ndarray, weight: np.ndarray, total: float) -> np.ndarray:
    """Fit Σ_{i∈S} φ_i − Σ_{i∉S} φ_i ≈ u(S) with Σφ = total, by weighted least squares.

    Directions that the pairs do not determine stay at equal shares (the minimum-norm solution), so
    that a singular system cannot blow up.
    """
    n = pairs.shape[1]
    signs = np.where(pairs, 1.0, -1.0)
    base = np.full(n, total / n)
    centred = signs - signs.mean(axis=1, keepdims=True)
    gram = centred.T @ (weight[:, None] * centred)
    moment = centred.T @ (weight * (u - signs @ base))
    values, vectors = np.linalg.eigh(gram)
    bound = SCARCE_SINGULAR if len(pairs) < SCARCE_PAIRS * n else SINGULAR
    if len(pairs) == class_sizes(n).sum():
        bound = SINGULAR
    usable = values > bound * max(values[-1], 1e-300)
    deviation = vectors[:, usable] @ ((vectors[:, usable].T @ moment) / values[usable])
    phi = base + deviation - deviation.mean()
    return phi + (total - phi.sum()) / n


def kernel(run: Run, budget: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    """Estimate Shapley values by paired KernelSHAP (Lundberg and Lee 2017; Covert and Lee 2021).

    min_φ Σ_S w(|S|) (U(S) − U(∅) − Σ_{i∈S} φ_i)² subject to Σφ = U(N) − U(∅), over complementary
    pairs that are drawn without replacement, stratified by size and balanced over the players. In
    pairs only the differences U(S) − U(N∖S) matter. A size of which a share r is drawn has its
    weight raised by r^−1, which is unbiased up to the ratio; for at most 7 players by r^−½, which
    is less noisy there (with many players it would all but ignore the middle sizes, and pull the
    values together). With all pairs the values are exact.

    Parameters
    ----------
    run : Run
        The game, of n ≥ 2 players.
    budget : int
        Evaluations, the empty and the full coalition included; nothing is evaluated twice.
    rng : numpy.random.Generator

    Returns
    -------
    values : ndarray, shape (n,)
        Efficiency holds exactly.
    stderr : ndarray, shape (n,), or None
        From the residuals, corrected for the pairs that are left; None with fewer than 2n pairs.
    """
    n = run.n
    empty, full = run.ends()
    counts = allocate((budget - 2) // 2, n, rng)
    available = class_sizes(n)
    raised = 0.5 if n <= FEW_PLAYERS else 1.0
    pairs, weight, left = [np.zeros((0, n), dtype=bool)], [], []
    for size, (count, total) in enumerate(zip(counts, available, strict=True), start=1):
        pairs.append(draw_balanced(n, size, count, rng))
        mass = (0.5 if 2 * size == n else 1.0) / (size * (n - size))
        weight += [mass / total * (total / max(count, 1)) ** raised] * count
        left += [1.0 - count / total] * count
    drawn, weights, unseen = np.concatenate(pairs), np.array(weight), np.array(left)
    values = run(np.concatenate([drawn, ~drawn]))
    u = values[: len(drawn)] - values[len(drawn) :]
    phi = solve(drawn, u, weights, full - empty)
    if len(drawn) == available.sum():
        return phi, np.zeros(n)
    if len(drawn) < 2 * n:
        return phi, None
    signs = np.where(drawn, 1.0, -1.0)
    centred = signs - signs.mean(axis=1, keepdims=True)
    gram = centred.T @ (weights[:, None] * centred)  # singular: its rows sum to 0
    inverse = np.linalg.pinv(gram, rcond=SINGULAR, hermitian=True)
    scores = centred * (weights * (u - signs @ phi) * np.sqrt(unseen))[:, None]
    scale = len(drawn) / (len(drawn) - n + 1)
    return phi, np.sqrt(np.maximum(np.diag(inverse @ (scores.T @ scores) @ inverse) * scale, 0.0))
