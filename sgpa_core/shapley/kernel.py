"""Paired KernelSHAP: weighted least squares on complementary pairs, without repeats."""

from itertools import combinations

import numpy as np

from .attribution import Estimates, Run

#: Among more items than this, repeats are not counted.
MANY = 1e12

#: Class sizes are counted up to this number.
HUGE = 10**300

#: A size class with at most this many pairs is listed and sampled without replacement directly.
ENUMERATE_UP_TO = 20_000

#: In a class of at most this many pairs the drawn ones are balanced over the players.
BALANCE_UP_TO = 2_000

#: Directions whose eigenvalue is below this share of the largest one are left at an equal share.
SINGULAR = 1e-9

#: Up to this many players a little bias lowers the error; chosen on the recorded games (5 to 7).
FEW_PLAYERS = 7

#: With fewer pairs than 1.5 n the system is near-singular, and the bound is this share instead.
SCARCE_PAIRS, SCARCE_SINGULAR = 1.5, 0.1


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


def class_mass(n: int) -> np.ndarray:
    """Return the Shapley kernel's mass of each class: 1 / (s (n − s)) for the coalitions of size s.

    The middle class of an even n holds one size, the others two.
    """
    size = np.arange(1, n // 2 + 1)
    return np.where(2 * size == n, 0.5, 1.0) / (size * (n - size))


def signs_of(pairs: np.ndarray) -> np.ndarray:
    """Return +1 where a player is in, −1 where it is out."""
    return np.where(pairs, 1.0, -1.0)


def expected_distinct(classes: np.ndarray, draws: np.ndarray) -> float:
    """Return the expected number of distinct items among uniform draws from classes of items."""
    several = np.clip(classes, 2, MANY)
    seen = -np.expm1(draws * np.log1p(-1 / several)) * several
    return float(np.where(classes <= 1, np.minimum(draws, 1), seen).sum())


def expected_distinct_pairs(n: int, drawn: np.ndarray) -> float:
    """Return the expected distinct coalitions of pairs `drawn` by smaller size 0..⌊n/2⌋."""
    return 2 * expected_distinct(np.concatenate([[1.0], class_sizes(n)]), drawn)


def allocate(pairs: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Share `pairs` among the size classes in proportion to their kernel mass, none overfull.

    A class that would get more pairs than it has is taken whole and the rest is shared again;
    fractions are rounded at random.
    """
    available, mass = class_sizes(n), class_mass(n)
    pairs = int(min(pairs, available.sum()))
    share = np.zeros(len(mass))
    while (open_ := share < available).any() and (left := pairs - share[~open_].sum()) > 0:
        share[open_] = left * mass[open_] / mass[open_].sum()
        if (share <= available).all():
            break
        share = np.where(share >= available, available, 0.0)
    whole = np.floor(share + 1e-9)
    rest = round(pairs - whole.sum())
    if rest:
        chance = np.maximum(share - whole, 0.0) + 1e-12 * (whole < available)
        chosen = rng.choice(len(mass), size=rest, replace=False, p=chance / chance.sum())
        whole[chosen] += 1
    return whole.astype(int)


def draw_class(n: int, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` distinct pairs whose smaller half has `size` players; return those halves."""
    total = int(class_sizes(n)[size - 1])
    if total <= ENUMERATE_UP_TO:
        listed = np.array(list(combinations(range(n), size)))[:total]  # halves: first ones hold 0
        chosen = listed[rng.permutation(total)[:count]]
        return (chosen[:, :, None] == np.arange(n)).any(axis=1)
    distinct: dict[bytes, np.ndarray] = {}
    while len(distinct) < count:
        for coalition in np.argsort(rng.random((count, n)), axis=1) < size:
            if 2 * size == n and not coalition[0]:
                coalition = ~coalition
            distinct.setdefault(coalition.tobytes(), coalition)
    return np.array(list(distinct.values())[:count], dtype=bool).reshape(count, n)


def draw_balanced(n: int, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` distinct pairs like `draw_class`, as different from each other as can be.

    Each pair is the one of smallest summed squared correlation with those before, ties at random:
    no two players come to share their sides more often than they must.
    """
    total = int(class_sizes(n)[size - 1])
    if not 0 < count < total or total > BALANCE_UP_TO:
        return draw_class(n, size, count, rng)
    pool = draw_class(n, size, total, rng)
    signs = signs_of(pool)
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
    signs = signs_of(pairs)
    base = np.full(n, total / n)
    gram, centred = _gram(pairs, weight)
    moment = centred.T @ (weight * (u - signs @ base))
    values, vectors = np.linalg.eigh(gram)
    scarce = len(pairs) < min(SCARCE_PAIRS * n, class_sizes(n).sum())
    usable = values > (SCARCE_SINGULAR if scarce else SINGULAR) * max(values[-1], 1e-300)
    deviation = vectors[:, usable] @ ((vectors[:, usable].T @ moment) / values[usable])
    phi = base + deviation - deviation.mean()
    return phi + (total - phi.sum()) / n


def _gram(pairs: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted Gram matrix of the centred signs, whose rows sum to 0, and these."""
    signs = signs_of(pairs)
    centred = signs - signs.mean(axis=1, keepdims=True)
    return centred.T @ (weight[:, None] * centred), centred


def _stderr(
    pairs: np.ndarray, residuals: np.ndarray, weight: np.ndarray, unseen: np.ndarray
) -> np.ndarray:
    """Return standard errors from the residuals; `unseen` is the share of each class left out."""
    m, n = pairs.shape
    gram, centred = _gram(pairs, weight)
    inverse = np.linalg.pinv(gram, rcond=SINGULAR, hermitian=True)
    scores = centred * (weight * residuals * np.sqrt(unseen))[:, None]
    variance = np.diag(inverse @ (scores.T @ scores) @ inverse) * (m / (m - n + 1))
    return np.sqrt(np.maximum(variance, 0.0))


def kernel(run: Run, budget: int, rng: np.random.Generator) -> Estimates:
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
    counts, available = allocate((budget - 2) // 2, n, rng), class_sizes(n)
    raised = 0.5 if n <= FEW_PLAYERS else 1.0
    classes = [draw_balanced(n, size, count, rng) for size, count in enumerate(counts, start=1)]
    pairs = np.concatenate(classes)
    weight = class_mass(n) / available * (available / np.maximum(counts, 1)) ** raised
    weight, unseen = np.repeat([weight, 1.0 - counts / available], counts, axis=1)
    u = run.differences(pairs)
    phi = solve(pairs, u, weight, full - empty)
    if len(pairs) == available.sum():
        return phi, np.zeros(n)
    if len(pairs) < 2 * n:
        return phi, None
    return phi, _stderr(pairs, u - signs_of(pairs) @ phi, weight, unseen)
