"""The coalition game: players, coalitions, a value function, and an honest count of its calls."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from .checks import whole
from .store import Cache, Store

#: Coalitions handed to the value function at once; a kill loses at most as many.
BATCH_SIZE = 64

#: Messages name a coalition's players up to this number.
NAMED_PLAYERS = 12


class BudgetExceeded(ValueError):
    """Raised before a value function is called more often than its budget allows."""


def pack(coalitions: np.ndarray) -> list[bytes]:
    """Pack coalitions (k, n) into k keys of ⌈n/8⌉ bytes, the first player in the lowest bit.

    Examples
    --------
    >>> pack(np.array([[True, False, True]]))
    [b'\\x05']
    """
    packed = np.packbits(np.ascontiguousarray(coalitions), axis=1, bitorder="little")
    return packed.view(f"V{packed.shape[1]}").ravel().tolist()


def unpack(keys: list[bytes], n: int) -> np.ndarray:
    """Unpack the keys of `pack` into coalitions (k, n)."""
    packed = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -(-n // 8))
    return np.unpackbits(packed, axis=1, count=n, bitorder="little").astype(bool)


def all_coalitions(n: int) -> np.ndarray:
    """Return all 2^n coalitions as a bool array; row m holds player i where bit i of m is set.

    Examples
    --------
    >>> all_coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    masks = np.arange(2**n, dtype="<u4")[:, None].view(np.uint8)
    return np.unpackbits(masks, axis=1, count=n, bitorder="little").astype(bool)


def mask_of(coalitions: np.ndarray) -> np.ndarray:
    """Return the bit mask of each coalition (…, n), the first player in the lowest bit.

    Examples
    --------
    >>> mask_of(np.array([[True, False, True], [False, True, False]])).tolist()
    [5, 2]
    """
    return np.asarray(coalitions) @ (1 << np.arange(np.shape(coalitions)[-1]))


def name_coalition(coalition: np.ndarray) -> str:
    """Write a coalition for a message, with its bit mask."""
    players = np.flatnonzero(coalition).tolist()
    mask = sum(1 << p for p in players)
    shown = ", ".join(map(str, players[:NAMED_PLAYERS]))
    more = f", … ({len(players)} players)" if len(players) > NAMED_PLAYERS else ""
    return f"{{{shown}{more}}}" + (f" (mask {mask})" if mask < 2**64 else "")


