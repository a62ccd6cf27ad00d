"""Adapter for LFM2-Audio, the paper's model: package liquid-audio, Python 3.12 or newer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .protocol import BATCH_SIZE, MAX_NEW_TOKENS, SPEECH_PROMPT, at_least_one, prepare

SHORTEST_SECONDS = 0.16
"""Shorter sound is filled up with silence: the encoder needs nine spectrogram frames."""

END_OF_TURN, AUDIO_START = 7, 128
"""Text tokens of LFM2-Audio that end a written answer: the turn's end, and the voice's start."""


class LFM2Audio:
    """An ``LFM2AudioModel`` that writes its answer to a spoken turn, as in the paper.

    Text by ``generate_sequential`` at temperature 0; where the model turns to its voice, the
    written answer has ended.

    Parameters
    ----------
    model, processor : liquid_audio objects
        The ``LFM2AudioModel`` and its ``LFM2AudioProcessor``, on the same device.
    name : str
        What results call it.
    batch_size : int
        Without effect: the package generates for one recording at a time.
    max_new_tokens : int
        Longest answer; the paper's 30 by default.
    prompt : str
        The system's turn; the paper's by default.
    instruction : str
        Text after the recording, in the user's turn; by default none, the recording speaks.
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
        self.model, self.processor, self.name = model.eval(), processor.eval(), name
        self.batch_size = batch_size
        self.max_new_tokens = at_least_one(max_new_tokens, "max_new_tokens")
        self.prompt, self.instruction = prompt, instruction
        ear = model.conf.preprocessor
        ear = ear if isinstance(ear, dict) else vars(ear)
        self.sample_rate = int(ear["sample_rate"])
        self.token_seconds = ear["window_stride"] * model.conf.encoder.subsampling_factor

    def __repr__(self) -> str:
        return f"LFM2Audio({self.name!r}, {self.sample_rate} Hz)"

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Answer every recording of a batch, one after the other; see `AudioLM.respond`."""
        shortest = round(SHORTEST_SECONDS * self.sample_rate)
        signals = prepare(batch, sample_rate, self.sample_rate, shortest, name=self.name)
        return [self._answer(signal) for signal in signals]

    def _answer(self, signal: np.ndarray) -> str:
        import torch
        from liquid_audio import ChatState

        chat = ChatState(
            self.processor,
            codebooks=self.model.codebooks,
            dtype=next(self.model.parameters()).dtype,
        )
        chat.new_turn("system")
        chat.add_text(self.prompt)
        chat.end_turn()
        chat.new_turn("user")
        chat.add_audio(torch.from_numpy(signal)[None], self.sample_rate)
        if self.instruction:
            chat.add_text(self.instruction)
        chat.end_turn()
        chat.new_turn("assistant")
        ids = []
        for token in self.model.generate_sequential(**chat, max_new_tokens=self.max_new_tokens):
            if token.numel() > 1 or int(token) in (END_OF_TURN, AUDIO_START):
                break
            ids.append(int(token))
        return self.processor.text.decode(ids, skip_special_tokens=True).strip()


def load(where: str, kind: str, device: str, dtype: str | None) -> Any:
    """Read an LFM2-Audio from a folder or the hub; give a constructor that lacks its name."""
    try:
        import liquid_audio
        import torch
    except ImportError as fault:
        raise ImportError(
            "LFM2-Audio needs the package liquid-audio, on Python 3.12 or newer: "
            f"pip install 'sgpa-core[lfm2]' ({fault})"
        ) from fault
    from liquid_audio.utils import get_model_dir

    folder = Path(where) if Path(where).is_dir() else get_model_dir(where)
    if not list(folder.glob("model*.safetensors")):
        raise OSError(f"{where} has no weights in safetensors")
    precision = getattr(torch, dtype or ("float32" if device == "cpu" else "bfloat16"))
    model = liquid_audio.LFM2AudioModel.from_pretrained(folder, dtype=precision, device=device)
    processor = liquid_audio.LFM2AudioProcessor.from_pretrained(folder, device=device)
    return partial(LFM2Audio, model, processor)
