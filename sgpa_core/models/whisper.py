"""Adapter for Whisper models of any size, the embedded answerer among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from ..checks import whole
from .adapter import BATCH_SIZE, answer_log_prob, end_tokens, prepare, side_by_side


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
        self.max_new_tokens = min(whole(longest, "max_new_tokens"), self._room)

    def __repr__(self) -> str:
        return f"Whisper({self.name!r}, {self.sample_rate} Hz, ≤ {self.window_seconds:g} s)"

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Answer every recording of a batch; see `AudioLM.respond`."""

        def answers(piece: Sequence[np.ndarray]) -> list[str]:
            ids = self._greedy(*self._encode(piece, sample_rate))
            return list(self.tokenizer.batch_decode(ids, skip_special_tokens=True))

        parts = side_by_side(answers, batch, self.batch_size, self.model.device)
        return [answer.strip() for answer in chain.from_iterable(parts)]

    def log_likelihood(
        self, batch: Sequence[np.ndarray], text: str, sample_rate: int
    ) -> np.ndarray:
        """Give log P(text | audio) of every recording, in nats, shape (k,).

        The sum over the text's tokens and the end of the answer, each given those before it
        (teacher forcing), under the model's own distribution: no token is suppressed.

        Raises
        ------
        ValueError
            If the text is longer than the decoder can write.
        """
        words = f" {text.strip()}" if text.strip() else ""  # as Whisper writes them
        target = self.tokenizer(words, add_special_tokens=False).input_ids
        if len(target) > self._room:
            raise ValueError(
                f"the text has {len(target)} tokens, but {self.name} writes at most "
                f"{self._room}: {text!r}"
            )

        score = partial(self._score, target=target, rate=sample_rate)
        parts = side_by_side(score, batch, self.batch_size, self.model.device)
        return np.concatenate([np.zeros(0), *parts])

    def _score(self, batch: Sequence[np.ndarray], target: list[int], rate: int) -> np.ndarray:
        hidden, prompt = self._encode(batch, rate)
        with torch.inference_mode():
            wanted = torch.tensor(target, dtype=torch.long, device=prompt.device)
            given = torch.cat([prompt, wanted.expand(len(prompt), -1)], dim=1)
            states = self.model.model.decoder(given, encoder_hidden_states=hidden).last_hidden_state
            logits = self.model.proj_out(states[:, prompt.shape[1] - 1 :])
            return answer_log_prob(logits, wanted, self.ends)

    def _encode(self, batch: Sequence[np.ndarray], rate: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the encoder's states and the tokens that the decoder starts from."""
        longest = self.extractor.n_samples
        signals = prepare(batch, rate, self.sample_rate, 1, longest, self.name)
        with torch.inference_mode():
            features = log_mel(self.extractor, signals).to(self.model.device, self.model.dtype)
            hidden = self.model.model.encoder(features).last_hidden_state
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

    def _greedy(self, hidden: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        """Decode greedily with a cache: ``generate`` without its overhead, equal to it."""
        settings = self.model.generation_config
        never = list(settings.suppress_tokens or [])
        not_first = never + list(settings.begin_suppress_tokens or [])
        ends = torch.tensor(self.ends, device=hidden.device)
        padding = settings.pad_token_id if settings.pad_token_id is not None else self.ends[0]
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        unfinished = torch.ones(len(hidden), dtype=torch.bool, device=hidden.device)
        given = prompt
        written: list[torch.Tensor] = []
        with torch.inference_mode():
            while unfinished.any() and len(written) != self.max_new_tokens:
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


def log_mel(extractor: Any, signals: list[np.ndarray]) -> torch.Tensor:
    """Give the extractor's log-mel spectrograms without computing those of the silence behind.

    Parameters
    ----------
    extractor : WhisperFeatureExtractor
    signals : list of ndarray of float32
        At most ``extractor.n_samples`` long.

    Returns
    -------
    Tensor of float32, shape (k, bins, frames)
        Equal to the extractor's own up to rounding.
    """
    if extractor.dither:
        return extractor(
            signals, sampling_rate=extractor.sampling_rate, return_tensors="pt"
        ).input_features
    hop, n_fft = extractor.hop_length, extractor.n_fft
    heard = -(-(max(map(len, signals)) + n_fft) // hop) * hop
    waves = torch.zeros(len(signals), min(heard, extractor.n_samples))
    for wave, signal in zip(waves, signals, strict=True):
        wave[: len(signal)] = torch.from_numpy(signal)
    window = torch.hann_window(n_fft)
    spectra = torch.stft(waves, n_fft, hop, window=window, return_complex=True)[..., :-1]
    power = spectra.real.square() + spectra.imag.square()
    filters = torch.from_numpy(extractor.mel_filters).float()
    levels = (filters.T @ power).clamp(min=1e-10).log10()
    floors = (levels.amax((1, 2), keepdim=True) - 8).clamp(min=-10)
    frames = torch.maximum(levels, floors)
    behind = extractor.n_samples // hop - frames.shape[-1]
    return (torch.cat([frames, floors.expand(-1, frames.shape[1], behind)], -1) + 4) / 4
