"""The four stages together: the embedded aligner's figures, real recordings, bad input."""

import csv
import io
import json

import numpy as np
import pytest
import soundfile
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import sgpa_core
from sgpa_core import Audio, align, align_many, load_aligner, speech


@pytest.fixture(scope="module")
def recordings():
    return speech()


@pytest.fixture(scope="module")
def aligned(recordings):
    """All embedded recordings, cut at the gaps' midpoints."""
    return align_many([r.audio for r in recordings], [r.text for r in recordings], refine="none")


def errors_ms(recordings, aligned) -> np.ndarray:
    """Error of every inner word boundary, in ms; the truth is the middle of the true gap."""
    pairs = zip(recordings, aligned, strict=True)
    return 1000 * np.concatenate([s.inner_boundaries - r.inner_boundaries for r, s in pairs])


def test_words_are_conserved_on_the_embedded_speech(recordings, aligned):
    for recording, segmentation in zip(recordings, aligned, strict=True):
        assert [word.text for word in segmentation.words] == [word.text for word in recording.words]
        assert all(word.status == "aligned" for word in segmentation.words)
        assert segmentation.notes == ()


def test_boundaries_of_held_out_voices_are_true(recordings, aligned):
    chosen = [i for i, recording in enumerate(recordings) if recording.held_out]
    assert len(chosen) >= 40
    errors = np.abs(errors_ms([recordings[i] for i in chosen], [aligned[i] for i in chosen]))
    # The aim of 10 ms holds over all held-out voices (see the model card), not for these two alone.
    assert np.median(errors) <= 12
    assert np.mean(errors <= 50) >= 0.97


def test_refinement_quiets_the_cut(recordings):
    """Stage 3 lowers the spectral flux at the cut against the naive left edge."""
    chosen = recordings[::8]
    flux = {}
    for method in ("left-edge", "none", "sgpa", "anchored"):
        values = []
        for segmentation in align_many(
            [r.audio for r in chosen], [r.text for r in chosen], refine=method
        ):
            features = sgpa_core.refine.features(segmentation.audio)
            cuts = [word.end for word in segmentation.words[:-1]]
            values += list(np.interp(cuts, features.times, features.flux))
        flux[method] = np.mean(values)
    assert flux["sgpa"] < 0.8 * flux["left-edge"]
    assert flux["anchored"] < flux["sgpa"]


def test_a_batch_equals_its_members(recordings):
    some = recordings[:4]
    together = align_many([r.audio for r in some], [r.text for r in some])
    for recording, segmentation in zip(some, together, strict=True):
        alone = align(recording.audio, recording.text)
        assert [w.text for w in alone.words] == [w.text for w in segmentation.words]
        np.testing.assert_allclose(
            [w.start for w in alone.words], [w.start for w in segmentation.words], atol=0.021
        )


def test_a_wrong_transcript_is_reported(recordings):
    own = [align(r.audio, r.text) for r in recordings[:20]]
    other = "Completely unrelated words about purple elephants"
    wrong = [align(r.audio, other) for r in recordings[:20]]
    assert all(segmentation.notes == () for segmentation in own)
    assert all("is it the right one" in segmentation.notes[0] for segmentation in wrong)
    assert max(s.confidence for s in wrong) < min(s.confidence for s in own)


def test_paths_are_read(recordings):
    by_path = align(recordings[0].path, recordings[0].text)
    assert by_path.words == align(recordings[0].audio, recordings[0].text).words


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_sample_rates_give_the_same_words_at_the_same_times(recordings, rate):
    recording = recordings[0]
    expected = align(recording.audio, recording.text, refine="none")
    resampled = align(recording.audio.resample(rate), recording.text, refine="none")
    shift = [abs(a.end - b.end) for a, b in zip(expected.words, resampled.words, strict=True)]
    assert np.median(shift) < 0.03
    assert [w.text for w in resampled.words] == [w.text for w in expected.words]


def test_stereo_is_mixed_down_with_a_note(recordings):
    samples = recordings[0].audio.samples
    stereo = Audio(np.stack([samples, samples], axis=1), 16000)
    segmentation = align(stereo, recordings[0].text)
    assert segmentation.notes == ("2 channels mixed down to mono",)
    expected = align(recordings[0].audio, recordings[0].text)
    assert [w.end for w in segmentation.words] == pytest.approx([w.end for w in expected.words])


@pytest.mark.parametrize(
    "text", ["北京", "What 😀 is that", "go " + "x" * 200, "Привет, мир!", "a"]
)
def test_texts_that_the_vocabulary_cannot_say(recordings, text):
    words = align(recordings[0].audio, text).words
    assert [word.text for word in words] == text.split()
    foreign = [not word.text.isascii() or len(word.text) > 60 for word in words]
    assert [word.status != "aligned" for word in words] == foreign


