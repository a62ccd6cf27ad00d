"""The recordings that come with the project, with the times at which each word is spoken."""

import json
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..audio import Audio
from ..files import DATA


@dataclass(frozen=True)
class TrueWord:
    """A word with the times at which the synthesiser spoke it, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, eq=False)
class Recording:
    """A synthesised recording with known word times.

    Attributes
    ----------
    id : str
    text : str
    voice, engine : str
        Who speaks, and the synthesiser.
    held_out : bool
        Whether no model of the project was trained on this voice.
    words : tuple of TrueWord
        One entry per word of the text.
    path : Path
    intent, answer : str
        What an instruction asks for, and the right answer to it; empty for others.
    rationale : tuple of int
        Indices of the words that decide the answer: without any one of them it is another one.
    """

    id: str
    text: str
    voice: str
    engine: str
    held_out: bool
    words: tuple[TrueWord, ...] = field(repr=False)
    path: Path = field(repr=False)
    intent: str = ""
    answer: str = ""
    rationale: tuple[int, ...] = ()

    @property
    def spans(self) -> np.ndarray:
        """Where each word truly begins and ends, in seconds, shape (words, 2)."""
        return np.array([[word.start, word.end] for word in self.words])

    @property
    def inner_boundaries(self) -> np.ndarray:
        """True boundaries between words: the middle of the pause, in seconds, (words - 1,)."""
        return (self.spans[:-1, 1] + self.spans[1:, 0]) / 2

    @property
    def audio(self) -> Audio:
        """The recording, read from disk."""
        return Audio.read(self.path)


@cache
def _index(name: str) -> dict[str, Recording]:
    folder = DATA / name
    if not (folder / "index.json").is_file():
        raise FileNotFoundError(f"{folder / 'index.json'} is missing; is the checkout complete?")
    known = {}
    for entry in json.loads((folder / "index.json").read_text(encoding="utf-8"))["recordings"]:
        given = {f.name: entry[f.name] for f in fields(Recording) if f.name in entry}
        given["words"] = tuple(TrueWord(**word) for word in entry["words"])
        given["rationale"] = tuple(entry.get("rationale", ()))
        known[entry["id"]] = Recording(**given, path=folder / entry["file"])
    return known


def speech(id: str | None = None) -> Any:
    """Give the project's recordings with known word times, or one of them.

    Parameters
    ----------
    id : str, optional
        One recording's name; all of them without it.

    Returns
    -------
    Recording, or list of Recording

    Raises
    ------
    ValueError
        If there is no recording of that name.

    Examples
    --------
    >>> recordings = speech()
    >>> recordings[0].words[0].text == recordings[0].text.split()[0]
    True
    """
    return _chosen("speech", id)


def instructions(id: str | None = None) -> Any:
    """Give the recordings that the embedded answerer understands, or one of them.

    Each comes with its right answer and the words that decide it (`Recording.rationale`), so that
    attributions can be held against the truth. None of the texts was in the training.

    Parameters
    ----------
    id : str, optional
        One recording's name; all of them without it.

    Returns
    -------
    Recording, or list of Recording

    Raises
    ------
    ValueError
        If there is no recording of that name.

    Examples
    --------
    >>> recording = instructions()[0]
    >>> all(0 <= index < len(recording.words) for index in recording.rationale)
    True
    """
    return _chosen("instructions", id)


def questions(id: str | None = None) -> Any:
    """Give spoken questions in natural voices, each asked by two of eight, or one of them.

    They are open questions for an assistant. The times of the words are on a grid of 25 ms.

    Parameters
    ----------
    id : str, optional
        One recording's name; all of them without it.

    Returns
    -------
    Recording, or list of Recording

    Raises
    ------
    ValueError
        If there is no recording of that name.

    Examples
    --------
    >>> len({recording.voice for recording in questions()})
    8
    """
    return _chosen("questions", id)


def _chosen(name: str, id: str | None) -> Any:
    known = _index(name)
    if id is None:
        return list(known.values())
    if id not in known:
        some = ", ".join(list(known)[:3])
        raise ValueError(f"no recording {id!r} in {name}; there are {len(known)}, such as {some}")
    return known[id]
