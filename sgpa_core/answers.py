"""What a model answers: asked once for each waveform, checked, counted and kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .store import Store

BATCH_SIZE = 48
"""Recordings handed to the model at once, and so the most that an interruption loses."""


class Responses:
    """A model's answers, remembered by what was heard.

    The one place where model evaluations are counted. An answer belongs to a waveform, not to a
    coalition of some partition: other players, another utility or another estimator over the same
    recording find the answers that were paid for already. With a store they outlive the process;
    one store serves many recordings, but one model only.

    Parameters
    ----------
    model : AudioLM
    store : Store or path, optional
        Where answers are kept; created where there is none.
    batch_size : int

    Attributes
    ----------
    calls : int
        Recordings really handed to the model, failed batches included.
    seconds : float
        Time spent in the model.
    watch : callable or None
        Called with the number of answers given, after each batch: a progress bar's update.

    Raises
    ------
    ValueError
        If the model returns the wrong number of answers, or something that is no text.

    Examples
    --------
    >>> class Parrot:
    ...     name, sample_rate, token_seconds = "parrot", 16_000, 0.04
    ...     def respond(self, batch, sample_rate):
    ...         return [f"{len(samples)} samples" for samples in batch]
    >>> answers = Responses(Parrot())
    >>> answers([np.zeros(3, np.float32), np.zeros(3, np.float32)])
    ['3 samples', '3 samples']
    >>> answers.calls
    1
    """

    def __init__(
        self, model: Any, store: Store | str | Path | None = None, batch_size: int = BATCH_SIZE
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
        if isinstance(model, type):
            raise ValueError(
                f"{model.__name__} is a class: give one of its objects, a loaded model"
            )
        for part in ("name", "sample_rate", "token_seconds", "respond"):
            if not hasattr(model, part):
                raise ValueError(f"{model!r} is no audio language model: it has no {part!r}")
        rate = model.sample_rate
        if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or rate < 1:
            raise ValueError(f"sample_rate of {model.name} must be a whole number, got {rate!r}")
        self.model = model
        self.batch_size = batch_size
        self.calls = 0
        self.seconds = 0.0
        self.watch: Callable[[int], Any] | None = None
        self._memo: dict[bytes, Any] = {}
        self._store = self._opened(store) if store is not None else None

    def __call__(self, batch: Sequence[np.ndarray]) -> list[str]:
        """Return the model's answer to each waveform, float32 at the model's rate."""
        return self._answers(batch, None, self._respond)

    def log_likelihood(self, batch: Sequence[np.ndarray], text: str) -> np.ndarray:
        """Return log P(text | waveform), in nats, shape (k,)."""
        if not hasattr(self.model, "log_likelihood"):
            raise ValueError(
                f"{self.model.name} gives no log-likelihood; choose a utility that compares answers"
            )
        found = self._answers(batch, text.encode(), lambda part: self._score(part, text))
        return np.array(found, dtype=float)

    def keep(self, path: str | Path) -> int:
        """Write all answers of this object to a store; return how many."""
        with self._opened(path) as store:
            store.put(self._memo)
        return len(self._memo)

    def close(self) -> None:
        """Close the store, where there is one: then all answers are in its one file."""
        if self._store is not None:
            self._store.close()

    def _opened(self, store: Store | str | Path) -> Store:
        if isinstance(store, Store):
            return store
        return Store(store, {"holds": "answers by waveform", "model": self.model.name})

    def _answers(
        self,
        batch: Sequence[np.ndarray],
        topic: bytes | None,
        ask: Callable[[list[np.ndarray]], list],
    ) -> list[Any]:
        heard = [np.ascontiguousarray(samples, dtype=np.float32) for samples in batch]
        keys = [_digest(samples, topic) for samples in heard]
        missing = {key: row for row, key in enumerate(keys) if key not in self._memo}
        if self._store is not None and missing:
            self._memo.update(self._store.get(missing))
            missing = {key: row for key, row in missing.items() if key not in self._memo}
        self._tell(len(keys) - len(missing))
        todo = list(missing.items())
        for start in range(0, len(todo), self.batch_size):
            part = todo[start : start + self.batch_size]
            self.calls += len(part)
            began = time.perf_counter()
            found = ask([heard[row] for _, row in part])
            self.seconds += time.perf_counter() - began
            new = {key: value for (key, _), value in zip(part, found, strict=True)}
            if self._store is not None:
                self._store.put(new)
            self._memo.update(new)
            self._tell(len(part))
        return [self._memo[key] for key in keys]

    def _tell(self, count: int) -> None:
        if self.watch is not None and count:
            self.watch(count)

    def _respond(self, part: list[np.ndarray]) -> list[str]:
        found = self.model.respond(part, self.model.sample_rate)
        self._check_count(found, len(part), "answers")
        for place, answer in enumerate(found):
            if not isinstance(answer, str):
                raise ValueError(
                    f"{self.model.name} answered {answer!r} to recording {place} of "
                    f"{len(part)}: an answer is a text, an empty one if there is nothing to say"
                )
        return [_valid(answer) for answer in found]

    def _score(self, part: list[np.ndarray], text: str) -> list[float]:
        found = self.model.log_likelihood(part, text, self.model.sample_rate)
        self._check_count(found, len(part), "log-likelihoods")
        values = np.asarray(found, dtype=float)
        if values.shape != (len(part),) or not np.isfinite(values).all():
            raise ValueError(
                f"{self.model.name} gave log-likelihoods {values!r:.80}: they must be "
                f"{len(part)} finite numbers"
            )
        return values.tolist()

    def _check_count(self, found: Any, count: int, what: str) -> None:
        if isinstance(found, str) or not hasattr(found, "__len__"):
            raise ValueError(f"{self.model.name} returned {found!r:.60}, not a list of {what}")
        if len(found) != count:
            raise ValueError(
                f"{self.model.name} was given {count} recordings and returned {len(found)} {what}"
            )

    def __repr__(self) -> str:
        return f"Responses({self.model.name!r}, calls={self.calls})"


def _valid(answer: str) -> str:
    """Join surrogates, as JSON from a server may hold them, and replace what is half a character.

    Examples
    --------
    >>> _valid("\\ud83d\\ude00"), _valid("so \\ud83d")
    ('😀', 'so \ufffd')
    """
    return answer.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _digest(samples: np.ndarray, topic: bytes | None) -> bytes:
    """Name what was heard; `topic` tells scores of a text from answers."""
    found = hashlib.blake2b(samples.tobytes(), digest_size=16)
    if topic is not None:
        found.update(b"log-likelihood of " + topic)
    return found.digest()
