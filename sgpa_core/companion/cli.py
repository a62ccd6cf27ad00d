"""Command line: ``python -m sgpa_core COMMAND``, see ``--help``."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    from ..answers import Responses

KEPT = "sgpa-answers.sqlite"
"""Where answers go when Ctrl-C stops an explanation that has no store."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; give the exit status: 0 done, 1 not, 2 for a wrong command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError) as fault:
        print(f"{parser.prog} {options.command}: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog} {options.command}: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    from . import reproduce

    parser = argparse.ArgumentParser(prog="python -m sgpa_core", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    align = commands.add_parser("align", help="cut a recording into the words of its transcript")
    _add_recording(align)
    align.add_argument("--out", type=Path, metavar="FILE", help="X.TextGrid, .json, .csv or .vtt")
    align.set_defaults(run=_align)

    explain = commands.add_parser("explain", help="what each word contributes to a model's answer")
    _add_recording(explain)
    _add_settings(explain)
    explain.add_argument(
        "--store", type=Path, metavar="FILE", help="keep the model's answers here, and go on"
    )
    explain.add_argument("--json", type=Path, metavar="FILE", help="write everything but the sound")
    explain.add_argument("--html", type=Path, metavar="FILE", help="write one page, sound inside")
    explain.add_argument("--quiet", action="store_true", help="no progress bar")
    explain.set_defaults(run=_explain)

    batch = commands.add_parser("batch", help="explain a corpus, and go on after a stop")
    batch.add_argument("manifest", type=Path, help="a CSV file (audio, text, id) or a folder")
    batch.add_argument("--out", type=Path, required=True, metavar="DIR", help="where results go")
    batch.add_argument("--workers", type=int, default=1, metavar="N", help="processes")
    batch.add_argument("--dask", metavar="ADDRESS", help="a scheduler, e.g. tcp://host:8786")
    _add_stages(batch)
    _add_settings(batch)
    batch.add_argument("--quiet", action="store_true", help="no progress bar")
    batch.set_defaults(run=_batch)

    doctor = commands.add_parser("doctor", help="what is installed, what works, what is missing")
    doctor.set_defaults(run=_doctor)

    plan = commands.add_parser("plan", help="what each estimator costs for so many players")
    plan.add_argument("--players", type=int, required=True, metavar="N")
    plan.add_argument("--seconds-per-call", type=float, default=None, metavar="S")
    plan.add_argument("--budget", default="3n^2", help='evaluations, a number or "3n^2"')
    plan.set_defaults(run=_plan)

    reproduce.add_command(commands)

    recorded = commands.add_parser("recorded", help="what the authors' recorded runs show")
    _add_stats(recorded.add_subparsers(dest="what", required=True))

    fetch = commands.add_parser("fetch", help="download the authors' published runs and games")
    fetch.add_argument("what", choices=["recorded"])
    fetch.add_argument("--folder", type=Path, help="where to; by default the user's cache")
    fetch.set_defaults(run=_fetch)
    return parser


def _add_stats(commands: Any) -> None:
    stats = commands.add_parser("stats", help="the paper's concentration table, on any folder")
    stats.add_argument("folder", type=Path, metavar="FOLDER", help="of recorded runs")
    stats.add_argument(
        "--family",
        default="published",
        help="tests to correct for: published (per metric, all pairs of conditions × regimes), "
        "all (tests listed) or a number",
    )
    stats.add_argument("--correction", default="bonferroni", help="bonferroni or holm")
    stats.add_argument(
        "--divisor", nargs="+", default=["log", "sqrt"], metavar="D", help="log, sqrt, none"
    )
    stats.add_argument("--condition", nargs="+", metavar="MODE", help="such as SM2S-1k; else all")
    stats.add_argument("--csv", type=Path, metavar="FILE", help="write the table, unrounded")
    stats.set_defaults(run=_stats)


def _add_recording(command: argparse.ArgumentParser) -> None:
    """Add what Stages 1 to 4 need."""
    command.add_argument("audio", type=Path, metavar="AUDIO", help="WAV, FLAC, OGG or MP3")
    text = command.add_mutually_exclusive_group(required=True)
    text.add_argument("--text", help="what is said")
    text.add_argument(
        "--text-file", type=Path, metavar="FILE", help="a UTF-8 file with what is said"
    )
    _add_stages(command)


def _add_stages(command: argparse.ArgumentParser) -> None:
    """Add how the words are found."""
    command.add_argument(
        "--aligner", default="embedded", metavar="NAME", help="embedded, a folder or a hub id"
    )
    command.add_argument("--refine", default="sgpa", help="sgpa, anchored, none or left-edge")
    command.add_argument("--alpha", type=float, default=0.8, help="weight of the energy, 0 to 1")


def _add_settings(command: argparse.ArgumentParser) -> None:
    """Add what tells one explanation from another."""
    command.add_argument(
        "--model", default="embedded", metavar="NAME", help="embedded, a folder, hub id or URL"
    )
    command.add_argument("--method", default="auto", help="exact, surrogate, kernel, cc-neyman, …")
    command.add_argument("--budget", default=None, metavar="B", help='evaluations, or "3n^2"')
    command.add_argument("--seed", type=int, default=0)
    command.add_argument(
        "--partition", default="words", help="words, ctc, characters, native or uniform"
    )
    command.add_argument("--masking", default="silence", help="silence, noise or cut")
    command.add_argument("--fade", type=float, default=0.0, metavar="S", help="seconds")
    command.add_argument(
        "--utility", default="tfidf", help="tfidf, tfidf-corpus, tf, f1, embedding, log-likelihood"
    )


def _text(options: argparse.Namespace) -> str:
    if options.text is not None:
        return str(options.text)
    try:
        return str(options.text_file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as fault:
        raise ValueError(f"{options.text_file} is no UTF-8 text: {fault}") from fault


def _kept(answers: Responses, store: Path | None) -> tuple[int, Path]:
    """Write what was paid for; where that cannot be in the store or here, somewhere else."""
    for path in (store, Path(KEPT)):
        with suppress(ValueError, OSError):  # another model's answers, damaged, read-only
            if path is not None:
                return answers.keep(path), path
    path = Path(mkdtemp(prefix="sgpa-")) / KEPT
    return answers.keep(path), path


def _explain(options: argparse.Namespace) -> int:
    from ..explanation import Interrupted, explain

    for path in (options.json, options.html):  # before the model is paid for
        if path is not None and not path.parent.is_dir():
            raise FileNotFoundError(f"no such folder: {path.parent}")
    names = ("partition", "masking", "fade", "utility", "aligner", "refine", "alpha", "store")
    try:
        found = explain(
            options.audio,
            _text(options),
            options.model,
            options.method,
            options.budget,
            options.seed,
            progress=not options.quiet,
            **{name: getattr(options, name) for name in names},
        )
    except Interrupted as stop:
        count, kept = _kept(stop.answers, options.store)
        print(
            f"{count} answers kept in {kept}: the same command with --store {kept} goes on",
            file=sys.stderr,
        )
        raise
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"answer: {found.response}")
    print(found.to_frame().round(4).to_string(index=False))
    print(
        f"{found.attribution.method}: {found.evaluations} evaluations, {found.calls} model calls, "
        f"{found.seconds:.1f} s"
    )
    if options.json:  # last: if that fails, the values have been told
        found.to_json(options.json)
    if options.html:
        found.to_html(options.html)
    return 0


def _batch(options: argparse.Namespace) -> int:
    from .batch import explain_many

    client = None
    if options.dask:
        from distributed import Client

        client = Client(options.dask)
    names = (
        "aligner", "refine", "alpha",
        "method", "budget", "seed", "partition", "masking", "fade", "utility",
    )  # fmt: skip
    try:
        table = explain_many(
            options.manifest,
            options.out,
            options.model,
            workers=options.workers,
            client=client,
            progress=not options.quiet,
            **{name: getattr(options, name) for name in names},
        )
    except KeyboardInterrupt:
        print(f"{options.out} keeps what is finished: the same command goes on", file=sys.stderr)
        raise
    for row in table[table["status"] != "done"].itertuples():
        print(f"{row.id}: {row.status}, {row.reason}", file=sys.stderr)
    for row in table[table["notes"].fillna("") != ""].itertuples():
        print(f"{row.id}: note: {row.notes}", file=sys.stderr)
    counts = table["status"].value_counts()
    print(f"{counts.get('done', 0)} of {len(table)} explained; {options.out / 'report.html'}")
    return int(counts.get("done", 0) < len(table))


def _align(options: argparse.Namespace) -> int:
    from ..pipeline import align

    found = align(options.audio, _text(options), options.aligner, options.refine, options.alpha)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if options.out:
        print(f"{len(found)} words written to {found.write(options.out)}")
    else:
        frame = found.to_frame().round({"start": 3, "end": 3, "confidence": 3})
        print(frame.to_string(index=False))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from . import doctor

    found = doctor.checks()
    print(doctor.report(found))
    return int(any(check.needed and not check.works for check in found))


def _stats(options: argparse.Namespace) -> int:
    from ..files import write_text
    from .concentration_tests import report

    text, table = report(
        options.folder, options.family, options.correction, options.divisor, options.condition
    )
    print(text)
    if options.csv:
        write_text(options.csv, table.to_csv(index=False))
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from .fetch import recorded

    recorded(options.folder)
    return 0


def _plan(options: argparse.Namespace) -> int:
    from ..cost import plan, readable

    budget = int(options.budget) if options.budget.isdigit() else options.budget
    table = plan(options.players, options.seconds_per_call, budget)
    print(readable(table).to_string())
    return 0
