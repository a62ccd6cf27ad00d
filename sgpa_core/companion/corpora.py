"""Corpora to explain: the project's own, three on the Hugging Face hub, recordings of your own.

A corpus is a list of utterances, and of what was left out and why. Sound stays encoded until it is
asked for, and is decoded with soundfile.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..audio import Audio
from ..checks import whole
from ..show.tables import decoded, rows
from ..transcript import decompose
from . import hub
from .recordings import instructions, questions, speech

#: Files of a folder that can be read as recordings.
ENDINGS = re.compile(
    r"\.(wave?|flac|og[ga]|opus|mp[23]|aif[fc]?|au|snd|caf|w64|rf64|sph|voc|sf|"
    r"nist|avr|pvf|htk|ircam|iff|svx|8svx|paf|sds|wve|xi)"
)
#: Sound and video that must be converted before.
UNREADABLE = re.compile(
    r"\.(m4[abvp]|mp4|mov|mk[va]|web[ma]|avi|wm[av]|amr|awb|3g[p2]|aac|mpe?g|"
    r"asf|ac3|alac|ape|wv|r[am]|flv|spx|dss|pcm|raw)"
)
#: The recordings that come with the project.
OWN = {"speech": speech, "instructions": instructions, "questions": questions}


@dataclass(frozen=True, eq=False)
class Utterance:
    """A recording and what is spoken in it.

    Attributes
    ----------
    id : str
        Unique in its corpus.
    text, voice : str
        What is spoken; who speaks, or the condition ("male", "original" …).
    source : Path or bytes
        Encoded sound.
    tokens : int, optional
        Tokens of the text, where the corpus tells them.
    place : str
        Where it stands: a file, a line of a table.
    fault : str
        Why it cannot be used, if that is plain to see.
    """

    id: str
    text: str
    voice: str
    source: Path | bytes = field(repr=False)
    tokens: int | None = None
    place: str = ""
    fault: str = ""

    @property
    def audio(self) -> Audio:
        """The recording, decoded now; ValueError where it cannot be."""
        return Audio.read(self.source)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Utterances, and what was left out.

    Attributes
    ----------
    name : str
    revision : str
        The commit that was read, or where a copy of it lies; "local" for files of your own.
    utterances : tuple of Utterance
    left_out : tuple of (str, str)
        Place (file and row) and reason, one entry for each.
    """

    name: str
    revision: str
    utterances: tuple[Utterance, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with any id, text or sound."""
        total = hashlib.blake2b(digest_size=8)
        for item in self.utterances:
            sound = item.source if isinstance(item.source, bytes) else item.source.read_bytes()
            total.update("\0".join((item.id, item.voice, item.text, "")).encode())
            total.update(hashlib.blake2b(sound).digest())
        return total.hexdigest()

    def summary(self) -> str:
        """Say what there is, by voice, and what is missing, by reason."""
        voices = Counter(item.voice for item in self.utterances)
        counts = ", ".join(f"{count} {voice}" for voice, count in voices.items())
        lines = [f"{self.name} ({self.revision}): {len(self)} utterances, {counts}"]
        for reason in dict.fromkeys(reason for _, reason in self.left_out):
            named = [place for place, other in self.left_out if other == reason]
            few = ", ".join(named[:3]) + (", …" if len(named) > 3 else "")
            lines.append(f"left out {len(named)}: {reason} ({few})")
        return "\n".join(lines)


#: What is read, the voices that are known before, and utterances.
Source = tuple[str, Sequence[str], Iterable[Utterance]]


def load(
    name: str = "speech",
    limit: int | None = None,
    voices: Sequence[str] | None = None,
    revision: str | None = None,
    copy: str | Path | None = None,
) -> Corpus:
    """Load a corpus.

    Parameters
    ----------
    name : str
        ``"speech"``, ``"instructions"`` or ``"questions"`` (they come with the project);
        ``"voicebench"``, ``"mllm-shap"`` (the authors' curated sets) or ``"librispeech"``, with a
        configuration and a split if you like (``"voicebench:sd-qa/usa"``); a folder with recordings
        and a .txt of the same name beside each, subfolders being voices; or a CSV file with the
        columns audio and text, and id and voice if you like, paths relative to it.
    limit : int, optional
        Utterances of each voice, the first ones that can be used.
    voices : sequence of str, optional
        Only these.
    revision : str, optional
        Commit, branch or tag on the hub in place of the pinned one.
    copy : path, optional
        A folder with a copy of the repository, read in place of the hub.

    Returns
    -------
    Corpus
        What cannot be used (no text, no sound, a repeated id …) is listed in `left_out`.

    Raises
    ------
    ValueError
        If there is no such corpus, its columns are other ones, or nothing in it can be used.
    OSError
        If the hub cannot be reached, or a file cannot be read.

    Examples
    --------
    >>> corpus = load("speech", limit=2, voices=["awb", "ked"])
    >>> [item.id for item in corpus.utterances], corpus.left_out
    (['awb-001', 'awb-002', 'ked-003', 'ked-006'], ())
    """
    whole(1 if limit is None else limit, "limit")
    used, known, utterances = _source(str(name), revision, copy)
    usable: dict[str, Utterance] = {}
    left_out: list[tuple[str, str]] = []
    counts = Counter(dict.fromkeys(known, 0))
    wanted = [voice for voice in known if not voices or voice in voices]
    for item in utterances:
        if not item.fault:
            counts[item.voice] += 0
            if (voices and item.voice not in voices) or (limit and counts[item.voice] >= limit):
                continue
        reason = item.fault
        if not reason and item.id in usable:
            reason = f"the id {item.id!r} is that of {usable[item.id].place} already"
        try:
            _ = reason or (decompose(item.text), item.audio)  # decodes
        except (ValueError, OSError) as fault:
            reason = str(fault)
        if reason:
            left_out.append((item.place, reason))
        else:
            usable[item.id] = item
            counts[item.voice] += 1
        if limit and wanted and all(counts[voice] >= limit for voice in wanted):
            break
    if unknown := [voice for voice in voices or () if voice not in counts]:
        raise ValueError(f"no voice {unknown[0]!r} in {name}: there is {', '.join(counts)}")
    corpus = Corpus(str(name), used, tuple(usable.values()), tuple(left_out))
    if not usable:
        raise ValueError(f"nothing to explain in {corpus.summary()}")
    return corpus


def _source(name: str, revision: str | None, copy: str | Path | None) -> Source:
    """Return what a corpus is read from, the voices that are known before, and its utterances."""
    head, _, part = name.partition(":")
    if head in hub.CORPORA:
        used, known, clips = hub.stream(head, part, revision, copy)
        return used, known, (Utterance(**clip) for clip in clips)
    if revision is not None or copy is not None:
        raise ValueError(f"revision and copy are for {', '.join(hub.CORPORA)}, not for {name!r}")
    if name in OWN:
        items = [Utterance(r.id, r.text, r.voice, r.path, place=r.path.name) for r in OWN[name]()]
        return "local", list(dict.fromkeys(item.voice for item in items)), items
    if Path(name).exists():
        return "local", [], (replace(item, text=item.text.strip()) for item in listed(name))
    choices = ", ".join((*OWN, *hub.CORPORA))
    raise ValueError(f"no corpus {name!r}: choose {choices}, a folder or a CSV file")


def listed(source: str | Path | pd.DataFrame, flat: bool = False) -> Iterator[Utterance]:
    """Read a list of recordings.

    Parameters
    ----------
    source : path or DataFrame
        A folder with recordings and a .txt of the same name beside each, subfolders being voices;
        or a CSV file (commas, semicolons or tabs; UTF-8 or UTF-16) or table with the columns audio
        (relative to the file's folder) and text, and id and voice if you like.
    flat : bool
        Name recordings without an id by their file alone, not by its path, and leave out a
        folder's subfolders and its transcripts without a recording.

    Raises
    ------
    ValueError
        If a file is no CSV with these columns, a row has more cells than there are columns, or a
        cell is missing.
    """
    if isinstance(source, pd.DataFrame):
        table = source.astype(object).where(source.notna(), None).to_dict("records")
        return (_in_table(f"row {k}", row, Path(), flat) for k, row in enumerate(table, 1))
    file = Path(source)
    if file.is_dir():
        return _in_folder(file, flat)
    try:
        lines = rows(file, ("audio", "text"))
    except ValueError as fault:
        raise ValueError(f"{file}: {fault}") from fault
    for line, name, cell in ((line, *item) for line, row in lines for item in row.items()):
        if name != "text" and cell[:1] == " ":
            where = f"{file} line {line}: the {name} {cell!r} begins with a space"
            raise ValueError(f"{where}; a text with a comma in it must stand in quotes")
    return (_in_table(f"{file.name} line {line}", row, file.parent, flat) for line, row in lines)


def _in_table(place: str, row: dict[str, Any], home: Path, flat: bool) -> Utterance:
    if missing := [name for name in ("audio", "text") if row.get(name) is None]:
        raise ValueError(f"{place} lacks {', '.join(missing)}; it has {', '.join(map(str, row))}")
    audio, text, id, voice = (_text(row.get(name)) for name in ("audio", "text", "id", "voice"))
    if re.search("[\ud800-\udfff]", audio + text + voice):
        raise ValueError(f"{place}: audio, text or voice is no valid Unicode")
    path = Path(audio)
    id = id or (path.stem if flat or not audio else path.with_suffix("").as_posix())
    fault = "no text in the column text" if not text.strip() else "" if audio else "no audio"
    return Utterance(id, text, voice or "own", home / path, place=place, fault=fault)


def _text(cell: Any) -> str:
    """Return what a cell says; the id 7 is a float where another one is missing."""
    text = "" if cell is None else str(cell)
    return text.removesuffix(".0") if isinstance(cell, float) else text


def _in_folder(folder: Path, flat: bool) -> Iterator[Utterance]:
    """Yield a folder's recordings and what looks like one; hidden files (a Mac's) are skipped."""
    files = sorted(folder.iterdir() if flat else folder.rglob("*"))
    files = [f for f in files if f.is_file() and "/." not in f"/{f.relative_to(folder).as_posix()}"]
    kinds = {file: file.suffix.lower() for file in files}
    stems = {f.with_suffix(""): f for f, kind in kinds.items() if UNREADABLE.fullmatch(kind)}
    stems |= {f.with_suffix(""): f for f, kind in kinds.items() if ENDINGS.fullmatch(kind)}
    texts = {f.with_suffix(""): f for f, kind in kinds.items() if kind == ".txt"}
    for file, kind in kinds.items():
        path, stem, text = file.relative_to(folder), file.with_suffix(""), ""
        if ENDINGS.fullmatch(kind):
            text, fault = _transcript(texts.get(stem))
        elif UNREADABLE.fullmatch(kind) and stems[stem] == file:  # no converted file lies beside
            fault = f"{kind} cannot be read; convert it: ffmpeg -i {path.name} {path.stem}.wav"
        elif not flat and kind == ".txt" and stem not in stems:
            fault = "a transcript without a recording beside it"
        else:
            continue
        voice, place = [*path.parts[:-1], "own"][0], path.as_posix()
        yield Utterance(path.with_suffix("").as_posix(), text, voice, file, None, place, fault)


def _transcript(file: Path | None) -> tuple[str, str]:
    """Return a text, and what is wrong with it."""
    if file is None:
        return "", "no text: no transcript beside it (the same name, ending in .txt)"
    try:
        text = decoded(file).strip()
    except ValueError as fault:
        return "", f"its transcript {file.name} is no UTF-8 text: {fault}"
    return text, "" if text else f"no text in {file.name}"
