"""Recordings: what is accepted, what is noted, what is refused."""

import io
import re

import numpy as np
import pytest
import soundfile

from sgpa_core import Audio

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
NOISE = np.random.default_rng(0).normal(size=16000) / 4


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
        (2.5 * TONE, "over full scale: scaled to 1"),
        (8 * TONE, "peaks reach 4.00, over full scale"),
        (TONE / 1000, None),
        (np.stack([TONE, -TONE]), "2 channels cancel each other: only channel 1 is used"),
        (np.stack([0.5 * TONE, -TONE, NOISE / 9], axis=1), "only channel 2 is used"),
        (np.stack([TONE + 0.1, 0.1 - 0.9 * TONE], axis=1), "only channel 1 is used"),
        (np.stack([TONE + NOISE / 2, NOISE / 2 - TONE]), "cancel each other"),
        (np.stack([TONE, 0 * TONE]), "2 channels mixed down"),
        (np.stack([TONE, 0.3 * NOISE]), "2 channels mixed down"),
        (np.stack([TONE, *6 * [0 * TONE]]), "7 channels mixed down"),
    ],
)
def test_accepts_what_people_bring(samples, note):
    audio = Audio(samples, 16000)
    assert audio.samples.shape == (16000,)
    assert audio.samples.dtype == np.float32
    assert abs(np.corrcoef(audio.samples, TONE)[0, 1]) > 0.9
    assert np.abs(audio.samples).max() <= 1
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
        ([0.1, 128.0], "reaches 128, not 1; divide 16-bit values by 32768"),
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
    assert "data:audio/flac;base64," in page


def test_samples_without_a_rate_are_no_recording():
    with pytest.raises(ValueError, match=r"path or Audio\(samples, rate\), not ndarray"):
        Audio.read(np.zeros(16_000))


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path):
    audio = Audio(np.zeros(800), 16_000)
    file = audio.write(tmp_path / "a.mp3")
    before = file.read_bytes()
    with pytest.raises(ValueError, match="cannot write audio"):
        Audio(np.zeros(800), 384_000).write(file)  # no rate of that format
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]


def encoded(kind: str, subtype: str | None = None, sound: np.ndarray = TONE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, 16000, subtype, format=kind)
    return file.getvalue()


CODECS = [
    ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"),
    ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("WAV", "GSM610"), ("WAVEX", "PCM_16"),
    ("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AIFF", "FLOAT"), ("AU", "PCM_16"),
    ("AU", "ALAW"), ("CAF", "PCM_16"), ("NIST", "PCM_16"), ("VOC", "PCM_16"), ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "subtype"), CODECS)
def test_every_container_and_what_is_left_of_it(kind, subtype):
    sound = np.tile(TONE, 4) * np.linspace(0, 1, 64000) + np.tile(NOISE / 50, 4)
    content = encoded(kind, subtype, sound)
    whole = Audio.read(content)
    assert whole.notes == () and abs(len(whole.samples) - 64000) < 600
    least = 0.9 if subtype == "GSM610" else 0.99
    assert np.corrcoef(whole.samples[:63000], sound[:63000])[0, 1] > least
    for share in (0.5, 0.9):
        rest = Audio.read(content[: int(share * len(content))])
        assert any("cut short" in note for note in rest.notes)
        assert 0.2 * share < len(rest.samples) / 64000 < share + 0.1


