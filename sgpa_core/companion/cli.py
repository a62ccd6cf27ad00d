"""Command line: ``python -m sgpa_core COMMAND``, see ``--help``."""

import os
import shlex
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlencode

from .. import __version__
from ..answers import Answers
from ..checks import number
from ..explainer import explain
from ..explanation import Explanation
from ..files import write_text
from ..masking import KINDS as MASKINGS
from ..models import weights
from ..partition import KINDS as PARTITIONS
from ..pipeline import align
from ..refine import DEFAULT
from ..shapley.estimate import NAMES as METHODS
from ..show.tables import decoded
from ..utility import NAMES as UTILITIES
from .batch import SETTINGS, explain_many

#: Where answers go when something ends an explanation that has no store.
KEPT = "sgpa-answers.sqlite"

#: What ends a command with one line: bad input, the system, a model.
TOLD = (ValueError, OSError, RuntimeError, MemoryError)

CORPUS = (
    "speech, instructions, questions, voicebench, mllm-shap, librispeech (the last three with "
    ":CONFIGURATION/SPLIT if you like), a folder with a .txt beside each recording, or a CSV"
)
MODEL = "assistant, embedded, a folder, hub id, RECOGNISER+LANGUAGE_MODEL or URL"
OPTION = "of the model, as NAME=VALUE: window, language, max_new_tokens, prompt, device, dtype …"
CURATED = "choose sentences as the paper did (default: for voicebench and librispeech)"
YES = {"action": "store_true"}


def parts(text: str) -> str | float:
    """Read what words are cut into."""
    return text if text == "characters" else number(float(text), "parts", 0.01, 10)


PARTS = {"type": parts, "metavar": "characters|SECONDS"}
#: Commands, flag, default or type, help, and what else argparse needs.
OPTIONS: list[tuple[Any, ...]] = [
    ("align explain", "audio", Path, "WAV, FLAC, OGG or MP3"),
    ("align explain", "--text", str, "what is said; without it, Whisper hears (English)"),
    ("align explain", "--text-file", Path, "a UTF-8 file with what is said"),
    ("batch", "manifest", Path, "a CSV file (audio, text, id) or a folder"),
    ("batch", "--workers", 1, "processes"),
    ("batch", "--dask", str, "address of a scheduler, e.g. tcp://host:8786"),
    ("plan", "--players", int, "of the game", {"required": True}),
    ("plan", "--seconds-per-call", float, "of the model"),
    ("explain batch", "--model", "assistant", MODEL),
    ("reproduce", "--model", "embedded", MODEL),
    ("explain batch reproduce", "--option", str, OPTION, {"action": "append", "default": []}),
    ("reproduce", "--corpus", "speech", CORPUS),
    ("reproduce", "--limit", int, "texts where curated, else utterances of each voice"),
    ("reproduce", "--voices", str, "only these voices or conditions, as A,B"),
    ("reproduce", "--regimes", "words,native", f"some of {', '.join(PARTITIONS)}, as A,B"),
    ("explain batch", "--method", "auto", ", ".join(METHODS)),
    ("reproduce", "--method", "cc-neyman-published", ", ".join(METHODS)),
    ("explain batch", "--budget", str, 'evaluations, a number or "3n^2"'),
    ("plan reproduce", "--budget", "3n^2", 'evaluations, a number or "3n^2"'),
    ("explain batch reproduce", "--seed", 0, "of whatever is drawn at random"),
    ("explain batch", "--partition", "words", ", ".join(PARTITIONS)),
    ("explain batch reproduce", "--utility", "tfidf", ", ".join(UTILITIES)),
    ("explain batch", "--towards", "", "explain this text in the answers, not the full answer"),
    ("explain batch", "--against", "", "less the same for this text"),
    ("explain batch reproduce", "--masking", "silence", ", ".join(MASKINGS)),
    ("explain batch", "--fade", 0.0, "at each cut, in seconds"),
    ("align explain batch reproduce", "--aligner", "embedded", "embedded, a folder or a hub id"),
    ("align explain batch", "--refine", DEFAULT, "anchored, sgpa (the paper's), none or left-edge"),
    ("align explain batch", "--alpha", 0.8, "weight of the energy, 0 to 1"),
    ("reproduce", "--curated", None, CURATED, {"action": BooleanOptionalAction}),
    ("reproduce", "--encoder", str, "for curation: minilm, a folder or a hub id"),
    ("reproduce", "--revision", str, "commit of the corpus on the hub, not the pinned one"),
    ("reproduce", "--copy", Path, "a copy of the corpus's repository, offline"),
    ("align", "--out", Path, "X.TextGrid, .json, .csv or .vtt"),
    ("batch", "--out", Path, "a folder for the results", {"required": True}),
    ("reproduce", "--out", Path, "a folder for the results", {"default": Path("reproduced")}),
    ("explain", "--store", Path, "keep the model's answers in this file, and go on"),
    ("explain", "--answer-words", None, "which word made which of the answer", YES),
    ("explain", "--inside", None, "values inside the words that matter, of PARTS", PARTS),
    ("explain", "--inside-budget", str, "evaluations for each of these words"),
    ("explain", "--json", Path, "write everything but the sound"),
    ("explain", "--html", Path, "write one page, sound inside"),
    ("explain batch reproduce", "--quiet", None, "no progress bar", YES),
    ("fetch", "--quiet", None, "nothing about what is there", YES),
    ("recorded", "what", str, "the table", {"choices": ["stats"]}),
    ("recorded", "folder", Path, "of recorded runs"),
    ("recorded", "--family", "published", "tests to correct for: published, all or a number"),
    ("recorded", "--correction", "bonferroni", "bonferroni or holm"),
    ("recorded", "--divisor", str, "log, sqrt, none", {"nargs": "+", "default": ["log", "sqrt"]}),
    ("recorded", "--condition", str, "such as SM2S-1k; else all", {"nargs": "+"}),
    ("recorded", "--csv", Path, "write the table, unrounded"),
    ("fetch", "what", str, "what to download", {"choices": ["recorded", "models"]}),
    ("fetch", "--folder", Path, "where to (recorded); by default the user's cache"),
]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run one command; give the exit status: 0 done, 1 not, 2 for a wrong command line.

    130 is for Ctrl-C, and 141 for an output that nobody reads to its end, as in ``| head``.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # there is none, or it is a notebook's
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    parser, status = _parser(), 1
    try:
        try:
            options = parser.parse_args(arguments)
            parser.prog += f" {options.command}"
            if getattr(options, "option", None):
                options.model = f"{options.model}?{urlencode(list(map(_pair, options.option)))}"
            return COMMANDS[options.command](options) or 0
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        status = 141
    except KeyboardInterrupt:
        status = 130
        _tell([f"{parser.prog}: interrupted"])
    except TOLD as fault:
        _tell([f"{parser.prog}: {fault or type(fault).__name__}"])
    try:  # or Python fails once more, at its end, on an output that cannot be written
        print(end="", flush=True)
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m sgpa_core", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run in COMMANDS.items():
        command = commands.add_parser(name, help=run.__doc__)
        for names, flag, kind, about, *more in OPTIONS:
            if name in names.split():
                if flag == "--text":
                    text = command.add_mutually_exclusive_group()
                typed = {"type": kind} if isinstance(kind, type) else {"default": kind}
                typed |= {"type": type(kind)} if isinstance(kind, str | int | float) else {}
                place = text if flag.startswith("--text") else command
                place.add_argument(flag, help=about, **typed | dict(*more))
    return parser


