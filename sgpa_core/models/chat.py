"""Adapters for models that chat: Qwen2-Audio, Voxtral, and those that a recogniser hears for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import BatchFeature, GenerationConfig

from .adapter import Adapter, answer_log_prob, end_tokens, prepare, side_by_side, words_of


class Writer(Adapter):
    """What all of them have in common: greedy answers and their likelihoods, padded on the left.

    A subclass has a model and its tokenizer, and says what it receives of a recording (`received`)
    and how a user's turn with that becomes what the model reads (`turns`).
    """

    model: Any
    tokenizer: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        self.model.eval()
        ends, padding = end_tokens(self.model.generation_config), self.tokenizer.pad_token_id
        self.ends = ends or [self.tokenizer.eos_token_id]
        self.padding = padding if padding is not None else self.ends[0]
        # Plain greedy decoding: a checkpoint's own sampling and repetition penalty are left out
        # (the latter also counts padding, so that an answer would depend on the batch).
        self.model.generation_config = GenerationConfig(
            do_sample=False,
            max_new_tokens=self.max_new_tokens,
            eos_token_id=self.ends,
            pad_token_id=self.padding,
        )

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Answer every recording of a batch; see `AudioLM.respond`."""
        return self.write(self.received(batch, sample_rate))

    def log_likelihood(
        self, batch: Sequence[np.ndarray], text: str, sample_rate: int
    ) -> np.ndarray:
        """Give log P(text | audio) of every recording, in nats, shape (k,)."""
        return self.word_log_likelihood(batch, text, sample_rate).sum(axis=1)

    def word_log_likelihood(
        self, batch: Sequence[np.ndarray], text: str, sample_rate: int
    ) -> np.ndarray:
        """Give the same by the words of the text, (k, words); see `score`."""
        return self.score(self.received(batch, sample_rate), text)

    def is_cut(self, answer: str) -> bool:
        """Whether an answer is as long as the limit allows."""
        return len(self.tokenizer.encode(answer, add_special_tokens=False)) >= self.max_new_tokens

    def write(self, items: Sequence[Any]) -> list[str]:
        """Write the answer to each user's turn, greedily."""

        def written(piece: Sequence[Any]) -> list[str]:
            inputs = self.inputs(piece)
            with torch.inference_mode():
                ids = self.model.generate(**inputs)
            new = ids[:, inputs["input_ids"].shape[1] :]
            return self.tokenizer.batch_decode(new, skip_special_tokens=True)

        parts = side_by_side(written, items, self.batch_size, self.model.device)
        return [answer.strip() for answer in chain.from_iterable(parts)]

    def score(self, items: Sequence[Any], text: str) -> np.ndarray:
        """Give log P(text | turn) for each user's turn by the text's words, in nats, (k, words).

        Sums over the text's tokens, each given those before it; the last word has the end of the
        turn as well, but for a text that is as long as an answer may be (`is_cut`).
        """
        ends = [] if self.is_cut(text) else self.ends
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        words = words_of(self.tokenizer, ids, text)
        target = torch.tensor(ids, dtype=torch.long, device=self.model.device)

        def scores(piece: Sequence[Any]) -> np.ndarray:
            inputs = self.inputs(piece)
            added = target.expand(len(piece), -1)
            inputs["input_ids"] = torch.cat([inputs["input_ids"], added], dim=1)
            mask = torch.cat([inputs["attention_mask"], torch.ones_like(added)], dim=1)
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            inputs |= {"attention_mask": mask, "position_ids": positions}
            with torch.inference_mode():
                logits = self.model(**inputs, use_cache=False).logits[:, -len(target) - 1 :]
            return answer_log_prob(logits, target, ends, words)

        parts = side_by_side(scores, items, self.batch_size, self.model.device)
        return np.concatenate([np.zeros((0, words.shape[1])), *parts])

    def inputs(self, items: Sequence[Any]) -> dict[str, Any]:
        """Turn users' turns into what the model reads, on its device."""
        inputs = BatchFeature(dict(self.turns(items)))
        return dict(inputs.to(self.model.device, self.model.dtype))

    def received(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[Any]:
        """Give what stands in the user's turn for each recording: its sound, or a transcript."""
        raise NotImplementedError

    def turns(self, items: Sequence[Any]) -> Mapping[str, Any]:
        """Write each turn into a prompt: tokens, their mask, and the features of a sound."""
        raise NotImplementedError


class Chat(Writer):
    """A model that hears the user's turn itself: a subclass has its feature extractor too."""

    extractor: Any
    shortest = 1
    longest: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sample_rate = int(self.extractor.sampling_rate)

    def received(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[np.ndarray]:
        """Check every recording and give it at the model's rate."""
        return prepare(batch, sample_rate, self.sample_rate, self.shortest, self.longest, self.name)


@dataclass(repr=False, eq=False)
class Qwen2Audio(Chat):
    """A ``Qwen2AudioForConditionalGeneration`` in voice chat: the recording is the user's turn.

    Parameters
    ----------
    model, processor : transformers objects
        The model and its ``Qwen2AudioProcessor``.
    name, batch_size, max_new_tokens, prompt, instruction
        See `sgpa_core.models.adapter.Adapter`.

    Notes
    -----
    In bfloat16 a padded batch is rounded differently from a single recording. Where two words are
    almost equally likely, the answer can change; ``batch_size=1`` or ``dtype="float32"`` avoid it.
    """

    model: Any
    processor: Any

    def __post_init__(self) -> None:
        self.extractor, self.tokenizer = self.processor.feature_extractor, self.processor.tokenizer
        super().__post_init__()
        self.tokenizer.padding_side = "left"
        hop = self.extractor.hop_length
        self.token_seconds = 4 * hop / self.sample_rate  # a convolution and a pooling, 2 each
        # With one sound token each, transformers takes a batch of prompts for the older format.
        self.shortest, self.longest = 2 * 4 * hop, self.extractor.n_samples
        user = self.user_turn({"type": "audio", "audio_url": "the recording"})
        turns = [{"role": "system", "content": self.prompt}, user]
        template = self.processor.apply_chat_template
        self.text = template(turns, add_generation_prompt=True, tokenize=False)

    def turns(self, signals: Sequence[np.ndarray]) -> Mapping[str, Any]:
        """Let the processor put each recording into the same text."""
        return self.processor(
            text=[self.text] * len(signals),
            audio=signals,
            sampling_rate=self.sample_rate,
            padding=True,
            return_tensors="pt",
        )


@dataclass(repr=False, eq=False)
class Voxtral(Chat):
    """A ``VoxtralForConditionalGeneration``: the recording is the user's turn.

    Parameters
    ----------
    model, extractor, tokenizer : transformers objects
        The model, its ``WhisperFeatureExtractor``, and its tokenizer (from tekken.json).
    name, batch_size, max_new_tokens, instruction
        See `sgpa_core.models.adapter.Adapter`.

    Notes
    -----
    The turn is written as Mistral's own tokenizer writes it,
    ``<s>[INST][BEGIN_AUDIO][AUDIO]…[/INST]``. Mistral's tokenizer refuses a system prompt beside
    audio, so there is none. Sound is filled up to whole windows of 30 s, 375 tokens each.
    """

    model: Any
    extractor: Any
    tokenizer: Any
    prompt: str = field(default="", init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        encoder = self.model.config.audio_config
        joined = encoder.intermediate_size // encoder.hidden_size  # positions in one token
        self.token_seconds = 2 * joined * self.extractor.hop_length / self.sample_rate
        self.window_frames = 2 * encoder.max_source_positions
        self.window_tokens = encoder.max_source_positions // joined
        names = ["<s>", "[INST]", "[BEGIN_AUDIO]", "[/INST]"]
        *self.before, end = self.tokenizer.convert_tokens_to_ids(names)
        self.after = [*self.tokenizer.encode(self.instruction, add_special_tokens=False), end]

    def turns(self, signals: Sequence[np.ndarray]) -> Mapping[str, Any]:
        """Write the turns by hand, a placeholder for each of the sound's tokens."""
        windows, rows = [], []
        for signal in signals:
            features = self.extractor(
                signal,
                sampling_rate=self.sample_rate,
                padding=True,
                truncation=False,
                pad_to_multiple_of=self.window_frames * self.extractor.hop_length,
                return_tensors="pt",
            ).input_features[0]
            own = features.split(self.window_frames, dim=1)
            windows += own
            sound = [self.model.config.audio_token_id] * (len(own) * self.window_tokens)
            rows.append(torch.tensor([*self.before, *sound, *self.after]))
        masks = [torch.ones_like(row) for row in rows]
        return {
            "input_ids": pad_sequence(rows, True, self.padding, "left"),
            "attention_mask": pad_sequence(masks, True, 0, "left"),
            "input_features": torch.stack(windows),
        }
