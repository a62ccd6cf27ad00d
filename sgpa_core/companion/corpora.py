"""Corpora to explain: the project's own, three on the Hugging Face hub, recordings of your own.

A corpus is a list of utterances, and of what was left out and why. Sound stays encoded until it is
asked for, and is decoded with soundfile.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..audio import Audio
from ..transcript import decompose

ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3")
"""Files of a folder that are taken for recordings."""


@dataclass(frozen=True, eq=False)
class Utterance:
    """A recording and what is said in it.

    Attributes
    ----------
    id : str
        Unique in its corpus.
    text, voice : str
        What is said; who speaks, or the condition ("male", "original" …).
    source : Path or bytes
        Encoded sound.
    tokens : int, optional
        Tokens of the text, where the corpus tells them.
    """

    id: str
    text: str
    voice: str
    source: Path | bytes = field(repr=False)
    tokens: int | None = None

    @property
    def audio(self) -> Audio:
        """The recording, decoded now; ValueError where it cannot be."""
        if isinstance(self.source, Path):
            return Audio.read(self.source)
        import soundfile

        try:
            samples, rate = soundfile.read(io.BytesIO(self.source), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, TypeError) as fault:
            raise ValueError(
                f"its {len(self.source)} bytes are not audio that can be read "
                f"(WAV, FLAC, OGG or MP3): {fault}"
            ) from fault
        return Audio(samples, rate)


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
            for part in (item.id, item.voice, item.text):
                total.update(part.encode() + b"\0")
            total.update(hashlib.blake2b(sound).digest())
        return total.hexdigest()

    def summary(self) -> str:
        """Say what there is, by voice, and what is missing, by reason."""
        voices = Counter(item.voice for item in self.utterances)
        lines = [
            f"{self.name} ({self.revision}): {len(self)} utterances, "
            + ", ".join(f"{count} {voice}" for voice, count in voices.items())
        ]
        reasons: dict[str, list[str]] = {}
        for place, reason in self.left_out:
            reasons.setdefault(reason, []).append(place)
        for reason, places in reasons.items():
            more = ", …" if len(places) > 3 else ""
            lines.append(f"left out {len(places)}: {reason} ({', '.join(places[:3])}{more})")
        return "\n".join(lines)


Row = tuple[str, Utterance | str]
"""A place, and what is there or why it cannot be used."""


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
        ``"speech"`` or ``"instructions"`` (they come with the project); ``"voicebench"``,
        ``"mllm-shap"`` (the authors' curated sets) or ``"librispeech"``, with a configuration and
        a split if you like (``"voicebench:sd-qa/usa"``); a folder with recordings and a .txt of
        the same name beside each, subfolders being voices; or a CSV file with the columns audio
        and text, and id and voice if you like, paths relative to it.
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
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit must be a whole number of at least 1, got {limit!r}")
    from . import hub

    head, _, part = str(name).partition(":")
    if head in hub.CORPORA:
        used, known, rows = hub.read(head, part, revision, copy)
    elif revision is not None or copy is not None:
        raise ValueError(f"revision and copy are for {', '.join(hub.CORPORA)}, not for {name!r}")
    elif name in ("speech", "instructions"):
        used, known, rows = "local", *_from_data(str(name))
    else:
        path = Path(name)
        if path.is_dir():
            used, known, rows = "local", None, _from_folder(path)
        elif path.is_file():
            used, known, rows = "local", None, _from_csv(path)
        else:
            choices = ", ".join(("speech", "instructions", *hub.CORPORA))
            raise ValueError(f"no corpus {name!r}: choose {choices}, a folder or a CSV file")
    return _collect(str(name), used, rows, limit, voices, known)


def _collect(
    name: str,
    revision: str,
    rows: Iterable[Row],
    limit: int | None,
    voices: Sequence[str] | None,
    known: Sequence[str] | None,
) -> Corpus:
    """Take what can be used, until each voice has enough."""
    kept: list[Utterance] = []
    left_out: list[tuple[str, str]] = []
    places: dict[str, str] = {}
    met: Counter[str] = Counter(dict.fromkeys(known or (), 0))
    wanted = [voice for voice in known or () if not voices or voice in voices]
    for place, item in rows:
        if isinstance(item, str):
            left_out.append((place, item))
            continue
        met[item.voice] += 0
        if (voices and item.voice not in voices) or (limit and met[item.voice] >= limit):
            continue
        if reason := _unusable(item, places):
            left_out.append((place, reason))
            continue
        places[item.id] = place
        met[item.voice] += 1
        kept.append(item)
        if limit and wanted and all(met[voice] >= limit for voice in wanted):
            break
    if unknown := [voice for voice in voices or () if voice not in met]:
        raise ValueError(f"no voice {unknown[0]!r} in {name}: there is {', '.join(met) or 'none'}")
    corpus = Corpus(name, revision, tuple(kept), tuple(left_out))
    if not kept:
        raise ValueError(f"nothing to explain in {corpus.summary()}")
    return corpus


def _unusable(item: Utterance, places: dict[str, str]) -> str:
    if item.id in places:
        return f"the id {item.id!r} is that of {places[item.id]} already"
    try:
        decompose(item.text)
        _ = item.audio  # decodes
    except (ValueError, OSError) as fault:
        return str(fault)
    return ""


def _from_data(name: str) -> tuple[list[str], Iterator[Row]]:
    from .. import data

    found = data.speech() if name == "speech" else data.instructions()
    rows = (
        (item.path.name, Utterance(item.id, item.text, item.voice, item.path)) for item in found
    )
    return list(dict.fromkeys(item.voice for item in found)), rows


def _from_folder(folder: Path) -> Iterator[Row]:
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.suffix.lower() == ".txt":
            if not any(path.with_suffix(ending).is_file() for ending in ENDINGS):
                yield str(place), "a transcript without a recording beside it"
        elif path.suffix.lower() in ENDINGS:
            voice = place.parts[0] if len(place.parts) > 1 else "own"
            said = path.with_suffix(".txt")
            try:
                text = said.read_text(encoding="utf-8-sig").strip()
            except FileNotFoundError:
                yield str(place), "no transcript beside it (the same name, ending in .txt)"
            except UnicodeDecodeError as fault:
                yield str(place), f"its transcript is no UTF-8 text: {fault}"
            else:
                yield str(place), Utterance(place.with_suffix("").as_posix(), text, voice, path)


def _from_csv(file: Path) -> Iterator[Row]:
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            table = csv.DictReader(lines)
            columns, rows = list(table.fieldnames or ()), list(table)
    except (UnicodeDecodeError, csv.Error) as fault:
        raise ValueError(f"{file} is no CSV file in UTF-8: {fault}") from fault
    if not {"audio", "text"} <= set(columns):
        raise ValueError(
            f"{file}: its first line must name the columns audio and text, separated by commas "
            f"(id and voice if you like); it reads {columns}"
        )
    for number, row in enumerate(rows, 2):
        place = f"{file.name} line {number}"
        if not row["audio"] or not (row["text"] or "").strip():
            yield place, f"no {'text' if row['audio'] else 'audio'}"
            continue
        name = row.get("id") or Path(row["audio"]).with_suffix("").as_posix()
        yield (
            place,
            Utterance(
                name, row["text"].strip(), row.get("voice") or "own", file.parent / row["audio"]
            ),
        )
