"""A transcript for a recording that has none, by a speech recogniser."""

import os
from typing import Any

import numpy as np

from ..audio import Audio
from .loading import load_model

#: What hears a recording that has no transcript.
RECOGNISER = "openai/whisper-tiny.en"

#: RMS below which there is nothing to recognise; a recogniser would make words of it.
INAUDIBLE = 1e-4

#: Seconds: a long recording is cut at the quietest moment, so long, in the last part of a window.
QUIET, SEARCHED = 0.2, 8.0


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
