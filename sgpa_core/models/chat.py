"""Adapters for models that chat about sound: Qwen2-Audio and Voxtral, by transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .protocol import (
    BATCH_SIZE,
    MAX_NEW_TOKENS,
    SPEECH_PROMPT,
    answer_log_prob,
    at_least_one,
    pieces,
    prepare,
)


class _Chat:
    """What the two have in common: greedy answers and their likelihoods, padded on the left.

    Subclasses say how sound becomes a prompt (`_inputs`), and what the model can hear.
    """

    shortest = 1
    longest: int | None = None
    tokenizer: Any

    def __init__(
        self, model: Any, extractor: Any, name: str, batch_size: int, max_new_tokens: int
    ) -> None:
        from transformers import GenerationConfig

        self.model, self.extractor = model.eval(), extractor
        self.name, self.batch_size = name, batch_size
        self.max_new_tokens = at_least_one(max_new_tokens, "max_new_tokens")
        self.sample_rate = int(extractor.sampling_rate)
        settings, tokenizer = model.generation_config, self.tokenizer
        ends = settings.eos_token_id if settings.eos_token_id is not None else ()
        ends = list(ends) if isinstance(ends, (list, tuple)) else [ends]
        self._ends = ends or [tokenizer.eos_token_id]
        padding = tokenizer.pad_token_id
        self._padding = padding if padding is not None else self._ends[0]
        # Plain greedy decoding: a checkpoint's own sampling and repetition penalty are left out
        # (the latter also counts padding, so that an answer would depend on the batch).
        model.generation_config = GenerationConfig(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=self._ends,
            pad_token_id=self._padding,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.sample_rate} Hz)"

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Answer every recording of a batch; see `AudioLM.respond`."""
        import torch

        answers: list[str] = []
        for piece in pieces(batch, self.batch_size):
            inputs = self._heard(piece, sample_rate)
            with torch.inference_mode():
                ids = self.model.generate(**inputs)
            new = ids[:, inputs["input_ids"].shape[1] :]
            answers += self.tokenizer.batch_decode(new, skip_special_tokens=True)
        return [answer.strip() for answer in answers]

    def log_likelihood(
        self, batch: Sequence[np.ndarray], text: str, sample_rate: int
    ) -> np.ndarray:
        """Give log P(text | audio) of every recording, in nats, shape (k,).

        The sum over the text's tokens and the end of the turn, each given those before it.
        """
        import torch

        target = torch.tensor(
            self.tokenizer.encode(text, add_special_tokens=False),
            dtype=torch.long,
            device=self.model.device,
        )
        values = [np.zeros(0)]
        for piece in pieces(batch, self.batch_size):
            inputs = self._heard(piece, sample_rate)
            added = target.expand(len(piece), -1)
            ids = torch.cat([inputs["input_ids"], added], dim=1)
            mask = torch.cat([inputs["attention_mask"], torch.ones_like(added)], dim=1)
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            inputs |= {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
            with torch.inference_mode():
                logits = self.model(**inputs, use_cache=False).logits[:, -len(target) - 1 :]
            values.append(answer_log_prob(logits, target, self._ends))
        return np.concatenate(values)

    def _heard(self, batch: Sequence[np.ndarray], sample_rate: int) -> dict[str, Any]:
        """Turn a batch of recordings into what the model reads."""
        signals = prepare(
            batch, sample_rate, self.sample_rate, self.shortest, self.longest, self.name
        )
        inputs = dict(self._inputs(signals))
        inputs["input_features"] = inputs["input_features"].to(self.model.dtype)
        return {key: value.to(self.model.device) for key, value in inputs.items()}

    def _inputs(self, signals: list[np.ndarray]) -> Mapping[str, Any]:
        raise NotImplementedError


class Qwen2Audio(_Chat):
    """A ``Qwen2AudioForConditionalGeneration`` in voice chat: the recording is the user's turn.

    Parameters
    ----------
    model, processor : transformers objects
        The model and its ``Qwen2AudioProcessor``.
    name : str
        What results call it.
    batch_size : int
        Recordings in one forward pass.
    max_new_tokens : int
        Longest answer; the paper's 30 by default.
    prompt : str
        The system's turn.
    instruction : str
        Text after the recording, in the user's turn; by default none, the recording speaks.

    Notes
    -----
    In bfloat16 a padded batch rounds otherwise than a single recording, which can turn an answer
    where two words are almost equally likely; ``batch_size=1`` or ``dtype="float32"`` rule it out.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        name: str,
        batch_size: int = BATCH_SIZE,
        max_new_tokens: int = MAX_NEW_TOKENS,
        prompt: str = SPEECH_PROMPT,
        instruction: str = "",
    ) -> None:
        self.processor, self.tokenizer = processor, processor.tokenizer
        super().__init__(model, processor.feature_extractor, name, batch_size, max_new_tokens)
        self.tokenizer.padding_side = "left"
        hop = self.extractor.hop_length
        self.token_seconds = 4 * hop / self.sample_rate  # a convolution and a pooling, 2 each
        # Of a batch with one token each, transformers thinks that its prompts are of an old kind.
        self.shortest, self.longest = 2 * 4 * hop, self.extractor.n_samples
        said: list[dict[str, str]] = [{"type": "audio", "audio_url": "the recording"}]
        if instruction:
            said.append({"type": "text", "text": instruction})
        turns = [{"role": "system", "content": prompt}, {"role": "user", "content": said}]
        self.text = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)

    def _inputs(self, signals: list[np.ndarray]) -> Mapping[str, Any]:
        return self.processor(
            text=[self.text] * len(signals),
            audio=signals,
            sampling_rate=self.sample_rate,
            padding=True,
            return_tensors="pt",
        )


class Voxtral(_Chat):
    """A ``VoxtralForConditionalGeneration``: the recording is the user's turn.

    Parameters
    ----------
    model, extractor, tokenizer : transformers objects
        The model, its ``WhisperFeatureExtractor``, and its tokenizer (from tekken.json).
    name : str
        What results call it.
    batch_size : int
        Recordings in one forward pass.
    max_new_tokens : int
        Longest answer; the paper's 30 by default.
    instruction : str
        Text after the recording, in the user's turn; by default none, the recording speaks.

    Notes
    -----
    The turn is written as Mistral's own tokenizer writes it,
    ``<s>[INST][BEGIN_AUDIO][AUDIO]…[/INST]``; that one refuses a system prompt beside audio, so
    there is none. Sound is filled up to whole windows of 30 s, 375 tokens each.
    """

    def __init__(
        self,
        model: Any,
        extractor: Any,
        tokenizer: Any,
        name: str,
        batch_size: int = BATCH_SIZE,
        max_new_tokens: int = MAX_NEW_TOKENS,
        instruction: str = "",
    ) -> None:
        self.tokenizer = tokenizer
        super().__init__(model, extractor, name, batch_size, max_new_tokens)
        ear = model.config.audio_config
        joined = ear.intermediate_size // ear.hidden_size  # encoder positions in one token
        self.token_seconds = 2 * joined * extractor.hop_length / self.sample_rate
        self._window_frames = 2 * ear.max_source_positions
        self._window_tokens = ear.max_source_positions // joined
        names = ["<s>", "[INST]", "[BEGIN_AUDIO]", "[/INST]"]
        *self._before, end = tokenizer.convert_tokens_to_ids(names)
        self._after = [*tokenizer.encode(instruction, add_special_tokens=False), end]

    def _inputs(self, signals: list[np.ndarray]) -> Mapping[str, Any]:
        import torch

        windows, rows = [], []
        samples = self._window_frames * self.extractor.hop_length
        for signal in signals:
            features = self.extractor(
                signal,
                sampling_rate=self.sample_rate,
                padding=True,
                truncation=False,
                pad_to_multiple_of=samples,
                return_tensors="pt",
            ).input_features[0]
            own = features.split(self._window_frames, dim=1)
            windows += own
            sound = [self.model.config.audio_token_id] * (len(own) * self._window_tokens)
            rows.append([*self._before, *sound, *self._after])
        longest = max(map(len, rows))
        padded = [[self._padding] * (longest - len(row)) + row for row in rows]
        mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
        return {
            "input_ids": torch.tensor(padded),
            "attention_mask": torch.tensor(mask),
            "input_features": torch.stack(windows),
        }


def load(where: str, kind: str, device: str, dtype: str | None) -> Any:
    """Read one of the models from a folder or the hub; give a constructor that lacks its name."""
    import transformers

    classes = {"qwen2_audio": "Qwen2Audio", "voxtral": "Voxtral"}
    model = getattr(transformers, f"{classes[kind]}ForConditionalGeneration").from_pretrained(
        where, use_safetensors=True, dtype=dtype or ("float32" if device == "cpu" else "bfloat16")
    )
    if kind == "qwen2_audio":
        processor = transformers.AutoProcessor.from_pretrained(where)
        return partial(Qwen2Audio, model.to(device), processor)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(where)
    return partial(
        Voxtral, model.to(device), extractor, transformers.AutoTokenizer.from_pretrained(where)
    )
