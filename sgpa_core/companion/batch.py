"""Many utterances: explain a corpus, on one process, on several, or on a Dask cluster.

Every utterance ends in a file of its own, written in one step: values, or the reason why there are
none. What is there is not computed again.
"""

from __future__ import annotations

import csv
import hashlib
import html
import inspect
import json
import os
import re
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..audio import Audio
from ..explanation import explain, planned
from ..files import replacing, write_text
from ..shapley.exact import MAX_EXACT_PLAYERS
from ..store import _differences
from ..transcript import decompose

if TYPE_CHECKING:
    import pandas as pd

SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
LONGEST_ID = 200
"""Bytes; file systems allow names of 255."""

WINDOW = 3
"""Utterances in flight for each worker: more would only fill the memory."""

SETTINGS = {
    name: parameter.default
    for name, parameter in inspect.signature(explain).parameters.items()
    if parameter.default is not inspect.Parameter.empty and name != "model"
}
"""What `explain` takes beside a recording, its text and a model, with its defaults."""

COLUMNS = (
    "id", "status", "reason", "text", "response", "players", "top", "value", "baseline",
    "evaluations", "calls", "seconds", "notes",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One line of a manifest: a name for its files, a recording and what is said in it."""

    id: str
    audio: Path
    text: str
    fault: str = ""


def manifest(source: str | os.PathLike[str] | pd.DataFrame) -> list[Entry]:
    """Read what is to be explained.

    Parameters
    ----------
    source : path or DataFrame
        A CSV file or table with columns ``audio`` (relative paths: to the file's folder), ``text``
        and, if names of files are not unique, ``id``; or a folder of recordings, each with a
        ``.txt`` of the same name beside it.

    Raises
    ------
    ValueError
        If columns are missing, an id is no plain file name or occurs twice, or nothing is there.
    """
    if not isinstance(source, str | os.PathLike):
        rows, home = source.to_dict("records"), Path()
    elif Path(source).is_dir():
        home, rows = Path(source), []
        for file in sorted(home.iterdir()):
            if file.suffix.lower() in SOUNDS:
                said = file.with_suffix(".txt")
                row = {"audio": file.name, "text": ""}
                try:
                    row["text"] = said.read_text("utf-8-sig").strip() if said.is_file() else ""
                except UnicodeDecodeError as fault:
                    row["fault"] = f"{said.name} is no text in UTF-8: {fault}"
                rows.append(row)
    else:
        home = Path(source).parent
        try:
            with open(source, encoding="utf-8-sig", newline="") as stream:
                rows = list(csv.DictReader(stream))
        except (UnicodeDecodeError, csv.Error) as fault:
            raise ValueError(f"{source} is no CSV file in UTF-8: {fault}") from fault
    found: dict[str, Entry] = {}
    for number, row in enumerate(rows, 1):
        kinds = {"audio": str | os.PathLike, "text": str}
        lacking = [name for name, kind in kinds.items() if not isinstance(row.get(name), kind)]
        if lacking:
            raise ValueError(f"row {number} of the manifest lacks {', '.join(lacking)}")
        given = row.get("id")
        id = Path(row["audio"]).stem if given in (None, "") or given != given else str(given)
        plain = id and id.isprintable() and Path(id).name == id and not id.startswith(".")
        if not plain or "\\" in id or len(id.encode()) > LONGEST_ID:
            raise ValueError(
                f"row {number}: the id {id!r:.80} is no plain name of a file of at most "
                f"{LONGEST_ID} bytes; add a column id"
            )
        other = "add a column id" if given in (None, "") or given != given else "make them differ"
        if id.casefold() in found:  # one file, where names ignore capitals
            raise ValueError(f"row {number}: the id {id!r} occurs twice; {other}")
        if re.search("[\ud800-\udfff]", f"{row['audio']}{row['text']}"):
            raise ValueError(f"row {number}: audio or text is no valid Unicode")
        found[id.casefold()] = Entry(id, home / row["audio"], row["text"], row.get("fault", ""))
    if not found:
        named = source if isinstance(source, str | os.PathLike) else "the table"
        raise ValueError(f"{named} names no recording")
    return list(found.values())


def explain_many(
    source: str | os.PathLike[str] | pd.DataFrame,
    out: str | os.PathLike[str],
    model: Any = "embedded",
    *,
    workers: int = 1,
    client: Any = None,
    progress: bool = False,
    **settings: Any,
) -> pd.DataFrame:
    """Explain a corpus; go on where an earlier call stopped.

    Parameters
    ----------
    source
        As for `manifest`.
    out : path
        Gets ``results/ID.json`` for each utterance, ``settings.json``, ``summary.csv`` and
        ``report.html``.
    model : str or AudioLM
        A name, which each worker loads once; an object is for one process.
    workers : int
        Processes on this machine. A script that asks for several must be importable: its own
        work stands under ``if __name__ == "__main__":``.
    client : distributed.Client, optional
        A Dask cluster in their place. The recordings are read here and sent; a worker that dies
        loses the utterances in its hands only, and others take them over.
    progress : bool
        Show a progress bar. It counts the answers that the utterances need by their numbers of
        words, since a long one takes many times as long as a short one, and tells the time left
        by the mean speed of this call.
    **settings
        Of :func:`sgpa_core.explain`: method, budget, seed, partition, masking, utility …

    Returns
    -------
    DataFrame
        One row per utterance, `COLUMNS`, in the manifest's order. A failed one has its reason; it
        is tried again by the next call.

    Raises
    ------
    ValueError
        If the folder holds results of other settings, or the manifest is ill-formed.
    OSError
        If a result cannot be written, or a worker process dies. All that ended before is kept, as
        it is on Ctrl-C: the same call goes on.
    """
    import pandas as pd
    from tqdm.auto import tqdm

    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be a whole number of at least 1, got {workers!r}")
    if not isinstance(model, str) and (workers > 1 or client is not None):
        raise ValueError("several workers load their models themselves: give the model's name")
    unknown = sorted(settings.keys() - SETTINGS.keys())
    if unknown:
        raise ValueError(f"explain has no {', '.join(unknown)}; it has {', '.join(SETTINGS)}")
    if isinstance(model, os.PathLike):
        model = os.fspath(model)
    utterances, folder = manifest(source), Path(out)
    (folder / "results").mkdir(parents=True, exist_ok=True)
    _same_settings(folder, {"model": getattr(model, "name", model), **settings})
    todo = [u for u in utterances if _kept(folder, u) is None]
    left = {u.id: _planned(u, settings) for u in todo}
    total = sum(left.values())
    jobs = (_job(u) for u in todo)
    with tqdm(total=total, unit="answer", smoothing=0, disable=not progress) as bar:
        try:
            for row in _run(jobs, model, settings, workers, client):
                _write(folder / "results" / f"{row['id']}.json", row)
                answers = left.pop(row["id"])
                bar.set_postfix_str(f"{len(left)} utterances to go", refresh=False)
                if row["status"] == "done":
                    bar.update(answers)
                else:
                    bar.total -= answers
        finally:
            found = (None if u.id in left else _read(folder, u) for u in utterances)
            rows = [
                _line(row or {"id": u.id, "status": "open"})
                for u, row in zip(utterances, found, strict=True)
            ]
            table = pd.DataFrame(rows, columns=list(COLUMNS))
            table = table.astype(dict.fromkeys(("players", "evaluations", "calls"), "Int64"))
            with replacing(folder / "summary.csv") as part:
                table.to_csv(part, index=False, lineterminator="\r\n")  # so that it quotes both
            write_text(folder / "report.html", _report(table))
    return table


def _planned(utterance: Entry, settings: dict[str, Any]) -> int:
    """Return how many answers an utterance will take, told by its words."""
    try:
        n = min(len(decompose(utterance.text).words), MAX_EXACT_PLAYERS)
        return planned(n, settings.get("method", "auto"), settings.get("budget"))
    except ValueError:  # will be told of this utterance
        return 1


def _job(utterance: Entry) -> dict[str, Any]:
    """Read the recording here, where the file is; say what is wrong with it."""
    job: dict[str, Any] = {"id": utterance.id, "text": utterance.text}
    try:
        job |= {"source": _source(utterance), "audio": Audio.read(utterance.audio)}
        if utterance.fault:
            raise ValueError(utterance.fault)
        if not utterance.text.strip():
            raise ValueError(
                "no text: put what is spoken into the column text, or into a .txt beside it"
            )
    except (ValueError, OSError) as fault:
        job["reason"] = str(fault)
    return job


def _one(job: dict[str, Any], model: Any, settings: dict[str, Any], alone: bool) -> dict[str, Any]:
    """Explain one utterance; return what goes into its file."""
    row = {key: job[key] for key in ("id", "text", "source") if key in job}
    if "reason" in job:
        return row | {"status": "failed", "reason": job["reason"]}
    try:
        model = _loaded(model, alone) if isinstance(model, str) else model
        found = explain(job["audio"], job["text"], model, **settings)
    except Exception as fault:  # whatever it is: the others go on
        return row | _failed(fault)
    return row | {"status": "done"} | found.to_dict()


def _failed(fault: BaseException) -> dict[str, str]:
    return {"status": "failed", "reason": f"{type(fault).__name__}: {fault}"}


@lru_cache(maxsize=1)
def _loaded(name: str, alone: bool) -> Any:
    """Load a model once for each worker; beside others it gets one thread."""
    import torch

    from ..models import load_model

    if not alone:
        torch.set_num_threads(1)
    return load_model(name)


def _run(
    jobs: Iterable[dict[str, Any]], model: Any, settings: dict[str, Any], workers: int, client: Any
) -> Iterator[dict[str, Any]]:
    """Yield finished utterances, in whatever order they end."""
    if client is not None:
        count = max(1, len(client.scheduler_info()["workers"]))
        yield from _windowed(jobs, client.get_executor(pure=False), count, model, settings)
    elif workers > 1:
        ends = (signal.SIGINT, signal.SIG_DFL)  # at once and silently, on Ctrl-C
        pool = ProcessPoolExecutor(workers, get_context("spawn"), signal.signal, ends)
        try:
            yield from _windowed(jobs, pool, workers, model, settings)
        except BrokenProcessPool as fault:
            raise OSError(
                "a worker process died, most likely for want of memory; all utterances that ended "
                "before are kept: do the same again, with fewer workers"
            ) from fault
        finally:
            pool.shutdown(cancel_futures=True)
    else:
        yield from (_one(job, model, settings, True) for job in jobs)


def _windowed(
    jobs: Iterable[dict[str, Any]], executor: Executor, workers: int, model: Any, settings: Any
) -> Iterator[dict[str, Any]]:
    """Keep a few utterances in flight, whatever the engine, and read the next when one ends."""
    jobs, running = iter(jobs), dict[Future[dict[str, Any]], dict[str, Any]]()
    while True:
        for job in islice(jobs, WINDOW * workers - len(running)):
            future = executor.submit(_one, job, model, settings, False)
            running[future] = {key: job[key] for key in job if key != "audio"}
        if not running:
            return
        ended = wait(running, return_when=FIRST_COMPLETED).done
        for future in sorted(ended, key=lambda one: one.exception() is not None):  # results first
            job = running.pop(future)
            try:
                yield future.result()
            except BrokenProcessPool:
                raise
            except Exception as fault:  # an utterance that no worker of a cluster survives
                yield job | _failed(fault)


def _source(utterance: Entry) -> str:
    """Name what was heard and what was said to be spoken."""
    found = hashlib.sha256(utterance.audio.read_bytes())
    found.update(utterance.text.encode())
    return found.hexdigest()[:16]


def _kept(folder: Path, utterance: Entry) -> dict[str, Any] | None:
    """Return the result of this very recording and text, if it was computed."""
    row = _read(folder, utterance)
    if row is None or row.get("status") != "done" or not utterance.audio.is_file():
        return None
    return row if row.get("source") == _source(utterance) else None


def _read(folder: Path, utterance: Entry) -> dict[str, Any] | None:
    try:
        row = json.loads((folder / "results" / f"{utterance.id}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(row, dict) and (row.get("status") == "failed" or "values" in row)
    return row if whole else None


def _write(file: Path, content: dict[str, Any]) -> None:
    write_text(file, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def _same_settings(folder: Path, settings: dict[str, Any]) -> None:
    file, ours = folder / "settings.json", json.dumps(settings, sort_keys=True, default=_name)
    if file.exists():
        try:
            theirs = json.dumps(dict(json.loads(file.read_text("utf-8"))))
        except (ValueError, TypeError) as fault:
            raise ValueError(
                f"{file} is damaged ({fault}), so that the settings of its results are not known: "
                "restore it, or choose another folder"
            ) from fault
        if _told(json.loads(theirs)) != _told(json.loads(ours)) and any(
            '"status": "done"' in result.read_text("utf-8", "replace")
            for result in (folder / "results").glob("[!.]*.json")
        ):
            raise ValueError(
                f"{folder} holds results of other settings ({_differences(ours, theirs)}): "
                "choose another folder"
            )
    _write(file, json.loads(ours))


def _told(settings: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is as it is by default: to say so changes nothing."""
    same = {key: (default,) for key, default in SETTINGS.items()}
    same["aligner"] = (None, "embedded")
    return {key: value for key, value in settings.items() if value not in same.get(key, ())}


def _name(setting: Any) -> str:
    """Name a setting that is no JSON, in a way that another process will repeat."""
    named = hasattr(setting, "__qualname__")
    return f"{setting.__module__}.{setting.__qualname__}" if named else str(setting)


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the summary."""
    line = {name: row.get(name) for name in COLUMNS}
    if row.get("status") == "done":
        place = max(range(len(row["values"])), key=lambda k: abs(row["values"][k]))
        line |= {"players": len(row["players"]), "top": row["players"][place]}
        line["value"] = row["values"][place]
        line["notes"] = "; ".join(row.get("notes", ()))
    return line


def _report(table: pd.DataFrame) -> str:
    from ..show.player import page

    counts = ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items())
    body = table.round(4).to_html(index=False, border=0, na_rep="", escape=True)
    return page(f"<h1>Explanations</h1><p>{html.escape(counts)}</p>{body}", "Explanations")
