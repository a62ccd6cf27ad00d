"""Adapter for the speech recognisers of transformers, other than Whisper."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .adapter import BATCH_SIZE, prepare

#: Seconds: shorter recordings are filled up with silence.
SHORTEST = 0.1


@dataclass(repr=False, eq=False)
class Recogniser:
    """Any speech recogniser of transformers, by CTC or by a decoder; its answer is what it hears.

    `sgpa_core.models.Whisper` is several times faster for Whisper.

    Parameters
    ----------
    pipeline : transformers.AutomaticSpeechRecognitionPipeline
    name : str
        What results call it.
    batch_size : int
        Recordings in one forward pass, where all of a batch are of one length. Otherwise each is
        heard alone: many recognisers would hear the silence that fills up the shorter ones.
    """

    pipeline: Any
    name: str
    batch_size: int = BATCH_SIZE

    def __post_init__(self) -> None:
        extractor, model = self.pipeline.feature_extractor, self.pipeline.model.eval()
        self.sample_rate = rate = int(extractor.sampling_rate)
        heard = extractor(np.zeros(4 * rate, np.float32), sampling_rate=rate, return_tensors="pt")
        sound = heard[extractor.model_input_names[0]].to(model.device, model.dtype)
        encoder = model.get_encoder() if model.config.is_encoder_decoder else model
        with torch.inference_mode():
            self.token_seconds = 4 / encoder(sound)[0].shape[1]

    def __repr__(self) -> str:
        return f"Recogniser({self.name!r}, {self.sample_rate} Hz)"

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        """Give the transcript of every recording; see `AudioLM.respond`."""
        shortest = round(SHORTEST * self.sample_rate)
        signals = prepare(batch, sample_rate, self.sample_rate, shortest, name=self.name)
        if not signals:
            return []
        sounds = [{"raw": signal, "sampling_rate": self.sample_rate} for signal in signals]
        size = self.batch_size if len(set(map(len, signals))) == 1 else 1
        return [heard["text"].strip() for heard in self.pipeline(sounds, batch_size=size)]
