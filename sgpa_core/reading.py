"""What an explanation says beyond a number for each word, most of it from answers paid for already.

Which spoken word made which word of the answer, which words work together, what happens inside a
word, which words are enough. These are the methods of :class:`sgpa_core.Explanation` of the same
names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .answers import Answers
from .checks import number, whole
from .game import Game, all_coalitions, pack
from .partition import Partition, characters, pieces
from .shapley.attribution import Attribution
from .shapley.interactions import interactions, shapley
from .shapley.owen import owen, planned
from .speech_game import SpeechGame
from .utility import LOG_LIKELIHOOD, make_utility, spelled, tokens

if TYPE_CHECKING:
    from .explanation import Explanation

#: The words that matter: the largest values that hold this share of all, taken absolutely.
MATTER = 0.5

#: What two words do that give more, or less, together than each alone.
TOGETHER = {1: "need each other", -1: "can stand in for each other", 0: ""}

#: Words up to which all sets of them are asked.
MOST = 12

#: A utility this little below another is as high.
ROUNDING = 1e-9


def answer_words(explanation: Explanation, stderr: bool = False) -> pd.DataFrame:
    """Give what each player is worth for each word of the answer, players × words.

    The Shapley value of a player for the presence of a word: U_w(S) = 1 if R_S has it, else 0
    (the second "the" of an answer is in R_S if that has two). A column sums to U_w(N) − U_w(∅).
    Where the utility is a log-likelihood, U_w is its share of the word, and a row sums to the
    player's value. It costs no model call; where not all coalitions were asked, see
    :func:`sgpa_core.shapley.interactions.shapley`. With `stderr`, standard errors.
    """
    answers, scored = explanation.coalition_answers, explanation.coalition_scores
    words = [(word, word) for word in (explanation.towards or explanation.answer).split()]
    if answers:
        words = [(word or token, token) for _, word, token in spelled(explanation.answer)]
    elif scored.shape[1] != len(words):
        words = [("(all words)", "")]
    places = [[t for _, t in words[: k + 1]].count(token) for k, (_, token) in enumerate(words)]
    names = [w if k == 1 else f"{w} ({k})" for (w, _), k in zip(words, places, strict=True)]
    if answers:
        different, which = np.unique(answers, return_inverse=True)
        bags = [Counter(tokens(answer)) for answer in different]
        wanted = list(zip([token for _, token in words], places, strict=True))
        scored = np.array([[bag[t] >= k for t, k in wanted] for bag in bags], float)[which]
    values = shapley(explanation.coalitions, scored)[bool(stderr)] if names else None
    return pd.DataFrame(values, pd.Index(explanation.players, name="player"), names)


def together(explanation: Explanation) -> pd.DataFrame:
    """Give the Shapley interaction of every pair of players, the strongest first.

    Columns first, second (numbers of players), words, interaction, stderr, and a reading where
    1.96 standard errors are less: a positive pair need each other, of a negative one each can
    stand in for the other. See :func:`sgpa_core.shapley.interactions`.
    """
    found = interactions(explanation.game())
    first, second = np.triu_indices(len(explanation), 1)
    table = pd.DataFrame({"first": first, "second": second})
    table["words"] = [" + ".join(explanation.players[k] for k in pair) for pair in table.to_numpy()]
    table["interaction"], table["stderr"] = found.values[first, second], found.stderr[first, second]
    sure = table["interaction"].abs() > 1.96 * table["stderr"] + ROUNDING
    table["reading"] = (np.sign(table["interaction"]) * sure).map(TOGETHER)
    return table.sort_values("interaction", key=np.abs, ascending=False, ignore_index=True)


def smallest(explanation: Explanation, share: float = 1.0, model: Any = None) -> pd.DataFrame:
    """Give the smallest set of words whose silence changes the answer, and that keeps it.

    Rows "changes" (a counterfactual) and "keeps" (a sufficient set), each only if there is one;
    of sets of one size that of the lowest and of the highest utility. A coalition keeps the
    answer if it has this `share` of what the full recording is worth over silence. Column
    sure: all smaller sets were asked, as they are by ``method="exact"``. With the `model` that
    was explained all sets of up to 12 words are.
    """
    number(share, "share", 0, 1)
    coalitions, utilities, n = explanation.coalitions, explanation.utilities, len(explanation)
    answers = explanation.coalition_answers or [""] * len(coalitions)
    if model is not None:
        coalitions = all_coalitions(whole(n, "to ask for all sets, the number of words", 1, MOST))
        speech, game = _replayed(explanation, Answers.of(model), explanation.partition)
        utilities = game(coalitions)
        answers = [speech.collected.get(key, "") for key in pack(coalitions)]
    sizes = coalitions.sum(axis=1)
    (empty,), (full,) = utilities[sizes == 0], utilities[sizes == n]
    up = np.sign(full - empty) or 1.0
    kept = up * (utilities - empty) >= share * abs(full - empty) - ROUNDING
    rows = {}
    for name, possible, size in (("changes", ~kept, n - sizes), ("keeps", kept, sizes)):
        if possible.any():
            least = size[possible].min()
            worth = np.where(possible & (size == least), up * utilities, np.nan)
            row = int(np.nanargmin(worth) if name == "changes" else np.nanargmax(worth))
            chosen = coalitions[row] == (name == "keeps")
            words = tuple(np.array(explanation.players, dtype=object)[chosen])
            sure = (size < least).sum() == sum(comb(n, k) for k in range(least))
            rows[name] = (words, answers[row], utilities[row], bool(sure))
    return pd.DataFrame.from_dict(rows, "index", columns=["words", "answer", "utility", "sure"])


def inside(
    explanation: Explanation,
    model: Any = None,
    words: Sequence[int | str] | int | str | None = None,
    parts: str | float = "characters",
    budget: int | str | None = None,
    seed: int | None = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """Give what each part of the words that matter is worth: words first, then their parts.

    Owen values: all other words play as wholes; see :func:`sgpa_core.shapley.owen.owen`. The
    parts of a word sum to its value.

    Parameters
    ----------
    model : str, AudioLM or Answers
        The one that was explained. Without it nothing runs, and the cost of each word is told.
    words : sequence of int or str, optional
        Numbers or labels of players; by default the largest that hold half of all absolute
        values.
    parts : str or float
        ``"characters"``, or the seconds of a frame.
    budget : int or str, optional
        Evaluations for each word, by default 3n² with n the other words and the parts.
    seed, progress
        As for `explain`.

    Returns
    -------
    DataFrame
        A row for each part: player, word, part, start, end (seconds), value, stderr; or for
        each word: player, word, parts, evaluations.

    Examples
    --------
    >>> import sgpa_core
    >>> recording, model = sgpa_core.instructions()[0], sgpa_core.Answers.of("embedded")
    >>> explanation = sgpa_core.explain(recording.audio, recording.text, model)
    >>> parts = explanation.inside(model, [0], 0.1, budget=40)
    >>> bool(abs(parts["value"].sum() - explanation.values[0]) < 1e-9)
    True
    """
    labels, matters = explanation.players, matter(explanation)
    words = matters if words is None else [words] if isinstance(words, int | str) else words
    for word in words:
        if word not in (*labels, *range(len(labels))):
            raise ValueError(f"unknown player {word!r}; choose from {', '.join(labels)}")
    chosen = [k for k, label in enumerate(labels) if k in words or label in words]
    cuts = [_cut(explanation, player, parts) for player in chosen]
    costs = [planned(len(labels) - 1, len(cut), budget) for cut in cuts]
    names = [labels[player] for player in chosen]
    if model is None:
        counts = {"parts": [len(cut) for cut in cuts], "evaluations": costs}
        return pd.DataFrame({"player": chosen, "word": names} | counts)
    answers, rows = Answers.of(model), []
    with answers.watched(sum(costs), progress):
        for player, word, cut in zip(chosen, names, cuts, strict=True):
            found = _inside(explanation, answers, player, cut, budget=budget, seed=seed)
            part = found.to_frame(list(cut.labels)).rename(columns={"player": "part"})
            times = {"start": cut.spans[:, 0], "end": cut.spans[:, 1]}
            rows.append(part.assign(player=player, word=word, **times))
    columns = ["player", "word", "part", "start", "end", "value", "stderr"]
    return pd.concat(rows or [pd.DataFrame(columns=columns)], ignore_index=True)[columns]


def _inside(
    explanation: Explanation, answers: Answers, player: int, cut: Partition, **how: Any
) -> Attribution:
    """Play the game in which one word is a union of its parts."""
    labels, spans = explanation.players, explanation.spans
    names = (*labels[:player], *cut.labels, *labels[player + 1 :])
    times = np.concatenate([spans[:player], cut.spans, spans[player + 1 :]])
    _, game = _replayed(explanation, answers, Partition("inside", names, times))
    own = np.isin(np.arange(len(names)), player + np.arange(len(cut)))
    return owen(game, own, total=float(explanation.values[player]), **how)


def _replayed(
    explanation: Explanation, answers: Answers, players: Partition
) -> tuple[SpeechGame, Game]:
    """Return the game of the same recording, model, masking and utility with other players."""
    audio, rule = explanation.segmentation.audio, explanation.rule
    assert audio is not None
    speech = SpeechGame(audio, players, answers, explanation.masking, explanation.fade)
    asked = (answers.model.name, speech.answer)
    if asked != (explanation.model, explanation.answer):
        was = f"{explanation.model} answered {explanation.answer!r}"
        raise ValueError(f"{was}, but {asked[0]} answers {asked[1]!r}: give the same model")
    if rule != LOG_LIKELIHOOD:
        rule = make_utility(rule, explanation.coalition_answers)
    return speech, speech.under(rule, explanation.towards, explanation.against)


def _cut(explanation: Explanation, player: int, parts: str | float) -> Partition:
    """Cut a player into its characters, or into frames of so many seconds."""
    start, end = explanation.spans[player]
    if parts == "characters":
        every = characters(explanation.segmentation)
        middles = every.spans.mean(axis=1)
        chosen = np.flatnonzero((start < middles) & (middles < end))
        if not chosen.size:
            raise ValueError(f"{explanation.players[player]!r} has no character: give seconds")
        edges = np.array([start, *every.spans[chosen[1:], 0], end])
        return pieces("characters", edges, [every.labels[k] for k in chosen])
    step = number(parts, "parts ('characters', or the seconds of a frame)", 0.01, 10)
    edges = np.linspace(start, end, max(1, round((end - start) / step)) + 1)
    return pieces("frames", edges)


def matter(explanation: Explanation) -> list[int]:
    """Return the words that matter, see `MATTER`: none where all values are 0."""
    size = np.abs(explanation.values)
    first = np.argsort(-size, kind="stable")
    held = np.cumsum(size[first])
    return first[: np.searchsorted(held, MATTER * held[-1]) + 1].tolist() if size.any() else []
