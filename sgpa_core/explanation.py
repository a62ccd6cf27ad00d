"""Explain an answer: who plays, what the model answers, what each player is worth."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from .answers import Answers
from .audio import Audio
from .files import write_text
from .game import Game, pack
from .partition import Partition, make_partition
from .pipeline import align
from .segments import Segmentation
from .shapley.attribution import Attribution, parse_budget
from .shapley.estimate import estimate
from .speech_game import AnswerTable, SpeechGame
from .utility import COUNTING, LOG_LIKELIHOOD, NAMES, UNSPACED, Utility, make_utility, tokens

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Utilities that differ by no more than this are the same.
FLAT = 1e-12

#: A note is made where transcript and heard text share less than this (difflib's ratio of words).
HEARD = 0.5


class Interrupted(KeyboardInterrupt):
    """Raised where Ctrl-C stops an explanation; `answers` holds the model's answers so far.

    Hand `answers` to `explain` in place of the model to go on from there.
    """

    def __init__(self, answers: Answers) -> None:
        super().__init__(f"interrupted after {answers.calls} model calls")
        self.answers = answers


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each player contributed to a model's answer, and all that was counted on the way.

    Attributes
    ----------
    attribution : Attribution
        Raw values in the unit of the utility, standard errors, evaluations, seed.
    partition : Partition
        The players.
    segmentation : Segmentation
        Stages 1 to 4: the words and the recording.
    answer : str
        The answer to the full recording.
    heard : str
        The transcript that the model answered; empty if it does not tell.
    coalitions : ndarray of bool, shape (d, n)
        Every coalition that was evaluated, in order.
    utilities : ndarray of float, shape (d,)
        What each one is worth.
    coalition_answers : tuple of str, length d
        What the model answered; empty where the utility is a log-likelihood.
    coalition_heard : tuple of str, length d
        What it heard; empty texts if it does not tell.
    model, utility, masking : str
        Names of what was used.
    fade : float
        Seconds; see :func:`sgpa_core.masking.mask`.
    calls : int
        Recordings really handed to the model for this explanation.
    seconds : float
        Time that all of it took, alignment included.
    notes : tuple of str
        What a reader should know.
    """

    attribution: Attribution
    partition: Partition
    segmentation: Segmentation
    answer: str
    heard: str
    coalitions: np.ndarray = field(repr=False)
    utilities: np.ndarray = field(repr=False)
    coalition_answers: tuple[str, ...] = field(repr=False)
    coalition_heard: tuple[str, ...] = field(repr=False)
    model: str
    utility: str
    masking: str
    fade: float
    calls: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def players(self) -> tuple[str, ...]:
        """Labels of the players, (n,)."""
        return self.partition.labels

    @property
    def spans(self) -> np.ndarray:
        """Where each player begins and ends, seconds, (n, 2)."""
        return self.partition.spans

    @property
    def values(self) -> np.ndarray:
        """Shapley values, raw, (n,); they sum to U(N) − U(∅)."""
        return self.attribution.values

    @property
    def stderr(self) -> np.ndarray | None:
        """Standard errors, (n,): zeros where exact, None where the method gives none."""
        return self.attribution.stderr

    response = property(lambda self: self.answer, doc="The same as `answer`.")

    @property
    def evaluations(self) -> int:
        """Utilities that the estimator asked for, repeats included."""
        return self.attribution.evaluations

    def __len__(self) -> int:
        return len(self.partition)

    def __repr__(self) -> str:
        top = int(np.abs(self.values).argmax())
        most = f", most by {self.players[top]!r} ({self.values[top]:+.3f})"
        notes = f"; {'; '.join(self.notes)}" if self.notes else ""
        return (
            f"Explanation({len(self)} {self.partition.kind}, {self.attribution.method}, "
            f"{self.evaluations} evaluations, {self.calls} model calls, {self.seconds:.1f} s: "
            f"{self.answer!r}{most if self.values.any() else ''}{notes})"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per player: player, start, end (seconds), value, stderr."""
        frame = self.attribution.to_frame(list(self.players))
        frame.insert(1, "start", self.spans[:, 0])
        frame.insert(2, "end", self.spans[:, 1])
        return frame

    def answers(self) -> pd.DataFrame:
        """One row per evaluated coalition, worst last; what was heard, where the model tells."""
        import pandas as pd

        names = np.array(self.players, dtype=object)
        columns = {
            "players": [" ".join(names[row]) or "—" for row in self.coalitions],
            "size": self.coalitions.sum(axis=1),
            "heard": self.coalition_heard,
            "answer": self.coalition_answers or None,
            "utility": self.utilities,
        }
        frame = pd.DataFrame(columns)
        if not self.heard:
            del frame["heard"]
        return frame.sort_values("utility", ascending=False, kind="stable", ignore_index=True)

    def table(self, id: str = "", voice: str = "") -> AnswerTable:
        """Return all answers, for other utilities and measures, under the names given.

        Raises
        ------
        ValueError
            If not every coalition was evaluated, or no answers are kept (log-likelihood).
        """
        answers, n = self.coalition_answers, len(self)
        if len(answers) != 2**n:
            raise ValueError(
                f"{len(answers)} answers for {2**n} coalitions: explain with method='exact' and a "
                "utility that compares answers"
            )
        names = (id, voice, self.partition.kind, self.masking)
        return AnswerTable.of(*names, self.partition, self.coalitions, answers)

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the audio as plain values, in JSON's types."""
        counted = ("method", "budget", "seed", "converged", "evaluations", "distinct")
        own = ("calls", "seconds", "model", "masking", "fade", "utility")
        stderr = None if self.stderr is None else self.stderr.tolist()
        row: dict[str, Any] = {"text": self.segmentation.text}
        row |= {"heard": self.heard, "answer": self.answer}
        row |= {"players": list(self.players), "spans": self.spans.tolist()}
        row |= {"values": self.values.tolist(), "stderr": stderr}
        row |= {"baseline": self.attribution.baseline}
        row |= {name: getattr(self.attribution, name) for name in counted}
        row |= {name: getattr(self, name) for name in own}
        row |= {"aligner": self.segmentation.aligner, "refine": self.segmentation.method}
        return row | {"partition": self.partition.kind, "notes": list(self.notes)}

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Give `to_dict` as JSON text; write it too, if there is a path."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=1) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Give a page of its own, with sound and picture inside; write it, if there is a path."""
        from .show.player import page

        text = page(self._repr_html_(), self.segmentation.text)
        if path is not None:
            write_text(path, text)
        return text

    def plot(self, title: str | None = None) -> Figure:
        """Draw spectrogram and boundaries above a bar per player; see `plots.explanation`."""
        from .show.plots import explanation

        return explanation(self, title)

    def _repr_html_(self) -> str:
        from .show.player import explained

        return explained(self)


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
    if utility not in NAMES:
        make_utility(utility)
    answers = Answers.of(model, store)
    with ExitStack() as stack:
        if isinstance(store, str | os.PathLike):
            stack.callback(answers.close)
        segmentation = _segmented(audio, text, stages)
        assert segmentation.audio is not None
        players = partition
        if not isinstance(players, Partition):
            players = make_partition(players, segmentation, answers.model.token_seconds)
        speech = SpeechGame(segmentation.audio, players, answers, masking, fade)
        calls, total = answers.calls, evaluations_at_most(len(players), method, budget) + 1
        bar = tqdm(total=total, unit="answer", desc="asking the model", disable=not progress)
        stack.enter_context(bar)
        stack.enter_context(answers.watched(bar.update))
        try:
            game, attribution = _played(speech, utility, method, budget, seed)
        except KeyboardInterrupt as stop:
            raise Interrupted(answers) from stop
        except BaseException as fault:
            vars(fault)["answers"] = answers
            fault.add_note("the answers so far are its `answers`: go on with explain(…, answers)")
            raise
    coalitions, utilities = game.observed()
    return Explanation(
        attribution=attribution,
        partition=players,
        segmentation=segmentation,
        answer=speech.answer,
        heard=answers.heard([speech.audio.samples])[0],
        coalitions=coalitions,
        utilities=utilities,
        coalition_answers=tuple(
            speech.collected[key] for key in pack(coalitions) if utility != LOG_LIKELIHOOD
        ),
        coalition_heard=tuple(speech.heard(coalitions)),
        model=answers.model.name,
        utility=utility if isinstance(utility, str) else getattr(utility, "__name__", "own"),
        masking=masking,
        fade=float(fade),
        calls=answers.calls - calls,
        seconds=time.perf_counter() - began,
        notes=(*segmentation.notes, *_notes(speech, game, attribution, utility, segmentation.text)),
    )


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


def _played(speech: SpeechGame, utility: str | Utility, *how: Any) -> tuple[Game, Attribution]:
    """Estimate the values under a utility."""
    if utility == "tfidf-corpus":  # a first run collects the answers that it is fitted on
        estimate(speech.under("tfidf"), *how)
    game = speech.under(utility)
    return game, estimate(game, *how)


def _notes(
    speech: SpeechGame, game: Game, attribution: Attribution, utility: Any, text: str
) -> list[str]:
    notes, (_, utilities), model = [], game.observed(), speech.source.model
    if attribution.method == "permutation" and attribution.stderr is None:
        notes.append("one pair of orders has no standard error: a larger budget gives one")
    if utility in COUNTING and UNSPACED.search(speech.answer):
        notes.append("the answer is in a script without spaces: characters are compared")
    if hasattr(model, "is_cut") and model.is_cut(speech.answer):
        notes.append(f"the answer was cut at {model.max_new_tokens} tokens (max_new_tokens)")
    heard = speech.source.heard([speech.audio.samples])[0]
    if heard and SequenceMatcher(None, tokens(text), tokens(heard), False).ratio() < HEARD:
        notes.append(f"the model heard {heard!r}, which is not the transcript")
    if not tokens(speech.answer):
        notes.append(f"the full answer {speech.answer!r} has no word: similarities are to that")
    if np.ptp(utilities) <= FLAT:
        known = "true of this game" if len(utilities) == 2**game.n else "others were not asked"
        notes.append(
            f"the answer is worth {utilities[0]:.3g} in all {len(utilities):,} coalitions asked: "
            f"all values are 0 ({known})"
        )
    return notes


def evaluations_at_most(n: int, method: str = "auto", budget: int | str | None = None) -> int:
    """Return how many coalitions of n players an explanation will look at, at most."""
    return 2**n if method == "exact" else min(2**n, parse_budget(budget, n))
