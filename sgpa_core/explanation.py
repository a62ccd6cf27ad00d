"""What an explanation holds, and all ways to read it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import reading
from .files import write_text
from .game import Game
from .partition import Partition
from .segments import Segmentation
from .shapley.attribution import Attribution
from .speech_game import AnswerTable
from .utility import Utility

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    coalition_scores : ndarray of float, shape (d, words)
        Log-likelihood of each word where that is the utility, in nats; else without a column.
    model, masking : str
        Names of what was used.
    rule : str or callable
        The utility; `utility` is its name.
    towards, against : str
        What answers were compared with in place of the full one; empty if with that.
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
    coalition_scores: np.ndarray = field(repr=False)
    model: str
    rule: str | Utility
    towards: str
    against: str
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
    def utility(self) -> str:
        """Name of the utility."""
        return self.rule if isinstance(self.rule, str) else getattr(self.rule, "__name__", "own")

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
        return AnswerTable.of(names, self.partition, self.coalitions, answers)

    def to_dict(self) -> dict[str, Any]:
        """Give everything but the audio as plain values, in JSON's types."""
        counted = ("baseline", "method", "budget", "seed", "converged", "evaluations", "distinct")
        own = ("calls", "seconds", "model", "masking", "fade", "utility", "towards", "against")
        stderr = None if self.stderr is None else self.stderr.tolist()
        row: dict[str, Any] = {"text": self.segmentation.text}
        row |= {"heard": self.heard, "answer": self.answer}
        row |= {"players": list(self.players), "spans": self.spans.tolist()}
        row |= {"values": self.values.tolist(), "stderr": stderr}
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

    def game(self) -> Game:
        """Give the game as far as it was played: coalitions that were not are refused."""
        return Game.of(self.coalitions, self.utilities)

    # Richer readings of what was asked; each is documented where it is computed.
    answer_words = reading.answer_words
    together = reading.together
    smallest = reading.smallest
    inside = reading.inside

    def summary(self) -> str:
        """Say in three sentences what was answered, what that rests on and what would change it."""
        from .show.sentences import summary

        return summary(self)

    def to_html(
        self, path: str | os.PathLike[str] | None = None, inside: pd.DataFrame | None = None
    ) -> str:
        """Give a page of its own, with sound and picture inside; write it, if there is a path.

        `inside` is what the method of that name returned, to be drawn.
        """
        from .show.player import page, views

        text = page(self._repr_html_() + views(self, inside), self.segmentation.text)
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