def test_a_foreign_word_does_not_move_its_neighbours(recordings):
    """A word replaced by one in another script: the boundaries of all others stay."""
    recording = next(r for r in recordings if len(r.words) >= 6)
    middle = len(recording.words) // 2
    tokens = [word.text for word in recording.words]
    before = align(recording.audio, " ".join(tokens), refine="none").words
    tokens[middle] = "北京"
    after = align(recording.audio, " ".join(tokens), refine="none").words
    assert after[middle].status == "interpolated"
    for index in range(len(tokens)):
        if abs(index - middle) > 1:
            assert after[index].start == pytest.approx(before[index].start, abs=0.021)
    assert after[middle].start == pytest.approx(before[middle].start, abs=0.08)
    assert after[middle].end == pytest.approx(before[middle].end, abs=0.08)


@pytest.mark.parametrize(
    ("audio", "text", "settings", "message"),
    [
        (Audio(np.zeros(16000), 16000), "hello", {}, "silent"),
        (Audio(np.ones(16000) * 0.1, 16000), "hello", {}, "silent"),
        (Audio(np.arange(160) / 160, 16000), "hello", {}, "too short"),
        (Audio(np.arange(3200) / 3200, 16000), "hello there friend", {}, "too short for the text"),
        (Audio(np.ones(16000) * 0.1, 16000), "", {}, "no word to align"),
        (Audio(np.ones(16000) * 0.1, 16000), "... !", {}, "no word to align"),
        (Audio(np.ones(16000) * 0.1, 16000), "hello", {"alpha": 1.5}, "alpha"),
        (Audio(np.ones(16000) * 0.1, 16000), "hello", {"edge": -1}, "edge must be a number"),
        (
            Audio(np.ones(16000) * 0.1, 16000),
            "hello",
            {"refine": "best"},
            "unknown refinement 'best'",
        ),
        (Audio(np.ones(16000) * 0.1, 16000), "hello", {"aligner": "no/model"}, "cannot load"),
    ],
)
def test_bad_input_is_named(audio, text, settings, message):
    with pytest.raises(ValueError, match=message):
        align(audio, text, **settings)


def test_one_text_per_recording(recordings):
    with pytest.raises(ValueError, match="one text per recording"):
        align_many([recordings[0].audio], [])
    with pytest.raises(ValueError, match="one text per recording"):
        align_many([recordings[0].audio], "hello")


def test_a_misspelt_setting_is_named(recordings):
    with pytest.raises(ValueError, match="unknown setting 'paddding'; choose from alpha, padding"):
        align_many([recordings[0].audio], [recordings[0].text], paddding=0.1)


def test_no_such_recording():
    with pytest.raises(ValueError, match="no recording 'nobody'"):
        speech("nobody")


def transcripts(reference) -> dict[str, str]:
    """Transcript of each reference recording, by its path below ``audio``."""
    texts = {}
    for folder in sorted((reference / "audio").glob("*/*")):
        runs = reference / "runs" / f"{folder.parent.name}_{folder.name}_sgpa"
        for path in sorted(folder.iterdir()):
            run = json.loads((runs / f"{path.stem}.json").read_text())
            texts[str(path)] = run["prompt_texts"][0]
    return texts


@pytest.mark.reference
def test_all_reference_recordings_align_with_every_word_conserved(reference):
    texts = transcripts(reference)
    assert len(texts) == 130
    segmentations = align_many(list(texts), list(texts.values()))
    for (path, text), segmentation in zip(texts.items(), segmentations, strict=True):
        expected = [word.text for word in sgpa_core.decompose(text).words]
        assert [word.text for word in segmentation.words] == expected, path
        assert segmentation.words[-1].end <= segmentation.duration + 1e-9
        assert all(word.status == "aligned" for word in segmentation.words), path
    with (reference / "runs.csv").open() as stream:
        assert {row["transcript"] for row in csv.DictReader(stream)} >= set(texts.values())


def test_long_audio_in_bounded_memory(recordings):
    """Ten minutes: every word, at the times that the pieces have on their own."""
    pieces = recordings[:40]
    samples, starts, words, texts = [], [], [], []
    position = 0
    while position < 600 * 16000:
        recording = pieces[len(starts) % len(pieces)]
        starts.append(position / 16000)
        texts.append(recording.text)
        words += [word.end + starts[-1] for word in recording.words]
        samples.append(recording.audio.samples)
        position += len(samples[-1])
    segmentation = align(Audio(np.concatenate(samples), 16000), " ".join(texts), refine="none")
    assert len(segmentation) == len(words)
    errors = np.abs(np.array([word.end for word in segmentation.words]) - words)
    assert np.median(errors) < 0.03
    assert np.mean(errors < 0.3) > 0.97


