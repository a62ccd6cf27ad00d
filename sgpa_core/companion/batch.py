"""Many utterances: explain a corpus, on one process, on several, or on a Dask cluster.

Every utterance ends in a row of the folder's record: values, or the reason why there are none. What
is there is not computed again.
"""

import hashlib
import html
import inspect
import os
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from ..audio import Audio
from ..checks import whole
from ..explainer import evaluations_at_most, explain
from ..files import replacing, write_text
from ..models import load_model
from ..pipeline import align
from ..shapley.exact import MAX_EXACT_PLAYERS
from ..show.player import page
from ..transcript import decompose
from .corpora import Utterance, listed
from .record import FILE, Record
from .runner import run

#: Bytes of an id.
LONGEST_ID = 200

COLUMNS = (
    "id", "status", "reason", "text", "answer", "players", "top", "value", "baseline",
    "evaluations", "calls", "seconds", "notes",
)  # fmt: skip


#: All settings of an explanation and their defaults, those of Stages 1 to 4 included.
SETTINGS: dict[str, Any] = {
    name: parameter.default
    for stage in (explain, align)
    for name, parameter in inspect.signature(stage).parameters.items()
    if name not in ("audio", "text", "model", "stages")
}


def manifest(source: str | os.PathLike[str] | pd.DataFrame) -> list[Utterance]:
    """Read what is to be explained, each recording with an id of its own.

    Parameters
    ----------
    source : path or DataFrame
        A CSV file (commas, semicolons or tabs) or table with columns ``audio`` (relative paths: to
        the file's folder), ``text`` and, if names of files are not unique, ``id``; or a folder of
        recordings, each with a ``.txt`` of the same name beside it. Hidden files are skipped.

    Raises
    ------
    ValueError
        If columns are missing, an id is no plain name or occurs twice, or nothing is there.
    """
    table = isinstance(source, pd.DataFrame)
    folder = not table and Path(source).is_dir()
    advice = "rename the file" if folder else "give each its own in a column id"
    named: dict[str, Utterance] = {}
    for item in listed(source, flat=True):
        if not item.id:
            raise ValueError(f"{item.place}: no file in the column audio, and no id")
        plain = item.id.isprintable() and Path(item.id).name == item.id
        if not plain or item.id[0] == "." or "\\" in item.id or len(item.id.encode()) > LONGEST_ID:
            wanted = f"no plain name of a file of at most {LONGEST_ID} bytes; {advice}"
            raise ValueError(f"{item.place}: the id {item.id!r:.80} is {wanted}")
        if item.id.casefold() in named:
            raise ValueError(f"{item.place}: the id {item.id!r} occurs twice; {advice}")
        named[item.id.casefold()] = item
    if not named:
        kinds = " (files such as a.wav, with a.txt beside; no subfolders)" if folder else ""
        raise ValueError(f"{'the table' if table else source} names no recording{kinds}")
    return list(named.values())


