"""Speech recognisers: any of transformers as a model, and a transcript where there is none."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..audio import Audio
from .adapter import BATCH_SIZE, prepare

#: What hears a recording that has no transcript.
RECOGNISER = "openai/whisper-tiny.en"

#: RMS below which there is nothing to recognise; a recogniser would make words of it.
INAUDIBLE = 1e-4

#: Seconds: shorter recordings are filled up with silence.
SHORTEST = 0.1

#: Seconds: a long recording is cut at the quietest moment, so long, in the last part of a window.
QUIET, SEARCHED = 0.2, 8.0


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
        import torch

        extractor, model = self.pipeline.feature_extractor, self.pipeline.model.eval()
        self.sample_rate = rate = int(extractor.sampling_rate)
        second = extractor(np.zeros(rate, np.float32), sampling_rate=rate, return_tensors="pt")
        sound = second[extractor.model_input_names[0]].to(model.device, model.dtype)
        encoder = model.get_encoder() if model.config.is_encoder_decoder else model
        with torch.inference_mode():
            self.token_seconds = 1 / encoder(sound)[0].shape[1]

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


def transcribe(audio: Audio | str | os.PathLike[str], model: Any = RECOGNISER) -> str:
    """Return what a recogniser understands, as text for Stage 1.

    Read the transcript and correct it before you explain anything: the values will be about the
    words that are in it. A recording longer than the recogniser's window is heard in pieces.

    Parameters
    ----------
    audio : Audio or path
    model : str or AudioLM
        A speech recogniser: a name for `load_model`, by default Whisper tiny.en (English), or an
        object whose answer is what it hears.

    Raises
    ------
    ValueError
        If nothing was understood, or the name leads to no model.

    Examples
    --------
    >>> import sgpa_core
    >>> class Parrot:
    ...     name, sample_rate, token_seconds = "parrot", 16_000, 0.04
    ...     def respond(self, batch, sample_rate):
    ...         return ["Polly wants a cracker."] * len(batch)
    >>> transcribe(sgpa_core.instructions("slt-019").audio, Parrot())
    'Polly wants a cracker.'
    """
    from .loading import load_model

    heard = audio if isinstance(audio, Audio) else Audio.read(audio)
    recogniser = load_model(os.fspath(model)) if isinstance(model, str | os.PathLike) else model
    text = ""
    if np.sqrt(np.mean(heard.samples.astype(float) ** 2)) >= INAUDIBLE:
        sound = heard.resample(recogniser.sample_rate)
        window = getattr(recogniser, "window_seconds", np.inf)
        listen = getattr(recogniser, "hear", recogniser.respond)  # a cascade hears, then answers
        text = " ".join(" ".join(listen(windows(sound, window), sound.sample_rate)).split())
    if not text:
        raise ValueError(
            f"{recogniser.name} understood nothing in {heard.duration:.2f} s: type the transcript "
            "yourself"
        )
    return text


def windows(audio: Audio, seconds: float) -> list[np.ndarray]:
    """Cut a recording into pieces of at most so many seconds, at quiet moments.

    Examples
    --------
    >>> samples = np.ones(50_000, np.float32)
    >>> samples[23_000:27_000] = 0
    >>> [len(piece) for piece in windows(Audio(samples, 1_000), 30)]
    [23100, 26900]
    """
    rate, rest, pieces = audio.sample_rate, audio.samples, []
    while len(rest) > seconds * rate:
        quiet, end = round(QUIET * rate), round(seconds * rate)
        searched = rest[end - round(min(SEARCHED, seconds / 2) * rate) : end].astype(float)
        power = np.convolve(searched**2, np.ones(quiet), "valid")
        cut = end - len(searched) + int(power.argmin()) + quiet // 2
        pieces.append(rest[:cut])
        rest = rest[cut:]
    return [*pieces, rest]
