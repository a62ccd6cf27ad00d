"""Stage 4: words are conserved, whatever the text and the spans; files give back what went in."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hand_made import SEGMENTATION, WORDS
from hypothesis import given
from hypothesis import strategies as st

from sgpa_core import Segment, Segmentation, decompose, refine
from sgpa_core.ctc import Alignment
from sgpa_core.refine import Boundaries
from sgpa_core.segments import aggregate


def hand_made(text: str, seed: int) -> tuple[Alignment, Boundaries]:
    """Random ordered spans for a transcript's characters, as Stages 2 and 3 would give them."""
    transcript = decompose(text)
    owned = np.flatnonzero(transcript.word_of >= 0)
    rng = np.random.default_rng(seed)
    edges = np.cumsum(rng.uniform(0.001, 0.1, 2 * len(owned)))
    alignment = Alignment(
        transcript=transcript,
        characters="".join(transcript.characters[i] for i in owned),
        word_of=transcript.word_of[owned],
        starts=edges[::2],
        ends=edges[1::2],
        confidences=rng.uniform(size=len(owned)),
        path=np.zeros(0, dtype=int),
        margin=0.0,
    )
    features = refine.Features(rng.random(500), rng.random(500), edges[-1] / 450, edges[-1] * 1.1)
    return alignment, refine.boundaries(features, alignment.starts, alignment.ends)


@given(st.text(st.characters(exclude_characters="[]【】<>&:"), max_size=60), st.integers(0, 10**6))
def test_every_word_exactly_once_in_order_contiguous(text, seed):
    try:
        expected = [word.text for word in decompose(text).words]
    except ValueError:
        return
    words = aggregate(*hand_made(text, seed))
    assert [word.text for word in words] == expected
    assert all(word.start < word.end for word in words)
    assert all(a.end == b.start for a, b in pairwise(words))
    assert all(0 <= word.confidence <= 1 for word in words)
    wild = [not word.spoken.isascii() for word in decompose(text).words]
    assert all(w.status == "aligned" for w, foreign in zip(words, wild, strict=True) if not foreign)


def test_a_word_is_unrefined_if_a_boundary_fell_back():
    alignment, resolved = hand_made("one two three", 1)
    flags = np.ones(len(resolved.times), dtype=bool)
    flags[3] = False  # shared by "one" and "two"
    words = aggregate(
        alignment, Boundaries(resolved.times, flags, *(resolved.anchors,) * 2, resolved.windows)
    )
    assert [word.refined for word in words] == [False, False, True]
    flags[3], flags[5] = True, False  # inside "two"
    words = aggregate(
        alignment, Boundaries(resolved.times, flags, *(resolved.anchors,) * 2, resolved.windows)
    )
    assert [word.refined for word in words] == [True, True, True]


def test_statuses():
    alignment, resolved = hand_made("go 北京 😀 ok", 2)
    alignment.confidences[:] = 0.9
    for first, confidence, duration in ((2, 0.1, 0.5), (2, 0.9, 0.02), (3, 0.1, 0.5)):
        alignment.confidences[2:4] = 0.9
        alignment.ends[2:4] = alignment.starts[2:4] + 0.5
        alignment.confidences[first] = confidence
        alignment.ends[first] = alignment.starts[first] + duration
        expected = ["aligned", "interpolated", "interpolated", "aligned"]
        expected[first - 1] = "unalignable"
        assert [word.status for word in aggregate(alignment, resolved)] == expected


def test_counts_must_fit():
    alignment, resolved = hand_made("one two", 3)
    with pytest.raises(ValueError, match="6 characters need 7 boundaries, not 6"):
        aggregate(
            alignment,
            Boundaries(resolved.times[1:], *(resolved.refined[1:],) * 3, resolved.windows),
        )


def test_tables_hold_every_word():
    frame = SEGMENTATION.to_frame()
    assert frame["text"].tolist() == [word.text for word in WORDS]
    assert frame.columns.tolist() == ["text", "start", "end", "confidence", "status", "refined"]


@pytest.mark.parametrize(
    "words",
    [
        (Segment("a", 0.2, 0.2, 1.0),),
        (Segment("a", 0.3, 0.2, 1.0),),
        (Segment("a", -0.1, 0.2, 1.0),),
        (Segment("a", math.nan, 0.2, 1.0),),
        (Segment("a", 0.1, 0.3, 1.0), Segment("b", 0.2, 0.4, 1.0)),
        (Segment("a", 0.1, 0.3, 1.0, "lost"),),
    ],
)
def test_impossible_segments(words):
    with pytest.raises(ValueError, match=r"has no length|unknown status"):
        Segmentation(words, "a", 1.0)


def test_without_audio_nothing_can_be_cut_or_drawn_but_the_table_shows():
    with pytest.raises(ValueError, match="no audio"):
        SEGMENTATION.cut(0)
    with pytest.raises(ValueError, match="no audio"):
        SEGMENTATION.plot()
    page = SEGMENTATION._repr_html_()
    assert "<table" in page
    assert "&lt;b&gt;" in page


TAGGED = "[music] one [door slams] two 北京 (applause)"


def test_a_tag_has_no_length_and_takes_no_time():
    tagged, plain = aggregate(*hand_made(TAGGED, 4)), aggregate(*hand_made("one two 北京", 4))
    assert [word.text for word in tagged] == TAGGED.split()
    tags = [word for word in tagged if word.start == word.end]
    assert [word.text for word in tags] == ["[music]", "[door", "slams]", "(applause)"]
    facts = {(word.confidence, word.status, word.refined) for word in tags}
    assert facts == {(0.0, "unalignable", False)}
    assert tuple(word for word in tagged if word not in tags) == plain
    assert [word.start for word in tags] == [
        plain[0].start, plain[1].start, plain[1].start, plain[-1].end
    ]  # fmt: skip
    segmentation = Segmentation(tagged, TAGGED, 9.0)
    assert segmentation.spoken == plain
    np.testing.assert_allclose(segmentation.inner_boundaries, [word.end for word in plain[:-1]])


@pytest.mark.parametrize("ending", [".TextGrid", ".json", ".csv", ".vtt"])
def test_files_give_back_tags(tmp_path, ending):
    segmentation = Segmentation(aggregate(*hand_made(TAGGED, 5)), TAGGED, 9.0)
    read = Segmentation.read(segmentation.write(tmp_path / f"words{ending}"))
    for word, back in zip(segmentation.words, read.words, strict=True):
        assert (word.text, word.status, word.refined) == (back.text, back.status, back.refined)
        assert (word.start == word.end) == (back.start == back.end)
        assert abs(word.start - back.start) <= 0.0005
        assert abs(word.end - back.end) <= 0.0015


def test_only_an_unalignable_word_may_lack_a_length():
    Segmentation((Segment("[a]", 0.2, 0.2, 0.0, "unalignable"),), "[a]", 1.0)
    for words in (
        (Segment("a", 0.2, 0.2, 0.0, "interpolated"),),
        (Segment("a", 0.1, 0.3, 1.0), Segment("[a]", 0.2, 0.2, 0.0, "unalignable")),
    ):
        with pytest.raises(ValueError, match="has no length"):
            Segmentation(words, "a", 1.0)
