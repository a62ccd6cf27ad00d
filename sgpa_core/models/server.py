"""Adapter for any OpenAI-compatible server that takes audio: vLLM, llama.cpp and others."""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import numpy as np

from ..audio import Audio
from .adapter import Adapter, digest_of, prepare

#: Shorter sound is filled up with silence: servers refuse less than a frame.
SHORTEST_SECONDS = 0.1

#: Names of this machine.
LOOPBACK = re.compile(r"(.+\.)?localhost\.?|127(\.\d+){3}|::1|::ffff:127(\.\d+){3}|0\.0\.0\.0|::")


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
    error. A server on this machine is reached without the proxy that the environment may name.
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
            raise ValueError(f"{self.address} needs openai: pip install 'sgpa-core[server]'")
        self.url, _, self.model = self.address.partition("#")
        try:
            host, _ = urlsplit(self.url).hostname, urlsplit(self.url).port
        except ValueError:  # a port that is no number, or too large
            host = None
        if not host or not self.model:
            raise ValueError(
                f'a server is named as in "http://localhost:8000/v1#model", not {self.address!r}'
            )
        if not self.api_key and host == "api.openai.com":
            self.api_key = os.environ.get("OPENAI_API_KEY")
        self._cut: set[str] = set()
        settings = (self.max_new_tokens, self.prompt, self.instruction, self.seed)
        self.name = f"{self.model}@{digest_of([self.url, *settings, self.sample_rate])}"

    def is_cut(self, answer: str) -> bool:
        """Whether the server said so of this answer."""
        return answer in self._cut

    def __repr__(self) -> str:
        return f"OpenAIServer({self.name!r}, {self.url})"

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Answer every recording of a batch; see `AudioLM.respond`."""
        from openai import DefaultHttpxClient, OpenAI

        shortest = round(SHORTEST_SECONDS * self.sample_rate)
        signals = prepare(batch, sample_rate, self.sample_rate, shortest, name=self.name)
        limits: Any = {"timeout": self.timeout, "max_retries": self.retries}
        key = self.api_key or "none"
        try:
            http = DefaultHttpxClient(trust_env=not on_this_machine(self.url))
            client = OpenAI(base_url=self.url, api_key=key, http_client=http, **limits)
        except (ImportError, ValueError) as fault:  # a proxy of a kind that is not known here
            raise ValueError(f"{self.url} cannot be asked{proxy_of(self.url)}: {fault}") from fault
        with client, ThreadPoolExecutor(self.batch_size) as pool:
            requests = [pool.submit(self._answer, client, signal) for signal in signals]
            try:
                return [request.result() for request in requests]
            except BaseException as fault:  # what others of the batch were answered is kept
                pool.shutdown(cancel_futures=True)
                done = {k: r for k, r in enumerate(requests) if not r.cancelled()}
                vars(fault)["given"] = {k: r.result() for k, r in done.items() if not r.exception()}
                raise

    def _answer(self, client: Any, signal: np.ndarray) -> str:
        import openai

        wav = Audio(signal, self.sample_rate).data_uri("wav").partition(",")[2]
        sound = {"type": "input_audio", "input_audio": {"data": wav, "format": "wav"}}
        system = [{"role": "system", "content": self.prompt}] if self.prompt else []
        asked = {"model": self.model, "max_tokens": self.max_new_tokens, "seed": self.seed}
        create, completion = client.chat.completions.create, None
        proxy, tries = proxy_of(self.url), self.retries + 1
        try:
            completion = create(messages=[*system, self.user_turn(sound)], temperature=0.0, **asked)
            choice = completion.choices[0]
            answer = (choice.message.content or "").strip()
            if choice.finish_reason == "length":
                self._cut.add(answer)
            return answer
        except openai.APITimeoutError as fault:
            late = f"{self.url} did not answer within {self.timeout:g} s, {tries} times{proxy}"
            raise TimeoutError(late) from fault
        except openai.APIStatusError as fault:
            code = fault.status_code
            refusal = f"{self.url} refused {self.model!r} with status {code}{proxy}: {fault}"
            if code in (408, 409, 429) or code >= 500:
                raise ConnectionError(f"{refusal} ({tries} tries)") from fault
            raise ValueError(refusal) from fault
        except openai.APIConnectionError as fault:
            raise ConnectionError(
                f"{self.url} cannot be reached, or broke off, {tries} times{proxy}: "
                f"{fault.__cause__ or fault}"
            ) from fault
        except (openai.APIError, AttributeError, IndexError, TypeError, ValueError) as fault:
            sent = f"{completion or fault!s:.200}"
            raise ConnectionError(f"{self.url} sent no chat completion{proxy}: {sent}") from fault


def on_this_machine(url: str) -> bool:
    """Tell whether a URL leads to this machine.

    Examples
    --------
    >>> on_this_machine("http://127.0.0.1:8000/v1"), on_this_machine("https://api.openai.com/v1")
    (True, False)
    """
    return bool(LOOPBACK.fullmatch(urlsplit(url).hostname or ""))


def proxy_of(url: str) -> str:
    """Name the proxy that the environment puts before a URL, without its password."""
    host, proxies = urlsplit(url).hostname or "", getproxies()
    proxy = re.sub("[^/]*@", "", proxies.get(urlsplit(url).scheme) or proxies.get("all", ""))
    if not proxy or on_this_machine(url) or proxy_bypass(host):
        return ""
    return f" (through the proxy {proxy} of the environment; no_proxy={host} avoids it)"
