"""Who plays: a recording cut into the players of a game, as words or in the ways they compete with.

A partition is labels and spans, nothing more. What belongs to no player is never masked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .audio import Audio
from .checks import choice, whole
from .ctc import Alignment
from .refine import Boundaries
from .segments import Segment, Segmentation

#: SGPA's words, the raw spans of Stage 2, characters, a model's audio tokens, equal pieces.
KINDS = ("words", "ctc", "characters", "native", "uniform")

#: More players than any estimator here can serve; most likely a wrong unit.
MAX_PLAYERS = 4096

#: Two frames of a CTC model: no word is shorter.
SHORTEST_RANDOM_SECONDS = 0.04


@dataclass(frozen=True, eq=False)
class Partition:
    """The players of a recording.

    Attributes
    ----------
    kind : str
        Where they come from; one of `KINDS`, or a name of your own.
    labels : tuple of str, length n
        What a player is called in tables and pictures.
    spans : ndarray of float, shape (n, 2)
        Where each one begins and ends, in seconds; ordered, without overlap.

    Raises
    ------
    ValueError
        If there is no player, labels and spans do not fit, or spans overlap or have no length.

    Examples
    --------
    >>> halves = Partition("halves", ("first", "second"), [[0.0, 0.5], [0.5, 1.0]])
    >>> len(halves), halves.subset([1])
    (2, Partition(1 halves, 0.50 s to 1.00 s))
    """

    kind: str
    labels: tuple[str, ...]
    spans: np.ndarray

    def __post_init__(self) -> None:
        spans = np.array(self.spans, dtype=float)
        if spans.ndim != 2 or spans.shape[1] != 2 or len(spans) != len(self.labels):
            raise ValueError(f"spans must have shape ({len(self.labels)}, 2), not {spans.shape}")
        if not 1 <= len(spans) <= MAX_PLAYERS:
            raise ValueError(f"a partition has 1 to {MAX_PLAYERS} players, not {len(spans)}")
        in_order = (spans[:-1, 1] <= spans[1:, 0] + 1e-9).all()
        if not in_order or not (spans[:, 0] < spans[:, 1]).all():
            raise ValueError("spans must be in order, have a length and not overlap")
        spans.flags.writeable = False
        vars(self).update(labels=tuple(self.labels), spans=spans)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        first, last = self.spans[0, 0], self.spans[-1, 1]
        return f"Partition({len(self)} {self.kind}, {first:.2f} s to {last:.2f} s)"

    def subset(self, players: Sequence[int]) -> "Partition":
        """Keep some players, in order; what the others said is then always heard."""
        chosen = sorted({int(p) for p in players})
        if not chosen or not 0 <= chosen[0] <= chosen[-1] < len(self):
            raise ValueError(f"players are numbered 0 to {len(self) - 1}, got {list(players)!r}")
        return Partition(self.kind, tuple(self.labels[p] for p in chosen), self.spans[chosen])

    def show(self, audio: Audio) -> Segmentation:
        """Give the players as a segmentation, to draw and to listen to."""
        pairs = zip(self.labels, self.spans.tolist(), strict=True)
        segments = tuple(Segment(label, start, end, 1.0) for label, (start, end) in pairs)
        return Segmentation(segments, " ".join(self.labels), audio.duration, audio=audio)


def words(segmentation: Segmentation) -> Partition:
    """SGPA's players: one per word, from boundary to boundary; a tag without sound is none."""
    spans = [[word.start, word.end] for word in segmentation.spoken]
    labels = tuple(word.text for word in segmentation.spoken)
    return Partition("words", labels, np.reshape(spans, (-1, 2)))


def ctc(segmentation: Segmentation) -> Partition:
    """Words as Stage 2 alone places them: first to last character, the gaps left to nobody."""
    alignment, _ = _inner(segmentation)
    edges = alignment.word_edges
    spans = np.column_stack([alignment.starts[edges[:-1]], alignment.ends[edges[1:] - 1]])
    return Partition("ctc", tuple(word.text for word in segmentation.spoken), spans)


def characters(segmentation: Segmentation) -> Partition:
    """One player per character that Stage 2 aligned, from boundary to boundary."""
    alignment, boundaries = _inner(segmentation)
    return pieces("characters", boundaries.times, alignment.characters)


