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
