"""Explain an answer: who plays, what the model answers, what each player is worth."""

from __future__ import annotations

import os
import time
from contextlib import closing, nullcontext
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from .answers import Answers
from .audio import Audio
from .explanation import Explanation
from .game import pack
from .partition import Partition, make_partition
from .pipeline import align
from .segments import Segmentation
from .shapley.attribution import parse_budget
from .shapley.estimate import estimate
from .speech_game import SpeechGame
from .utility import COUNTING, LOG_LIKELIHOOD, NAMES, UNSPACED, Utility, make_utility, tokens

#: Utilities that differ by no more than this are the same.
FLAT = 1e-12

#: A note is made where transcript and heard text share less than this (difflib's ratio of words).
HEARD = 0.5


def explain(
    audio: Audio | Segmentation | str | os.PathLike[str],
    text: str | None = None,
    model: Any = "assistant",
    method: str = "auto",
    budget: int | str | None = None,
    seed: int | None = 0,
    *,
    partition: str | Partition = "words",
    masking: str = "silence",
    fade: float = 0.0,
    utility: str | Utility = "tfidf",
    towards: str = "",
    against: str = "",
    store: Any = None,
    progress: bool = False,
    **stages: Any,
) -> Explanation:
    """Explain a model's answer to a recording: one Shapley value for each spoken word.

    φ_i is the mean, over all orders of the players, of how much the utility
    U(S) = sim(R_S, R_N) grows when player i joins: R_S is the answer to the recording with only
    the players of S heard, R_N the answer to all of it (Section 2 of the paper).

    Parameters
    ----------
    audio : Audio, path or Segmentation
        A recording, or one that :func:`sgpa_core.align` has cut into words already.
    text : str, optional
        What is spoken; a `Segmentation` knows it. By default what :func:`sgpa_core.align` hears.
    model : str, AudioLM or Answers
        A name for :func:`sgpa_core.load_model`, a model of your own, or the answers of an earlier
        call, which are then not asked for again.
    method, budget, seed
        Estimator, evaluations (a number or a text such as ``"3n^2"``, the default) and seed; see
        :func:`sgpa_core.shapley.estimate`. ``"auto"`` is exact where that costs no more; the
        paper's own estimator is ``"cc-neyman"``, as its code runs it ``"cc-neyman-published"``.
    partition : str or Partition
        Who plays: ``"words"``, ``"ctc"``, ``"characters"``, ``"native"`` (the model's
        `token_seconds`), ``"uniform"`` (as many pieces as words), or a partition of your own.
    masking : {"silence", "noise", "cut"}
    fade : float
        Seconds; both as in :func:`sgpa_core.masking.mask`.
    utility : str or callable
        ``"tfidf"``, ``"tfidf-corpus"`` (the authors': fitted on the answers of this game, which
        are collected by a first run of the estimator under ``"tfidf"``), ``"tf"``, ``"f1"``,
        ``"embedding"``, ``"log-likelihood"`` (log P(R_N | S), in nats), or a function of answers
        and the full answer; see :mod:`sgpa_core.utility`.
    towards, against : str
        Texts in place of the full answer: U(S) tells whether `towards` stands in R_S
        (``"presence"``, which is the default then), or its log-likelihood if that is the utility;
        less the same of `against`.
    store : Store or path, optional
        Keeps the model's answers on disk: an interrupted run goes on where it stopped, and
        another utility, estimator or subset of players costs no model call.
    progress : bool
        Show a progress bar.
    **stages
        Settings of :func:`sgpa_core.align` for a recording: ``aligner``, ``refine``, ``alpha`` ….

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        If an argument is unknown or out of range, or the model breaks its contract.
    Interrupted
        On Ctrl-C, with the answers so far. Any other error of the model has them as its attribute
        `answers`, too.

    Examples
    --------
    >>> import sgpa_core
    >>> recording = sgpa_core.instructions()[0]
    >>> explanation = sgpa_core.explain(recording.audio, recording.text, "embedded")
    >>> len(explanation) == len(recording.text.split()), explanation.attribution.method
    (True, 'exact')
    >>> bool(abs(explanation.values.sum() + explanation.attribution.baseline - 1) < 1e-9)
    True
    """
    began = time.perf_counter()
    utility, answers = _rule(utility, towards, against), Answers.of(model, store)
    with closing(answers) if isinstance(store, str | os.PathLike) else nullcontext():
        segmentation = _segmented(audio, text, stages)
        assert segmentation.audio is not None
        if not isinstance(partition, Partition):
            partition = make_partition(partition, segmentation, answers.model.token_seconds)
        speech = SpeechGame(segmentation.audio, partition, answers, masking, fade)
        calls, total = answers.calls, evaluations_at_most(len(partition), method, budget) + 1
        with answers.watched(total, progress):
            seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
            if utility == "tfidf-corpus":  # a first run collects the answers that it is fitted on
                estimate(speech.under("tfidf"), method, budget, seed)
            game = speech.under(utility, towards, against)
            attribution = estimate(game, method, budget, seed)
            game(np.ones((1, game.n), dtype=bool))  # for what reads the explanation
            coalitions, utilities = game.observed()
            scores = [np.zeros((0, 0))]
            if utility == LOG_LIKELIHOOD:
                scores = [speech.word_log_likelihood(row[None], towards) for row in coalitions]
    explanation = Explanation(
        attribution=attribution,
        partition=partition,
        segmentation=segmentation,
        answer=speech.answer,
        heard=answers.heard([speech.audio.samples])[0],
        coalitions=coalitions,
        utilities=utilities,
        coalition_answers=tuple(
            speech.collected[key] for key in pack(coalitions) if utility != LOG_LIKELIHOOD
        ),
        coalition_heard=tuple(speech.heard(coalitions)),
        coalition_scores=np.concatenate(scores),
        model=answers.model.name,
        rule=utility,
        towards=towards,
        against=against,
        masking=masking,
        fade=float(fade),
        calls=answers.calls - calls,
        seconds=time.perf_counter() - began,
    )
    return replace(explanation, notes=tuple(_notes(explanation, answers.model)))


