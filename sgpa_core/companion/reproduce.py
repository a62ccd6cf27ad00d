"""The paper's protocol on a model and a corpus: explain, count, compare, and go on after a stop."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import masking as maskings
from .. import partition
from .. import utility as utilities
from ..aligner import load_aligner
from ..answers import Responses
from ..explanation import Explanation, explain
from ..shapley.attribution import DEFAULT_BUDGET, Attribution, parse_budget
from ..shapley.cc import first_phase, published_budget
from ..shapley.estimate import NAMES
from ..store import Store
from . import corpora
from .curation import Curation, curate
from .runlog import RunLog
from .study import Study

if TYPE_CHECKING:
    from ..models import AudioLM

METHOD = "cc-neyman-published"
CURATED = ("voicebench", "librispeech")
"""Corpora that are curated unless told otherwise; the others are chosen already."""


def reproduce(
    model: str | AudioLM = "embedded",
    corpus: str = "speech",
    out: str | Path = "reproduced",
    *,
    limit: int | None = None,
    regimes: Sequence[str] = ("words", "native"),
    method: str = METHOD,
    budget: int | str = DEFAULT_BUDGET,
    seed: int = 0,
    voices: Sequence[str] | None = None,
    curated: bool | None = None,
    encoder: Callable[[Sequence[str]], np.ndarray] | None = None,
    revision: str | None = None,
    copy: str | Path | None = None,
    utility: str = "tfidf",
    masking: str = "silence",
    aligner: str = "embedded",
    progress: bool = False,
    say: Callable[[str], object] = print,
    command: str = "sgpa_core.companion.reproduce(…)",
) -> Study:
    """Explain a corpus under several regimes, with one estimator and budget, and compare them.

    Everything goes into the folder `out`: results.json after each explanation, the model's answers
    in one store for each regime (so that none pays for another), and at the end report.md, cost.csv
    and concentration.csv. Called again with the same arguments it goes on where it stopped.

    Parameters
    ----------
    model : str or AudioLM
    corpus, limit, voices, revision, copy
        As for :func:`~sgpa_core.companion.corpora.load`; with curation `limit` counts texts.
    out : path
    regimes : sequence of str
        Who plays; names as in :func:`sgpa_core.partition.make`.
    method, budget, seed, utility, masking, aligner
        As for :func:`sgpa_core.explain`. The defaults are what the paper's authors ran.
    curated : bool, optional
        Whether to choose as the paper did, with `encoder` and `seed`
        (:func:`~sgpa_core.companion.curation.curate`). By default for VoiceBench and
        LibriSpeech only.
    progress : bool
        Show a progress bar.
    say : callable
        Told what was chosen, what was left out, and the report.
    command : str
        What the pedigree calls this run.

    Returns
    -------
    Study
        An explanation that failed has the status "failed" and a reason, and is tried again next
        time.

    Raises
    ------
    ValueError
        If an argument is wrong, or `out` holds another command's results (the difference is named).
    OSError
        If the corpus or the folder cannot be reached.
    KeyboardInterrupt
        On Ctrl-C; what was paid for is kept.
    """
    from tqdm.auto import tqdm

    _check(regimes, method, budget, seed, utility, masking)
    chosen, selection = _choose(corpus, limit, voices, curated, encoder, seed, revision, copy)
    say("\n".join(part.summary() for part in (chosen, selection) if part is not None))
    items = chosen.utterances if selection is None else selection.kept
    if not items:
        raise ValueError(f"curation left nothing of {corpus!r} to explain")
    if isinstance(model, str):
        from ..models import load_model

        model = load_model(model)
    ear = load_aligner(aligner)
    settings = {
        "model": model.name,
        "corpus": chosen.name,
        "revision": chosen.revision,
        "utterances": len(items),
        "digest": corpora.Corpus(chosen.name, "", items).digest,
        "curated": selection is not None,
        "regimes": list(regimes),
        "method": method,
        "budget": budget,
        "seed": seed,
        "utility": utility,
        "masking": masking,
        "aligner": ear.name,
    }
    left_out = {
        "rows": [list(entry) for entry in chosen.left_out],
        "curation": {} if selection is None else selection.counts,
    }
    log = RunLog(Path(out), settings, left_out, command)
    options = {"masking": masking, "utility": utility, "aligner": ear}
    todo = [(item, regime) for item in items for regime in regimes]
    todo = [(i, r) for i, r in todo if log.rows.get(f"{i.id}/{r}", {}).get("status") != "done"]
    with ExitStack() as opened:
        stores = {
            regime: opened.enter_context(
                Store(
                    log.folder / f"answers-{regime}.sqlite",
                    {"holds": "answers by waveform", "model": model.name},
                )
            )
            for regime in regimes
        }
        opened.callback(log.end)
        bar = opened.enter_context(tqdm(todo, unit="explanation", disable=not progress))
        try:
            for item, regime in bar:
                bar.set_postfix_str(f"{item.id} {regime}")
                key = f"{item.id}/{regime}"
                row = {"id": item.id, "voice": item.voice, "regime": regime, "text": item.text}
                row["resumed"] = key in log.rows
                log.put(key, row | {"status": "begun"})
                try:
                    answers = Responses(model, stores[regime])
                    players = {"partition": regime, **options}
                    found = explain(item.audio, item.text, answers, method, budget, seed, **players)
                except Exception as fault:
                    row |= {"status": "failed", "reason": f"{type(fault).__name__}: {fault}"}
                else:
                    row |= {"status": "done"} | _facts(found)
                log.put(key, row)
        except KeyboardInterrupt:
            say(f"stopped; what was paid for is in {log.folder}: the same command goes on")
            raise
    study = Study(list(log.rows.values()), log.content, log.folder)
    say(study.write())
    return study


def _check(
    regimes: Sequence[str], method: str, budget: int | str, seed: int, utility: str, masking: str
) -> None:
    """Refuse before anything is loaded what every explanation would refuse."""
    for regime in regimes:
        if regime not in partition.KINDS:
            raise ValueError(f"unknown regime {regime!r}; choose from {', '.join(partition.KINDS)}")
    if not regimes or len(set(regimes)) < len(regimes):
        raise ValueError(f"regimes must be one or more different ones, got {list(regimes)!r}")
    if method not in NAMES:
        raise ValueError(f"method must be one of {', '.join(NAMES)}, got {method!r}")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError(f"seed must be a whole number, so that others can repeat it; got {seed!r}")
    if masking not in maskings.KINDS:
        raise ValueError(f"unknown masking {masking!r}; choose from {', '.join(maskings.KINDS)}")
    if utility not in utilities.NAMES:
        utilities.make(utility)
    parse_budget(budget, 2)


def _choose(
    corpus: str,
    limit: int | None,
    voices: Sequence[str] | None,
    curated: bool | None,
    encoder: Callable[[Sequence[str]], np.ndarray] | None,
    seed: int,
    revision: str | None,
    copy: str | Path | None,
) -> tuple[corpora.Corpus, Curation | None]:
    """Load a corpus and curate it if that is wanted."""
    if curated is None:
        curated = str(corpus).partition(":")[0] in CURATED
    found = corpora.load(corpus, None if curated else limit, voices, revision, copy)
    return found, curate(found.utterances, limit, seed, encoder=encoder) if curated else None


def published_counter(attribution: Attribution) -> int | None:
    """Return what the authors' code would have recorded as its number of calls.

    It counts the evaluations of its last phase only: phase 2 where there was one, else phase 1.
    Phase 1 depends on players, budget and seed alone and is drawn again here. None for other
    methods, and for a single player.

    Examples
    --------
    >>> from sgpa_core.game import FunctionGame
    >>> from sgpa_core.shapley import estimate
    >>> game = FunctionGame(7, lambda c: c[:, :3].all(axis=1) * 1.0)
    >>> found = estimate(game, "cc-neyman-published")
    >>> found.evaluations, published_counter(found)
    (128, 66)
    """
    if attribution.method != METHOD or attribution.n < 2:
        return None
    allowed = published_budget(attribution.n, attribution.budget)
    rng = np.random.default_rng(attribution.seed)
    pairs, finished = first_phase(attribution.n, allowed, rng)
    return attribution.evaluations - 2 * len(pairs) * finished


def _facts(found: Explanation) -> dict[str, Any]:
    """Give what a row keeps of an explanation."""
    own = ("players", "values", "stderr", "baseline", "evaluations", "distinct", "calls", "seconds")
    every = found.to_dict()
    return {
        "duration": found.segmentation.duration,
        "counter": published_counter(found.attribution),
        **{name: every[name] for name in (*own, "response", "notes")},
    }


def add_command(commands: Any) -> None:
    """Add ``reproduce`` to the subparsers of the command line."""
    parser = commands.add_parser(
        "reproduce", help="the paper's protocol: a corpus, two regimes, costs and concentration"
    )
    add = parser.add_argument
    add("--model", default="embedded", metavar="NAME", help="embedded, a folder, hub id or URL")
    add(
        "--corpus",
        default="speech",
        metavar="NAME",
        help="speech, instructions, voicebench, mllm-shap, librispeech (the last three with "
        ":CONFIGURATION/SPLIT if you like), a folder with a .txt beside each recording, or a CSV",
    )
    add("--limit", type=int, metavar="N", help="texts where curated, else utterances of each voice")
    add("--voices", metavar="A,B", help="only these voices or conditions")
    add("--regimes", default="words,native", metavar="A,B", help=", ".join(partition.KINDS))
    add("--method", default=METHOD, help=", ".join(NAMES))
    add("--budget", default=DEFAULT_BUDGET, metavar="B", help='evaluations, a number or "3n^2"')
    add("--seed", type=int, default=0)
    add("--utility", default="tfidf", help=", ".join(utilities.NAMES))
    add("--masking", default="silence", help=", ".join(maskings.KINDS))
    add("--aligner", default="embedded", metavar="NAME", help="embedded, a folder or a hub id")
    add(
        "--curated",
        action=argparse.BooleanOptionalAction,
        help=f"choose sentences as the paper did (default: for {' and '.join(CURATED)})",
    )
    add("--encoder", metavar="NAME", help="sentence encoder for curation: minilm, a folder, hub id")
    add("--revision", metavar="COMMIT", help="of the corpus on the hub, in place of the pinned one")
    add("--copy", type=Path, metavar="FOLDER", help="a copy of the corpus's repository, offline")
    add("--out", type=Path, default=Path("reproduced"), metavar="FOLDER")
    add("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(options).items() if name not in ("run", "command")}
    words = ["python -m sgpa_core reproduce"]
    for name, value in given.items():
        if isinstance(value, bool):
            words += [f"--{name}"] if value else ["--no-curated"] if name == "curated" else []
        elif value is not None:
            words += [f"--{name}", shlex.quote(str(value))]
    quiet, encoder = given.pop("quiet"), given.pop("encoder")
    given["regimes"] = given["regimes"].split(",")
    given["voices"] = given["voices"] and given["voices"].split(",")
    if encoder:
        encoder = utilities.encoder(None if encoder == "minilm" else encoder)
    study = reproduce(**given, encoder=encoder, progress=not quiet, command=" ".join(words))
    return int(any(row["status"] != "done" for row in study.rows))
