"""Spectrogram-guided phonetic alignment: Stages 1 to 4 in one call."""

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .aligner import Aligner, load_aligner
from .audio import Audio
from .ctc import Alignment, forced_align
from .refine import (
    ALPHA,
    DEFAULT,
    EDGE_SECONDS,
    PADDING_SECONDS,
    SILENCE_RATIO,
    boundaries,
    check_settings,
    features,
)
from .segments import Segmentation, aggregate
from .transcript import decompose

# Chosen for the embedded aligner on 80 sentences of eight people, each with its own transcript (at
# least -1.9) and with another's (at most -4.9). Error rates on others: data/models/aligner.
#: Below this margin (nats per character) the recording most likely says something else.
LOW_MARGIN = -2.5

#: A longer stretch without any character of the transcript, inside a word or between two, is noted.
LONG_PAUSE_SECONDS = 1.0


def align(
    audio: Audio | str | os.PathLike[str],
    text: str | None = None,
    aligner: Aligner | str | None = None,
    refine: str = DEFAULT,
    alpha: float = ALPHA,
    *,
    padding: float = PADDING_SECONDS,
    edge: float = EDGE_SECONDS,
    silence: float = SILENCE_RATIO,
) -> Segmentation:
    """Cut a recording into the words of its transcript: Stages 1 to 4 of the paper.

    Parameters
    ----------
    audio : Audio or path
        Any sample rate; Stage 2 resamples to the model's, Stage 3 works at the recording's own.
    text : str, optional
        The transcript of what is spoken. If nobody gives it, Whisper tiny.en hears it (English; see
        :func:`sgpa_core.models.recognise.transcribe`), and a note says what it heard.
    aligner : Aligner or str, optional
        A CTC model or its name; the embedded one by default.
    refine : {"anchored", "sgpa", "none", "left-edge"}, default "anchored"
        How Stage 3 resolves boundaries, "sgpa" by the paper's rule; see
        :func:`sgpa_core.refine.boundaries`.
    alpha : float in [0, 1], default 0.8
        Weight of the energy against the spectral flux.
    padding, edge, silence : float
        Stage 3's window and acceptance, in seconds, seconds and a share.

    Returns
    -------
    Segmentation
        Every word of the text exactly once, in order.

    Raises
    ------
    ValueError
        If the text has no word, the audio is silent or too short for the text, or a setting is
        out of range.
    FileNotFoundError
        If ``audio`` is a path to no file.

    Examples
    --------
    >>> import sgpa_core
    >>> recording = sgpa_core.speech()[0]
    >>> segmentation = sgpa_core.align(recording.audio, recording.text)
    >>> [word.text for word in segmentation.words] == recording.text.split()
    True
    """
    audio, notes = audio if isinstance(audio, Audio) else Audio.read(audio), []
    if text is None:
        from .models.recognise import transcribe

        text = transcribe(audio)
        notes = [f"no transcript was given: a speech recogniser heard {text!r}"]
    window = {"padding": padding, "edge": edge, "silence": silence}
    segmentation = align_many([audio], [text], aligner, refine, alpha, **window)[0]
    return replace(segmentation, notes=(*segmentation.notes, *notes))


def align_many(
    audios: Sequence[Audio | str | os.PathLike[str]],
    texts: Sequence[str],
    aligner: Aligner | str | None = None,
    refine: str = DEFAULT,
    alpha: float = ALPHA,
    **window: float,
) -> list[Segmentation]:
    """Align several recordings, the model reading them in batches.

    Parameters
    ----------
    audios, texts : sequence
        As many texts as recordings.
    aligner, refine, alpha, **window
        As for :func:`align`; the window's settings are ``padding``, ``edge`` and ``silence``.

    Returns
    -------
    list of Segmentation

    Raises
    ------
    ValueError
        As :func:`align`, or if there are not as many texts as recordings.
    """
    if isinstance(texts, str) or len(audios) != len(texts):
        raise ValueError(f"give one text per recording: {len(audios)} of them, not {texts!r:.60}")
    check_settings(refine, alpha=alpha, **window)
    for text in texts:
        decompose(text)
    loaded = [audio if isinstance(audio, Audio) else Audio.read(audio) for audio in audios]
    if not isinstance(aligner, Aligner):
        aligner = load_aligner(aligner or "embedded")
    segmentations = []
    for audio, text, emissions in zip(loaded, texts, aligner.emissions_many(loaded), strict=True):
        alignment = forced_align(emissions, decompose(text, aligner.letters))
        starts, ends = alignment.starts, alignment.ends
        resolved = boundaries(features(audio), starts, ends, refine, alpha, **window)
        notes = (*audio.notes, *_notes(audio, alignment))
        words = aggregate(alignment, resolved)
        settings = (text, audio.duration, refine, float(alpha), aligner.name)
        segmentations.append(Segmentation(words, *settings, notes, audio, alignment, resolved))
    return segmentations


def _notes(audio: Audio, alignment: Alignment) -> list[str]:
    """What a user should know about an alignment."""
    notes, words = [], [word.text for word in alignment.transcript.words]
    if audio.offset:
        notes.append(f"a constant offset of {audio.offset:.3f} is left out of account")
    pauses = alignment.starts[1:] - alignment.ends[:-1]
    for index in np.flatnonzero(pauses > LONG_PAUSE_SECONDS):
        before, after = alignment.word_of[index : index + 2]
        where = "inside" if before == after else f"between {words[before]!r} and"
        pause = f"{pauses[index]:.1f} s {where} {words[after]!r}"
        notes.append(f"{pause} hold no letter of the transcript: does it lack words?")
    if tags := " ".join(word.text for word in alignment.transcript.words if not word.spoken):
        notes.append(f"tags are not spoken and no players: {tags}")
    if alignment.margin < LOW_MARGIN:
        margin = f"margin {alignment.margin:.2f} nats a character, below {LOW_MARGIN}"
        notes.append(f"the transcript fits the recording badly ({margin}): is it the right one?")
    return notes
