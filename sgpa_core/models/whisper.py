"""Adapter for Whisper models of any size, the embedded answerer among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, takewhile
from math import ceil
from typing import Any

import numpy as np
import torch
from torch.nn.functional import gelu
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from ..checks import number, whole
from .adapter import BATCH_SIZE, answer_log_prob, end_tokens, prepare, side_by_side, words_of

#: Seconds: the shortest window. In 8 s and less, speech of 2 to 7 s is often written down twice.
WINDOW = 10.0

#: More tokens than these, and as many for each second, are no transcript but a run-away repetition.
SOME_TOKENS, TOKENS_PER_SECOND = 12, 8

#: So many tokens in a row are not said twice in one breath.
TWICE = 4


@dataclass(repr=False, eq=False)
class Whisper:
    """A ``WhisperForConditionalGeneration`` that listens to one window and answers greedily.

    Parameters
    ----------
    model, extractor, tokenizer : transformers objects
        The model, its ``WhisperFeatureExtractor`` and its tokenizer.
    name : str
        What results call it.
    batch_size : int
        Recordings in one forward pass.
    max_new_tokens : int, optional
        Longest answer; by default what the model's generation config says, at most what its
        decoder has positions for.
    language : str, optional
        For multilingual models, a code such as "en"; by default each recording's most probable one.
    window : float
        Seconds that are computed at least; a longer recording is heard in a longer window, up to
        the model's own (30 s), which is several times slower.

    Attributes
    ----------
    token_seconds : float
        The encoder halves the spectrogram's frame rate: 2 · hop / sample rate.
    window_seconds : float
        Longest audio.

    Raises
    ------
    ValueError
        If the model does not know the language. `respond` raises it for audio over the window.
    """

    model: Any
    extractor: Any
    tokenizer: Any
    name: str
    batch_size: int = BATCH_SIZE
    max_new_tokens: int | None = None
    language: str | None = None
    window: float = WINDOW

    def __post_init__(self) -> None:
        settings = self.model.eval().generation_config
        self.sample_rate = int(self.extractor.sampling_rate)
        self.token_seconds = 2 * self.extractor.hop_length / self.sample_rate
        self.window_seconds = float(self.extractor.chunk_length)
        self.ends = end_tokens(settings)
        self.languages: dict[str, int] = getattr(settings, "lang_to_id", None) or {}
        if self.language is not None and f"<|{self.language}|>" not in self.languages:
            known = ", ".join(sorted(code[2:-2] for code in self.languages)) or "one only"
            raise ValueError(f"{self.name} has no language {self.language!r}; it knows {known}")
        tasks = getattr(settings, "task_to_id", None) or {}
        task = [tasks["transcribe"]] if self.languages and tasks else []
        untimed = getattr(settings, "no_timestamps_token_id", None)
        # Before every answer; the language, where there are several, comes second.
        self._prompt = [settings.decoder_start_token_id, *task, *([untimed] if untimed else [])]
        prompt_length = len(self._prompt) + bool(self.languages)
        self._room = self.model.config.max_target_positions - prompt_length
        longest = self.max_new_tokens
        if longest is None:
            longest = settings.max_new_tokens or self._room
        self.max_new_tokens = self._limit = min(whole(longest, "max_new_tokens"), self._room)
        number(self.window, "window", 0, 1e4, " s")

    def __repr__(self) -> str:
        return f"Whisper({self.name!r}, {self.sample_rate} Hz, ≤ {self.window_seconds:g} s)"

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Answer every recording of a batch; see `AudioLM.respond`.

        What runs away in a short window, saying the same again and again, is heard once more in the
        model's own.
        """
        signals, seconds = self._prepared(batch, sample_rate)
        ids = self._in_windows(self._write, signals, seconds)
        again = [
            place
            for place, window in enumerate(seconds)
            if window < self.window_seconds and self._runs_away(ids[place], signals[place])
        ]
        own = [self.window_seconds] * len(again)
        anew = self._in_windows(self._write, [signals[place] for place in again], own)
        for place, tokens in zip(again, anew, strict=True):
            ids[place] = tokens
        return [self.tokenizer.decode(row, skip_special_tokens=True).strip() for row in ids]

    def is_cut(self, answer: str) -> bool:
        """Whether an answer is as long as the limit allows."""
        return len(self._tokens(answer)) >= self._limit

    def _tokens(self, text: str) -> list[int]:
        words = f" {text.strip()}" if text.strip() else ""  # as Whisper writes them
        return self.tokenizer(words, add_special_tokens=False).input_ids

    def _prepared(
        self, batch: Sequence[np.ndarray], rate: int
    ) -> tuple[list[np.ndarray], list[float]]:
        """Give a batch at the model's rate, and the window in seconds that each one is heard in."""
        longest = self.extractor.n_samples
        signals = prepare(batch, rate, self.sample_rate, 1, longest, self.name)
        needed = [float(ceil(len(signal) / self.sample_rate) + 1) for signal in signals]
        return signals, [min(max(self.window, s), self.window_seconds) for s in needed]

    def _in_windows(
        self, work: Callable[..., Any], signals: list[np.ndarray], seconds: list[float]
    ) -> list[Any]:
        """Work on recordings that share a window together; results in order."""
        results: list[Any] = [None] * len(signals)
        for window in sorted(set(seconds)):
            places = [place for place, own in enumerate(seconds) if own == window]
            same = [signals[place] for place in places]
            part = partial(work, window=window)
            parts = side_by_side(part, same, self.batch_size, self.model.device)
            for place, result in zip(places, chain.from_iterable(parts), strict=True):
                results[place] = result
        return results

    def _write(self, signals: list[np.ndarray], window: float) -> list[list[int]]:
        """Give the tokens that the model writes, greedily, up to the end."""
        limit = self._limit
        if window < self.window_seconds:
            limit = min(limit, 1 + max(map(self._tokens_at_most, signals)))
        rows = self._greedy(*self._encode(signals, window), limit).tolist()
        ends = set(self.ends)
        return [list(takewhile(lambda token: token not in ends, row)) for row in rows]

    def _tokens_at_most(self, signal: np.ndarray) -> int:
        return SOME_TOKENS + int(TOKENS_PER_SECOND * len(signal) / self.sample_rate)

    def _runs_away(self, ids: list[int], signal: np.ndarray) -> bool:
        rows = [tuple(ids[k : k + TWICE]) for k in range(len(ids) - TWICE + 1)]
        return len(ids) > self._tokens_at_most(signal) or len(set(rows)) < len(rows)

    def log_likelihood(
        self, batch: Sequence[np.ndarray], text: str, sample_rate: int
    ) -> np.ndarray:
        """Give log P(text | audio) of every recording, in nats, shape (k,).

        See `word_log_likelihood`.
        """
        return self.word_log_likelihood(batch, text, sample_rate).sum(axis=1)

    def word_log_likelihood(
        self, batch: Sequence[np.ndarray], text: str, sample_rate: int
    ) -> np.ndarray:
        """Give log P(text | audio) of every recording by the text's words, in nats, (k, words).

        Sums over the text's tokens and the end of the answer, each given those before it
        (teacher forcing), under the model's own distribution: no token is suppressed. The end
        belongs to the last word.

        Raises
        ------
        ValueError
            If the text is longer than the decoder can write.
        """
        target = self._tokens(text)
        if len(target) > self._room:
            raise ValueError(
                f"the text has {len(target)} tokens, but {self.name} writes at most "
                f"{self._room}: {text!r}"
            )

        words = words_of(self.tokenizer, target, text)
        score = partial(self._score, target=target, words=words)
        scores = self._in_windows(score, *self._prepared(batch, sample_rate))
        return np.reshape(scores, (-1, words.shape[1]))

    def _score(
        self, signals: list[np.ndarray], target: list[int], words: np.ndarray, window: float
    ) -> np.ndarray:
        hidden, prompt = self._encode(signals, window)
        with torch.inference_mode():
            wanted = torch.tensor(target, dtype=torch.long, device=prompt.device)
            given = torch.cat([prompt, wanted.expand(len(prompt), -1)], dim=1)
            states = self.model.model.decoder(given, encoder_hidden_states=hidden).last_hidden_state
            logits = self.model.proj_out(states[:, prompt.shape[1] - 1 :])
            return answer_log_prob(logits, wanted, self.ends, words)

    def _encode(
        self, signals: list[np.ndarray], window: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the encoder's states and the tokens that the decoder starts from."""
        samples = round(window * self.sample_rate)
        with torch.inference_mode():
            features = log_mel(self.extractor, signals, samples)
            features = features.to(self.model.device, self.model.dtype)
            hidden = encode(self.model.model.encoder, features)
            prompt = torch.tensor(self._prompt, device=hidden.device).expand(len(hidden), -1)
            if self.languages:
                spoken = self._language(hidden, prompt[:, :1])
                prompt = torch.cat([prompt[:, :1], spoken, prompt[:, 1:]], dim=1)
            return hidden, prompt

    def _language(self, hidden: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """Give the token of each recording's language: the chosen or the most probable one."""
        if self.language is not None:
            return torch.full_like(start, self.languages[f"<|{self.language}|>"])
        ids = torch.tensor(sorted(self.languages.values()), device=hidden.device)
        states = self.model.model.decoder(start, encoder_hidden_states=hidden)
        logits = self.model.proj_out(states.last_hidden_state[:, -1])
        return ids[logits[:, ids].argmax(-1, keepdim=True)]

    def _greedy(self, hidden: torch.Tensor, given: torch.Tensor, limit: int) -> torch.Tensor:
        """Decode greedily with a cache: ``generate`` without its overhead, equal to it."""
        settings = self.model.generation_config
        never = list(settings.suppress_tokens or [])
        not_first = never + list(settings.begin_suppress_tokens or [])
        ends = torch.tensor(self.ends, device=hidden.device)
        padding = settings.pad_token_id if settings.pad_token_id is not None else self.ends[0]
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        unfinished = torch.ones(len(hidden), dtype=torch.bool, device=hidden.device)
        written: list[torch.Tensor] = []
        with torch.inference_mode():
            while unfinished.any() and len(written) < limit:
                states = self.model.model.decoder(
                    given, encoder_hidden_states=hidden, past_key_values=cache, use_cache=True
                ).last_hidden_state
                logits = self.model.proj_out(states[:, -1]).float()
                logits[:, never if written else not_first] = -torch.inf
                token = logits.argmax(-1).masked_fill(~unfinished, padding)
                written.append(token)
                unfinished &= ~torch.isin(token, ends)
                given = token[:, None]
        return torch.stack(written, dim=1)


def encode(encoder: Any, features: torch.Tensor) -> torch.Tensor:
    """Give the states of a Whisper encoder for a window as long as its own, or shorter."""
    return encoder.layer_norm(layer_states(encoder, features)[-1])


def layer_states(encoder: Any, features: torch.Tensor) -> list[torch.Tensor]:
    """Give what goes into each layer of a Whisper encoder, and what comes out of the last."""
    heard = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
    states = [heard + encoder.embed_positions.weight[: heard.shape[1]]]
    for layer in encoder.layers:
        states.append(layer(states[-1], None))
    return states


def log_mel(extractor: Any, signals: list[np.ndarray], samples: int | None = None) -> torch.Tensor:
    """Give the extractor's log-mel spectrograms without computing those of the silence behind.

    Parameters
    ----------
    extractor : WhisperFeatureExtractor
    signals : list of ndarray of float32
    samples : int, optional
        The window, as long as the longest at least; by default ``extractor.n_samples``.

    Returns
    -------
    Tensor of float32, shape (k, bins, frames)
        Equal to the extractor's own up to rounding.
    """
    samples = samples or extractor.n_samples
    if extractor.dither:
        rate, longest = extractor.sampling_rate, {"padding": "max_length", "max_length": samples}
        return extractor(signals, sampling_rate=rate, return_tensors="pt", **longest).input_features
    hop, n_fft = extractor.hop_length, extractor.n_fft
    heard = -(-(max(map(len, signals)) + n_fft) // hop) * hop
    waves = torch.zeros(len(signals), min(heard, samples))
    for wave, signal in zip(waves, signals, strict=True):
        wave[: len(signal)] = torch.from_numpy(signal)
    window = torch.hann_window(n_fft)
    spectra = torch.stft(waves, n_fft, hop, window=window, return_complex=True)[..., :-1]
    power = spectra.real.square() + spectra.imag.square()
    filters = torch.from_numpy(extractor.mel_filters).float()
    levels = (filters.T @ power).clamp(min=1e-10).log10()
    floors = (levels.amax((1, 2), keepdim=True) - 8).clamp(min=-10)
    frames = torch.maximum(levels, floors)
    behind = samples // hop - frames.shape[-1]
    return (torch.cat([frames, floors.expand(-1, frames.shape[1], behind)], -1) + 4) / 4
