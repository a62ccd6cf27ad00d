"""The measured word boundaries of ``data/results/boundaries``, and another aligner's to compare."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import numpy as np

from ..audio import Audio
from ..transcript import decompose

if TYPE_CHECKING:
    import pandas as pd


def pocketsphinx_spans(audio: Audio, text: str) -> np.ndarray | None:
    """Return where pocketsphinx's English HMMs put each word, in steps of 10 ms.

    Numbers are aligned as spoken.

    Parameters
    ----------
    audio : Audio
    text : str
        The transcript.

    Returns
    -------
    ndarray of float, shape (words, 2), or None
        Seconds; None where the dictionary lacks a word, or no path is found.

    Raises
    ------
    ImportError
        If pocketsphinx, an optional package, is not installed.
    """
    from pocketsphinx import Decoder

    spoken = [re.sub(r"[^a-z' ]", " ", w.spoken.lower()).split() for w in decompose(text).words]
    parts = [part for word in spoken for part in word]
    decoder = Decoder(
        samprate=16000, lm=None, beam=1e-100, pbeam=1e-100, wbeam=1e-80, loglevel="FATAL"
    )
    if not all(spoken) or any(decoder.lookup_word(part) is None for part in parts):
        return None
    decoder.set_align_text(" ".join(parts))
    decoder.start_utt()
    samples = np.clip(audio.resample(16000).samples * 32767, -32768, 32767).astype(np.int16)
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    aligned = [part for part in decoder.seg() or () if part.word[0] not in "<["]
    if [part.word.split("(")[0] for part in aligned] != parts:
        return None
    frames = np.array([[part.start_frame, part.end_frame + 1] for part in aligned])
    edges = np.append(0, np.cumsum([len(word) for word in spoken]))
    return np.column_stack([frames[edges[:-1], 0], frames[edges[1:] - 1, 1]]) / 100


def read_errors(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the stored errors (``data/results/boundaries/errors.csv``).

    Parameters
    ----------
    path : path
        A table with a row for each recording and ``method``.

    Returns
    -------
    words : DataFrame
        A row per word: ``start_ms``, ``end_ms`` and whether it is an ``edge`` of its recording.
    inner : DataFrame
        A row per boundary between two words: ``ms``, the error of the middle of the gap;
        ``flux``, ``accepted``, ``click``, ``click_faded``, ``unmasked``. NaN where nothing was
        measured.
    """
    import pandas as pd

    table = pd.read_csv(path, dtype={"id": str})
    table["recording"] = table["set"] + " " + table["voice"] + " " + table["id"]
    described = table[["recording", "set", "id", "voice", "engine", "held_out", "method"]]
    counts = table["words"].to_numpy()

    def repeated(lengths: np.ndarray) -> pd.DataFrame:
        return described.loc[described.index.repeat(lengths)].reset_index(drop=True)

    def values(column: str, lengths: np.ndarray, skipped: int = 0) -> np.ndarray:
        lists = [
            text.split()[skipped : skipped + length] if isinstance(text, str) else [np.nan] * length
            for text, length in zip(table[column], lengths, strict=True)
        ]
        return np.concatenate([np.array(numbers, dtype=float) for numbers in lists])

    words, inner = repeated(counts), repeated(counts - 1)
    words["start_ms"], words["end_ms"] = values("start_ms", counts), values("end_ms", counts)
    first = np.concatenate([np.arange(n) == 0 for n in counts])
    last = np.concatenate([np.arange(n) == n - 1 for n in counts])
    words["edge"] = np.where(first, "first", np.where(last, "last", ""))
    inner["ms"] = (words["start_ms"].to_numpy()[~first] + words["end_ms"].to_numpy()[~last]) / 2
    for column in ("flux", "click", "click_faded", "unmasked"):
        inner[column] = values(column, counts - 1)
    inner["accepted"] = values("accepted", counts - 1, skipped=1)
    return words, inner
