"""A Gaussian process over coalition pairs: the fewest evaluations for the error, with intervals.

Shapley and Banzhaf values depend on a game only through u(S) = U(S) − U(N∖S); pairwise
interactions only through U(S) + U(N∖S). So the process lives on complementary pairs. Its
covariance depends on the Hamming distance of two coalitions, which treats all players alike and
gives every value in closed form: no table of 2^n utilities is built.
"""

from bisect import bisect_left
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from .attribution import Estimates, Run
from .exact import exact
from .kernel import class_sizes, draw_class, signs_of
from .semivalues import distance_map, prior_variance

#: Above this, the linear algebra costs more than it saves: `kernel` replaces the surrogate.
MAX_SURROGATE_EVALUATIONS = 2_000

#: Above this, `kernel` replaces the surrogate.
MAX_SURROGATE_PLAYERS = 256

#: τ for 6 players: interactions of l players have prior variance ∝ τ^l; scaled by 6/n.
DECAY = (0.1, 0.3, 0.6, 0.9)

#: Prior variance of single players, as a multiple of what τ gives.
LINEAR = (1.0, 5.0, 25.0, 100.0)

#: Prior variance of the trend shared by all players, as a multiple of a single player's.
TREND = (0.0, 10.0)

#: τ and prior variance of single players for which the pairs are chosen.
DESIGN_DECAY, DESIGN_LINEAR = 0.8, 5.0

#: Pairs that compete for the next evaluation: all of them up to 12 players.
CANDIDATES = 2_048

#: Added to the diagonal, as a share of its mean, for the Cholesky factor.
JITTER = 1e-8

#: Standard errors are widened by this factor, for games that are no draw from the process.
WIDEN = 1.1

#: Lets a function's products run on one BLAS thread: they are small, and threads would wait.
one_thread = threadpool_limits.wrap(limits=1, user_api="blas")


@dataclass(frozen=True)
class Kernel:
    """Covariance κ(|S △ T|) + trend · z(S) z(T), z(S) = |S| − |N∖S|."""

    distance: np.ndarray  # κ at distances 0..n
    trend: float


def make_kernel(n: int, decay: float, linear: float, trend: float, parity: int) -> Kernel:
    """Return a kernel with order-l variance ∝ C(n, l) τ^l, for odd (−1) or even (+1) l.

    Odd l are for the differences U(S) − U(N∖S), even l for the sums (their constant is left free).
    """
    tau = min(decay * 6 / n, 0.97)
    d = np.arange(n + 1)
    near, far = (1 + tau) ** (n - d) * (1 - tau) ** d, (1 - tau) ** (n - d) * (1 + tau) ** d
    kappa = near + parity * far
    if parity < 0:
        kappa = kappa + 2 * (linear - 1) * tau * (n - 2 * d)
        return Kernel(kappa / kappa[0], 2 * trend * tau / n / kappa[0])
    pairs = ((n - 2 * d) ** 2 - n) / 2  # Σ_{i<j} of the products of signs
    kappa = kappa + 2 * (linear - 1) * tau**2 * pairs
    return Kernel(kappa / kappa[0] + 100.0, 0.0)


