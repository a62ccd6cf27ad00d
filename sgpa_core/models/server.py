"""Adapter for any OpenAI-compatible server that takes audio: vLLM, llama.cpp and others."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ..audio import Audio
from .adapter import Adapter, digest_of, prepare

#: Shorter sound is filled up with silence: servers refuse less than a frame.
SHORTEST_SECONDS = 0.1


@dataclass(repr=False, eq=False)
class OpenAIServer(Adapter):
    """A model behind ``/chat/completions`` that takes ``input_audio``.

    Each recording is sent as 16-bit WAV, with temperature 0 and a seed. Some servers still answer
    differently from time to time, so run `check_model` before a long game.

    Parameters
    ----------
    address : str
        The server and the model it serves, ``"http://localhost:8000/v1#model"``.
    batch_size : int
        Requests in flight at the same time.
    max_new_tokens, prompt, instruction
        See `sgpa_core.models.adapter.Adapter`; an empty prompt is left out.
    timeout : float
        Seconds to wait for one request.
    retries : int
        How often a request is repeated after a time-out, a lost connection, or a status of 408,
        409, 429 or 5xx, waiting as long as Retry-After says, otherwise 0.5 s, 1 s, … 8 s.
    seed : int
        Handed to the server.
    sample_rate : int
        Hz at which recordings are sent.
    token_seconds : float
        Stride of the served model's audio tokens, in seconds; a server does not report it.
    api_key : str, optional
        Sent to the server. Without it, OPENAI_API_KEY is used for api.openai.com and no other.

    Raises
    ------
    ValueError
        If the address names no model; by `respond`, if the server refuses a request (an unknown
        model, a wrong key).
    ConnectionError
        By `respond`, if the server stays out of reach, or what it says is no chat completion.

    Notes
    -----
    A choice without content (None) is the empty answer. A completion without any choice is an
    error.
    """

    address: str
    _: KW_ONLY
    name: str = field(init=False)
    timeout: float = 60.0
    retries: int = 4
    seed: int = 0
    sample_rate: int = 16_000
    token_seconds: float = 0.08
    api_key: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not find_spec("openai"):
            raise ValueError(
                f"{self.address} needs the package openai: pip install 'sgpa-core[server]'"
            )
        self.url, _, self.model = self.address.partition("#")
        try:
            host, _ = urlsplit(self.url).hostname, urlsplit(self.url).port
        except ValueError:  # a port that is no number, or too large
            host = None
        if not host or not self.model:
            raise ValueError(
                f'a server is named by its URL and a model, "http://localhost:8000/v1#model", '
                f"not {self.address!r}"
            )
        if not self.api_key and host == "api.openai.com":
            self.api_key = os.environ.get("OPENAI_API_KEY")
        settings = (self.max_new_tokens, self.prompt, self.instruction, self.seed)
        self.name = f"{self.model}@{digest_of([self.url, *settings, self.sample_rate])}"

    def __repr__(self) -> str:
        return f"OpenAIServer({self.name!r}, {self.url})"

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Answer every recording of a batch; see `AudioLM.respond`."""
        from openai import OpenAI

        shortest = round(SHORTEST_SECONDS * self.sample_rate)
        signals = prepare(batch, sample_rate, self.sample_rate, shortest, name=self.name)
        client = OpenAI(
            base_url=self.url,
            api_key=self.api_key or "none",
            timeout=self.timeout,
            max_retries=self.retries,
        )
        with client, ThreadPoolExecutor(self.batch_size) as pool:
            return list(pool.map(partial(self._answer, client), signals))

    def _answer(self, client: Any, signal: np.ndarray) -> str:
        import openai

        try:
            completion = client.chat.completions.create(
                model=self.model,
                messages=self._turns(signal),
                max_tokens=self.max_new_tokens,
                temperature=0.0,
                seed=self.seed,
            )
        except openai.APITimeoutError as fault:
            raise TimeoutError(
                f"{self.url} did not answer within {self.timeout:g} s, {self.retries + 1} times"
            ) from fault
        except openai.APIStatusError as fault:
            refusal = f"{self.url} refused {self.model!r} with status {fault.status_code}: {fault}"
            if fault.status_code in (408, 409, 429) or fault.status_code >= 500:
                raise ConnectionError(f"{refusal} ({self.retries + 1} tries)") from fault
            raise ValueError(refusal) from fault
        except openai.APIConnectionError as fault:
            raise ConnectionError(
                f"{self.url} cannot be reached, or broke off, {self.retries + 1} times: "
                f"{fault.__cause__ or fault}"
            ) from fault
        except (openai.APIError, ValueError) as fault:
            raise ConnectionError(f"{self.url} sent no chat completion: {fault}") from fault
        try:
            content = completion.choices[0].message.content
        except (AttributeError, IndexError, TypeError) as fault:
            raise ConnectionError(
                f"{self.url} sent no chat completion: {str(completion)[:200]}"
            ) from fault
        return (content or "").strip()

    def _turns(self, signal: np.ndarray) -> list[dict[str, Any]]:
        wav = Audio(signal, self.sample_rate).data_uri().partition(",")[2]
        sound = {"type": "input_audio", "input_audio": {"data": wav, "format": "wav"}}
        system = [{"role": "system", "content": self.prompt}] if self.prompt else []
        return [*system, self.user_turn(sound)]
