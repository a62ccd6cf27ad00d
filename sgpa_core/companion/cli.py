"""Command line: ``python -m sgpa_core COMMAND``, see ``--help``."""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..masking import KINDS as MASKINGS
from ..partition import KINDS as PARTITIONS
from ..shapley.estimate import NAMES as METHODS
from ..utility import NAMES as UTILITIES

if TYPE_CHECKING:
    from ..answers import Answers

KEPT = "sgpa-answers.sqlite"
"""Where answers go when Ctrl-C stops an explanation that has no store."""


COMMANDS: dict[str, tuple[Callable[[Namespace], int], tuple[Any, ...]]] = {}
"""The function of each command, whose docstring is the command's help, and the options."""


def _command(*options: Any) -> Callable[[Callable[[Namespace], int]], Callable[[Namespace], int]]:
    """Make a function a command of its name."""

    def register(function: Callable[[Namespace], int]) -> Callable[[Namespace], int]:
        COMMANDS[function.__name__.strip("_")] = (function, options)
        return function

    return register


def _option(flag: str, about: str, kind: Any = str, default: Any = None, **more: Any) -> Any:
    """Return a flag and what argparse needs to know of it."""
    typed = {} if "action" in more else {"type": kind, "default": default}
    return flag, {"help": about, **typed, **more}