def native(audio: Audio, token_seconds: float) -> Partition:
    """A model's own audio tokens: steps of `token_seconds` over the whole recording.

    The last one may be shorter; it is at least half a step, else it joins its neighbour.

    Examples
    --------
    >>> len(native(Audio(np.full(48_000, 0.1), 16_000), 0.08))  # 3 s, LFM2-Audio's 80 ms
    38
    """
    if not 0 < token_seconds < np.inf:
        raise ValueError(f"token_seconds must be a positive number of seconds, not {token_seconds}")
    count = max(1, int(np.floor(audio.duration / token_seconds + 0.5)))
    if count > MAX_PLAYERS:
        raise ValueError(f"steps of {token_seconds} s make {count} players, over {MAX_PLAYERS}")
    return pieces("native", np.append(np.arange(count) * token_seconds, audio.duration))


def uniform(audio: Audio, count: int) -> Partition:
    """Equal pieces of the whole recording, which know nothing of speech."""
    return pieces("uniform", np.linspace(0, audio.duration, whole(count, "count") + 1))


def random(audio: Audio, count: int, seed: int = 0) -> Partition:
    """Pieces of the whole recording between boundaries drawn at random, uniformly.

    The null hypothesis of a partition: as many players, cut anywhere. None is shorter than
    `SHORTEST_RANDOM_SECONDS`.

    Examples
    --------
    >>> found = random(Audio(np.full(16_000, 0.1), 16_000), 4, seed=1)
    >>> len(found), (np.diff(found.spans) >= SHORTEST_RANDOM_SECONDS - 1e-9).all().item()
    (4, True)
    """
    least, duration = SHORTEST_RANDOM_SECONDS, audio.duration
    spare = duration - len(uniform(audio, count)) * least
    if spare < 0:
        raise ValueError(f"{count} pieces of at least {least} s do not fit into {duration:.3f} s")
    cuts = np.sort(np.random.default_rng(seed).uniform(0, spare, count - 1))
    inner = cuts + least * np.arange(1, count)
    return pieces("random", np.concatenate([[0.0], inner, [duration]]))


def make_partition(
    kind: str,
    segmentation: Segmentation,
    token_seconds: float | None = None,
    count: int | None = None,
) -> Partition:
    """Cut a segmented recording into players of a named kind.

    Parameters
    ----------
    kind : {"words", "ctc", "characters", "native", "uniform"}
    segmentation : Segmentation
        With its audio.
    token_seconds : float, optional
        Step of ``"native"``, in seconds.
    count : int, optional
        Pieces of ``"uniform"``; as many as words without it.

    Raises
    ------
    ValueError
        If the kind is unknown, or what it needs is missing.

    Examples
    --------
    >>> import sgpa_core
    >>> recording = sgpa_core.speech()[0]
    >>> segmentation = sgpa_core.align(recording.audio, recording.text)
    >>> [len(make_partition(kind, segmentation, 0.08)) for kind in KINDS]
    [5, 5, 28, 28, 5]
    """
    choice(kind, KINDS, "partition")
    simple = {"words": words, "ctc": ctc, "characters": characters}
    if kind in simple:
        return simple[kind](segmentation)
    if segmentation.audio is None:
        raise ValueError(f"{kind!r} needs the audio, and this segmentation was read from a file")
    if kind == "uniform":
        return uniform(segmentation.audio, len(segmentation.spoken) if count is None else count)
    if token_seconds is None:
        raise ValueError("'native' needs token_seconds, the stride of the model's audio tokens")
    return native(segmentation.audio, token_seconds)


def pieces(kind: str, edges: np.ndarray, names: Iterable[str] = ()) -> Partition:
    """Give the pieces between edges in seconds; by default each is named by its beginning."""
    labels = tuple(names) or tuple(f"{start:.2f} s" for start in edges[:-1])
    return Partition(kind, labels, np.column_stack([edges[:-1], edges[1:]]))


def _inner(segmentation: Segmentation) -> tuple[Alignment, Boundaries]:
    if segmentation.alignment is None or segmentation.boundaries is None:
        raise ValueError("a segmentation read from a file has words only, no characters or spans")
    return segmentation.alignment, segmentation.boundaries
