"""What an estimate returns, what it counted, and how a budget is written."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..game import Game, pack

#: The paper's budget: 3n² evaluations for n players.
DEFAULT_BUDGET = "3n^2"

#: What an estimator returns: values (n,), and their standard errors (n,) or None.
Estimates = tuple[np.ndarray, np.ndarray | None]

#: An estimate counts as converged when its mean standard error is below this share of mean |φ|.
CONVERGED_SHARE = 0.1


def parse_budget(budget: int | str | None, n: int) -> int:
    """Return the number of evaluations that `budget` stands for.

    Parameters
    ----------
    budget : int, str or None
        A number of evaluations, or a text such as ``"2n"``, ``"3n^2"``, ``"n^3"``, ``"2^n"``.
        None is the paper's 3n².
    n : int
        Number of players.

    Raises
    ------
    ValueError
        If the text is no such formula, or the number is not whole and positive.

    Examples
    --------
    >>> parse_budget("3n^2", 10), parse_budget("3n^2", 5), parse_budget(40, 6)
    (300, 75, 40)
    """
    if budget is None:
        budget = DEFAULT_BUDGET
    if isinstance(budget, str):
        text = budget.replace(" ", "").replace("²", "^2").replace("³", "^3").replace("**", "^")
        if match := re.fullmatch(r"(?:(\d+)\*?)?n(?:\^([123]))?", text):
            budget = int(match[1] or 1) * n ** int(match[2] or 1)
        elif text == "2^n":
            budget = 2**n
        elif text.isdecimal():
            budget = int(text)
    if isinstance(budget, bool) or not isinstance(budget, (int, np.integer)) or budget < 1:
        raise ValueError(
            "a budget is a positive whole number or a text like '2n', '3n^2' or '2^n', "
            f"got {budget!r}"
        )
    return int(budget)


@dataclass(frozen=True, eq=False)
class Attribution:
    """Values of the players, with what they cost and how certain they are.

    Attributes
    ----------
    values : ndarray of float64, shape (n,)
        Raw values in the unit of the utility, never scaled.
    stderr : ndarray of float64, shape (n,), or None
        Standard error of each value; zeros where the values are exact, None where the method gives
        none (too few evaluations, or an estimator without an error model).
    evaluations : int
        Evaluations that the method asked for, repeats included.
    distinct : int
        Distinct coalitions among them.
    method : str
        The method that ran (``auto`` is resolved).
    budget : int
        Evaluations that were allowed.
    seed : int or None
        Seed of the sampling.
    index : str
        What the values are: ``"Shapley"`` or ``"Banzhaf"``.
    baseline : float
        U(∅), the utility that the values are counted from.

    Examples
    --------
    >>> a = Attribution(np.array([1.0, 3.0]), np.zeros(2), 4, 4, "exact", 4, 0)
    >>> a.values.sum(), a.interval()[0].tolist()
    (np.float64(4.0), [1.0, 3.0])
    """

    values: np.ndarray
    stderr: np.ndarray | None
    evaluations: int
    distinct: int
    method: str
    budget: int
    seed: int | None
    index: str = "Shapley"
    baseline: float = 0.0

    @property
    def n(self) -> int:
        """Number of players."""
        return len(self.values)

    @property
    def converged(self) -> bool:
        """Exact, or the mean standard error is at most 10 % of the mean absolute value."""
        limit = CONVERGED_SHARE * np.abs(self.values).mean()
        return self.stderr is not None and bool(self.stderr.mean() <= limit)

    def interval(self, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper bounds, `z` standard errors away (1.96: 95 %); NaN without any."""
        reach = z * np.full(self.n, np.nan if self.stderr is None else self.stderr)
        return self.values - reach, self.values + reach

    def to_frame(self, names: list[str] | None = None) -> Any:
        """Return a `pandas.DataFrame` with one row per player."""
        import pandas as pd

        if names is not None and len(names) != self.n:
            raise ValueError(f"{len(names)} names for {self.n} players")
        players = range(self.n) if names is None else names
        stderr = np.nan if self.stderr is None else self.stderr
        return pd.DataFrame({"player": players, "value": self.values, "stderr": stderr})

    def to_shap(self, names: list[str] | None = None, data: Any = None) -> Any:
        """Return a `shap.Explanation`, for the plots of the package shap (optional)."""
        try:
            import shap
        except ImportError as error:
            raise ImportError("to_shap() needs the package shap: pip install shap") from error
        labels = names or [f"player {i}" for i in range(self.n)]
        data = np.asarray(labels if data is None else data)
        return shap.Explanation(self.values, self.baseline, data, feature_names=labels)


class Run:
    """A game as one estimate sees it: the same utilities, counted for this estimate alone."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.n = game.n
        self.evaluations = 0
        self._keys: set[bytes] = set()

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        values = self.game(coalitions)
        self.evaluations += len(values)
        self._keys.update(pack(coalitions))
        return values

    @property
    def distinct(self) -> int:
        """Distinct coalitions asked for."""
        return len(self._keys)

    def differences(self, coalitions: np.ndarray) -> np.ndarray:
        """Return U(S) − U(N∖S) for each of the `coalitions` (k, n), as (k,)."""
        values = self(np.concatenate([coalitions, ~coalitions]))
        return values[: len(coalitions)] - values[len(coalitions) :]

    def ends(self) -> tuple[float, float]:
        """Return U(∅) and U(N), asked for together."""
        empty, full = self(np.repeat([[False], [True]], self.n, axis=1))
        return float(empty), float(full)