MODEL = _option("--model", "embedded, a folder, hub id or URL", str, "embedded", metavar="NAME")
ALIGNER = _option("--aligner", "embedded, a folder or hub id", str, "embedded", metavar="NAME")
BUDGET = _option("--budget", 'evaluations, a number or "3n^2"', metavar="B")
PAPER_BUDGET = _option("--budget", 'evaluations, a number or "3n^2"', str, "3n^2", metavar="B")
SEED = _option("--seed", "of whatever is drawn at random", int, 0)
UTILITY = _option("--utility", ", ".join(UTILITIES), str, "tfidf")
MASKING = _option("--masking", ", ".join(MASKINGS), str, "silence")
QUIET = _option("--quiet", "no progress bar", action="store_true")
TEXT = (
    _option("--text", "what is said"),
    _option("--text-file", "a UTF-8 file with what is said", Path, metavar="FILE"),
)
RECORDING = (_option("audio", "WAV, FLAC, OGG or MP3", Path, metavar="AUDIO"), *TEXT)
STAGES = (
    ALIGNER,
    _option("--refine", "sgpa, anchored, none or left-edge", str, "sgpa"),
    _option("--alpha", "weight of the energy, 0 to 1", float, 0.8),
)
SETTINGS = (
    MODEL,
    _option("--method", ", ".join(METHODS), str, "auto"),
    BUDGET,
    SEED,
    _option("--partition", ", ".join(PARTITIONS), str, "words"),
    MASKING,
    _option("--fade", "length of the fade at a cut", float, 0.0, metavar="S"),
    UTILITY,
)
CORPUS = (
    "speech, instructions, voicebench, mllm-shap, librispeech (the last three with "
    ":CONFIGURATION/SPLIT if you like), a folder with a .txt beside each recording, or a CSV"
)
CURATED = "choose sentences as the paper did (default: for voicebench and librispeech)"
FAMILY = (
    "tests to correct for: published (per metric, all pairs of conditions × regimes), all (tests "
    "listed) or a number"
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; give the exit status: 0 done, 1 not, 2 for a wrong command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return COMMANDS[options.command][0](options)
    except (ValueError, OSError) as fault:
        print(f"{parser.prog} {options.command}: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog} {options.command}: interrupted", file=sys.stderr)
        return 130


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m sgpa_core", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (function, options) in COMMANDS.items():
        command = commands.add_parser(name, help=function.__doc__)
        text = command.add_mutually_exclusive_group(required=True) if TEXT[0] in options else None
        for flag, settings in options:
            (text if text and flag.startswith("--text") else command).add_argument(flag, **settings)
    return parser


@_command(
    *RECORDING, *STAGES, _option("--out", "X.TextGrid, .json, .csv or .vtt", Path, metavar="FILE")
)
def _align(options: Namespace) -> int:
    """Cut a recording into the words of its transcript."""
    from ..pipeline import align

    words = align(options.audio, _text(options), options.aligner, options.refine, options.alpha)
    written = options.out and words.write(options.out)
    _tell(f"note: {note}" for note in words.notes)
    if written:
        print(f"{len(words)} words written to {written}")
    else:
        frame = words.to_frame().round({"start": 3, "end": 3, "confidence": 3})
        print(frame.to_string(index=False))
    return 0


@_command(
    *RECORDING,
    *STAGES,
    *SETTINGS,
    _option("--store", "keep the model's answers here, and go on", Path, metavar="FILE"),
    _option("--json", "write everything but the sound", Path, metavar="FILE"),
    _option("--html", "write one page, sound inside", Path, metavar="FILE"),
    QUIET,
)
def _explain(options: Namespace) -> int:
    """Say what each word contributes to a model's answer."""
    from ..explanation import Interrupted, explain

    for path in (options.json, options.html):  # before the model is paid for
        if path is not None and not path.parent.is_dir():
            raise FileNotFoundError(f"no such folder: {path.parent}")
    settings = _settings(options)
    try:
        explanation = explain(options.audio, _text(options), options.model, **settings)
    except Interrupted as stop:
        count, store = _keep(stop.answers, options.store)
        _tell([f"{count} answers kept in {store}: the same command with --store {store} goes on"])
        raise
    try:
        if options.json:
            explanation.to_json(options.json)
        if options.html:
            explanation.to_html(options.html)
    finally:  # whatever becomes of the files, the values are told
        _tell(f"note: {note}" for note in explanation.notes)
        print(f"answer: {explanation.answer}")
        print(explanation.to_frame().round(4).to_string(index=False))
        print(
            f"{explanation.attribution.method}: {explanation.evaluations} evaluations, "
            f"{explanation.calls} model calls, {explanation.seconds:.1f} s"
        )
    return 0


def _keep(answers: Answers, store: Path | None) -> tuple[int, Path]:
    """Write what was paid for; where that cannot be in the store or here, somewhere else."""
    for path in (store, Path(KEPT)):
        with suppress(ValueError, OSError):  # another model's answers, damaged, read-only
            if path is not None:
                return answers.keep(path), path
    path = Path(mkdtemp(prefix="sgpa-")) / KEPT
    return answers.keep(path), path


@_command(
    _option("manifest", "a CSV file (audio, text, id) or a folder", Path),
    _option("--out", "where results go", Path, metavar="DIR", required=True),
    _option("--workers", "processes", int, 1, metavar="N"),
    _option("--dask", "a scheduler, e.g. tcp://host:8786", metavar="ADDRESS"),
    *STAGES,
    *SETTINGS,
    QUIET,
)
def _batch(options: Namespace) -> int:
    """Explain a corpus, and go on after a stop."""
    from .batch import explain_many

    client = None
    if options.dask:
        from distributed import Client

        client = Client(options.dask)
    source, target, model = options.manifest, options.out, options.model
    more = {"workers": options.workers, "client": client, **_settings(options)}
    try:
        table = explain_many(source, target, model, **more)
    except KeyboardInterrupt:
        _tell([f"{target} keeps what is finished: the same command goes on"])
        raise
    failed, noted = table[table["status"] != "done"], table[table["notes"].fillna("") != ""]
    _tell(f"{row.id}: {row.status}, {row.reason}" for row in failed.itertuples())
    _tell(f"{row.id}: note: {row.notes}" for row in noted.itertuples())
    done = len(table) - len(failed)
    print(f"{done} of {len(table)} explained; {target / 'report.html'}")
    return int(done < len(table))


@_command()
def _doctor(_: Namespace) -> int:
    """Say what is installed, what works, what is missing."""
    from .doctor import checks, report

    made = checks()
    print(report(made))
    return int(any(check.needed and not check.works for check in made))


@_command(
    _option("--players", "of the game", int, metavar="N", required=True),
    _option("--seconds-per-call", "of the model", float, metavar="S"),
    PAPER_BUDGET,
)
def _plan(options: Namespace) -> int:
    """Tell what each estimator costs for so many players."""
    from ..cost import plan, readable

    budget = int(options.budget) if options.budget.isdigit() else options.budget
    print(readable(plan(options.players, options.seconds_per_call, budget)).to_string())
    return 0


@_command(
    MODEL,
    _option("--corpus", CORPUS, str, "speech", metavar="NAME"),
    _option("--limit", "texts where curated, else utterances of a voice", int, metavar="N"),
    _option("--voices", "only these voices or conditions", metavar="A,B"),
    _option("--regimes", ", ".join(PARTITIONS), str, "words,native", metavar="A,B"),
    _option("--method", ", ".join(METHODS), str, "cc-neyman-published"),
    PAPER_BUDGET,
    SEED,
    UTILITY,
    MASKING,
    ALIGNER,
    _option("--curated", CURATED, action=BooleanOptionalAction),
    _option("--encoder", "for curation: minilm, a folder or a hub id", metavar="NAME"),
    _option("--revision", "of the corpus, in place of the pinned one", metavar="COMMIT"),
    _option("--copy", "a copy of the corpus's repository, offline", Path, metavar="FOLDER"),
    _option("--out", "where results go", Path, Path("reproduced"), metavar="FOLDER"),
    QUIET,
)
def _reproduce(options: Namespace) -> int:
    """Follow the paper's protocol: a corpus, two regimes, costs and concentration."""
    from ..models.encoder import sentence_encoder
    from .reproduce import reproduce

    given = {name: value for name, value in vars(options).items() if name != "command"}
    words = ["python -m sgpa_core reproduce"]
    for name, value in given.items():
        if isinstance(value, bool):
            words += [f"--{name}"] if value else ["--no-curated"] if name == "curated" else []
        elif value is not None:
            words += [f"--{name}", shlex.quote(str(value))]
    given["progress"] = not given.pop("quiet")
    given["regimes"] = given["regimes"].split(",")
    given["voices"] = given["voices"] and given["voices"].split(",")
    if given["encoder"]:
        given["encoder"] = sentence_encoder(None if options.encoder == "minilm" else options.encoder)
    study = reproduce(**given, command=" ".join(words))
    return int(any(row["status"] != "done" for row in study.rows))


@_command(
    _option("what", "the table", choices=["stats"]),
    _option("folder", "of recorded runs", Path, metavar="FOLDER"),
    _option("--family", FAMILY, str, "published"),
    _option("--correction", "bonferroni or holm", str, "bonferroni"),
    _option("--divisor", "log, sqrt, none", str, ["log", "sqrt"], nargs="+", metavar="D"),
    _option("--condition", "such as SM2S-1k; else all", nargs="+", metavar="MODE"),
    _option("--csv", "write the table, unrounded", Path, metavar="FILE"),
)
def _recorded(options: Namespace) -> int:
    """Show the paper's concentration table, of any folder of recorded runs."""
    from ..files import write_text
    from .concentration_tests import report

    text, table = report(
        options.folder, options.family, options.correction, options.divisor, options.condition
    )
    if options.csv:
        write_text(options.csv, table.to_csv(index=False))
    print(text)
    return 0


@_command(
    _option("what", "what to download", choices=["recorded"]),
    _option("--folder", "where to; by default the user's cache", Path),
)
def _fetch(options: Namespace) -> int:
    """Download the authors' published runs and games."""
    from .fetch import recorded

    recorded(options.folder)
    return 0


def _text(options: Namespace) -> str:
    """Return what is said, from the command line or a file."""
    if options.text is not None:
        return str(options.text)
    try:
        return str(options.text_file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as fault:
        raise ValueError(f"{options.text_file} is no UTF-8 text: {fault}") from fault


def _settings(options: Namespace) -> dict[str, Any]:
    """Return the options that are settings of an explanation, by name."""
    from ..explanation import SETTINGS

    given = {name: value for name, value in vars(options).items() if name in SETTINGS}
    return given | {"progress": not options.quiet}


def _tell(lines: Any) -> None:
    """Print lines where they are not in the way of results."""
    for line in lines:
        print(line, file=sys.stderr)
