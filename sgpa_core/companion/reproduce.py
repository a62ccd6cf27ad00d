"""The paper's protocol on a model and a corpus: explain, count, compare, and go on after a stop.

The paper's experiment: the same utterances, estimator and budget, once with SGPA's words as players
and once with the model's native tokens.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from ..aligner import load_aligner
from ..answers import Answers, AudioLM
from ..checks import choice, whole
from ..explainer import explain
from ..masking import KINDS as MASKINGS
from ..partition import KINDS as REGIMES
from ..shapley.attribution import DEFAULT_BUDGET, Attribution, parse_budget
from ..shapley.estimate import NAMES as METHODS
from ..shapley.published import first_phase, published_budget
from ..store import Store
from ..utility import NAMES as UTILITIES
from .corpora import Corpus, Utterance, load
from .curation import curate
from .record import FILE, Record
from .runner import run
from .study import Study

METHOD = "cc-neyman-published"
#: Corpora that are curated by default; the others are chosen already.
CURATED = ("voicebench", "librispeech")


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

    Everything goes into the folder `out`: a row of results.jsonl for each explanation, the model's
    answers in one store for each regime (so that none pays for another), and at the end report.md,
    cost.csv and concentration.csv. Called again with the same arguments it goes on where it
    stopped.

    Parameters
    ----------
    model : str or AudioLM
    corpus, limit, voices, revision, copy
        As for :func:`~sgpa_core.companion.corpora.load`; with curation `limit` counts texts.
    out : path
    regimes : sequence of str
        Who plays; names as in :func:`sgpa_core.partition.make_partition`.
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
    options: dict[str, Any] = {"method": method, "budget": budget, "seed": seed}
    options |= {"utility": utility, "masking": masking}
    _check(regimes, options)
    if curated is None:
        curated = str(corpus).partition(":")[0] in CURATED
    chosen = load(corpus, None if curated else limit, voices, revision, copy)
    curation = curate(chosen.utterances, limit, seed, encoder=encoder) if curated else None
    say("\n".join(part.summary() for part in (chosen, curation) if part is not None))
    items = chosen.utterances if curation is None else curation.kept
    if not items:
        raise ValueError(f"curation left nothing of {corpus!r} to explain")
    audio_lm, ctc_model = Answers.of(model).model, load_aligner(aligner)
    settings = {"model": audio_lm.name, **options, "aligner": ctc_model.name}
    settings |= {"corpus": chosen.name, "revision": chosen.revision, "curated": bool(curated)}
    settings |= {"utterances": len(items), "digest": Corpus(chosen.name, "", items).digest}
    settings["regimes"] = list(regimes)
    options |= {"aligner": ctc_model, "refine": "sgpa"}  # the paper's rule
    record = Record(Path(out) / FILE, key=("id", "regime"))
    left_out = {"rows": chosen.left_out, "curation": curation.counts if curation else {}}
    record.begin(settings, command, left_out=left_out)
    with ExitStack() as stack:
        stack.callback(record.end)
        holds = {"holds": "answers by waveform", "model": audio_lm.name}
        files = {regime: record.file.with_name(f"answers-{regime}.sqlite") for regime in regimes}
        stores = {r: stack.enter_context(Store(file, holds)) for r, file in files.items()}

        def work(item: Utterance, regime: str) -> dict[str, Any]:
            answers = Answers(audio_lm, stores[regime])
            explanation = explain(item.audio, item.text, answers, partition=regime, **options)
            counter = published_counter(explanation.attribution)
            own = {"duration": explanation.segmentation.duration, "counter": counter}
            return explanation.to_dict() | own

        done = {key for key, row in record.rows.items() if row["status"] == "done"}
        todo = [(item, r) for item in items for r in regimes if (item.id, r) not in done]
        bar = stack.enter_context(tqdm(todo, unit="explanation", disable=not progress))
        try:
            for (item, regime), facts, reason in run(work, _begun(bar, record)):
                ending = {"status": "failed", "reason": reason} if reason else {"status": "done"}
                record.append(record.rows[item.id, regime] | ending | (facts or {}))
        except KeyboardInterrupt:
            say(f"stopped; what was paid for is in {out}: the same command goes on")
            raise
    study = Study(list(record.rows.values()), record.head, record.file.parent)
    say(study.write())
    return study


def _check(regimes: Sequence[str], options: dict[str, Any]) -> None:
    """Refuse before anything is loaded what every explanation would refuse."""
    for regime in regimes:
        choice(regime, REGIMES, "regime")
    if not regimes or len(set(regimes)) < len(regimes):
        raise ValueError(f"regimes must be one or more different ones, got {list(regimes)!r}")
    choice(options["method"], METHODS, "method")
    choice(options["utility"], UTILITIES, "utility")
    choice(options["masking"], MASKINGS, "masking")
    whole(options["seed"], "seed", 0)
    parse_budget(options["budget"], 2)


def _begun(bar: Any, record: Record) -> Iterator[tuple[Utterance, str]]:
    """Note each task when it begins; one that is begun twice has answers from before."""
    for item, regime in bar:
        bar.set_postfix_str(f"{item.id} {regime}")
        row = {"id": item.id, "voice": item.voice, "regime": regime, "text": item.text}
        resumed = (item.id, regime) in record.rows
        record.append(row | {"resumed": resumed, "status": "begun"})
        yield item, regime


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
    >>> attribution = estimate(game, "cc-neyman-published")
    >>> attribution.evaluations, published_counter(attribution)
    (128, 66)
    """
    if attribution.method != METHOD or attribution.n < 2:
        return None
    allowed = published_budget(attribution.n, attribution.budget)
    rng = np.random.default_rng(attribution.seed)
    pairs, finished = first_phase(attribution.n, allowed, rng)
    return attribution.evaluations - 2 * len(pairs) * finished
