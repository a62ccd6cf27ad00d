"""A transcript for a recording that has none, by a speech recogniser."""

import os
from typing import Any

import numpy as np

from ..audio import Audio

SPHINX_RATE = 16_000
OFFLINE = "pocketsphinx"
#: RMS below which there is nothing to recognise; a recogniser would make words of it.
INAUDIBLE = 1e-4


def transcribe(audio: Audio | str | os.PathLike[str], model: str = OFFLINE) -> str:
    """Return what a recogniser understands, as text for Stage 1.

    Read the transcript and correct it before you explain anything: the values will be about the
    words that are in it.

    Parameters
    ----------
    audio : Audio or path
    model : str
        ``"pocketsphinx"`` (English, offline, small and often wrong; it has no punctuation or
        capitals), or a folder or hub id of any transformers model for speech recognition.

    Raises
    ------
    ValueError
        If nothing was understood, or pocketsphinx is asked for and not installed.
    OSError
        If a named model can be found neither here nor on the hub.

    Examples
    --------
    >>> import sgpa_core
    >>> transcribe(sgpa_core.instructions("slt-019").audio)
    'which word is the opposite of slow'
    """
    heard = audio if isinstance(audio, Audio) else Audio.read(audio)
    text = ""
    if np.sqrt(np.mean(heard.samples.astype(float) ** 2)) >= INAUDIBLE:
        text = _sphinx(heard) if model == OFFLINE else _pipeline(heard, model)
    text = " ".join(text.split())
    if not text:
        raise ValueError(
            f"{model} understood nothing in {heard.duration:.2f} s: type the transcript yourself"
        )
    return text


def _sphinx(audio: Audio) -> str:
    try:
        from pocketsphinx import Decoder
    except ImportError as missing:
        raise ValueError(
            "pocketsphinx is not installed: pip install pocketsphinx, or name a model"
        ) from missing
    decoder = Decoder(samprate=SPHINX_RATE, loglevel="FATAL")
    samples = np.clip(audio.resample(SPHINX_RATE).samples, -1, 1)
    decoder.start_utt()
    decoder.process_raw((samples * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return hypothesis.hypstr if hypothesis else ""


def _pipeline(audio: Audio, model: str) -> str:
    from transformers import pipeline

    recogniser: Any = pipeline(
        "automatic-speech-recognition", model=model, model_kwargs={"use_safetensors": True}
    )
    rate = recogniser.feature_extractor.sampling_rate
    heard = {"raw": audio.resample(rate).samples, "sampling_rate": rate}
    return str(recogniser(heard)["text"])
