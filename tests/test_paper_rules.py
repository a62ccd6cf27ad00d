"""Every constant and rule of the paper, each beside its place; its numbers are in data/paper.

Rules of the estimator (m_init, budget, Neyman weights) are pinned in test_shapley and test_cost,
those of the concentration measures in test_concentration.
"""

import inspect

import numpy as np
import pytest
from oracle import Oracle

import sgpa_core
from sgpa_core import Audio, concentration, explain, masking, refine, speech, utility
from sgpa_core.ctc import Alignment
from sgpa_core.models import load_model
from sgpa_core.refine import Features
from sgpa_core.segments import aggregate
from sgpa_core.transcript import WILDCARD, Transcript, Word


def defaults(function):
    return {p.name: p.default for p in inspect.signature(function).parameters.values()}


def test_section_3_stage_3_constants():
    """α = 0.8, β = 1 − α, δ = half the gap + 40 ms, ±80 ms at the edges, half the mean RMS."""
    expected = {"alpha": 0.8, "padding": 0.040, "edge": 0.080, "silence": 0.5}
    for function in (sgpa_core.align, refine.boundaries):
        assert expected.items() <= defaults(function).items()
    assert defaults(refine.boundaries)["method"] == "sgpa"
    many = sgpa_core.align_many([speech("awb-004").audio], [speech("awb-004").text], refine="sgpa")
    assert (many[0].method, many[0].alpha) == ("sgpa", 0.8)


def test_section_3_features_of_256_samples_every_64():
    """The authors' code: frames of 256 samples, a hop of 64, at the audio's own rate."""
    for rate in (8_000, 16_000, 44_100):
        features = refine.features(Audio(np.full(6_400, 0.1), rate))
        assert features.hop_seconds == 64 / rate
        assert len(features.energy) == 6_400 // 64 + 1
    click = np.zeros(6_400)
    click[3_200] = 0.5
    heard = np.flatnonzero(refine.features(Audio(click, 16_000)).energy)
    assert len(heard) * 64 == 256


def flat_window(quiet):
    """Features of a window whose RMS is 1, but for one frame; the flux is the same everywhere."""
    energy = np.ones(101)
    energy[50] = quiet
    return Features(energy, np.zeros(101), 0.004, 0.4)


@pytest.mark.parametrize("quiet", [0.3, 0.49, 0.4975, 0.51, 0.6])
def test_section_3_a_minimum_is_accepted_strictly_below_half_the_mean(quiet):
    """Silence-aware fallback: RMS at the minimum < 0.5 · mean RMS of the window."""
    starts, ends = np.array([0.05, 0.21]), np.array([0.19, 0.35])
    boundaries = refine.boundaries(flat_window(quiet), starts, ends)
    frames = np.arange(101) * 0.004
    low, high = boundaries.windows[1]
    inside = flat_window(quiet).energy[(frames >= low - 1e-9) & (frames <= high + 1e-9)]
    assert boundaries.refined[1] == (quiet < 0.5 * inside.mean())


def test_section_3_exactly_half_the_mean_is_not_quiet():
    """At RMS = 0.5 · mean the midpoint stays: with k frames, quiet = (k − 1) / (2k − 1)."""
    starts, ends = np.array([0.05, 0.21]), np.array([0.19, 0.35])
    low, high = refine.boundaries(flat_window(1.0), starts, ends).windows[1]
    frames = np.arange(101) * 0.004
    k = np.count_nonzero((frames >= low - 1e-9) & (frames <= high + 1e-9))
    half = (k - 1) / (2 * k - 1)
    assert not refine.boundaries(flat_window(half * (1 + 1e-9)), starts, ends).refined[1]
    assert refine.boundaries(flat_window(half * (1 - 1e-9)), starts, ends).refined[1]


def wildcard(span, confidence):
    """Stage 4 of one word that the vocabulary cannot spell, with a span of so many seconds."""
    transcript = Transcript("日本", (Word("日本", "日本"),), WILDCARD, np.array([0]))
    starts, ends = np.array([0.1]), np.array([0.1 + span])
    alignment = Alignment(
        transcript,
        WILDCARD,
        np.array([0]),
        starts,
        ends,
        np.array([confidence]),
        np.array([0]),
        0.0,
    )
    edges = refine.boundaries(flat_window(1.0), starts, ends, "none")
    return aggregate(alignment, edges)[0].status


@pytest.mark.parametrize(
    ("span", "confidence", "status"),
    [
        (0.03, 0.2, "interpolated"),  # both limits belong to what was spoken
        (0.03, 0.19, "unalignable"),
        (0.0299, 0.2, "unalignable"),
        (0.02, 0.9, "unalignable"),
        (0.06, 0.5, "interpolated"),
    ],
)
def test_stage_4_the_shortest_word_that_was_spoken(span, confidence, status):
    assert wildcard(span, confidence) == status


def test_section_2_the_game():
    """Silence is zeros in place; U(S) = cosine of TF-IDF of the two answers; U(N) = 1."""
    assert {"masking": "silence", "utility": "tfidf", "partition": "words"}.items() <= defaults(
        explain
    ).items()
    recording = speech("awb-004")
    audio, spans = recording.audio, recording.spans
    only = np.arange(len(spans)) == 2
    heard = masking.mask(audio, spans, only[None])[0]
    assert len(heard) == len(audio.samples)
    first, last = np.rint(spans[1] * audio.sample_rate).astype(int)
    assert not heard[first:last].any()
    explanation = explain(audio, recording.text, Oracle.of(recording, " ".join))
    assert explanation.utilities[explanation.coalitions.all(axis=1)] == 1.0
    assert utility.tfidf(["so"], "so").tolist() == [1.0]


def test_section_4_the_model_answers_with_30_tokens_to_the_system_prompt():
    from sgpa_core.models import LFM2Audio, OpenAIServer, Qwen2Audio

    for adapter in (LFM2Audio, OpenAIServer, Qwen2Audio):
        settings = defaults(adapter)
        assert settings["max_new_tokens"] == 30
        assert settings["prompt"] == "You are a helpful assistant."
    assert load_model("embedded").max_new_tokens > 0


def test_section_4_top_share_is_a_fifth_rounded_up():
    """Top-20 % mass: the sum of the ⌈0.2 n⌉ largest shares."""
    for n, count in ((1, 1), (4, 1), (5, 1), (6, 2), (10, 2), (11, 3)):
        values = np.arange(1, n + 1.0)
        largest = np.sort(values)[-count:].sum() / values.sum()
        assert concentration.top_mass(values) == pytest.approx(largest)
