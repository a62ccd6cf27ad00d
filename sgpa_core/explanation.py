"""From a recording to values: who plays, what the model answers, what each player is worth."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import masking as maskings
from . import partition as partitions
from . import utility as utilities
from .aligner import Aligner
from .answers import Responses
from .audio import Audio
from .files import write_text
from .game import Game, pack
from .partition import Partition
from .pipeline import align
from .refine import ALPHA
from .segments import Segmentation
from .shapley.attribution import Attribution, parse_budget
from .shapley.estimate import estimate
from .store import Store

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FLAT = 1e-12
"""Utilities that differ by no more than this are one and the same."""


class Interrupted(KeyboardInterrupt):
    """Raised where Ctrl-C stops an explanation; `answers` holds what the model has said so far.

    Hand `answers` to `explain` in place of the model to go on from there.
    """

    def __init__(self, answers: Responses) -> None:
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
    response : str
        The answer to the full recording.
    coalitions : ndarray of bool, shape (d, n)
        Every coalition that was evaluated, in order.
    utilities : ndarray of float, shape (d,)
        What each one is worth.
    responses : tuple of str, length d
        What the model answered; empty where the utility is a log-likelihood.
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
    response: str
    coalitions: np.ndarray = field(repr=False)
    utilities: np.ndarray = field(repr=False)
    responses: tuple[str, ...] = field(repr=False)
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
            f"{self.response!r}{most if self.values.any() else ''}{notes})"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per player: player, start, end (seconds), value, stderr."""
        frame = self.attribution.to_frame(list(self.players))
        frame.insert(1, "start", self.spans[:, 0])
        frame.insert(2, "end", self.spans[:, 1])
        return frame

    def answers(self) -> pd.DataFrame:
        """One row per evaluated coalition: what is heard, the answer, the utility; worst last."""
        import pandas as pd

        names = np.array(self.players, dtype=object)
        heard = [" ".join(names[row]) or "—" for row in self.coalitions]
        texts = self.responses or [None] * len(heard)
        frame = pd.DataFrame({"heard": heard, "answer": texts, "utility": self.utilities})
        frame.insert(1, "players", self.coalitions.sum(axis=1))
        return frame.sort_values("utility", ascending=False, kind="stable", ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the audio as plain values, in JSON's types."""
        found = self.attribution
        return {
            "text": self.segmentation.text,
            "response": self.response,
            "players": list(self.players),
            "spans": self.spans.tolist(),
            "values": self.values.tolist(),
            "stderr": None if self.stderr is None else self.stderr.tolist(),
            "baseline": found.baseline,
            "method": found.method,
            "budget": found.budget,
            "seed": found.seed,
            "converged": found.converged,
            "evaluations": found.evaluations,
            "distinct": found.distinct,
            "calls": self.calls,
            "seconds": self.seconds,
            "model": self.model,
            "aligner": self.segmentation.aligner,
            "refine": self.segmentation.method,
            "partition": self.partition.kind,
            "masking": self.masking,
            "fade": self.fade,
            "utility": self.utility,
            "notes": list(self.notes),
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Give `to_dict` as JSON text; write it too, if there is a path."""
        import json

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
    audio: Audio | str | os.PathLike[str],
    text: str,
    model: Any = "embedded",
    method: str = "auto",
    budget: int | str | None = None,
    seed: int | None = 0,
    *,
    partition: str | Partition = "words",
    masking: str = "silence",
    fade: float = 0.0,
    utility: str | utilities.Utility = "tfidf",
    aligner: Aligner | str | None = None,
    refine: str = "sgpa",
    alpha: float = ALPHA,
    store: Store | str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Explanation:
    """Explain a model's answer to a recording: one Shapley value for each word that is said.

    φ_i is the mean, over all orders of the players, of how much the utility
    U(S) = sim(R_S, R_N) grows when player i joins: R_S is the answer to the recording with only
    the players of S heard, R_N the answer to all of it (Section 2 of the paper).

    Parameters
    ----------
    audio : Audio or path
    text : str
        What is said.
    model : str, AudioLM or Responses
        A name for :func:`sgpa_core.load_model`, a model of your own, or the answers of an earlier
        call, which are then not asked for again.
    method, budget, seed
        Estimator, evaluations (a number or a text such as ``"3n^2"``, the default) and seed; see
        :func:`sgpa_core.shapley.estimate`.
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
    aligner, refine, alpha
        As in :func:`sgpa_core.align`.
    store : Store or path, optional
        Keeps the model's answers on disk: an interrupted run goes on where it stopped, and
        another utility, estimator or subset of players costs no model call.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        If an argument is unknown or out of range, or the model breaks its contract.
    Interrupted
        On Ctrl-C, with the answers so far.

    Examples
    --------
    >>> import sgpa_core
    >>> recording = sgpa_core.instructions()[0]
    >>> found = sgpa_core.explain(recording.audio, recording.text)
    >>> len(found) == len(recording.text.split()), found.attribution.method
    (True, 'exact')
    >>> bool(abs(found.values.sum() + found.attribution.baseline - 1) < 1e-9)
    True
    """
    began = time.perf_counter()
    if utility not in utilities.NAMES:
        utilities.make(utility)
    answers = _answers_of(model, store)
    segmentation = align(audio, text, aligner, refine, alpha)
    assert segmentation.audio is not None
    players = (
        partition
        if isinstance(partition, Partition)
        else partitions.make(partition, segmentation, answers.model.token_seconds)
    )
    heard = segmentation.audio.resample(answers.model.sample_rate)
    maskings.mask(heard, players.spans, np.ones((1, len(players)), bool), masking, fade)  # checks
    calls = answers.calls
    bar = _progress_bar(len(players), method, budget, progress)
    answers.watch = bar.update
    try:
        response = answers([heard.samples])[0]

        said: dict[bytes, str] = {}

        def listen(coalitions: np.ndarray) -> list[str]:
            texts = answers(waveforms(coalitions))
            said.update(zip(pack(coalitions), texts, strict=True))
            return texts

        def waveforms(coalitions: np.ndarray) -> list[np.ndarray]:
            return maskings.mask(heard, players.spans, coalitions, masking, fade)

        def game(worth: utilities.Utility) -> Game:
            return Game(
                len(players), lambda c: worth(listen(c), response), batch_size=answers.batch_size
            )

        if utility == "log-likelihood":
            played = Game(
                len(players),
                lambda c: answers.log_likelihood(waveforms(c), response),
                batch_size=answers.batch_size,
            )
        elif utility == "tfidf-corpus":
            first = game(utilities.tfidf)
            estimate(first, method, budget, seed)
            played = game(utilities.corpus([said[key] for key in pack(first.observed()[0])]))
        else:
            played = game(utilities.make(utility))
        attribution = estimate(played, method, budget, seed)
    except KeyboardInterrupt as stop:
        raise Interrupted(answers) from stop
    finally:
        answers.watch = None
        bar.close()
    if isinstance(store, str | os.PathLike):
        answers.close()
    coalitions, worths = played.observed()
    texts = tuple(said[key] for key in pack(coalitions)) if said else ()
    return Explanation(
        attribution=attribution,
        partition=players,
        segmentation=segmentation,
        response=response,
        coalitions=coalitions,
        utilities=worths,
        responses=texts,
        model=answers.model.name,
        utility=utility if isinstance(utility, str) else getattr(utility, "__name__", "own"),
        masking=masking,
        fade=float(fade),
        calls=answers.calls - calls,
        seconds=time.perf_counter() - began,
        notes=(*segmentation.notes, *_notes(response, coalitions, worths, answers.model.name)),
    )


def _answers_of(model: Any, store: Store | str | os.PathLike[str] | None) -> Responses:
    if isinstance(model, Responses):
        if store is not None:
            raise ValueError(
                "give the store to Responses(model, store), not to explain, or neither"
            )
        return model
    if isinstance(model, str | os.PathLike):
        from .models import load_model

        model = load_model(os.fspath(model))
    return Responses(model, Path(store) if isinstance(store, os.PathLike) else store)


def _notes(response: str, coalitions: np.ndarray, worths: np.ndarray, model: str) -> list[str]:
    notes = []
    if not utilities.tokens(response):
        notes.append(
            f"{model} answers {response!r} to the full recording, which has no word: "
            "similarities are to that"
        )
    if np.ptp(worths) <= FLAT:
        every = len(coalitions) == 2 ** coalitions.shape[1]
        known = "true of this game" if every else "others were not asked"
        notes.append(
            f"the answer is worth {worths[0]:.3g} in all {len(worths):,} coalitions asked: "
            f"all values are 0 ({known})"
        )
    return notes


def planned(n: int, method: str = "auto", budget: int | str | None = None) -> int:
    """Return how many coalitions of n players an explanation will look at, at most."""
    return 2**n if method == "exact" else min(2**n, parse_budget(budget, n))


def _progress_bar(n: int, method: str, budget: int | str | None, shown: bool) -> Any:
    from tqdm.auto import tqdm

    total = planned(n, method, budget) + 1
    return tqdm(total=total, unit="answer", desc="asking the model", disable=not shown)