def _align(options: Namespace) -> None:
    """Cut a recording into the words of its transcript."""
    segmentation = align(options.audio, _text(options), **_settings(options))
    printed = segmentation.to_frame().round(3).to_string(index=False)
    if options.out:
        printed = f"{len(segmentation)} words written to {segmentation.write(options.out)}"
    _tell(f"note: {note}" for note in segmentation.notes)
    print(printed)


def _explain(options: Namespace) -> None:
    """Say what each word contributes to a model's answer."""
    for path in (options.json, options.html):  # before the model is paid for
        if path is not None and not path.parent.is_dir():
            raise FileNotFoundError(f"no such folder: {path.parent}")
    text, answers = _text(options), Answers.of(options.model, options.store)
    settings = {**_settings(options), "progress": not options.quiet, "store": None}
    try:
        explanation = explain(options.audio, text, answers, **settings)
        _show(explanation, options)
        if options.inside:
            _look_inside(explanation, answers, options)
    except BaseException:
        _keep(answers, options.store)
        raise
    finally:
        answers.close()


def _show(explanation: Explanation, options: Namespace) -> None:
    """Write files first, then print; whatever becomes of the files, the values are told."""
    faults = []
    for write, path in ((explanation.to_json, options.json), (explanation.to_html, options.html)):
        try:
            if path:
                write(path)
        except Exception as fault:
            faults.append(fault)
    _tell(f"note: {note}" for note in explanation.notes)
    if explanation.heard:
        print(f"heard: {explanation.heard}")
    print(f"answer: {explanation.answer}")
    print(explanation.to_frame().round(4).to_string(index=False))
    if options.answer_words:
        print(explanation.answer_words().T.round(2).to_string())
    print(explanation.summary())
    costs = f"{explanation.evaluations} evaluations, {explanation.calls} model calls"
    cost = f"{explanation.attribution.method}: {costs}, {explanation.seconds:.1f} s"
    print(cost, flush=True)
    if faults:
        raise OSError("; ".join(map(str, faults))) from faults[0]


def _look_inside(explanation: Explanation, answers: Answers, options: Namespace) -> None:
    """Say what the parts of the words that matter are worth, and what that costs before it runs."""
    settings = {"parts": options.inside, "budget": options.inside_budget}
    costs = explanation.inside(**settings)
    if not len(costs):
        return _tell(["inside: no word matters, all values are 0"])
    each = explanation.seconds / max(explanation.calls, 1)
    told = f"inside {', '.join(costs['word'])}: at most {costs['evaluations'].sum()} evaluations"
    _tell([f"{told}, {each * costs['evaluations'].sum():.0f} s" if explanation.calls else told])
    found = explanation.inside(answers, seed=options.seed, progress=not options.quiet, **settings)
    print(found.drop(columns="player").round(4).to_string(index=False), flush=True)
    if options.html:
        explanation.to_html(options.html, found)
    return None


