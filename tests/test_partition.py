"""Who plays: every kind of partition covers what it should, and says so."""

import numpy as np
import pytest

import sgpa_core
from sgpa_core import Audio, Partition, partition


@pytest.fixture(scope="module")
def found():
    recording = sgpa_core.speech("slt-004")
    return sgpa_core.align(recording.audio, recording.text)


def test_words_are_the_segments_of_stage_4(found):
    players = partition.words(found)
    assert players.labels == ("What's", "the", "capital", "of", "New", "Zealand?")
    np.testing.assert_array_equal(players.spans, found.spans)


def test_raw_ctc_words_lie_inside_the_gaps(found):
    raw = partition.ctc(found)
    assert raw.labels == partition.words(found).labels
    inner = partition.words(sgpa_core.align(found.audio, found.text, refine="none")).spans
    # between words the midpoint of the gap lies outside of both raw spans
    assert (raw.spans[1:, 0] >= inner[1:, 0] - 1e-9).all()
    assert (raw.spans[:-1, 1] <= inner[:-1, 1] + 1e-9).all()
    assert np.diff(raw.spans).sum() < np.diff(inner).sum()


def test_characters_tile_their_words(found):
    characters, words = partition.characters(found), partition.words(found)
    assert "".join(characters.labels) == "what'sthecapitalofnewzealand"
    np.testing.assert_array_equal(characters.spans[1:, 0], characters.spans[:-1, 1])
    assert set(words.spans.ravel()) <= set(characters.spans.ravel())


@pytest.mark.parametrize("seconds", [0.02, 0.08, 0.5, 10.0])
def test_native_pieces_tile_the_recording(found, seconds):
    spans = partition.native(found.audio, seconds).spans
    assert spans[0, 0] == 0
    assert spans[-1, 1] == found.audio.duration
    np.testing.assert_array_equal(spans[1:, 0], spans[:-1, 1])
    np.testing.assert_allclose(np.diff(spans[:-1]), seconds)
    if len(spans) > 1:
        assert 0.5 * seconds <= spans[-1, 1] - spans[-1, 0] <= 1.5 * seconds


def test_uniform_pieces_are_equal(found):
    spans = partition.uniform(found.audio, 7).spans
    np.testing.assert_allclose(np.diff(spans), found.audio.duration / 7)


def test_make_knows_every_kind(found):
    for kind in partition.KINDS:
        assert partition.make_partition(kind, found, token_seconds=0.08).kind == kind
    assert len(partition.make_partition("uniform", found, count=11)) == 11
    assert len(partition.make_partition("uniform", found)) == len(found)


def test_a_subset_keeps_order_and_spans(found):
    words = partition.words(found)
    some = words.subset([4, 2, 4])
    assert some.labels == ("capital", "New")
    np.testing.assert_array_equal(some.spans, words.spans[[2, 4]])


def test_it_can_be_heard_and_drawn(found):
    shown = partition.native(found.audio, 0.08).show(found.audio)
    assert "<button" in shown._repr_html_()
    assert len(shown) == len(partition.native(found.audio, 0.08))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda f: partition.make_partition("phones", f),
            "unknown partition 'phones'; choose from words",
        ),
        (lambda f: partition.make_partition("native", f), "needs token_seconds"),
        (lambda f: partition.native(f.audio, 0.0), "positive number of seconds, not 0.0"),
        (lambda f: partition.native(f.audio, float("nan")), "positive number of seconds"),
        (lambda f: partition.native(f.audio, 1e-4), "over 4096"),
        (lambda f: partition.uniform(f.audio, 0), "at least 1, got 0"),
        (lambda f: partition.words(f).subset([6]), "numbered 0 to 5"),
        (lambda f: partition.words(f).subset([]), "numbered 0 to 5"),
        (lambda f: Partition("own", ("a",), [[0, 1], [1, 2]]), r"shape \(1, 2\)"),
        (lambda f: Partition("own", (), np.zeros((0, 2))), "1 to 4096 players, not 0"),
        (lambda f: Partition("own", ("a", "b"), [[0, 1], [0.5, 2]]), "not overlap"),
        (lambda f: Partition("own", ("a",), [[1, 1]]), "have a length"),
        (lambda f: Partition("own", ("a",), [[0, np.nan]]), "have a length"),
    ],
)
def test_bad_input_is_named(found, make, said):
    with pytest.raises(ValueError, match=said):
        make(found)


def test_a_segmentation_from_a_file_has_words_only(found, tmp_path):
    read = sgpa_core.Segmentation.read(found.write(tmp_path / "words.json"))
    assert partition.make_partition("words", read).labels == partition.words(found).labels
    for kind in ("ctc", "characters"):
        with pytest.raises(ValueError, match="words only"):
            partition.make_partition(kind, read)
    with pytest.raises(ValueError, match="needs the audio"):
        partition.make_partition("uniform", read)


def test_a_very_short_recording_is_one_native_player():
    assert len(partition.native(Audio(np.full(10, 0.1), 16_000), 0.08)) == 1


def test_random_pieces_are_as_many_and_cover_all(found):
    cuts = [partition.random(found.audio, 6, seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(cuts[0].spans, cuts[1].spans)
    assert not np.allclose(cuts[0].spans, cuts[2].spans)
    for players in cuts:
        assert len(players) == 6
        np.testing.assert_array_equal(players.spans[1:, 0], players.spans[:-1, 1])
        assert (players.spans[0, 0], players.spans[-1, 1]) == (0, found.audio.duration)
        assert (np.diff(players.spans) >= partition.SHORTEST_RANDOM_SECONDS - 1e-9).all()


def test_random_boundaries_are_uniform():
    audio = Audio(np.full(16_000, 0.1), 16_000)
    inner = [partition.random(audio, 3, seed).spans[1:, 0] for seed in range(2000)]
    np.testing.assert_allclose(np.mean(inner, axis=0), [1 / 3, 2 / 3], atol=0.02)


def test_more_random_pieces_than_fit_are_refused():
    with pytest.raises(ValueError, match=r"30 pieces of at least 0\.04 s do not fit into 1\.000 s"):
        partition.random(Audio(np.full(16_000, 0.1), 16_000), 30)


def test_a_tag_is_no_player_and_moves_nobody(found):
    text = f"[music] {found.text.replace('capital', '[door slams] <b>capital</b>')} (applause)"
    tagged = sgpa_core.align(found.audio, text)
    assert len(tagged) == len(found) + 4
    assert "tags are not spoken and no players: [music] [door slams] (applause)" in tagged.notes
    for kind in partition.KINDS:
        mine, plain = (partition.make_partition(kind, s, 0.08) for s in (tagged, found))
        assert mine.labels == plain.labels
        np.testing.assert_array_equal(mine.spans, plain.spans)
    assert tagged._repr_html_().count(" disabled") == 4
    tagged.plot()


def test_an_explanation_of_a_tagged_transcript_is_that_of_the_words():
    recording = sgpa_core.instructions()[0]
    plain = sgpa_core.explain(recording.audio, recording.text, "embedded")
    tagged = sgpa_core.explain(
        recording.audio, f">> ANN: {recording.text} [door slams]", "embedded"
    )
    assert tagged.players == plain.players
    np.testing.assert_array_equal(tagged.values, plain.values)
    assert tagged.notes == (
        *plain.notes,
        "tags are not spoken and no players: >> ANN: [door slams]",
    )
    assert "ANN" in tagged._repr_html_()