def at(content: bytes, marker: bytes, value: int, order: str = "little", size: int = 4) -> bytes:
    """A file whose chunk tells another size."""
    place = content.index(marker) + 4
    return content[:place] + value.to_bytes(size, order) + content[place + size :]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (at(at(encoded("WAV"), b"RIFF", 0), b"data", 0), "bytes are announced, 32000 are there"),
        (at(encoded("WAV"), b"data", 0xFFFFFFFF), "bytes are announced, 32000 are there"),
        (at(encoded("WAV"), b"data", 0x7FFFFFFF), "bytes are announced, 32000 are there"),
        (at(encoded("WAV"), b"data", 0x7FFFF000), "bytes are announced, 32000 are there"),
        (
            at(encoded("WAV"), b"data", 8000),
            "cut short or never finished: 8000 bytes are announced, 32000",
        ),
        (at(encoded("WAV"), b"data", 64000), "cut short: 16000 of 32000 samples are there"),
        (at(encoded("WAV"), b"RIFF", 0), None),
        (at(encoded("WAV"), b"RIFF", 0xFFFFFFFF), None),
        (
            at(encoded("CAF"), b"data", 64004, "big", 8),
            "cut short or never finished: 64004 bytes are announced, 32004",
        ),
        (at(encoded("CAF"), b"data", 2**64 - 1, "big", 8), "bytes are announced, 32004 are there"),
        (at(encoded("CAF"), b"data", 8004, "big", 8), "8004 bytes are announced, 32004 are there"),
        (encoded("WAV") + b"LIST\4\0\0\0INFO" + bytes(200), None),
        (encoded("WAV") + b"ID3" + bytes(500), None),
        (encoded("WAV") + b"TAG" + bytes(125), None),
        (encoded("WAV") + bytes(3), None),
    ],
)
def test_headers_that_are_wrong(content, note):
    audio = Audio.read(content)
    assert len(audio.samples) == 16000
    assert abs(audio.samples - Audio.read(encoded("WAV")).samples).max() < 1e-3
    assert (note is None and audio.notes == ()) or note in audio.notes[0]


def test_an_mp3_that_tells_no_length_is_read_to_the_end():
    content = encoded("MP3")
    frames = content.index(content[:2], 4)
    whole, rest = Audio.read(content), Audio.read(content[frames:])
    assert rest.notes == () and len(rest.samples) >= len(whole.samples)


def test_a_flac_that_tells_no_length_is_read_to_the_end():
    content = bytearray(encoded("FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    audio = Audio.read(bytes(content))
    assert len(audio.samples) == 16000 and audio.notes == ()


@pytest.mark.parametrize(
    "content",
    [
        b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(500),
        b"\0\0\0\x18ftypmp42" + bytes(500),
        b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86webm" + bytes(500),
        b"#!AMR\n" + bytes(500),
        b"<html><body>404 Not Found</body></html>",
        b"",
    ],
)
def test_other_sound_and_video_is_refused_with_a_way_to_convert_it(content, tmp_path):
    path = tmp_path / "recording.wav"
    path.write_bytes(content)
    expected = r"recording\.wav is not audio that can be read \(.*\); .*: ffmpeg -i x out\.wav$"
    with pytest.raises(ValueError, match=expected):
        Audio.read(path)
    with pytest.raises(ValueError, match="ffmpeg"):
        Audio.read(content)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("https://example.org/question.wav", "question.wav: download it first"),
        ("s3://bucket/question.wav", "download it first"),
        (".", "no such audio file: .: a folder"),
        ("nothing.wav", "no such audio file: nothing.wav"),
    ],
)
def test_a_source_that_is_no_file(source, hint):
    with pytest.raises(FileNotFoundError, match=re.escape(hint) + "$"):
        Audio.read(source)


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "bfloat16"])
def test_tensors_of_every_float(kind):
    import torch

    tensor = torch.tensor(TONE, dtype=getattr(torch, kind))
    for samples in (tensor, tensor.requires_grad_(), torch.nn.Parameter(tensor), tensor * 2 / 2):
        audio = Audio(samples, 16000)
        np.testing.assert_allclose(audio.samples, TONE, atol=0.002)
        assert audio.notes == ()
    assert "2 channels" in Audio(torch.stack([tensor, tensor]), 16000).notes[0]
    assert "16-bit" in Audio(torch.tensor(TONE * 32767).to(torch.int16), 16000).notes[0]
    with pytest.raises(ValueError, match="1 NaN or infinite"):
        Audio(torch.tensor([0.1, float("nan")], dtype=getattr(torch, kind)), 16000)


def test_a_constant_offset_is_known():
    quiet = NOISE * np.repeat([0.01, 1, 0.01, 1], 4000)
    for offset in (-0.5, -0.05, 0.05, 0.5):
        assert Audio(np.clip(quiet / 4 + offset, -1, 1), 16000).offset == pytest.approx(
            offset, abs=1e-3
        )
    assert Audio(quiet, 16000).offset == 0
    assert Audio(np.zeros(100), 16000).offset == 0


def test_resampling_stays_linear_where_it_overshoots():
    square = np.sign(TONE)
    assert np.abs(Audio(square, 16000).resample(44100).samples).max() <= 1.125
    quiet = Audio(square / 2, 16000).resample(44100).samples
    loud = Audio(square, 16000).resample(44100).samples
    assert np.median(np.abs(2 * quiet - loud)) < 1e-3
