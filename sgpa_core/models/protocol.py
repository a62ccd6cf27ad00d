"""What an audio language model is here, and what every adapter does to the audio it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from ..audio import Audio

if TYPE_CHECKING:
    import torch

SPEECH_PROMPT = "You are a helpful assistant."
"""The paper's system prompt: the instruction itself is spoken."""

MAX_NEW_TOKENS = 30
"""Length of an answer in the paper, in tokens."""

BATCH_SIZE = 12
"""Arrays in one forward pass: the fastest for the embedded model on two cores; a GPU wants more."""

SIDE_BY_SIDE = 4
"""Forward passes at the same time on a CPU: more would wait for the interpreter's lock."""

T = TypeVar("T")
R = TypeVar("R")


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
    log P(text | audio) in nats, all of them at most 0.
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


def prepare(
    batch: Sequence[np.ndarray],
    sample_rate: int,
    target_rate: int,
    shortest: int = 1,
    longest: int | None = None,
    name: str = "the model",
) -> list[np.ndarray]:
    """Check a batch and give it at the model's rate.

    Parameters
    ----------
    batch : sequence of array_like
        Mono recordings.
    sample_rate, target_rate : int
        The recordings' rate and the model's, in Hz.
    shortest : int
        Samples (after resampling) up to which shorter recordings are filled up with silence.
    longest : int, optional
        The model's window in samples (after resampling).
    name : str
        The model, for the message.

    Returns
    -------
    list of ndarray of float32
        Copies, which the model may change.

    Raises
    ------
    ValueError
        If a recording is empty, not finite, not mono, out of scale or longer than the window.

    Examples
    --------
    >>> [len(samples) for samples in prepare([np.zeros(8000), np.zeros(1)], 8000, 16000, 320)]
    [16000, 320]
    """
    if np.ndim(batch[:1]) == 1 and len(batch) > 0:  # type: ignore[arg-type]
        raise ValueError("a batch is a list of recordings; for one recording say [samples]")
    signals = []
    for index, samples in enumerate(batch):
        if np.ndim(samples) != 1:
            raise ValueError(
                f"recording {index} of the batch has shape {np.shape(samples)}; "
                "it must be mono, (samples,)"
            )
        try:
            signal = Audio(samples, sample_rate).resample(target_rate).samples.copy()
        except ValueError as fault:
            raise ValueError(f"recording {index} of the batch: {fault}") from fault
        if longest is not None and len(signal) > longest:
            raise ValueError(
                f"recording {index} of the batch lasts {len(signal) / target_rate:.2f} s, but "
                f"{name} hears at most {longest / target_rate:g} s; cut the recording, or choose a "
                "model with a longer window"
            )
        signals.append(np.pad(signal, (0, max(0, shortest - len(signal)))))
    return signals


def at_least_one(value: int, name: str) -> int:
    """Check that a setting is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    return value


def answer_log_prob(logits: torch.Tensor, target: torch.Tensor, ends: Sequence[int]) -> np.ndarray:
    """Sum what a model thinks of an answer and of its end.

    Parameters
    ----------
    logits : Tensor, shape (k, tokens + 1, V)
        After each of the answer's prefixes, the empty one first.
    target : Tensor of int, shape (tokens,)
    ends : sequence of int
        Any of these tokens ends the answer.

    Returns
    -------
    ndarray of float64, shape (k,)
        Nats.
    """
    import torch

    log_probs = torch.log_softmax(logits.double(), dim=-1)
    wanted = target.expand(len(logits), -1)[..., None]
    words = log_probs[:, :-1].gather(-1, wanted).sum((1, 2))
    return (words + torch.logsumexp(log_probs[:, -1, list(ends)], dim=-1)).cpu().numpy()


def pieces(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into consecutive pieces of `size` items, the last one shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def side_by_side(
    work: Callable[[Sequence[T]], R], items: Sequence[T], size: int, device: Any
) -> list[R]:
    """Work on a batch in pieces of at most `size`, on a CPU several at once; results in order.

    Threads that share one matrix product wait for each other after each layer, and long where the
    machine has other work. Threads with a piece each do not: torch's threads are dealt out to them.

    Examples
    --------
    >>> import torch
    >>> sum(side_by_side(list, range(5), 2, torch.device("cpu")), [])
    [0, 1, 2, 3, 4]
    """
    import torch

    threads = torch.get_num_threads()
    workers = min(threads, SIDE_BY_SIDE, len(items)) if torch.device(device).type == "cpu" else 1
    if workers < 2:
        return [work(piece) for piece in pieces(items, size)]
    even = ceil(len(items) / (workers * ceil(len(items) / (workers * size))))
    share = (threads // workers,)
    try:
        with ThreadPoolExecutor(workers, "piece", torch.set_num_threads, share) as pool:
            return list(pool.map(work, pieces(items, even)))
    finally:
        torch.set_num_threads(threads)  # later threads would have taken over a piece's share
