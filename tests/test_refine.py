"""Stage 3 against a plain, slow reference that resolves one boundary at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgpa_core import Audio, refine


def plain_features(audio: Audio) -> tuple[np.ndarray, np.ndarray]:
    """RMS and flux frame by frame: 256 samples every 64, centred, Hann window, zeros outside."""
    padded = np.concatenate([np.zeros(128), audio.samples.astype(float), np.zeros(128)])
    hann = np.array([0.5 - 0.5 * np.cos(2 * np.pi * k / 256) for k in range(256)])
    energy, flux, before = [], [], None
    for start in range(0, len(padded) - 255, 64):
        frame = padded[start : start + 256]
        energy.append(np.sqrt(np.mean(frame**2)))
        magnitude = np.abs(np.fft.rfft(frame * hann))
        flux.append(0.0 if before is None else np.sqrt(np.sum((magnitude - before) ** 2)))
        before = magnitude
    return np.array(energy), np.array(flux)


def plain_boundaries(audio: Audio, starts, ends, alpha=0.8, padding=0.04, edge=0.08, silence=0.5):
    """The paper's refinement, one boundary at a time."""
    energy, flux = plain_features(audio)
    hop = 64 / audio.sample_rate
    times = np.arange(len(energy)) * hop
    results = []
    for index in range(len(starts) + 1):
        if index == 0:
            middle, half, low, high = starts[0], edge, 0.0, max(starts[0], ends[0] - hop)
        elif index == len(starts):
            middle, half = ends[-1], edge
            low, high = min(ends[-1], starts[-1] + hop), audio.duration
        else:
            low, high = ends[index - 1], starts[index]
            middle, half = (low + high) / 2, (high - low) / 2 + padding
        window = [
            k
            for k, time in enumerate(times)
            if middle - half - 1e-8 <= time <= middle + half + 1e-8
        ]
        scaled = []
        for values in (energy[window], flux[window]):
            span = values.max() - values.min()
            scaled.append((values - values.min()) / span if span > 0 else np.zeros(len(values)))
        cost = alpha * scaled[0] + (1 - alpha) * scaled[1]
        best = window[int(np.argmin(cost))]
        if energy[best] < silence * energy[window].mean():
            results.append((min(max(times[best], low), high), True))
        else:
            results.append((middle, False))
    times = np.array([time for time, _ in results])
    times[-1] = max(times[-1], times[0] + hop)
    return times, np.array([flag for _, flag in results])


