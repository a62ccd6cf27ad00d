"""A spoken assistant of two parts: a recogniser hears, a language model answers what it heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Any

import numpy as np

from .chat import Writer

#: Characters that a chat template adds to a transcript, about.
TEMPLATE = 128


@dataclass(repr=False, eq=False)
class Cascade(Writer):
    """A speech recogniser, and a language model that chats about what it heard.

    The answer depends on the transcript alone, so `write` and `score` take transcripts: who keeps
    them, as `sgpa_core.Answers` does, pays for each once.

    Parameters
    ----------
    model, tokenizer : transformers objects
        A causal language model, and its tokenizer with a chat template.
    recogniser : AudioLM
        A model whose answer is what it hears.
    name, batch_size, max_new_tokens, prompt, instruction
        See `sgpa_core.models.adapter.Adapter`. A batch of 24 transcripts is the fastest for a model
        of 135 million parameters on two cores.

    Raises
    ------
    ValueError
        If the tokenizer has no chat template.
    """

    model: Any
    tokenizer: Any
    recogniser: Any
    batch_size: int = field(default=24, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tokenizer.chat_template:
            raise ValueError(
                f"{self.name}: the language model has no chat template; name one that was trained "
                'to chat, such as "HuggingFaceTB/SmolLM2-135M-Instruct"'
            )
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token_id = self.padding
        self.sample_rate = self.recogniser.sample_rate
        self.token_seconds = self.recogniser.token_seconds
        self.window_seconds = getattr(self.recogniser, "window_seconds", np.inf)

    def hear(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Give the transcript of every recording."""
        return self.recogniser.respond(batch, sample_rate)

    def received(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Give the transcript that stands in the user's turn."""
        return self.hear(batch, sample_rate)

    def write(self, items: Sequence[str]) -> list[str]:
        """Answer every transcript."""
        groups, places = _distinct(items)
        answers = [*chain.from_iterable(map(super().write, groups))]
        return [answers[place] for place in places]

    def score(self, items: Sequence[str], text: str) -> np.ndarray:
        """Give log P(text | transcript) of every transcript by the text's words, (k, words)."""
        groups, places = _distinct(items)
        scores = [super(Cascade, self).score(group, text) for group in groups or [[]]]
        return np.concatenate(scores)[places]

    def turns(self, items: Sequence[str]) -> Mapping[str, Any]:
        """Write transcripts into the chat template, filled up to one length."""
        system = [{"role": "system", "content": self.prompt}] if self.prompt else []
        after = f"\n{self.instruction}" if self.instruction else ""
        chats = [[*system, {"role": "user", "content": text + after}] for text in items]
        return self.tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
        )


def _distinct(texts: Sequence[str]) -> tuple[list[list[str]], np.ndarray]:
    """Return each distinct text once, in groups of similar length, and where each one is.

    A recogniser that repeats itself for a page would else fill its whole batch up to that length.
    """
    distinct = sorted(set(texts), key=lambda text: (len(text), text))
    groups = groupby(distinct, lambda text: (len(text) + TEMPLATE).bit_length())
    places = np.array([distinct.index(text) for text in texts], dtype=int)
    return [[*group] for _, group in groups], places