class Game:
    """A coalition game U: 2^N → ℝ that remembers and counts what it evaluates.

    `game(coalitions)` returns one utility per row. A coalition is evaluated once: repeats are
    answered from memory, or from the store of an earlier run. Hand in a `function`, or subclass
    and override `value_function`. One game belongs to one thread.

    Parameters
    ----------
    n : int
        Number of players, at least 1.
    function : callable, optional
        Maps coalitions, bool (k, n), to k finite numbers.
    batch_size : int
        Largest number of coalitions in one call of `function`.
    budget : int, optional
        Largest number of coalitions that `function` may be given in all. What memory or the store
        answers is free.
    store : Store or path, optional
        Keeps every finished batch on disk; a path needs the `fingerprint`.
    fingerprint : str or mapping, optional
        What the utilities belong to: audio, partition, model, utility, masking.
    progress : bool
        Show a progress bar.

    Attributes
    ----------
    asked : int
        Evaluations asked for, repeats included.
    calls : int
        Coalitions really handed to the value function, failed batches included.

    Raises
    ------
    ValueError
        If an argument is ill-formed, coalitions are not bool (k, n), or the value function returns
        the wrong number of values, a NaN or an infinity (the coalition is named).
    BudgetExceeded
        Before the budget would be exceeded; nothing of that request is evaluated.

    Examples
    --------
    >>> game = Game(3, lambda coalitions: coalitions.sum(axis=1) ** 2.0)
    >>> game(np.array([[True, True, False], [True, True, False]]))
    array([4., 4.])
    >>> game.full, game.empty
    (9.0, 0.0)
    >>> game.asked, game.distinct, game.calls
    (4, 3, 3)
    """

    def __init__(
        self,
        n: int,
        function: Callable[[np.ndarray], Any] | None = None,
        batch_size: int = BATCH_SIZE,
        budget: int | None = None,
        store: Store | str | Path | None = None,
        fingerprint: str | Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> None:
        self.n = whole(n, "the number of players n")
        if function is not None and not callable(function):
            raise ValueError(f"function must be callable, got {function!r}")
        self.batch_size = whole(batch_size, "batch_size")
        self.budget = None if budget is None else whole(budget, "budget", 0)
        if store is not None and not isinstance(store, Store):
            if fingerprint is None:
                raise ValueError(
                    f"the store {str(store)!r} needs a fingerprint: name the audio, partition, "
                    "model, utility and masking that its values belong to"
                )
            store = Store(store, fingerprint)
        self.progress = progress
        self.asked = 0
        self._function = function
        self.store = store
        self._cache = Cache(store, self.batch_size)

    @property
    def calls(self) -> int:
        """Coalitions really handed to the value function, failed batches included."""
        return self._cache.calls

    def value_function(self, coalitions: np.ndarray) -> Any:
        """Return the utilities of distinct, new coalitions, bool (k, n). Override in a subclass."""
        if self._function is None:
            raise NotImplementedError("hand in Game(n, function) or override value_function")
        return self._function(coalitions)

    @classmethod
    def of(cls, coalitions: np.ndarray, utilities: np.ndarray) -> "Game":
        """Give a game that knows these coalitions, bool (d, n), and refuses all others.

        Examples
        --------
        >>> game = Game.of(np.array([[True, False]]), np.array([0.5]))
        >>> game.distinct, game(np.array([[True, False]])).tolist()
        (1, [0.5])
        """

        def unknown(rows: np.ndarray) -> np.ndarray:
            raise ValueError(f"the coalition {name_coalition(rows[0])} was not evaluated")

        game = cls(coalitions.shape[1], unknown)
        game._cache.keep(zip(pack(coalitions), utilities.tolist(), strict=True))
        return game

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        """Return the utilities of `coalitions`, bool (k, n), as float64 (k,)."""
        coalitions = np.asarray(coalitions)
        if coalitions.ndim != 2 or coalitions.shape[1] != self.n or coalitions.dtype != bool:
            raise ValueError(
                f"coalitions must be a bool array of shape (k, {self.n}), "
                f"got {coalitions.dtype} of shape {coalitions.shape}"
            )
        keys = pack(coalitions)
        missing = self._cache.missing(keys)
        if self.budget is not None and self.calls + len(missing) > self.budget:
            raise BudgetExceeded(
                f"{len(missing)} new coalitions asked for, but {self.budget - self.calls} of the "
                f"budget of {self.budget} calls are left"
            )
        with tqdm(total=len(missing), unit="coalition") if self.progress else nullcontext() as bar:
            report = bar.update if bar else lambda count: None
            self._cache.fill(missing, lambda rows: self._evaluate(coalitions[rows]), report)
        self.asked += len(keys)
        known = self._cache.known
        return np.fromiter((known[key] for key in keys), dtype=np.float64, count=len(keys))

    def _evaluate(self, coalitions: np.ndarray) -> list[float]:
        """Call the value function; of a batch with a bad value, keep the good ones."""
        values = _numbers(self.value_function(coalitions.copy()), len(coalitions))
        finite = np.isfinite(values)
        if not finite.all():
            self._cache.keep(zip(pack(coalitions[finite]), values[finite].tolist(), strict=True))
            bad = int(np.flatnonzero(~finite)[0])
            raise ValueError(
                f"the value function returned {values[bad]} for the coalition "
                f"{name_coalition(coalitions[bad])}: utilities must be finite"
            )
        return values.tolist()

    @property
    def distinct(self) -> int:
        """Number of distinct coalitions whose utility was asked for."""
        return len(self._cache.known)

    @property
    def empty(self) -> float:
        """Utility of the empty coalition, U(∅)."""
        return float(self(np.zeros((1, self.n), dtype=bool))[0])

    @property
    def full(self) -> float:
        """Utility of the full coalition, U(N)."""
        return float(self(np.ones((1, self.n), dtype=bool))[0])

    def observed(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all coalitions evaluated so far, bool (d, n), and their utilities (d,)."""
        known = self._cache.known
        return unpack(list(known), self.n), np.array([*known.values()], dtype=np.float64)

    def to_shapiq(self) -> Any:
        """Return this game as a `shapiq.Game`; what shapiq evaluates is counted and kept here."""
        import shapiq

        game = self

        class SharedGame(shapiq.Game):
            def value_function(self, coalitions: np.ndarray) -> np.ndarray:
                return game(np.asarray(coalitions, dtype=bool))

        return SharedGame(n_players=self.n, normalize=False)

    def __repr__(self) -> str:
        budget = "" if self.budget is None else f", budget={self.budget}"
        counts = f"asked={self.asked}, distinct={self.distinct}, calls={self.calls}"
        return f"{type(self).__name__}(n={self.n}, {counts}{budget})"


class FunctionGame(Game):
    """A game whose utility is any callable.

    Parameters
    ----------
    n : int
        Number of players.
    function : callable
        Maps coalitions, bool (k, n), to k numbers; with ``each=True`` one coalition, bool (n,), to
        one number.
    each : bool
        Call `function` once per coalition, and keep each value at once.
    **options
        As for `Game`.

    Examples
    --------
    >>> FunctionGame(4, lambda coalition: float(coalition.all()), each=True).full
    1.0
    """

    def __init__(
        self, n: int, function: Callable[[np.ndarray], Any], each: bool = False, **options: Any
    ) -> None:
        if not callable(function):
            raise ValueError(f"function must be callable, got {function!r}")
        if each:
            options["batch_size"] = 1
        many = (lambda coalitions: [function(c) for c in coalitions]) if each else function
        super().__init__(n, many, **options)


class TableGame(Game):
    """A game given by its 2^n utilities.

    Parameters
    ----------
    values : array_like, shape (2^n,)
        Utility of each coalition; its index is the bit mask, the lowest bit is the first player.
    **options
        As for `Game`.

    Raises
    ------
    ValueError
        If the number of utilities is no power of two (at least 2), or one of them is not finite.

    Examples
    --------
    >>> game = TableGame([0, 1, 2, 4])
    >>> game(np.array([[True, False], [True, True]]))
    array([1., 4.])
    """

    def __init__(self, values: Any, **options: Any) -> None:
        table = np.array(values, dtype=np.float64)
        n = max(table.size, 1).bit_length() - 1
        if table.ndim != 1 or n < 1 or table.size != 2**n:
            raise ValueError(f"a table holds 2^n utilities (2, 4, 8 …), got shape {table.shape}")
        bad = np.flatnonzero(~np.isfinite(table))
        if bad.size:
            coalition = name_coalition(all_coalitions(n)[bad[0]])
            raise ValueError(f"the table holds {table[bad[0]]} for the coalition {coalition}")
        options.setdefault("batch_size", table.size)
        super().__init__(n, **options)
        self.values = table
        self.values.flags.writeable = False

    def value_function(self, coalitions: np.ndarray) -> np.ndarray:
        """Look the utilities of `coalitions` up."""
        return self.values[mask_of(coalitions)]


def _numbers(values: Any, k: int) -> np.ndarray:
    """Check that a value function returned `k` numbers."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the value function must return {k} numbers: {error}") from error
    if array.shape != (k,):
        raise ValueError(f"{k} coalitions need values of shape ({k},), not of shape {array.shape}")
    return array