def explain_many(
    source: str | os.PathLike[str] | pd.DataFrame,
    out: str | os.PathLike[str],
    model: Any = "assistant",
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
        Gets ``results.jsonl``, the record with all that is known of each utterance
        (:class:`~sgpa_core.companion.record.Record`), ``summary.csv`` and ``report.html``.
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
    whole(workers, "workers")
    if not isinstance(model, str | os.PathLike) and (workers > 1 or client is not None):
        raise ValueError("several workers load their models themselves: give the model's name")
    if unknown := sorted(settings.keys() - SETTINGS.keys()):
        raise ValueError(f"explain has no {', '.join(unknown)}; it has {', '.join(SETTINGS)}")
    model = os.fspath(model) if isinstance(model, os.PathLike) else model
    utterances, folder = manifest(source), Path(out)
    record = Record(folder / FILE, keep=_summary)
    defaults = SETTINGS | {"aligner": "embedded"}
    asked = {"model": getattr(model, "name", model), **defaults, **settings}
    asked["aligner"] = asked["aligner"] or "embedded"
    record.begin(asked, "sgpa_core.explain_many(…)", defaults)
    done = {row["id"]: row["source"] for row in record.rows.values() if row["status"] == "done"}
    todo = [u for u in utterances if u.id not in done or done[u.id] != _digest(u)]
    left = {u.id: _planned(u, settings) for u in todo}
    work = partial(_explained, model=model, settings=settings)
    with tqdm(total=sum(left.values()), unit="answer", smoothing=0, disable=not progress) as bar:
        try:
            for task, row, reason in run(work, map(_read, todo), workers, client):
                row = row or task[0] | {"status": "failed", "reason": reason}
                record.append(row)
                answers, good = left.pop(row["id"]), row["status"] == "done"
                bar.set_postfix_str(f"{len(left)} utterances to go", refresh=False)
                bar.total -= 0 if good else answers
                bar.update(answers if good else 0)
        finally:
            rows = {row["id"]: row for row in record.rows.values()}
            rows |= {id: _summary({"id": id, "status": "open"}) for id in left}
            table = _write([rows[u.id] for u in utterances], folder)
            record.end()
    return table


def _planned(item: Utterance, settings: dict[str, Any]) -> int:
    """Return how many answers an utterance will take at most, by its number of words."""
    try:
        words = [word for word in decompose(item.text).words if word.spoken]
        n = min(len(words), MAX_EXACT_PLAYERS)
        return evaluations_at_most(n, settings.get("method", "auto"), settings.get("budget"))
    except ValueError:  # its explanation will fail with this reason
        return 1


def _read(item: Utterance) -> tuple[dict[str, Any], Audio | None, str]:
    """Read the recording here, where the file is; say what is wrong with it."""
    row = {"id": item.id, "text": item.text, "source": _digest(item)}
    try:
        return row, item.audio, item.fault
    except (ValueError, OSError) as fault:
        return row, None, str(fault)


def _explained(
    row: dict[str, Any], audio: Audio, fault: str, model: Any, settings: dict[str, Any]
) -> dict[str, Any]:
    """Explain one utterance; return its row."""
    if fault:
        return row | {"status": "failed", "reason": fault}
    model = worker_model(model) if isinstance(model, str) else model
    explanation = explain(audio, row["text"], model, **settings)
    return row | {"status": "done"} | explanation.to_dict()


#: Load a model by its name, once for each worker.
worker_model = lru_cache(maxsize=1)(load_model)


def _digest(item: Utterance) -> str:
    """Return digits that change with the recording or its text; none without a recording."""
    file = Path(str(item.source))
    sound = file.read_bytes() if file.is_file() else b""
    return hashlib.sha256(sound + item.text.encode()).hexdigest()[:16]


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept in memory of a row of the record: a line of the summary."""
    line = {name: row.get(name) for name in (*COLUMNS, "source")}
    if line["status"] == "done":
        values, players = row["values"], row["players"]
        value = max(values, key=abs)
        line |= {"players": len(players), "top": players[values.index(value)], "value": value}
        line["notes"] = "; ".join(row.get("notes", ()))
    return line


def _write(lines: list[dict[str, Any]], folder: Path) -> pd.DataFrame:
    """Write summary.csv and report.html; return the table that both hold."""
    table = pd.DataFrame(lines, columns=list(COLUMNS))
    table = table.astype(dict.fromkeys(("players", "evaluations", "calls"), "Int64"))
    with replacing(folder / "summary.csv") as part:
        table.to_csv(part, index=False, lineterminator="\r\n")  # so that it quotes both
    counts = ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items())
    body = table.round(4).to_html(index=False, border=0, na_rep="", escape=True)
    report = page(f"<h1>Explanations</h1><p>{html.escape(counts)}</p>{body}", "Explanations")
    write_text(folder / "report.html", report)
    return table