def covariance(kernel: Kernel, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the covariances of the pairs `a` (k, n) and `b` (m, n), given as signs ±1."""
    n = a.shape[1]
    distance = np.rint((n - a @ b.T) / 2).astype(np.intp)
    result = kernel.distance[distance]
    if kernel.trend:
        result = result + kernel.trend * np.outer(a.sum(axis=1), b.sum(axis=1))
    return result


def index_covariance(kernel: Kernel, index: str, signs: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the covariances of an index with the pairs, and the index's own prior variance.

    Returns
    -------
    ndarray, shape (n, m), or (n (n − 1) / 2, m) for interactions
        Player i, or the pairs of players in the order of `numpy.triu_indices`.
    variance : float
    """
    n = signs.shape[1]
    by_type = distance_map(index, n) @ kernel.distance  # (order + 1, n + 1)
    inside = signs.T > 0
    players = np.array(list(combinations(range(n), len(by_type) - 1)))  # one each, or two
    members = inside[players].sum(axis=1)
    # the trend gives each player the value 1; a kernel for interactions has none
    cov = by_type[members, inside.sum(axis=0)] / 2 + kernel.trend * signs.sum(axis=1)
    return cov, prior_variance(index, n, by_type) / 4 + kernel.trend


@one_thread
def choose_pairs(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Choose the pairs that tell most about the Shapley values, one after the other.

    Each step takes the pair that lowers the summed posterior variance of the Shapley values most
    (greedy A-optimal design), given (∅, N) and the pairs taken before; ties are broken at random.

    Returns
    -------
    ndarray of bool, shape (count, n)
        One coalition of each pair.
    """
    candidates = _candidates(n, max(CANDIDATES, 2 * count), rng)
    count = min(count, len(candidates))
    kernel = make_kernel(n, DESIGN_DECAY, DESIGN_LINEAR, 0.0, -1)
    signs = np.concatenate([np.ones((1, n)), signs_of(candidates)])
    value_cov, _ = index_covariance(kernel, "shapley", signs)
    variance = np.full(len(signs), kernel.distance[0] * (1 + JITTER))
    factor = np.zeros((len(signs), count + 1))
    free = np.ones(len(signs), dtype=bool)
    taken = [0]  # (∅, N)
    for step in range(count + 1):
        if step:
            gain = np.where(free, (value_cov**2).sum(axis=0) / np.maximum(variance, 1e-12), -1.0)
            taken.append(int(rng.choice(np.flatnonzero(gain >= gain.max() * (1 - 1e-9)))))
        best = taken[-1]
        free[best] = False
        column = covariance(kernel, signs, signs[best : best + 1])[:, 0]
        column = column - factor[:, :step] @ factor[best, :step]
        column = column / np.sqrt(max(variance[best], 1e-12))
        value_cov = value_cov - np.outer(value_cov[:, best] / column[best], column)
        variance = variance - column**2
        factor[:, step] = column
    return signs[taken[1:]] > 0


def _candidates(n: int, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Return all pairs up to `limit`, else about `limit` of them, sizes as even as can be."""
    available = class_sizes(n)
    # the least common cap at which the classes hold `limit` pairs
    cap = bisect_left(range(limit), limit, key=lambda cap: np.minimum(available, cap).sum())
    counts = np.minimum(available, cap)
    drawn = [draw_class(n, size, int(k), rng) for size, k in enumerate(counts, start=1)]
    return np.concatenate(drawn)


@one_thread
def posterior(
    coalitions: np.ndarray, data: np.ndarray, index: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the posterior mean and standard error of an index, averaged over hyperparameters.

    Parameters
    ----------
    coalitions : ndarray of bool, shape (m, n)
        One coalition of each pair; the pair (N, ∅) included.
    data : ndarray, shape (m,) or (m, k)
        U(S) − U(N∖S) for values, U(S) + U(N∖S) for interactions; of one game, or of k games, which
        then share their hyperparameters, so that the mean is linear in the data.
    index : str
        ``"shapley"``, ``"banzhaf"`` or ``"interaction"``.

    Returns
    -------
    mean, stderr : ndarray, shape (n,) or (n, k); of interactions a row for each pair of players
        Mean ± 1.96 stderr is a 95 % interval.
    """
    m, n = coalitions.shape
    signs = signs_of(coalitions)
    parity = 1 if index == "interaction" else -1
    data = data - (data.mean(axis=0) if parity > 0 else 0.0)
    games = data.reshape(m, -1)
    evidence, means, variances = [], [], []
    for decay, linear, trend in product(DECAY, LINEAR, TREND if parity < 0 else (0.0,)):
        kernel = make_kernel(n, decay, linear, trend, parity)
        gram = covariance(kernel, signs, signs)
        gram[np.diag_indices(m)] += JITTER * np.trace(gram) / m
        lower = np.linalg.cholesky(gram)
        cov, prior = index_covariance(kernel, index, signs)
        right = np.column_stack([games, cov.T])
        solved = solve_triangular(lower, right, lower=True, check_finite=False)
        white, loads = np.split(solved, [games.shape[1]], axis=1)
        scale = (white**2).sum(axis=0) / m + 1e-300
        evidence.append((-np.log(np.diag(lower)).sum() - 0.5 * m * np.log(scale)).sum())
        means.append(loads.T @ white)
        variances.append(np.outer(np.maximum(prior - (loads**2).sum(axis=0), 0.0), scale))
    weight = np.exp(np.array(evidence) - max(evidence))
    weight /= weight.sum()
    mean = np.tensordot(weight, means, 1)
    variance = np.tensordot(weight, np.array(variances) + (np.array(means) - mean) ** 2, 1)
    stderr = WIDEN * _student(m) * np.sqrt(variance)
    return mean.reshape(-1, *data.shape[1:]), stderr.reshape(-1, *data.shape[1:])


def _student(m: int) -> float:
    """Return the 97.5 % quantile of Student's t with `m` degrees of freedom over 1.96."""
    z2 = 1.96**2
    return 1 + (z2 + 1) / (4 * m) + (5 * z2**2 + 16 * z2 + 3) / (96 * m**2)


def surrogate(run: Run, budget: int, rng: np.random.Generator) -> Estimates:
    """Estimate Shapley values with a Gaussian process on coalition pairs that it chooses itself.

    Parameters
    ----------
    run : Run
        The game, of 2 to 256 players.
    budget : int
        Evaluations, the empty and the full coalition included, at most 2,000; none is repeated.
    rng : numpy.random.Generator

    Returns
    -------
    values : ndarray, shape (n,)
        Posterior mean; efficiency holds exactly.
    stderr : ndarray, shape (n,)
        Such that values ± 1.96 stderr is a 95 % interval.

    Raises
    ------
    ValueError
        If the players or the budget are too many.
    """
    n = run.n
    pairs = (min(budget, 2**n) - 2) // 2
    if pairs + 1 == 2 ** (n - 1):
        return exact(run)
    if n > MAX_SURROGATE_PLAYERS or 2 * pairs + 2 > MAX_SURROGATE_EVALUATIONS:
        raise ValueError(
            f"surrogate takes up to {MAX_SURROGATE_PLAYERS} players and "
            f"{MAX_SURROGATE_EVALUATIONS} evaluations, got {n} and {budget}: use 'kernel'"
        )
    coalitions = np.concatenate([np.ones((1, n), dtype=bool), choose_pairs(n, pairs, rng)])
    u = run.differences(coalitions)
    mean, stderr = posterior(coalitions, u, "shapley")
    return mean + (u[0] - mean.sum()) / n, stderr
