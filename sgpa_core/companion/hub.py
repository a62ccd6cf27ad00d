"""The corpora on the Hugging Face hub: VoiceBench, LibriSpeech, the authors' curated sets.

Read through the package datasets (``pip install 'sgpa-core[corpora]'``) as a stream, at pinned
revisions, from the hub or from a copy of a repository.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .paper import read

#: Where each corpus is, pinned, and the columns that are read; data/paper/corpora.yaml explains.
CORPORA = read("corpora.yaml")["hub"]


def stream(
    name: str, part: str, revision: str | None, copy: str | Path | None
) -> tuple[str, list[str], Iterator[dict[str, Any]]]:
    """Return the commit or copy that is read, its voices, and what makes each `Utterance`.

    `part` is ``CONFIGURATION/SPLIT``, either of which may be missing; the other arguments and what
    is raised are those of :func:`sgpa_core.companion.corpora.load`.
    """
    if revision is not None and copy is not None:
        raise ValueError(f"give a revision or a copy, not both: {revision!r} and {str(copy)!r}")
    hub = CORPORA[name]
    config, _, split = part.partition("/")
    config, split = config or hub["config"], split or hub["split"]
    with _reached(hub["repository"]):
        used, table = _opened(hub, config, split, revision or hub["revision"], copy)
        columns = list(table.column_names or next(iter(table), ()))
    text = next((column for column in hub["texts"] if column in columns), None)
    sounds = {column: voice for column, voice in hub["voices"].items() if column in columns}
    if text is None or not sounds:
        raise ValueError(
            f"{name}, configuration {config}, split {split}, has the columns {', '.join(columns)}; "
            f"needed are {' or '.join(hub['texts'])}, and {' or '.join(hub['voices'])}"
        )
    extra = [column for column in (hub["identity"], "token_count") if column in columns]
    table = table.select_columns([text, *sounds, *extra])

    def utterances() -> Iterator[dict[str, Any]]:
        with _reached(hub["repository"]):
            for number, row in enumerate(table):
                id = str(row.get(hub["identity"], f"{config}-{number:05d}"))
                for column, voice in sounds.items():
                    name = f"{id}-{voice}" if len(hub["voices"]) > 1 else id
                    blank = {"id": name, "text": "", "voice": voice, "source": b""}
                    blank["place"] = f"{config}/{split} row {number}, {column}"
                    blank["tokens"] = row.get("token_count")
                    yield from _clips(blank, row[text], row[column])

    return used, list(sounds.values()), utterances()


def _clips(blank: dict[str, Any], text: Any, sound: Any) -> Iterator[dict[str, Any]]:
    """Read one cell of sound: a recording, or a list of them, one for each sentence."""
    texts = [text] if isinstance(text, str) else list(text or ())
    sounds = sound if isinstance(sound, list) else [sound]
    if len(sounds) == 1 and len(texts) > 1:
        texts = [" ".join(texts)]
    if not texts or len(texts) != len(sounds):
        yield blank | {"fault": f"{len(texts)} sentences with {len(sounds)} recordings"}
        return
    for index, (sentence, clip) in enumerate(zip(texts, sounds, strict=True)):
        encoded = clip.get("bytes") if isinstance(clip, dict) else clip
        part = {} if len(texts) == 1 else {"id": f"{blank['id']}-{index}", "tokens": None}
        if not isinstance(encoded, bytes) or not encoded:
            yield blank | {"fault": "no sound"}
        elif not isinstance(sentence, str) or not sentence.strip():
            yield blank | {"fault": "no text"}
        else:
            yield blank | part | {"text": sentence.strip(), "source": encoded}


def _opened(
    hub: dict[str, Any], config: str, split: str, revision: str, copy: str | Path | None
) -> tuple[str, Any]:
    """Open a split, sound left encoded; return what was read and the stream."""
    import datasets
    import huggingface_hub

    names = [config, read("corpora.yaml")["older_names"].get(config, config)]
    options: dict[str, Any]
    if copy is not None:
        files = next(filter(None, (_parquet(Path(copy), name, split) for name in names)), None)
        if files is None:
            raise FileNotFoundError(
                f"{copy} is no copy of {hub['repository']}: it has no {config}/{split}-*.parquet "
                f"and no {config}/{split}/*.parquet"
            )
        source, used, names = "parquet", f"copy in {copy}", ["default"]
        options = {"data_files": {split: files}}
    else:
        source, used = hub["repository"], revision
        if not re.fullmatch("[0-9a-f]{40}", revision):  # a branch or a tag
            used = str(huggingface_hub.HfApi().dataset_info(source, revision=revision).sha)
        options = {"revision": used}
    for name in names:
        try:
            table = datasets.load_dataset(source, name, split=split, streaming=True, **options)
            break
        except ValueError as fault:
            if "BuilderConfig" not in str(fault) or name == names[-1]:
                raise ValueError(f"{hub['repository']} ({used}): {fault}") from fault
    return used, table.decode(False) if table.features else table


def _parquet(folder: Path, config: str, split: str) -> list[str]:
    """Find the files of a split, in either layout that the hub has."""
    layouts = (f"{split}-*.parquet", f"{split}/*.parquet")
    return sorted(str(file) for layout in layouts for file in (folder / config).glob(layout))


@contextmanager
def _reached(repository: str) -> Iterator[None]:
    """Report in words that there is no network; what its clients raise has no common class."""
    try:
        yield
    except (ValueError, FileNotFoundError):
        raise
    except ImportError as fault:
        raise ValueError(
            f"{repository} needs the package datasets: pip install 'sgpa-core[corpora]' ({fault})"
        ) from fault
    except Exception as fault:
        reason = str(fault).partition("\n")[0]
        raise OSError(
            f"the corpus {repository} is on the Hugging Face hub, which cannot be reached "
            f"({type(fault).__name__}: {reason:.160}): go online, give a local "
            "copy of the repository, or take the corpus 'speech', which comes with the project"
        ) from fault
