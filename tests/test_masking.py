"""Coalitions as audio: what is out is silent, all else stays sample by sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgpa_core import Audio, masking

AUDIO = Audio(np.linspace(0.1, 0.9, 16000), 16000)


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(0, 10**6))
def test_only_players_that_are_out_are_silenced(coalition, seed):
    edges = np.sort(np.random.default_rng(seed).uniform(0, 1, 2 * len(coalition)))
    spans = edges.reshape(-1, 2)
    heard = masking.silence(AUDIO, spans, np.array(coalition))
    times = np.rint(16000 * spans).astype(int)
    out = np.zeros(16000, dtype=bool)
    for (first, last), inside in zip(times, coalition, strict=True):
        out[first:last] |= not inside
    assert (heard.samples[out] == 0).all()
    np.testing.assert_array_equal(heard.samples[~out], AUDIO.samples[~out])
    assert heard.sample_rate == AUDIO.sample_rate


def test_the_full_and_the_empty_coalition():
    spans = [[0.0, 0.5], [0.5, 1.0]]
    full = masking.silence(AUDIO, spans, [True, True])
    np.testing.assert_array_equal(full.samples, AUDIO.samples)
    assert not masking.silence(AUDIO, spans, [False, False]).samples.any()


@pytest.mark.parametrize(
    ("spans", "coalition", "said"),
    [
        ([0.1, 0.2], [True, False], "shape"),
        ([[0.1, 0.2]], [True, False], "bools, 1 a row"),
        ([[0.1, 0.2]], [1], "not int64"),
        ([[0.2, 0.1]], [True], "in order inside"),
        ([[-0.1, 0.1]], [True], "in order inside"),
        ([[0.1, 1.1]], [True], "in order inside"),
        ([[0.1, np.nan]], [True], "in order inside"),
    ],
)
def test_bad_input_is_named(spans, coalition, said):
    with pytest.raises(ValueError, match=said):
        masking.silence(AUDIO, spans, coalition)


SPANS = [[0.0, 0.25], [0.25, 0.5], [0.6, 0.9]]


@given(st.lists(st.booleans(), min_size=3, max_size=3), st.sampled_from(masking.KINDS))
def test_what_belongs_to_nobody_is_always_heard(coalition, kind):
    heard = masking.mask(AUDIO, SPANS, [coalition], kind)[0]
    assert heard.dtype == np.float32
    nobody = np.concatenate([AUDIO.samples[8000:9600], AUDIO.samples[14400:]])
    kept = heard if kind == "cut" else np.concatenate([heard[8000:9600], heard[14400:]])
    assert np.isin(nobody, kept).all()
    if kind != "cut":
        np.testing.assert_array_equal(kept, nobody)


def test_silence_is_the_default_and_the_same_in_a_batch():
    coalitions = np.array([[True, False, True], [False, False, False]])
    one, other = masking.mask(AUDIO, SPANS, coalitions)
    np.testing.assert_array_equal(one, masking.silence(AUDIO, SPANS, coalitions[0]).samples)
    np.testing.assert_array_equal(other, masking.silence(AUDIO, SPANS, coalitions[1]).samples)
    assert masking.mask(AUDIO, SPANS, np.zeros((0, 3), bool)) == []


def test_cutting_joins_the_rest():
    heard = masking.mask(AUDIO, SPANS, [[True, False, True]], "cut")[0]
    expected = np.concatenate([AUDIO.samples[:4000], AUDIO.samples[8000:]])
    np.testing.assert_array_equal(heard, expected)


def test_cutting_everything_leaves_a_sample_of_silence():
    assert masking.mask(AUDIO, [[0.0, 1.0]], [[False]], "cut")[0].tolist() == [0.0]


def test_noise_is_at_the_floor_and_the_same_in_every_coalition():
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.01, 16000)
    samples[4000:12000] += 0.5 * np.sin(np.arange(8000) / 10)
    audio = Audio(samples, 16000)
    spans = [[0.25, 0.5], [0.5, 0.75]]
    both, one = masking.mask(audio, spans, [[False, False], [False, True]], "noise", seed=3)
    np.testing.assert_array_equal(both[4000:8000], one[4000:8000])
    assert both[4000:12000].std() == pytest.approx(0.01, rel=0.15)  # not the word's 0.35
    other = masking.mask(audio, spans, [[False, False]], "noise", seed=4)[0]
    assert not np.array_equal(both, other)


def test_the_floor_ignores_digital_silence_and_survives_nothing_else():
    quiet = np.zeros(16000)
    quiet[8000:] = np.resize([0.02, -0.02], 8000)
    assert masking.noise_floor(Audio(quiet, 16000)).std() == pytest.approx(0.02, rel=0.1)
    assert not masking.noise_floor(Audio(np.zeros(100), 16000)).any()


@pytest.mark.parametrize("kind", ["silence", "noise"])
def test_fades_lie_inside_the_masked_stretch(kind):
    hard, soft = (
        masking.mask(AUDIO, SPANS, [[True, False, False]], kind, fade)[0] for fade in (0.0, 0.01)
    )
    changed = np.flatnonzero(hard != soft)
    inside = [(4000, 4160), (7840, 8000), (9600, 9760), (14240, 14400)]
    assert all(any(first <= i < last for first, last in inside) for i in changed)
    assert len(changed) == 4 * 160
    if kind == "silence":  # no click: small steps, where the hard cut jumps
        assert np.abs(np.diff(soft[3990:4170])).max() < 0.02
        assert np.abs(np.diff(hard[3990:4010])).max() > 0.2


def test_neighbours_that_are_both_out_have_no_fade_between_them():
    soft = masking.mask(AUDIO, SPANS, [[False, False, True]], "silence", 0.01)[0]
    assert not soft[:7840].any()  # nor at the beginning of the recording


def test_fades_of_cut_pieces_lie_at_their_joints():
    heard = masking.mask(AUDIO, SPANS, [[True, False, True]], "cut", 0.01)[0]
    joint = 4000
    assert abs(heard[joint - 1]) < 0.01
    assert abs(heard[joint]) < 0.01
    np.testing.assert_array_equal(heard[: joint - 160], AUDIO.samples[: joint - 160])
    assert heard[-1] == AUDIO.samples[-1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "beep"}, "unknown masking 'beep'; choose from silence, noise, cut"),
        ({"fade": -0.01}, "fade must be a number from 0 to 0.05 s, got -0.01"),
        ({"fade": 0.1}, "fade must be a number from 0 to 0.05 s, got 0.1"),
        ({"fade": float("nan")}, "got nan"),
    ],
)
def test_bad_options_are_named(options, said):
    with pytest.raises(ValueError, match=said):
        masking.mask(AUDIO, SPANS, [[True, True, True]], **options)
