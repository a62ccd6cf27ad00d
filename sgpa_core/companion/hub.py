"""The corpora on the Hugging Face hub: VoiceBench, LibriSpeech, the authors' curated sets.

Read through the package datasets (``pip install 'sgpa-core[corpora]'``) as a stream, at pinned
revisions, from the hub or from a copy of a repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .corpora import Row, Utterance

COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Hub:
    """A corpus on the Hugging Face hub, pinned, and the columns that are read.

    The revisions are those that the authors' data preparation and experiment runner name.
    """

    repository: str
    revision: str
    config: str
    split: str
    texts: tuple[str, ...]  # the first column that is there
    voices: dict[str, str]  # column → voice
    identity: str = ""


CORPORA = {
    "voicebench": Hub(
        "hlt-lab/voicebench",
        "b02edcef1330480be3a11bd6f7434ac32f05ad08",
        "alpacaeval_full",
        "test",
        ("prompt",),
        {"audio": "original"},
    ),
    "mllm-shap": Hub(
        "Pawlo77/mllm-shap",
        "6c046d6c94a76ddb2bb9e5577fd51e7fb77bb691",
        "single_sentence__voice_bench",
        "test",
        ("sentences", "prompt"),
        {f"audio__{voice}": voice for voice in ("original", "male", "female")},
    ),
    "librispeech": Hub(
        "openslr/librispeech_asr",
        "71cacbfb7e2354c4226d01e70d77d5fca3d04ba1",
        "clean",
        "test",
        ("text",),
        {"audio": "original"},
        identity="id",
    ),
}

OLDER_NAMES = {
    "single_sentence__voice_bench": "single_sentence_1k",
    "single_sentence__librispeech_asr": "single_sentence_500",
}
"""Configurations of the authors' sets under the names that earlier revisions have."""


def read(
    name: str, part: str, revision: str | None, copy: str | Path | None
) -> tuple[str, list[str], Iterator[Row]]:
    """Return the commit or copy that is read, the voices that it has, and its rows.

    `part` is ``CONFIGURATION/SPLIT``, either of which may be missing; the other arguments and what
    is raised are those of :func:`sgpa_core.companion.corpora.load`.
    """
    if revision is not None and copy is not None:
        raise ValueError(
            f"give a revision or a copy, not both: the copy in {copy} is what it is, not {revision}"
        )
    hub = CORPORA[name]
    config, _, split = part.partition("/")
    config, split = config or hub.config, split or hub.split
    with _reached(hub.repository):
        used, table = _stream(hub, config, split, revision or hub.revision, copy)
        columns = list(table.column_names or next(iter(table), ()))
    text = next((column for column in hub.texts if column in columns), None)
    sounds = {column: voice for column, voice in hub.voices.items() if column in columns}
    if text is None or not sounds:
        raise ValueError(
            f"{name}, configuration {config}, split {split}, has the columns {', '.join(columns)}; "
            f"needed are {' or '.join(hub.texts)}, and {' or '.join(hub.voices)}"
        )
    extra = [column for column in (hub.identity, "token_count") if column in columns]
    table = table.select_columns([text, *sounds, *extra])

    def rows() -> Iterator[Row]:
        with _reached(hub.repository):
            for number, row in enumerate(table):
                label = str(row[hub.identity]) if hub.identity in row else f"{config}-{number:05d}"
                for column, voice in sounds.items():
                    own = f"{label}-{voice}" if len(hub.voices) > 1 else label
                    place = f"{config}/{split} row {number}, {column}"
                    yield from _clips(
                        place, own, row[text], row[column], voice, row.get("token_count")
                    )

    return used, list(sounds.values()), rows()


def _clips(
    place: str, label: str, text: Any, sound: Any, voice: str, tokens: int | None
) -> Iterator[Row]:
    """Read one cell of sound: a recording, or a list of them, one for each sentence."""
    texts = [text] if isinstance(text, str) else list(text or ())
    sounds = sound if isinstance(sound, list) else [sound]
    if len(sounds) == 1 and len(texts) > 1:
        texts = [" ".join(texts)]
    if not texts or len(texts) != len(sounds):
        yield place, f"{len(texts)} sentences with {len(sounds)} recordings"
        return
    for index, (said, clip) in enumerate(zip(texts, sounds, strict=True)):
        encoded = clip.get("bytes") if isinstance(clip, dict) else clip
        if not isinstance(encoded, bytes) or not encoded:
            yield place, "no sound"
        elif not isinstance(said, str) or not said.strip():
            yield place, "no text"
        else:
            alone = len(texts) == 1
            own = label if alone else f"{label}-{index}"
            yield place, Utterance(own, said.strip(), voice, encoded, tokens if alone else None)


def _stream(
    hub: Hub, config: str, split: str, revision: str, copy: str | Path | None
) -> tuple[str, Any]:
    """Open a split, sound left encoded; return what was read and the stream."""
    try:
        import datasets
    except ImportError as fault:
        raise ValueError(
            f"{hub.repository} needs the package datasets: pip install 'sgpa-core[corpora]'"
        ) from fault
    names = [config, *([OLDER_NAMES[config]] if config in OLDER_NAMES else [])]
    if copy is not None:
        files = next(filter(None, (_parquet(Path(copy), name, split) for name in names)), [])
        if not files:
            raise FileNotFoundError(
                f"{copy} is no copy of {hub.repository}: it has no {config}/{split}-*.parquet and "
                f"no {config}/{split}/*.parquet"
            )
        used, names = f"copy in {copy}", ["default"]
        source = "parquet"
        options: dict[str, Any] = {"data_files": {split: files}}
    else:
        used = revision if COMMIT.fullmatch(revision) else _commit(hub.repository, revision)
        source, options = hub.repository, {"revision": used}
    for name in names:
        try:
            table = datasets.load_dataset(source, name, split=split, streaming=True, **options)
            break
        except ValueError as fault:
            if "BuilderConfig" not in str(fault) or name == names[-1]:
                raise ValueError(f"{hub.repository} ({used}): {fault}") from fault
    for column, kind in (table.features or {}).items():
        if isinstance(kind, datasets.Audio):
            table = table.cast_column(column, datasets.Audio(decode=False))
    return used, table


def _parquet(folder: Path, config: str, split: str) -> list[str]:
    """Find the files of a split, in either layout that the hub has."""
    inside = folder / config
    found = [*inside.glob(f"{split}-*.parquet"), *inside.glob(f"{split}/*.parquet")]
    return sorted(map(str, found))


def _commit(repository: str, revision: str) -> str:
    from huggingface_hub import HfApi

    return str(HfApi().dataset_info(repository, revision=revision).sha)


@contextmanager
def _reached(repository: str) -> Iterator[None]:
    """Say in words that there is no network; what its clients raise has no common class."""
    try:
        yield
    except (ValueError, FileNotFoundError):
        raise
    except Exception as fault:
        told = str(fault).partition("\n")[0]
        raise OSError(
            f"the corpus {repository} is on the Hugging Face hub, which cannot be reached "
            f"({type(fault).__name__}: {told:.160}): go online, give a local "
            "copy of the repository, or take the corpus 'speech', which comes with the project"
        ) from fault