def _rule(utility: str | Utility, towards: str, against: str) -> str | Utility:
    """Return the utility, checked before anything is paid for: of a named text, its presence."""
    if utility not in NAMES:
        make_utility(utility)
    for name, wanted in (("towards", towards), ("against", against)):
        if not isinstance(wanted, str) or (wanted and not tokens(wanted)):
            raise ValueError(f"{name} must be a text with a word in it, got {wanted!r}")
    if against and not towards:
        raise ValueError(f"against {against!r} needs towards: what it is set against")
    return "presence" if towards and utility == "tfidf" else utility


def _segmented(audio: Any, text: str | None, stages: dict[str, Any]) -> Segmentation:
    """Return the recording cut into words; align it only if it is not."""
    if not isinstance(audio, Segmentation):
        return align(audio, text, **stages)
    if audio.audio is None:
        raise ValueError("this segmentation was read from a file: align its recording again")
    if stages or text not in (None, audio.text):
        given = ", ".join(stages) or f"the text {text!r}"
        raise ValueError(f"the recording is aligned already: give {given} to align, not to explain")
    return audio


def _notes(explanation: Explanation, model: Any) -> list[str]:
    """Say what a reader of an explanation should know."""
    words, answer, heard = explanation.segmentation, explanation.answer, explanation.heard
    told, utilities = [*words.notes], explanation.utilities
    if explanation.attribution.method == "permutation" and explanation.stderr is None:
        told.append("one pair of orders has no standard error: a larger budget gives one")
    if explanation.rule in COUNTING and UNSPACED.search(answer):
        told.append("the answer is in a script without spaces: characters are compared")
    if hasattr(model, "is_cut") and model.is_cut(answer):
        told.append(f"the answer was cut at {model.max_new_tokens} tokens (max_new_tokens)")
    if heard and SequenceMatcher(None, tokens(words.text), tokens(heard), False).ratio() < HEARD:
        told.append(f"the model heard {heard!r}, which is not the transcript")
    if not tokens(answer):
        told.append(f"the full answer {answer!r} has no word: similarities are to that")
    if np.ptp(utilities) <= FLAT:
        everything = len(utilities) == 2 ** len(explanation)
        known = "true of this game" if everything else "others were not asked"
        told.append(
            f"the answer is worth {utilities[0]:.3g} in all {len(utilities):,} coalitions asked: "
            f"all values are 0 ({known})"
        )
    return told


def evaluations_at_most(n: int, method: str = "auto", budget: int | str | None = None) -> int:
    """Return how many coalitions of n players an explanation will look at, at most."""
    return 2**n if method == "exact" else min(2**n, parse_budget(budget, n))