def speech_like(seed: int, rate: int = 16000) -> tuple[Audio, np.ndarray, np.ndarray]:
    """Bursts of noise with quiet in between, and character spans roughly on them."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 12))
    frames = np.sort(rng.choice(np.arange(5, 120), 2 * count, replace=False)) * 0.02
    starts, ends = frames[::2], frames[1::2]
    if count > 2 and seed % 2:
        starts[1] = ends[0]  # a gap of no width
    samples = rng.normal(size=int(2.5 * rate)) * 10 ** rng.uniform(-3, -1.5)
    for start, end in zip(starts, ends, strict=True):
        span = slice(int(start * rate), int(end * rate))
        samples[span] += rng.normal(size=len(samples[span])) * 0.2
    return Audio(np.clip(samples, -1, 1), rate), starts, ends


@given(st.integers(0, 10**6), st.sampled_from([8000, 16000, 24000]), st.floats(0, 1))
def test_equals_the_plain_reference(seed, rate, alpha):
    audio, starts, ends = speech_like(seed, rate)
    times, refined = plain_boundaries(audio, starts, ends, alpha)
    resolved = refine.boundaries(refine.features(audio), starts, ends, "sgpa", alpha)
    np.testing.assert_allclose(resolved.times, times, atol=1e-9)
    np.testing.assert_array_equal(resolved.refined, refined)


def test_features_equal_the_plain_ones():
    audio, _, _ = speech_like(3)
    energy, flux = plain_features(audio)
    features = refine.features(audio)
    np.testing.assert_allclose(features.energy, energy, atol=1e-12)
    np.testing.assert_allclose(features.flux, flux, atol=1e-9)


def test_features_do_not_depend_on_the_block_length(monkeypatch):
    audio, _, _ = speech_like(4)
    whole = refine.features(audio)
    monkeypatch.setattr(refine, "BLOCK_FRAMES", 7)
    parts = refine.features(audio)
    np.testing.assert_array_equal(whole.energy, parts.energy)
    np.testing.assert_allclose(whole.flux, parts.flux, atol=1e-12)


@given(st.integers(0, 10**6), st.sampled_from(refine.METHODS), st.sampled_from([0.0, 0.04, 0.5]))
def test_boundaries_keep_their_order(seed, method, padding):
    audio, starts, ends = speech_like(seed)
    resolved = refine.boundaries(refine.features(audio), starts, ends, method, padding=padding)
    assert (np.diff(resolved.times) >= 0).all()
    assert resolved.times[0] >= 0
    assert resolved.times[-1] <= audio.duration
    if method != "anchored":
        assert (resolved.times[1:-1] >= ends[:-1]).all()
        assert (resolved.times[1:-1] <= starts[1:]).all()
    widths = np.diff(resolved.times)
    assert (widths > 0).all()


def test_the_named_methods():
    audio, starts, ends = speech_like(11)
    features = refine.features(audio)
    middle = refine.boundaries(features, starts, ends, "none")
    np.testing.assert_allclose(middle.times[1:-1], (ends[:-1] + starts[1:]) / 2)
    assert not middle.refined.any()
    left = refine.boundaries(features, starts, ends, "left-edge")
    np.testing.assert_allclose(left.times[1:-1], ends[:-1])
    anchored = refine.boundaries(features, starts, ends, "anchored")
    assert anchored.refined.all()


@given(st.integers(0, 10**6), st.floats(0, 1), st.sampled_from([0.005, 0.02, 0.1]))
def test_anchored_equals_its_formula(seed, alpha, anchor):
    """Energy and flux over their means in all windows, plus (distance / anchor)²."""
    audio, starts, ends = speech_like(seed)
    energy, flux = plain_features(audio)
    times = np.arange(len(energy)) * 64 / audio.sample_rate
    left, right = np.r_[starts[0], ends], np.r_[starts, ends[-1]]
    middle, half = (left + right) / 2, (right - left) / 2 + 0.04
    half[[0, -1]] = 0.08
    windows = [
        np.flatnonzero(abs(times - m) <= h + 1e-8) for m, h in zip(middle, half, strict=True)
    ]
    of_all = np.concatenate(windows)
    cost = alpha * energy / energy[of_all].mean() + (1 - alpha) * flux / flux[of_all].mean()
    expected = [
        times[w[np.argmin(cost[w] + ((times[w] - m) / anchor) ** 2)]]
        for w, m in zip(windows, middle, strict=True)
    ]
    features = refine.features(audio)
    resolved = refine.boundaries(features, starts, ends, "anchored", alpha, anchor=anchor)
    np.testing.assert_allclose(resolved.minima, expected, atol=1e-9)
    if anchor == refine.ANCHOR_SECONDS:
        usual = refine.boundaries(features, starts, ends, "anchored", alpha)
        np.testing.assert_array_equal(resolved.times, usual.times)


def test_anchoring_pulls_towards_the_midpoint():
    moved = {"sgpa": [], "anchored": []}
    for seed in range(40):
        audio, starts, ends = speech_like(seed)
        features = refine.features(audio)
        for method, distances in moved.items():
            resolved = refine.boundaries(features, starts, ends, method, silence=10.0)
            distances.extend(np.abs(resolved.minima - resolved.anchors))
    assert np.mean(moved["anchored"]) < 0.8 * np.mean(moved["sgpa"])


def test_digital_silence_falls_back():
    audio = Audio(np.r_[np.ones(100) * 0.1, np.zeros(15900)], 16000)
    resolved = refine.boundaries(refine.features(audio), [0.3, 0.6], [0.4, 0.7])
    assert not resolved.refined.any()
    np.testing.assert_allclose(resolved.times, [0.3, 0.5, 0.7])


@pytest.mark.parametrize("alpha", [-0.1, 1.1, np.nan, np.inf, "0.8", None])
def test_alpha_outside_its_range(alpha):
    audio, starts, ends = speech_like(0)
    with pytest.raises(ValueError, match="alpha must be a number from 0 to 1"):
        refine.boundaries(refine.features(audio), starts, ends, alpha=alpha)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "fancy"}, "unknown refinement 'fancy'; choose from anchored, sgpa"),
        ({"padding": -0.1}, "padding"),
        ({"edge": np.inf}, "edge"),
        ({"silence": -1}, "silence"),
        ({"anchor": 0}, "anchor must be a number from 0.001 to 10, got 0"),
    ],
)
def test_senseless_settings(settings, message):
    audio, starts, ends = speech_like(0)
    with pytest.raises(ValueError, match=message):
        refine.boundaries(refine.features(audio), starts, ends, **settings)


@pytest.mark.parametrize(
    ("starts", "ends"),
    [([], []), ([0.1], [0.1]), ([0.2], [0.1]), ([0.1, 0.2], [0.3, 0.4]), ([0.1], [0.2, 0.3])],
)
def test_senseless_spans(starts, ends):
    audio, _, _ = speech_like(0)
    with pytest.raises(ValueError, match=r"spans|vectors"):
        refine.boundaries(refine.features(audio), starts, ends)
