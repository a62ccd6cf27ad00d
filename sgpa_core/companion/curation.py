"""The paper's curation: from a corpus of instructions to short, clean, single sentences."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .corpora import Utterance
from .paper import read

FEWEST_WORDS, MOST_CHARACTERS, LETTERS_SHARE, MOST_TOKENS = 4, 300, 0.55, 10
CODE_STARTS = ("http", "www", "<", "{", "[", "`")
UNINTERESTING_PERCENT, NEAR_DUPLICATE = 20, 0.92

#: Instructions in whose direction a sentence is interesting; of the authors' kind, not theirs.
ANCHORS = tuple(read("corpora.yaml")["anchors"])

_ENDS = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9])|\n+")
_ABBREVIATED = re.compile(r"\b(?:Mrs?|Ms|Dr|Prof|St|[Vv]s|[Ee]tc|e\.g|i\.e|[Nn]o|[A-Z])\.$")


@dataclass(frozen=True, eq=False)
class Curation:
    """What is left of a corpus, and what each rule left out.

    Attributes
    ----------
    kept : tuple of Utterance
        In the corpus's order.
    counts : dict of str to int
        Utterances that each rule left out, in the order of the rules.
    notes : tuple of str
        Where this departs from the paper.
    """

    kept: tuple[Utterance, ...]
    counts: dict[str, int]
    notes: tuple[str, ...]

    def summary(self) -> str:
        """Say how many are kept, and how many each rule left out."""
        lines = [f"curation keeps {len(self.kept)} of {len(self.kept) + sum(self.counts.values())}"]
        lines += [f"left out {count}: {rule}" for rule, count in self.counts.items() if count]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def curate(
    utterances: Sequence[Utterance],
    limit: int | None = None,
    seed: int = 0,
    encoder: Callable[[Sequence[str]], np.ndarray] | None = None,
    anchors: Sequence[str] = ANCHORS,
) -> Curation:
    """Choose utterances as the paper's corpora were chosen.

    In this order: one sentence; English; exact duplicates out (of a voice); at least 4 words, at
    most 300 characters, no beginning like a link or code, at least 55 % letters; the bottom 20 %
    by cosine to the anchors' centroid out; of sentences whose cosine is 0.92 or more only the one
    nearest to the anchors; at most 10 tokens; then `limit` texts, as evenly over the token counts
    as they allow. A text stays or goes with all its voices. Tokens are those that the corpus tells
    (`Utterance.tokens`), else words; the paper counts LFM2's without punctuation.

    Parameters
    ----------
    utterances : sequence of Utterance
    limit : int, optional
        Texts to keep; all without it.
    seed : int
        Of the draw within a token count.
    encoder : callable, optional
        From k texts to k unit vectors, the paper's being all-MiniLM-L6-v2; see
        :func:`sgpa_core.utility.embedding`. The two rules by embedding are left out without it.
    anchors : sequence of str
        The paper's ten are in the authors' repository; these are ten others.

    Returns
    -------
    Curation

    Examples
    --------
    >>> texts = ["Name the capital of France.", "Hi. How are you today?", "Hello there", "¿Qué es?"]
    >>> curation = curate([Utterance(str(i), text, "a", b"") for i, text in enumerate(texts)])
    >>> [item.text for item in curation.kept], curation.counts["one sentence"]
    (['Name the capital of France.'], 1)
    """
    left = list(utterances)
    counts: dict[str, int] = {}
    notes: list[str] = []

    def keep(rule: str, good: Callable[[Utterance], bool]) -> None:
        nonlocal left
        before = len(left)
        left = [item for item in left if good(item)]
        counts[rule] = before - len(left)

    first = {(item.voice, item.text): item for item in reversed(utterances)}
    keep("one sentence", lambda item: len(sentences(item.text)) == 1)
    keep("English", lambda item: looks_english(item.text))
    keep("no exact duplicate", lambda item: first[item.voice, item.text] is item)
    keep(f"at least {FEWEST_WORDS} words", lambda item: len(item.text.split()) >= FEWEST_WORDS)
    keep(f"at most {MOST_CHARACTERS} characters", lambda item: len(item.text) <= MOST_CHARACTERS)
    keep("no link or code", lambda item: not item.text.startswith(CODE_STARTS))
    keep(
        f"at least {LETTERS_SHARE:.0%} letters",
        lambda item: sum(map(str.isalpha, item.text)) >= LETTERS_SHARE * len(item.text),
    )
    if encoder is None:
        notes.append("no encoder, so nothing was left out by similarity (two rules of the paper)")
    elif left:
        texts = list(dict.fromkeys(item.text for item in left))
        near, distinct = _by_similarity(texts, encoder, anchors)
        keep(f"not in the bottom {UNINTERESTING_PERCENT} % by anchors", lambda i: i.text in near)
        keep(f"no near duplicate (cosine {NEAR_DUPLICATE})", lambda i: i.text in distinct)

    def tokens(item: Utterance) -> int:
        return word_count(item.text) if item.tokens is None else item.tokens

    if any(item.tokens is None for item in left):
        notes.append("words were counted in place of LFM2's tokens")
    keep(f"at most {MOST_TOKENS} tokens", lambda item: tokens(item) <= MOST_TOKENS)
    if limit is not None:
        chosen = _stratified({item.text: tokens(item) for item in left}, limit, seed)
        keep(f"drawn ({limit} texts, even over token counts)", lambda item: item.text in chosen)
    return Curation(tuple(left), counts, tuple(notes))


def sentences(text: str) -> list[str]:
    """Cut a text into sentences: at marks followed by a capital or a digit, and at line breaks.

    Examples
    --------
    >>> sentences("Is Dr. No a film? Tell me.")
    ['Is Dr. No a film?', 'Tell me.']
    """
    parts: list[str] = []
    for piece in _ENDS.split(text.strip()):
        if parts and _ABBREVIATED.search(parts[-1]):
            parts[-1] += " " + piece
        elif word_count(piece):
            parts.append(piece)
    return parts


def looks_english(text: str) -> bool:
    """Tell whether no other language has more of a text's function words than English has.

    Examples
    --------
    >>> looks_english("What is a baguette?"), looks_english("Quelle est la capitale du Pérou ?")
    (True, False)
    """
    letters = [character for character in text if character.isalpha()]
    if sum(character.isascii() for character in letters) < 0.8 * len(letters):
        return False
    words = re.findall(r"\w+", text.lower())
    known = read("corpora.yaml")["function_words"]
    votes = {name: sum(word in own.split() for word in words) for name, own in known.items()}
    return votes["English"] >= max(votes.values())


def word_count(text: str) -> int:
    """Count the words that have a letter or a digit."""
    return sum(any(map(str.isalnum, word)) for word in text.split())


def _by_similarity(
    texts: list[str], encoder: Callable[[Sequence[str]], np.ndarray], anchors: Sequence[str]
) -> tuple[set[str], set[str]]:
    """Return the texts that are near enough to the anchors, and those without near duplicates."""
    vectors = np.asarray(encoder(texts), dtype=float)
    centre = np.asarray(encoder(list(anchors)), dtype=float).mean(axis=0)
    score = vectors @ (centre / np.linalg.norm(centre))
    near = np.flatnonzero(score >= np.percentile(score, UNINTERESTING_PERCENT))
    kept: list[int] = []
    for index in near[np.argsort(-score[near], kind="stable")]:
        if not kept or (vectors[kept] @ vectors[index]).max() < NEAR_DUPLICATE:
            kept.append(int(index))
    return {texts[i] for i in near}, {texts[i] for i in kept}


def _stratified(tokens: dict[str, int], limit: int, seed: int) -> set[str]:
    """Draw `limit` texts, as many of each token count as there are, one count after another."""
    order = np.random.default_rng(seed).permutation(np.array(list(tokens), dtype=object))
    drawn = pd.DataFrame({"text": order, "tokens": [tokens[text] for text in order]})
    drawn["turn"] = drawn.groupby("tokens").cumcount()
    return {*drawn.sort_values(["turn", "tokens"])["text"][:limit]}