def test_the_aligner_is_loaded_once():
    assert load_aligner() is load_aligner("embedded")


LAYOUTS = {
    "mono": lambda x: x,
    "twice": lambda x: np.stack([x, x], axis=1),
    "one side": lambda x: np.stack([np.zeros_like(x), x], axis=1),
    "turned round": lambda x: np.stack([x, -x], axis=1),
    "three, one turned round": lambda x: np.stack([x, -x, x], axis=1),
    "four, two turned round": lambda x: np.stack([x, -x, 0.9 * x, -0.9 * x], axis=1),
}
CONTAINERS = [
    ("WAV", "FLOAT"), ("WAV", "DOUBLE"), ("WAVEX", "FLOAT"), ("W64", "FLOAT"), ("RF64", "FLOAT"),
    ("AIFF", "FLOAT"), ("AU", "FLOAT"), ("CAF", "DOUBLE"), ("WAV", "PCM_32"), ("FLAC", "PCM_24"),
]  # fmt: skip


@settings(max_examples=40, phases=[Phase.generate])
@given(
    st.integers(0, 359),
    st.floats(-70, 12),
    st.sampled_from([0.0, 0.0, -0.4, -0.2, 0.2, 0.4]),
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from(CONTAINERS),
)
def test_level_offset_channels_and_container_change_no_word(
    index, level, offset, layout, container
):
    """The same words, and boundaries within 5 ms; an offset is a share of the peak."""
    recording = [*speech(), *sgpa_core.instructions()][index]
    samples = recording.audio.samples - np.median(recording.audio.samples)
    samples = samples.astype(np.float64) / np.abs(samples).max()
    expected = align(Audio(samples, 16000), recording.text)
    gain = 10 ** (min(level, 0.0 if container[1].startswith("PCM") else 12.0) / 20)
    if container[1].startswith("PCM"):
        gain = max(gain, 0.01) / 2
    changed = LAYOUTS[layout](gain * (samples + offset))
    file = io.BytesIO()
    soundfile.write(file, changed, 16000, container[1], format=container[0])
    found = align(Audio.read(file.getvalue()), recording.text)
    assert [word.text for word in found.words] == [word.text for word in expected.words]
    assert np.abs(found.spans - expected.spans).max() < 0.005
    assert not [note for note in found.notes if "fits the recording badly" in note]
    assert any("constant offset" in note for note in found.notes) == (offset != 0)


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_an_offset_and_a_faint_level_change_nothing_at_other_rates(recordings, rate):
    samples = recordings[0].audio.resample(rate).samples
    expected = align(Audio(samples, rate), recordings[0].text)
    for changed in (samples / 3000, samples / 2 + 0.3, 3 * samples - 0.6):
        found = align(Audio(changed, rate), recordings[0].text)
        assert np.abs(found.spans - expected.spans).max() < 0.005


def paused(recordings, *indices, seconds: float) -> Audio:
    """Some recordings one after the other, with silence in between."""
    silence = np.zeros(round(16000 * seconds), np.float32)
    pieces = [piece for i in indices for piece in (recordings[i].audio.samples, silence)]
    return Audio(np.concatenate(pieces[:-1]), 16000)


def test_a_long_stretch_without_a_word_is_noted(recordings):
    first, middle, last = recordings[0], recordings[1], recordings[2]
    short = align(paused(recordings, 0, 2, seconds=0.2), f"{first.text} {last.text}")
    assert short.notes == ()
    long = align(paused(recordings, 0, 2, seconds=3), f"{first.text} {last.text}")
    words = first.words[-1].text, last.words[0].text
    assert f"s between {words[0]!r} and {words[1]!r} hold no letter" in long.notes[0]
    lacking = align(paused(recordings, 0, 1, 2, seconds=0.2), f"{first.text} {last.text}")
    assert any("does it lack words?" in note for note in lacking.notes), middle.text


def test_a_long_pause_inside_or_beside_a_word_is_noted(recordings):
    recording = next(r for r in recordings if max(len(w.text) for w in r.words) > 7)
    word = max(recording.words, key=lambda w: len(w.text))
    samples, middle = recording.audio.samples, round(8000 * (word.start + word.end))
    halves = [samples[:middle], np.zeros(32000, np.float32), samples[middle:]]
    notes = align(Audio(np.concatenate(halves), 16000), recording.text).notes
    assert any(f"{word.text!r}" in note and "hold no letter" in note for note in notes), notes
