"""Recordings: what is accepted, what is noted, what is refused."""

import numpy as np
import pytest
import soundfile

from sgpa_core import Audio

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)


@pytest.mark.parametrize(
    ("samples", "note"),
    [
        (TONE, None),
        (TONE.astype(np.float32), None),
        ((32767 * TONE).astype(np.int16), "16-bit integers"),
        ((32767 * TONE).astype(np.int64), "16-bit integers"),
        ((2**31 * 0.9 * TONE).astype(np.int32), "32-bit integers"),
        ((128 + 100 * TONE).astype(np.uint8), "8-bit integers"),
        (np.stack([TONE, TONE]), "2 channels mixed down"),
        (np.stack([TONE, TONE], axis=1), "2 channels mixed down"),
        (TONE[:, None], None),
        (np.clip(4 * TONE, -1, 1), "clipped"),
        (2.5 * TONE, "over full scale"),
    ],
)
def test_accepts_what_people_bring(samples, note):
    audio = Audio(samples, 16000)
    assert audio.samples.shape == (16000,)
    assert audio.samples.dtype == np.float32
    assert np.corrcoef(audio.samples, TONE)[0, 1] > 0.9
    assert (note is None) == (audio.notes == ())
    assert note is None or note in audio.notes[0]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "empty"),
        (np.zeros((0, 2)), "empty"),
        (np.zeros((2, 3, 4)), "dimensions"),
        ([0.1, np.nan], "1 NaN or infinite samples, the first at index 1"),
        ([np.inf, 0.1], "index 0"),
        (32767 * TONE, "divide 16-bit values"),
        (np.zeros((40, 50)), "40 channels"),
        (["a"], "floats or integers"),
        ([1 + 2j], "floats or integers"),
        ([2**40], "beyond 32 bits"),
    ],
)
def test_refuses_what_is_no_audio(samples, message):
    with pytest.raises(ValueError, match=message):
        Audio(samples, 16000)


@pytest.mark.parametrize("rate", [0, -16000, 440.5, np.nan, None, "16k", True, 10**7])
def test_refuses_senseless_rates(rate):
    with pytest.raises(ValueError, match="sample rate"):
        Audio(TONE, rate)


def test_samples_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        Audio(TONE, 16000).samples[0] = 1


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
def test_files_round_trip(tmp_path, ending):
    path = Audio(TONE, 16000).write(tmp_path / f"tone.{ending}")
    audio = Audio.read(path)
    assert audio.sample_rate == 16000
    assert abs(audio.duration - 1) < 0.1
    assert abs(np.abs(audio.samples[4000:12000]).max() - 0.5) < 0.02


def test_content_tells_the_format_not_the_name(tmp_path):
    mp3 = Audio(TONE, 16000).write(tmp_path / "tone.mp3")
    wrong = mp3.rename(tmp_path / "tone.wav")
    assert abs(Audio.read(wrong).duration - 1) < 0.1


@pytest.mark.parametrize("content", [b"", b"hello", b"RIFF0000WAVE", b"ID3" + bytes(50)])
def test_a_file_that_is_no_audio(tmp_path, content):
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.wav"):
        Audio.read(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such audio file"):
        Audio.read(tmp_path / "nothing.wav")
    with pytest.raises(FileNotFoundError):
        Audio.read(tmp_path)


def test_a_file_without_samples(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16000)
    with pytest.raises(ValueError, match="no samples"):
        Audio.read(tmp_path / "empty.wav")


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling_keeps_the_tone_and_the_length(rate):
    audio = Audio(TONE, 16000).resample(rate)
    assert audio.sample_rate == rate
    assert abs(audio.duration - 1) < 1e-3
    spectrum = np.abs(np.fft.rfft(audio.samples))
    assert abs(np.fft.rfftfreq(len(audio.samples), 1 / rate)[spectrum.argmax()] - 440) < 2


def test_cutting():
    audio = Audio(TONE, 16000)
    assert audio.cut(0.25, 0.5).duration == 0.25
    np.testing.assert_array_equal(audio.cut(0, audio.duration).samples, audio.samples)
    for start, end in [(-0.1, 0.5), (0.5, 0.5), (0.6, 0.5), (0.5, 1.1)]:
        with pytest.raises(ValueError, match="cannot cut"):
            audio.cut(start, end)


def test_unknown_format_to_write(tmp_path):
    with pytest.raises(ValueError, match="cannot write audio"):
        Audio(TONE, 16000).write(tmp_path / "tone.xyz")


def test_plays_in_a_notebook():
    page = Audio(TONE, 16000)._repr_html_()
    assert page.startswith("<audio controls")
    assert "data:audio/wav;base64," in page


def test_samples_without_a_rate_are_no_recording():
    with pytest.raises(ValueError, match=r"not ndarray; of samples, Audio\(samples, sample_rate\)"):
        Audio.read(np.zeros(16_000))


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    audio = Audio(np.zeros(800), 16_000)
    file = audio.write(tmp_path / "a.mp3")
    before = file.read_bytes()
    with pytest.raises(ValueError, match="cannot write audio"):
        Audio(np.zeros(800), 384_000).write(file)  # no rate of that format
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]
