"""What a model answers: the protocol of a model, and the one cache of its answers."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from tqdm.auto import tqdm

from .checks import whole
from .store import Cache, Store

#: Recordings handed to the model at once, and so the most that an interruption loses.
BATCH_SIZE = 48


class Interrupted(KeyboardInterrupt):
    """Raised where Ctrl-C stops an explanation; `answers` holds the model's answers so far.

    Hand `answers` to `explain` in place of the model to go on from there.
    """

    def __init__(self, answers: "Answers") -> None:
        super().__init__(f"interrupted after {answers.calls} model calls")
        self.answers = answers


@runtime_checkable
class AudioLM(Protocol):
    """An audio language model: sound in, text out.

    Any object with these four members is one; nothing needs to be inherited. `check_model` says
    whether an object keeps what is promised here.

    Attributes
    ----------
    name : str
        What results and stores call it. It changes whenever answers could: other weights, another
        prompt, longer answers.
    sample_rate : int
        The rate at which it listens, in Hz.
    token_seconds : float
        Stride of its native audio tokens, in seconds: the players of the paper's "native" baseline.

    Notes
    -----
    A model may also offer ``log_likelihood(batch, text, sample_rate)``, an array of shape (k,) with
    log P(text | audio) in nats, all of them at most 0; ``word_log_likelihood`` with the same
    arguments, its shares by the text's words between spaces, shape (k, words); and
    ``is_cut(answer)``, whether an answer is as long as its limit (``max_new_tokens``) allows.

    A model that hears first and answers the transcript may offer its steps, so that a transcript is
    answered once, whatever it was heard in: ``hear(batch, sample_rate)`` gives transcripts,
    ``write(transcripts)`` their answers, ``score(transcripts, text)`` log-likelihoods by words.

    An error in the middle of a batch may carry the answers that were given before it, as an
    attribute ``given``, a dict from places in the batch to answers; they are kept.
    """

    name: str
    sample_rate: int
    token_seconds: float

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Answer every recording of a batch.

        Parameters
        ----------
        batch : sequence of ndarray of float32, each of shape (samples,)
            Mono recordings in [-1, 1] of any lengths, at least one sample each. Left unchanged.
        sample_rate : int
            Their rate, in Hz; the adapter resamples.

        Returns
        -------
        list of str
            One answer per recording, in their order. The same audio always gets the same answer,
            whatever else is in the batch; an empty batch gives an empty list.
        """
        ...


