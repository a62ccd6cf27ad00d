"""The game of a recording and a model: a coalition is what is heard, its utility what is answered.

With every answer known (`SpeechGame.table`), values under any utility, any estimator and any
measure of faithfulness cost no further model call. Tables are stored as JSON lines.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .answers import Answers
from .audio import Audio
from .game import Game, TableGame, all_coalitions, mask_of, pack
from .masking import mask
from .partition import Partition
from .shapley.exact import check_exact, shapley_of_table
from .utility import LOG_LIKELIHOOD, Utility, make_utility

#: Of a value: what lies beyond is rounding, and would rank words that are worth the same.
DIGITS = 12

#: Of a table: id, voice, regime and masking.
Names = tuple[str, str, str, str]


@dataclass(frozen=True, eq=False)
class AnswerTable:
    """What a model answers to each of the 2^n coalitions of a recording's players.

    Attributes
    ----------
    id, voice, regime, masking : str
        The recording, who speaks, how it was cut, what absent players sound like.
    labels : tuple of str, length n
    spans : ndarray of float, shape (n, 2)
        Where each player begins and ends, in seconds.
    answers : tuple of str
        Different answers, in the order in which they first occur.
    which : ndarray of int, shape (2^n,)
        Which answer a coalition gets, by its bit mask; the lowest bit is the first player.

    Raises
    ------
    ValueError
        If these do not fit together.

    Examples
    --------
    >>> names, spans = ("a", "", "halves", "silence"), [[0.0, 0.5], [0.5, 1.0]]
    >>> table = AnswerTable(*names, ("so", "no"), spans, ("", "no"), [0, 0, 1, 1])
    >>> table.n, table.full, table.answer([0]), table.values("f1").tolist()
    (2, 'no', '', [0.0, 1.0])
    """

    id: str
    voice: str
    regime: str
    masking: str
    labels: tuple[str, ...]
    spans: np.ndarray = field(repr=False)
    answers: tuple[str, ...] = field(repr=False)
    which: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        spans, which = np.array(self.spans, dtype=float), np.array(self.which, dtype=int)
        n, name = len(self.labels), f"answers of {self.id!r}, {self.regime!r}"
        if n < 1 or spans.shape != (n, 2) or which.shape != (2**n,):
            raise ValueError(
                f"{name}: {n} players need spans ({n}, 2) and {2**n} coalitions, "
                f"not {spans.shape} and {which.shape}"
            )
        if which.min() < 0 or which.max() >= len(self.answers):
            raise ValueError(f"{name}: coalitions point to one of {len(self.answers)} answers")
        vars(self).update(spans=spans, which=which)
        vars(self).update(labels=tuple(self.labels), answers=tuple(self.answers))

    @classmethod
    def of(
        cls, names: Names, players: Partition, coalitions: np.ndarray, answers: Sequence[str]
    ) -> "AnswerTable":
        """Build a table from all 2^n coalitions, in any order, and their answers."""
        numbers = {answer: place for place, answer in enumerate(dict.fromkeys(answers))}
        which = np.zeros(len(answers), dtype=int)
        which[mask_of(coalitions)] = [numbers[answer] for answer in answers]
        return cls(*names, players.labels, players.spans, tuple(numbers), which)

    @property
    def n(self) -> int:
        """Number of players."""
        return len(self.labels)

    @property
    def full(self) -> str:
        """The answer to the whole recording."""
        return self.answers[self.which[-1]]

    def answer(self, players: Iterable[int]) -> str:
        """Return the answer where only these players are heard."""
        return self.answers[self.which[sum(1 << int(p) for p in set(players))]]

    def utilities(self, utility: str | Utility = "tfidf") -> np.ndarray:
        """Return the utility of each coalition, (2^n,); see :mod:`sgpa_core.utility`.

        ``"tfidf-corpus"`` is fitted on the answers of all coalitions.
        """
        worth = make_utility(utility, [self.answers[k] for k in self.which])
        return np.asarray(worth(self.answers, self.full), dtype=float)[self.which]

    def game(self, utility: str | Utility = "tfidf") -> TableGame:
        """Return the game under a utility."""
        return TableGame(self.utilities(utility))

    def values(self, utility: str | Utility = "tfidf") -> np.ndarray:
        """Return the exact Shapley values, (n,), without the rounding errors that break ties."""
        return shapley_of_table(self.utilities(utility)).round(DIGITS)

    def to_json(self) -> str:
        """Return the table as one line of JSON, spans to 0.1 ms."""
        spans, which = np.round(self.spans, 4).tolist(), self.which.tolist()
        content = asdict(self) | {"spans": spans, "which": which}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


class SpeechGame:
    """The coalition game of a recording: its players, a model, and what absent players sound like.

    The model is asked once for each coalition, whatever the utility.

    Parameters
    ----------
    audio : Audio
    players : Partition
    answers : str, AudioLM or Answers
        The model, by its name or as an object, or its answers so far.
    masking : {"silence", "noise", "cut"}
    fade : float
        Seconds; both as in :func:`sgpa_core.masking.mask`.

    Attributes
    ----------
    source : Answers
        The model's answers, by waveform.
    collected : dict of bytes to str
        The answers to the coalitions that were asked for, by their :func:`sgpa_core.game.pack` key.

    Raises
    ------
    ValueError
        If the players lie outside the recording, or the masking or the fade is unknown.

    Examples
    --------
    >>> import sgpa_core
    >>> from sgpa_core.partition import uniform
    >>> recording = sgpa_core.instructions("awb-001")
    >>> game = SpeechGame(recording.audio, uniform(recording.audio, 2), "embedded")
    >>> game.answer == recording.answer
    True
    >>> len(game.answers(np.array([[True, False], [False, False]]))), game.under("f1").full
    (2, 1.0)
    """

    def __init__(
        self,
        audio: Audio,
        players: Partition,
        answers: Any,
        masking: str = "silence",
        fade: float = 0.0,
    ) -> None:
        self.source = Answers.of(answers)
        self.audio = audio.resample(self.source.model.sample_rate)
        self.players, self.masking, self.fade = players, masking, fade
        self.collected: dict[bytes, str] = {}
        self.waveforms(np.ones((1, len(players)), dtype=bool))  # checks all of it

    def __repr__(self) -> str:
        return f"SpeechGame({self.players!r}, {self.source.model.name!r}, {self.masking})"

    @cached_property
    def answer(self) -> str:
        """The answer to the full recording."""
        return self.source([self.audio.samples])[0]

    def waveforms(self, coalitions: np.ndarray) -> list[np.ndarray]:
        """Return what is heard of each coalition, bool (k, n), at the model's rate."""
        return mask(self.audio, self.players.spans, coalitions, self.masking, self.fade)

    def answers(self, coalitions: np.ndarray) -> list[str]:
        """Return the model's answer to each coalition, bool (k, n)."""
        waveforms = self.waveforms(coalitions)
        if "answer" in vars(self):
            answers = self.source(waveforms)
        else:  # faster among others than alone
            self.answer, *answers = self.source([self.audio.samples, *waveforms])
        self.collected.update(zip(pack(coalitions), answers, strict=True))
        return answers

    def heard(self, coalitions: np.ndarray) -> list[str]:
        """Return the transcript that the model answers of each coalition; see `Answers.heard`."""
        if not hasattr(self.source.model, "hear"):  # no waveform need be made
            return [""] * len(coalitions)
        return [self.source.heard(self.waveforms(row[None]))[0] for row in coalitions]

    def word_log_likelihood(self, coalitions: np.ndarray, text: str = "") -> np.ndarray:
        """Return log P(text | coalition) by words, in nats, (k, words); of the full answer."""
        return self.source.word_log_likelihood(self.waveforms(coalitions), text or self.answer)

    def under(self, utility: str | Utility = "tfidf", towards: str = "", against: str = "") -> Game:
        """Return the game under a utility; see :mod:`sgpa_core.utility`.

        ``"tfidf-corpus"`` is fitted on the answers that this object has collected so far.

        Parameters
        ----------
        utility : str or callable
        towards : str
            What answers are compared with, or whose log-likelihood counts, in place of the full
            answer.
        against : str
            The same of this text is taken off.

        Raises
        ------
        ValueError
            If the utility is unknown, or ``"tfidf-corpus"`` finds no answer to be fitted on.
        """
        named = utility != LOG_LIKELIHOOD
        worth = make_utility(utility, list(self.collected.values())) if named else None

        def of_text(coalitions: np.ndarray, text: str) -> np.ndarray:
            if worth is None:
                return self.word_log_likelihood(coalitions, text).sum(axis=1)
            return worth(self.answers(coalitions), text or self.answer)

        def value(coalitions: np.ndarray) -> np.ndarray:
            utilities = np.asarray(of_text(coalitions, towards))
            return utilities - of_text(coalitions, against) if against else utilities

        return Game(len(self.players), value, self.source.batch_size)

    def table(self, id: str = "", voice: str = "", regime: str | None = None) -> AnswerTable:
        """Ask the model for its answer to every coalition.

        Parameters
        ----------
        id, voice, regime : str
            Names that the table is to carry; the partition's kind is the default regime.

        Raises
        ------
        ValueError
            If there are more than `shapley.exact.MAX_EXACT_PLAYERS` players.
        """
        check_exact(len(self.players))
        coalitions, size = all_coalitions(len(self.players)), self.source.batch_size
        answers = [
            answer
            for start in range(0, len(coalitions), size)
            for answer in self.answers(coalitions[start : start + size])
        ]
        names = (id, voice, self.players.kind if regime is None else regime, self.masking)
        return AnswerTable.of(names, self.players, coalitions, answers)


def read_tables(path: str | os.PathLike[str]) -> list[AnswerTable]:
    """Read a file of tables, one line of JSON each.

    Raises
    ------
    ValueError
        Naming the line that is no table.
    """
    tables = []
    with open(path, encoding="utf-8") as lines:  # not splitlines: an answer may hold odd line ends
        for number, line in enumerate(lines, 1):
            try:
                tables.append(AnswerTable(**json.loads(line.removesuffix("\n"))))
            except (ValueError, TypeError) as fault:
                raise ValueError(f"{path}, line {number}, holds no table: {fault}") from fault
    return tables
