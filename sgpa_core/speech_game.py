"""All that a model answers: one table per recording and partition, one answer per coalition.

With every answer known, values under any utility, any estimator and any measure of faithfulness
cost no further model call. Tables are kept as JSON lines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import masking as maskings
from . import utility as utilities
from .answers import Responses
from .audio import Audio
from .game import TableGame, all_coalitions
from .models import load_model
from .partition import Partition
from .shapley.exact import check_exact, shapley_of_table

DIGITS = 12
"""Of a value: what lies beyond is rounding, and would rank words that are worth the same."""

if TYPE_CHECKING:
    from .explanation import Explanation


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
        for key, value in {
            "spans": spans,
            "which": which,
            "labels": tuple(self.labels),
            "answers": tuple(self.answers),
        }.items():
            object.__setattr__(self, key, value)

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

    def worths(self, utility: str | utilities.Utility = "tfidf") -> np.ndarray:
        """Return the utility of each coalition, (2^n,); `utility` as for :mod:`.utility`.

        ``"tfidf-corpus"`` is fitted on the answers of all coalitions.
        """
        worth = (
            utilities.corpus([self.answers[k] for k in self.which])
            if utility == "tfidf-corpus"
            else utilities.make(utility)
        )
        return np.asarray(worth(self.answers, self.full), dtype=float)[self.which]

    def game(self, utility: str | utilities.Utility = "tfidf") -> TableGame:
        """Return the game under a utility."""
        return TableGame(self.worths(utility))

    def values(self, utility: str | utilities.Utility = "tfidf") -> np.ndarray:
        """Return the exact Shapley values, (n,), without the rounding errors that break ties."""
        return shapley_of_table(self.worths(utility)).round(DIGITS)


def collect(
    id: str,
    audio: Audio,
    partition: Partition,
    model: Any = "embedded",
    masking: str = "silence",
    *,
    voice: str = "",
    regime: str | None = None,
) -> AnswerTable:
    """Ask a model for its answer to every coalition.

    Parameters
    ----------
    id, voice, regime : str
        Names that the table is to carry; the partition's kind is the default regime.
    audio : Audio
    partition : Partition
        At most `shapley.exact.MAX_EXACT_PLAYERS` players.
    model : str, AudioLM or Responses
        As for :func:`sgpa_core.explain`; `Responses` remember what was asked before.
    masking : str
        As for :func:`sgpa_core.masking.mask`.

    Raises
    ------
    ValueError
        If there are too many players, or the spans do not fit the audio.

    Examples
    --------
    >>> import sgpa_core
    >>> from sgpa_core import partition
    >>> recording = sgpa_core.instructions("awb-001")
    >>> halves = partition.uniform(recording.audio, 2)
    >>> table = collect("awb-001", recording.audio, halves)
    >>> table.full == recording.answer, len(table.which)
    (True, 4)
    """
    check_exact(len(partition))
    if isinstance(model, str):
        model = load_model(model)
    answers = model if isinstance(model, Responses) else Responses(model)
    heard = audio.resample(answers.model.sample_rate)
    coalitions, size = all_coalitions(len(partition)), answers.batch_size
    said: list[str] = []
    for start in range(0, len(coalitions), size):
        batch = coalitions[start : start + size]
        said += answers(maskings.mask(heard, partition.spans, batch, masking))
    distinct = {text: place for place, text in enumerate(dict.fromkeys(said))}
    return AnswerTable(
        id,
        voice,
        partition.kind if regime is None else regime,
        masking,
        partition.labels,
        partition.spans,
        tuple(distinct),
        np.array([distinct[text] for text in said]),
    )


def from_explanation(explanation: Explanation, id: str = "", voice: str = "") -> AnswerTable:
    """Return the answers that an exact explanation has collected.

    Raises
    ------
    ValueError
        If it did not evaluate every coalition, or keeps no answers (log-likelihood).
    """
    n, said = len(explanation), explanation.responses
    if len(said) != 2**n:
        raise ValueError(
            f"{len(said)} answers for {2**n} coalitions: explain with method='exact' and a "
            "utility that compares answers"
        )
    distinct = {text: place for place, text in enumerate(dict.fromkeys(said))}
    which = np.zeros(2**n, dtype=int)
    which[explanation.coalitions @ (1 << np.arange(n))] = [distinct[text] for text in said]
    cut = explanation.partition
    names = (id, voice, cut.kind, explanation.masking)
    return AnswerTable(*names, cut.labels, cut.spans, tuple(distinct), which)


def to_json(table: AnswerTable) -> str:
    """Return a table as one line of JSON, spans to 0.1 ms."""
    content = asdict(table) | {
        "spans": np.round(table.spans, 4).tolist(),
        "which": table.which.tolist(),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def read(path: str | os.PathLike[str]) -> list[AnswerTable]:
    """Read a file of tables, one line of JSON each.

    Raises
    ------
    ValueError
        Naming the line that is no table.
    """
    tables = []
    # Not splitlines: it would also cut at the odd line ends that an answer may hold.
    text = Path(path).read_text(encoding="utf-8").removesuffix("\n")
    for number, line in enumerate(text.split("\n") if text else [], 1):
        try:
            tables.append(AnswerTable(**json.loads(line)))
        except (ValueError, TypeError) as fault:
            raise ValueError(f"{path}, line {number}, holds no table: {fault}") from fault
    return tables