class Answers:
    """A model's answers, each asked for once.

    Model evaluations are counted here and nowhere else. An answer belongs to a waveform, not to a
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
    >>> answers = Answers(Parrot())
    >>> answers([np.zeros(3, np.float32), np.zeros(3, np.float32)])
    ['3 samples', '3 samples']
    >>> answers.calls
    1
    """

    def __init__(
        self, model: Any, store: Store | str | Path | None = None, batch_size: int = BATCH_SIZE
    ) -> None:
        if isinstance(model, type):
            raise ValueError(f"{model.__name__} is a class: give one of its objects, loaded")
        for part in ("name", "sample_rate", "token_seconds", "respond"):
            if not hasattr(model, part):
                raise ValueError(f"{model!r} is no audio language model: it has no {part!r}")
        whole(model.sample_rate, f"sample_rate of {model.name}")
        self.model = model
        self.batch_size = whole(batch_size, "batch_size")
        self.seconds = 0.0
        self._report: Callable[[int], Any] = lambda new: None
        self._cache = Cache(self._opened(store) if store is not None else None, self.batch_size)
        self._steps = Cache(self._cache.store)  # transcripts, and what was answered to them

    @classmethod
    def of(cls, model: Any, store: Store | str | os.PathLike[str] | None = None) -> "Answers":
        """Return the answers of a model, given as its name, as an object, or as `Answers`.

        Raises
        ------
        ValueError
            If there is a store for `Answers` that were made already.
        """
        if isinstance(model, Answers):
            if store is not None:
                raise ValueError("give the store to Answers(model, store), or the model itself")
            return model
        if isinstance(model, str | os.PathLike):
            from .models import load_model

            model = load_model(os.fspath(model))
        return cls(model, Path(store) if isinstance(store, os.PathLike) else store)

    @property
    def calls(self) -> int:
        """Recordings really handed to the model, failed batches included."""
        return self._cache.calls

    def __call__(self, batch: Sequence[np.ndarray]) -> list[str]:
        """Return the model's answer to each waveform, float32 at the model's rate."""
        return self._ask(batch, b"", self._respond)

    def heard(self, batch: Sequence[np.ndarray]) -> list[str]:
        """Return the transcripts that the model answers; empty ones if it does not tell."""
        if not hasattr(self.model, "hear"):
            return [""] * len(batch)
        hear = partial(self.model.hear, sample_rate=self.model.sample_rate)
        return self._once(_arrays(batch), b"heard", hear, self._texts)

    def log_likelihood(self, batch: Sequence[np.ndarray], text: str) -> np.ndarray:
        """Return log P(text | waveform), in nats, shape (k,)."""
        return np.array([sum(row) for row in self.word_log_likelihood(batch, text)])

    def word_log_likelihood(self, batch: Sequence[np.ndarray], text: str) -> np.ndarray:
        """Return its shares by the text's words, (k, words), or (k, 1) if the model gives none."""
        if not hasattr(self.model, "log_likelihood"):
            raise ValueError(f"{self.model.name} gives no log-likelihood: compare answers instead")
        topic = b"log-likelihood by words of " + text.encode()
        shares = self._ask(batch, topic, lambda part: self._score(part, text, topic))
        return np.array(shares, dtype=float)

    @contextmanager
    def watched(self, total: int, progress: bool = False) -> Iterator[None]:
        """Show a bar of what is asked meanwhile, and let an error carry the answers so far.

        Raises
        ------
        Interrupted
            On Ctrl-C; any other error gets an attribute `answers`.
        """
        bar = tqdm(total=total, unit="answer", desc="asking the model", disable=not progress)
        before, self._report = self._report, bar.update
        try:
            with bar:
                yield
        except KeyboardInterrupt as stop:
            raise Interrupted(self) from stop
        except BaseException as fault:
            vars(fault)["answers"] = self
            fault.add_note("the answers so far are its `answers`: go on with them for the model")
            raise
        finally:
            self._report = before

    def keep(self, path: str | Path) -> int:
        """Write all answers of this object, where there are any, to a store; return how many."""
        if self._cache.known or self._steps.known:
            with self._opened(path) as store:
                store.put(self._cache.known | self._steps.known)
        return len(self._cache.known)

    def close(self) -> None:
        """Close the store, where there is one: its file has all answers. This object can go on."""
        if self._cache.store is not None:
            self._cache.store.close()
            self._cache.store = self._steps.store = None

    def _opened(self, store: Store | str | Path) -> Store:
        holds = {"holds": "answers by waveform", "model": self.model.name}
        return store if isinstance(store, Store) else Store(store, holds)

    def _ask(self, batch: Sequence[np.ndarray], topic: bytes, ask: Callable[[list], list]) -> list:
        """Look every waveform up under a topic, and ask for those that are new."""
        waveforms = _arrays(batch)
        keys = [_digest(samples, topic) for samples in waveforms]
        missing = self._cache.missing(keys)
        self._report(len(keys) - len(missing))

        def timed(rows: list[int]) -> list[Any]:
            began = time.perf_counter()
            try:
                return ask([waveforms[row] for row in rows])
            except BaseException as fault:
                given = getattr(fault, "given", {})
                self._cache.keep((keys[rows[k]], valid_unicode(given[k])) for k in given)
                raise
            finally:
                self.seconds += time.perf_counter() - began

        self._cache.fill(missing, timed, self._report)
        return [self._cache.known[key] for key in keys]

    def _once(self, items: Sequence, topic: bytes, ask: Callable, checked: Callable) -> list:
        """Look up what a step gave for each item before, and ask for those that are new."""
        keys = [_digest(item, topic) for item in items]
        if missing := self._steps.missing(keys):
            new = [items[row] for row in missing.values()]
            self._steps.keep(zip(missing, checked(ask(new), len(new)), strict=True))
        return [self._steps.known[key] for key in keys]

    def _respond(self, part: Sequence[Any]) -> list[str]:
        model = self.model
        if hasattr(model, "hear"):
            return self._once(self.heard(part), b"answer", model.write, self._texts)
        return self._texts(model.respond(part, model.sample_rate), len(part))

    def _texts(self, answers: Any, count: int) -> list[str]:
        self._check_count(answers, count, "answers")
        for place, answer in enumerate(answers):
            if not isinstance(answer, str):
                raise ValueError(
                    f"{self.model.name} answered {answer!r} to recording {place} of "
                    f"{count}: an answer is a text, an empty one if there is nothing to say"
                )
        return [valid_unicode(answer) for answer in answers]

    def _score(self, part: list[np.ndarray], text: str, topic: bytes) -> list[list[float]]:
        model, words = self.model, max(1, len(text.split()))
        if hasattr(model, "hear"):
            score, checked = partial(model.score, text=text), partial(self._numbers, words=words)
            return self._once(self.heard(part), topic, score, checked)
        if hasattr(model, "word_log_likelihood"):
            scores = model.word_log_likelihood(part, text, model.sample_rate)
            return self._numbers(scores, len(part), words)
        return self._numbers(model.log_likelihood(part, text, model.sample_rate), len(part))

    def _numbers(self, scores: Any, count: int, words: int = 0) -> list[list[float]]:
        self._check_count(scores, count, "log-likelihoods")
        values = np.asarray(scores, dtype=float)
        if values.shape != ((count, words) if words else (count,)) or not np.isfinite(values).all():
            raise ValueError(
                f"{self.model.name} gave log-likelihoods {values!r:.80}: they must be "
                f"{count} finite numbers"
            )
        return values.reshape(count, -1).tolist()

    def _check_count(self, values: Any, count: int, what: str) -> None:
        name = self.model.name
        if isinstance(values, str) or not hasattr(values, "__len__"):
            raise ValueError(f"{name} returned {values!r:.60}, not a list of {what}")
        if len(values) != count:
            raise ValueError(
                f"{name} was given {count} recordings and returned {len(values)} {what}"
            )

    def __repr__(self) -> str:
        return f"Answers({self.model.name!r}, calls={self.calls})"


def valid_unicode(answer: str) -> str:
    """Join surrogates, as JSON from a server may hold them, and replace half characters.

    Examples
    --------
    >>> valid_unicode("\\ud83d\\ude00"), valid_unicode("so \\ud83d")
    ('😀', 'so \ufffd')
    """
    return answer.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _arrays(batch: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.ascontiguousarray(samples, dtype=np.float32) for samples in batch]


def _digest(item: np.ndarray | str, topic: bytes) -> bytes:
    """Name a waveform or a transcript; `topic` tells what was asked for."""
    content = item.encode() if isinstance(item, str) else item.tobytes()
    return hashlib.blake2b(content + topic, digest_size=16).digest()
