"""What adapters of audio language models share: settings, checked batches, likelihoods."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..audio import Audio
from ..checks import whole

if TYPE_CHECKING:
    import torch

#: The paper's system prompt: the instruction itself is spoken.
SPEECH_PROMPT = "You are a helpful assistant."

#: Length of an answer in the paper, in tokens.
MAX_NEW_TOKENS = 30

#: Arrays in one forward pass: the fastest for the embedded model on two cores; a GPU wants more.
BATCH_SIZE = 12

#: Forward passes at the same time on a CPU: more would wait for the interpreter's lock.
SIDE_BY_SIDE = 4

T = TypeVar("T")
R = TypeVar("R")


@dataclass(kw_only=True, repr=False, eq=False)
class Adapter:
    """What the adapters of models that chat have in common; a subclass adds the model's parts.

    Parameters
    ----------
    name : str
        What results call it.
    batch_size : int
        Recordings in one forward pass.
    max_new_tokens : int
        Longest answer; the paper's 30 by default.
    prompt : str
        The system's turn; the paper's by default.
    instruction : str
        Text after the recording, in the user's turn; by default none, the recording speaks.

    Raises
    ------
    ValueError
        If answers have no room for a single token.
    """

    name: str
    batch_size: int = BATCH_SIZE
    max_new_tokens: int = MAX_NEW_TOKENS
    prompt: str = SPEECH_PROMPT
    instruction: str = ""
    sample_rate: int = field(init=False)
    token_seconds: float = field(init=False)

    def __post_init__(self) -> None:
        whole(self.max_new_tokens, "max_new_tokens")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.sample_rate} Hz)"

    def user_turn(self, sound: dict[str, Any]) -> dict[str, Any]:
        """Write the user's turn: the sound, and the instruction where there is one."""
        text = [{"type": "text", "text": self.instruction}] if self.instruction else []
        return {"role": "user", "content": [sound, *text]}


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


def end_tokens(settings: Any) -> list[int]:
    """Give the tokens that end an answer by a generation config: none, one or several."""
    ends = settings.eos_token_id
    return [] if ends is None else np.atleast_1d(ends).tolist()


def answer_log_prob(
    logits: torch.Tensor, target: torch.Tensor, ends: Sequence[int], words: np.ndarray
) -> np.ndarray:
    """Sum the log-probabilities of an answer's tokens and of its end by words.

    Parameters
    ----------
    logits : Tensor, shape (k, tokens + 1, V)
        The next token's, after each prefix of the answer; the empty prefix comes first.
    target : Tensor of int, shape (tokens,)
    ends : sequence of int
        Any of these tokens ends the answer; none where an answer was cut, and has no end.
    words : ndarray of float, shape (tokens, words)
        Of `words_of`; the end belongs to the last one.

    Returns
    -------
    ndarray of float64, shape (k, words)
        Nats.
    """
    import torch

    log_probs = torch.log_softmax(logits.double(), dim=-1)
    wanted = target.expand(len(logits), -1)[..., None]
    each = log_probs[:, :-1].gather(-1, wanted)[..., 0].cpu().numpy()
    shares = each @ words
    if ends:
        shares[:, -1] += torch.logsumexp(log_probs[:, -1, list(ends)], dim=-1).cpu().numpy()
    return shares


def words_of(tokenizer: Any, ids: Sequence[int], text: str) -> np.ndarray:
    """Give 1 where a token belongs to a word of the text, between spaces: (tokens, words)."""
    count = max(1, len(text.split()))
    begun = [len(tokenizer.decode(ids[: k + 1]).split()) for k in range(len(ids))]
    return np.eye(count)[np.clip(np.array(begun, dtype=int) - 1, 0, count - 1)]


def pieces(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into consecutive pieces of `size` items, the last one shorter."""
    return (items[start : start + size] for start in range(0, len(items), size))


def side_by_side(
    work: Callable[[Sequence[T]], R], items: Sequence[T], size: int, device: Any
) -> list[R]:
    """Work on a batch in pieces of at most `size`, on a CPU several at once; results in order.

    Threads that share one matrix product wait for each other after each layer. Threads that work on
    a piece each do not wait, so torch's threads are shared out among the pieces.

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


def digest_of(settings: Any) -> str:
    """Give eight hexadecimal digits that change with any of the settings.

    Examples
    --------
    >>> digest_of(["a prompt", 30]) == digest_of(["a prompt", 31])
    False
    """
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
