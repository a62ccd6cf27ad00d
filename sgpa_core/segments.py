"""Stage 4, word aggregation: characters → words, each exactly once and in order."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .audio import Audio
from .checks import choice
from .ctc import Alignment
from .refine import Boundaries
from .transcript import WILDCARD

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATUSES = ("aligned", "interpolated", "unalignable")

#: A wildcard counts as spoken if its frames hold a symbol with at least this mean probability.
SPOKEN = 0.2

#: A wildcard counts as spoken if its span is at least this long; shorter spans belong to its
#: neighbours.
SHORTEST_WORD_SECONDS = 0.03


@dataclass(frozen=True)
class Segment:
    """A word's place in a recording.

    Attributes
    ----------
    text : str
        The word in its own spelling.
    start, end : float
        Seconds; ``start < end``, but ``start == end`` for a tag, which is not spoken.
    confidence : float in [0, 1]
        Mean probability of its characters over their spans; 0 for an unalignable word.
    status : {"aligned", "interpolated", "unalignable"}
        ``"aligned"``: by its own characters. ``"interpolated"``: the vocabulary cannot spell it;
        it got the speech that its neighbours left over. ``"unalignable"``: it is a tag such as
        "[laughter]", or its neighbours left no speech over; its times only keep its place.
    refined : bool
        Whether both of its boundaries lie on an accepted minimum of the Stage 3 cost.
    """

    text: str
    start: float
    end: float
    confidence: float
    status: str = "aligned"
    refined: bool = False


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A recording cut into words: the result of Stage 4, the players of the game.

    Attributes
    ----------
    words : tuple of Segment
        Ordered and without overlap; a tag has no length.
    text : str
        The transcript as given.
    duration : float
        Length of the recording in seconds.
    method, alpha : str, float
        How Stage 3 was done.
    aligner : str
        The CTC model's name.
    notes : tuple of str
        What a user should know: channels mixed down, a transcript that does not fit, …
    audio : Audio or None
    alignment, boundaries : Alignment, Boundaries or None
        Stages 2 and 3, for a closer look. None, like ``audio``, if read back from a file.

    Raises
    ------
    ValueError
        If segments are out of order, overlap, have no length or an unknown status.
    """

    words: tuple[Segment, ...]
    text: str
    duration: float
    method: str = "sgpa"
    alpha: float = 0.8
    aligner: str = ""
    notes: tuple[str, ...] = ()
    audio: Audio | None = field(default=None, repr=False)
    alignment: Alignment | None = field(default=None, repr=False)
    boundaries: Boundaries | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        before = 0.0
        for word in self.words:
            choice(word.status, STATUSES, f"status of {word.text!r}:")
            silent = word.status == "unalignable" and word.start == word.end
            if not (before - 1e-9 <= word.start < word.end or (silent and before <= word.end)):
                raise ValueError(
                    f"{word.text!r} from {word.start} s to {word.end} s has no length, "
                    f"or begins before its neighbour ends at {before} s"
                )
            before = word.end

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        share = np.mean([word.refined for word in self.words]) if self.words else 0.0
        notes = f", {'; '.join(self.notes)}" if self.notes else ""
        return (
            f"Segmentation({len(self)} words in {self.duration:.2f} s, {self.method}, "
            f"{share:.0%} refined, confidence {self.confidence:.2f}{notes})"
        )

    @property
    def confidence(self) -> float:
        """Mean confidence of the words."""
        return float(np.mean([word.confidence for word in self.words])) if self.words else 0.0

    @property
    def spans(self) -> np.ndarray:
        """Where each word begins and ends, in seconds, shape (words, 2)."""
        return np.array([[word.start, word.end] for word in self.words]).reshape(-1, 2)

    @property
    def spoken(self) -> tuple[Segment, ...]:
        """The words that have a length: all but tags such as "[laughter]"."""
        return tuple(word for word in self.words if word.start < word.end)

    @property
    def inner_boundaries(self) -> np.ndarray:
        """Boundaries between spoken words: the middle of what lies between, in seconds."""
        return np.array([(a.end + b.start) / 2 for a, b in pairwise(self.spoken)])

    def to_frame(self) -> pd.DataFrame:
        """One row per word: text, start, end (seconds), confidence, status, refined."""
        return pd.DataFrame(self.words, columns=[field.name for field in fields(Segment)])

    def cut(self, index: int) -> Audio:
        """Give one word's piece of the recording."""
        if self.audio is None:
            raise ValueError("this segmentation was read from a file and has no audio to cut")
        word = self.words[index]
        return self.audio.cut(word.start, min(word.end, self.duration))

    def write(self, path: str | os.PathLike[str], kind: str | None = None) -> Path:
        """Write to a file; `kind` or its ending tells the format: .TextGrid, .json, .csv, .vtt."""
        from .show import exports

        return exports.write(self, path, kind)

    def to_textgrid(self, path: str | os.PathLike[str]) -> Path:
        """Write a Praat TextGrid with the tiers words, status, confidence and refined."""
        return self.write(path, ".textgrid")

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write JSON: everything but the audio and the inner stages."""
        return self.write(path, ".json")

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write CSV, one row per word."""
        return self.write(path, ".csv")

    def to_vtt(self, path: str | os.PathLike[str]) -> Path:
        """Write WebVTT, one cue per word, times in whole milliseconds."""
        return self.write(path, ".vtt")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Segmentation:
        """Read what :meth:`write` wrote, or words and times of others; see `show.exports.read`."""
        from .show import exports

        return exports.read(path)

    def plot(self, **options: Any) -> Figure:
        """Draw waveform, spectrogram and boundaries; see `sgpa_core.show.plots.segmentation`."""
        from .show.plots import segmentation

        return segmentation(self, **options)

    def _repr_html_(self) -> str:
        from .show.player import listen

        return listen(self)


def aggregate(alignment: Alignment, boundaries: Boundaries) -> tuple[Segment, ...]:
    """Merge character spans into words by the membership map (Stage 4 of the paper).

    A word begins where its first character does and ends where its last one does. Inner
    boundaries are shared, so that the words tile the recording between its first and last edge.

    Parameters
    ----------
    alignment : Alignment
        N characters in words of non-decreasing index.
    boundaries : Boundaries
        Their N + 1 boundaries.

    Returns
    -------
    tuple of Segment
        One per word of the transcript, in order.

    Raises
    ------
    ValueError
        If the numbers of characters and boundaries do not fit.
    """
    count, given = len(alignment.characters), len(boundaries.times)
    if given != count + 1:
        raise ValueError(f"{count} characters need {count + 1} boundaries, not {given}")
    words, segments = alignment.transcript.words, []
    edges = np.searchsorted(alignment.word_of, np.arange(len(words) + 1))
    for word, (first, last) in zip(words, pairwise(edges), strict=True):
        characters = set(alignment.characters[first:last])  # none for a tag
        confidence = float(alignment.confidences[first:last].mean()) if characters else 0.0
        status = "aligned" if characters - {WILDCARD} else "unalignable"
        if characters == {WILDCARD}:
            span = alignment.ends[last - 1] - alignment.starts[first]
            if confidence >= SPOKEN and span >= SHORTEST_WORD_SECONDS - 1e-9:
                status = "interpolated"
        start, end = boundaries.times[[first, last]].tolist()
        refined = bool(boundaries.refined[[first, last]].all())
        if status == "unalignable":
            confidence, refined = 0.0, False
        segments.append(Segment(word.text, start, end, confidence, status, refined))
    return tuple(segments)