def _keep(answers: Answers, store: Path | None) -> None:
    """Write what was paid for, in the store, here or where there is room, and say where."""
    for place in (store or KEPT, KEPT, None):
        with suppress(ValueError, OSError):  # another model's answers, damaged, read-only
            path = Path(place or Path(mkdtemp(prefix="sgpa-"), KEPT))
            if count := answers.keep(path):
                again = f"the same command with --store {shlex.quote(str(path))} goes on"
                _tell([f"{count} answers kept in {path}: {again}"])
            return


def _batch(options: Namespace) -> int:
    """Explain a corpus, and go on after a stop."""
    client = None
    if options.dask:
        from distributed import Client

        client = Client(options.dask)
    settings = _settings(options) | {"workers": options.workers, "progress": not options.quiet}
    try:
        table = explain_many(
            options.manifest, options.out, options.model, client=client, **settings
        )
    except KeyboardInterrupt:
        _tell([f"{options.out} keeps what is finished: the same command goes on"])
        raise
    failed, noted = table[table["status"] != "done"], table[table["notes"].fillna("") != ""]
    _tell(f"{row.id}: {row.status}, {row.reason}" for row in failed.itertuples())
    _tell(f"{row.id}: note: {row.notes}" for row in noted.itertuples())
    done = len(table) - len(failed)
    print(f"{done} of {len(table)} explained; {options.out / 'report.html'}")
    return int(done < len(table))


def _doctor(_: Namespace) -> int:
    """Say what is installed, what works, what is missing."""
    from .doctor import checks, report

    results = checks()
    print(report(results))
    return int(any(check.needed and not check.works for check in results))


def _plan(options: Namespace) -> None:
    """Tell what each estimator costs for so many players."""
    from ..cost import plan
    from ..show.plans import readable

    print(readable(plan(options.players, options.seconds_per_call, options.budget)).to_string())


def _reproduce(options: Namespace) -> int:
    """Follow the paper's protocol: a corpus, two regimes, costs and concentration."""
    from ..models.encoder import sentence_encoder
    from .reproduce import reproduce

    given = vars(options).copy()
    del given["command"], given["option"]
    words = ["python -m sgpa_core reproduce"]
    for name, value in given.items():
        if value is not None and (name, value) != ("quiet", False):
            flag = "--no-curated" if value is False else f"--{name}"
            words += [flag] if isinstance(value, bool) else [flag, shlex.quote(str(value))]
    given["progress"] = not given.pop("quiet")
    given["regimes"] = given["regimes"].split(",")
    given["voices"] = given["voices"] and given["voices"].split(",")
    if options.encoder:
        given["encoder"] = sentence_encoder({"minilm": None}.get(options.encoder, options.encoder))
    study = reproduce(**given, command=" ".join(words))
    return int(any(row["status"] != "done" for row in study.rows))


def _recorded(options: Namespace) -> None:
    """Show the paper's concentration table, of any folder of recorded runs."""
    from .concentration_tests import compare, report
    from .recorded import runs

    rows = runs(options.folder)
    table = compare(rows, options.family, options.correction, options.divisor, options.condition)
    if options.csv:
        write_text(options.csv, table.to_csv(index=False))
    print(report(rows, table))


def _fetch(options: Namespace) -> None:
    """Download the authors' published runs and games, or open weights of speech models."""
    if options.what == "models":
        if options.folder:
            raise ValueError("--folder is for recorded: models are put where load_model looks")
        for name in weights.known():
            if not (options.quiet and weights.fetched(name)):
                weights.fetch(name)
        return
    from .fetch import recorded

    recorded(options.folder)


def _pair(option: str) -> tuple[str, str]:
    """Split NAME=VALUE."""
    name, given, value = option.partition("=")
    if not given:
        raise ValueError(f"an option is written as NAME=VALUE, such as window=30, not {option!r}")
    return name, value


def _text(options: Namespace) -> str | None:
    """Return what is said, from the command line or a file; None where neither tells."""
    try:
        return decoded(options.text_file) if options.text_file else options.text
    except ValueError as fault:
        raise ValueError(f"{options.text_file}: {fault}") from fault


def _settings(options: Namespace) -> dict[str, Any]:
    """Return the options that are settings of an explanation, by name."""
    return {name: value for name, value in vars(options).items() if name in SETTINGS}


def _tell(lines: Any) -> None:
    """Print lines where they are not in the way of results."""
    with suppress(OSError):  # nobody listens
        for line in lines:
            print(line, file=sys.stderr)


#: The function of each command; its docstring is the command's help.
COMMANDS: dict[str, Callable[[Namespace], int | None]] = {
    run.__name__[1:]: run
    for run in (_align, _explain, _batch, _doctor, _plan, _reproduce, _recorded, _fetch)
}
