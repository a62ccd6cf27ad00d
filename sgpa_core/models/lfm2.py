"""Adapter for LFM2-Audio, the paper's model: package liquid-audio, Python 3.12 or newer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .adapter import Adapter, prepare

#: Shorter sound is filled up with silence: the encoder needs nine spectrogram frames.
SHORTEST_SECONDS = 0.16

#: Text tokens of LFM2-Audio that end a written answer: the turn's end, and the voice's start.
END_OF_TURN, AUDIO_START = 7, 128


@dataclass(repr=False, eq=False)
class LFM2Audio(Adapter):
    """An ``LFM2AudioModel`` that writes its answer to a spoken turn, as in the paper.

    Text by ``generate_sequential`` at temperature 0. The written answer ends where the model starts
    to speak.

    Parameters
    ----------
    model, processor : liquid_audio objects
        The ``LFM2AudioModel`` and its ``LFM2AudioProcessor``, on the same device.
    name, max_new_tokens, prompt, instruction
        See `sgpa_core.models.adapter.Adapter`.
    batch_size : int
        Without effect: the package generates for one recording at a time.
    """

    model: Any
    processor: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        self.model.eval()
        self.processor.eval()
        settings = self.model.conf.preprocessor
        settings = settings if isinstance(settings, dict) else vars(settings)
        self.sample_rate = int(settings["sample_rate"])
        factor = self.model.conf.encoder.subsampling_factor
        self.token_seconds = settings["window_stride"] * factor

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Answer every recording of a batch, one after the other; see `AudioLM.respond`."""
        shortest = round(SHORTEST_SECONDS * self.sample_rate)
        signals = prepare(batch, sample_rate, self.sample_rate, shortest, name=self.name)
        return [self._answer(signal) for signal in signals]

    def is_cut(self, answer: str) -> bool:
        """Whether an answer is as long as the limit allows."""
        ids = self.processor.text.encode(answer, add_special_tokens=False)
        return len(ids) >= self.max_new_tokens

    def _answer(self, signal: np.ndarray) -> str:
        import torch
        from liquid_audio import ChatState

        dtype = next(self.model.parameters()).dtype
        chat = ChatState(self.processor, codebooks=self.model.codebooks, dtype=dtype)
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


def read(where: str, device: str, dtype: str) -> tuple[Any, Any]:
    """Read an LFM2-Audio from a folder or the hub: the model and its processor."""
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
    model = liquid_audio.LFM2AudioModel.from_pretrained(
        folder, dtype=getattr(torch, dtype), device=device
    )
    return model, liquid_audio.LFM2AudioProcessor.from_pretrained(folder, device=device)
