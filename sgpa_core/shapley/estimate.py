"""One entrance to all estimators."""

from collections.abc import Callable

import numpy as np

from ..checks import whole
from ..game import Game
from .attribution import Attribution, Run, parse_budget
from .complementary import cc, cc_neyman
from .exact import MAX_EXACT_PLAYERS, check_exact, exact
from .kernel import kernel
from .published import cc_neyman_published
from .sampling import permutation
from .surrogate import MAX_SURROGATE_EVALUATIONS, MAX_SURROGATE_PLAYERS, surrogate

#: The sampling methods: function, and the smallest budget for n players.
METHODS: dict[str, tuple[Callable, Callable[[int], int]]] = {
    "permutation": (permutation, lambda n: 2 * n),
    "kernel": (kernel, lambda n: 4),
    "surrogate": (surrogate, lambda n: 4),
    "cc": (cc, lambda n: 4),
    "cc-neyman": (cc_neyman, lambda n: 4),
    "cc-neyman-published": (cc_neyman_published, lambda n: 2),
}

#: Larger budgets, such as 2^n of many players, are refused.
MAX_BUDGET = 10**9

#: All names that `estimate` takes.
NAMES = ("exact", *METHODS, "auto")


def choose(n: int, budget: int) -> str:
    """Return the method that ``auto`` stands for: exact if the budget allows, else the best one."""
    if 2**n <= budget and n <= MAX_EXACT_PLAYERS:
        return "exact"
    return "kernel" if replaced_by_kernel(n, budget) else "surrogate"


def replaced_by_kernel(n: int, budget: int) -> bool:
    """Tell whether the players or the budget are too many for the surrogate."""
    return min(budget, 2**n) > MAX_SURROGATE_EVALUATIONS or n > MAX_SURROGATE_PLAYERS


def check_budget(method: str, n: int, budget: int) -> None:
    """Refuse a budget that a sampling method cannot do with.

    Raises
    ------
    ValueError
        Naming the smallest budget for n players.
    """
    smallest = METHODS[method][1](n)
    if budget < min(smallest, 2**n):
        least = f"{method} needs at least {smallest} evaluations for {n} players"
        raise ValueError(f"{least}, got {budget}")


def estimate(
    game: Game, method: str = "auto", budget: int | str | None = None, seed: int | None = 0
) -> Attribution:
    """Return the Shapley values of a game, with what they cost and how certain they are.

    Parameters
    ----------
    game : Game
        Any game; what it remembers is not evaluated again.
    method : str
        ``"exact"`` (n ≤ 20), ``"permutation"``, ``"kernel"``, ``"surrogate"``, ``"cc"``,
        ``"cc-neyman"``, ``"cc-neyman-published"``, or ``"auto"``: exact while 2^n is within the
        budget, else the surrogate, and the kernel where the surrogate's linear algebra is too big.
    budget : int or str, optional
        Evaluations, the empty and the full coalition included: a number or a text like ``"2n"``,
        ``"3n^2"``, ``"2^n"``; at most 2^n count. Default: the paper's 3n². ``exact`` always takes
        2^n. ``permutation``, ``cc`` and ``cc-neyman-published`` may ask for a coalition again,
        the others do not, or count distinct coalitions.
    seed : int, optional
        Seed of the sampling; None draws a fresh one.

    Returns
    -------
    Attribution

    Raises
    ------
    ValueError
        If the method is unknown, the budget is malformed or below the method's minimum, or
        ``exact`` is asked for more than 20 players.

    Examples
    --------
    >>> from sgpa_core.game import TableGame
    >>> a = estimate(TableGame([0.0, 1.0, 2.0, 4.0]), method="exact")
    >>> a.values.tolist(), a.evaluations, a.method
    ([1.5, 2.5], 4, 'exact')
    """
    if not isinstance(game, Game):
        raise ValueError(
            f"estimate needs a Game, got {type(game).__name__}: wrap utilities in "
            "TableGame(values) or a callable in FunctionGame(n, function)"
        )
    if method not in NAMES:
        raise ValueError(f"method must be one of {', '.join(NAMES)}, got {method!r}")
    if seed is not None:
        whole(seed, "seed", 0)
    n = game.n
    allowed = parse_budget(budget, n)
    if method == "auto":
        method = choose(n, allowed)
    if method == "exact":
        check_exact(n)
        allowed = 2**n
    run = Run(game)
    if method == "exact" or n == 1:
        values, stderr = exact(run)
    else:
        check_budget(method, n, allowed)
        if allowed > MAX_BUDGET:
            raise ValueError(f"a budget of at most {MAX_BUDGET} evaluations is run, got {allowed}")
        values, stderr = METHODS[method][0](run, allowed, np.random.default_rng(seed))
    counts, empty = (run.evaluations, run.distinct), game.empty
    return Attribution(values, stderr, *counts, method, allowed, seed, baseline=empty)
