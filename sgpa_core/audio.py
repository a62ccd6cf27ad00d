"""Recordings: read, check, resample, cut, play."""

import base64
import html
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import soundfile
import soxr

from .checks import number
from .files import replacing

#: A 2-D array's shorter side is read as channels up to this number.
MAX_CHANNELS = 8

#: A decoder may overshoot full scale a little; beyond this peak a recording is scaled to 1.
OVERSHOOT = 1.125

#: Float samples beyond this (24 dB over full scale) are refused: integers that nobody scaled.
LOUDEST_FLOAT = 16.0

#: Channels cancel each other if their mean keeps less than this share of the power that the mean of
#: unrelated channels keeps.
CANCELLED_SHARE = 0.5

#: A constant offset counts from this share of the standard deviation.
OFFSET_SHARE = 0.15

#: Samples of each channel that are read from a file at once.
BLOCK = 1 << 18

#: Share of samples that repeat the peak value from which a recording is noted as clipped.
CLIPPED_SHARE = 0.001

#: A header that announces at least so many bytes was written before the length was known.
UNKNOWN_SIZE = 2**31 - 2**16

#: Bytes behind the sound that may be no chunk; more of them are sound.
LONGEST_TAIL = 128

#: A decoder passes over it, but it makes an MP3 file look longer: see `_decoded`.
EMPTY_TAG = b"TAG" + bytes(125)

#: Where the chunks of a file begin, the length of a chunk's head, and the order of its bytes.
LAYOUTS: dict[bytes, Any] = {b"RIFF": (12, 8, "little"), b"caff": (8, 12, "big")}


@dataclass(frozen=True, eq=False)
class Audio:
    """A mono recording.

    Parameters
    ----------
    samples : array_like, shape (N,), (N, channels) or (channels, N)
        Floats in [-1, 1] or integers of 8 to 32 bits, also as a tensor. Several channels are
        averaged, with a note; of channels that cancel each other the loudest is used.
    sample_rate : int
        Samples per second, 1,000 to 384,000.

    Attributes
    ----------
    samples : ndarray of float32, shape (N,)
        Read-only.
    notes : tuple of str
        What was done to the samples, or noticed about them.

    Raises
    ------
    ValueError
        If the samples are empty, not finite, not numbers, of too many dimensions or out of scale,
        or the sample rate is not a sensible whole number.

    Examples
    --------
    >>> tone = Audio(np.sin(2 * np.pi * 440 * np.arange(8000) / 16000), 16000)
    >>> tone.duration
    0.5
    >>> tone.resample(8000)
    Audio(0.500 s, 8000 Hz)
    """

    samples: np.ndarray
    sample_rate: int
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rate = number(self.sample_rate, "the sample rate", 1_000, 384_000, " Hz")
        if not rate.is_integer():
            raise ValueError(f"the sample rate must be a whole number of Hz, got {rate!r}")
        samples, notes = _mono_float(_array(self.samples))
        samples.flags.writeable = False
        every = tuple(dict.fromkeys((*self.notes, *notes)))
        vars(self).update(samples=samples, sample_rate=int(rate), notes=every)

    @classmethod
    def read(cls, source: str | os.PathLike[str] | bytes) -> Self:
        """Read a recording: every format of libsndfile, recognised by content, not by its name.

        That is WAV, FLAC, OGG (Vorbis, Opus), MP3, AIFF, AU, CAF, W64, RF64 and more. A file that
        was cut short, or whose header tells no length or a wrong one, is read as far as it goes,
        with a note.

        Parameters
        ----------
        source : path or bytes
            A file, or what a file would hold.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is no audio, or holds no samples.
        """
        if not isinstance(source, str | os.PathLike | bytes):
            raise ValueError(f"give a path or Audio(samples, rate), not {type(source).__name__}")
        if isinstance(source, bytes):
            name, content = f"what was given, {len(source)} bytes,", bytearray(source)
        elif Path(name := str(source)).is_file():
            content = bytearray(Path(source).read_bytes())
        else:
            hint = ": a folder" if Path(name).is_dir() else ": download it first" * ("://" in name)
            raise FileNotFoundError(f"no such audio file: {source}{hint}")
        try:
            channels, rate, cut = _decoded(content)
            samples, notes = _mixed(channels)
            return cls(samples, rate, (*notes, *cut))
        except soundfile.LibsndfileError as fault:
            reason = f"is not audio that can be read ({fault.error_string.rstrip('.')})"
            raise ValueError(f"{name} {reason}; convert it: ffmpeg -i x out.wav") from fault
        except ValueError as fault:
            raise ValueError(f"{name}: {fault}") from fault

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write 16-bit audio; the ending (.wav, .flac, .ogg, .mp3) tells the format."""
        path = Path(path)
        samples, kind = np.clip(self.samples, -1, 1), path.suffix[1:].upper()
        try:
            with replacing(path) as part:
                soundfile.write(part, samples, self.sample_rate, format=kind)
        except (TypeError, ValueError, soundfile.LibsndfileError) as fault:
            raise ValueError(f"cannot write audio to {path}: {fault}") from fault
        return path

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def offset(self) -> float:
        """Constant offset: the median of the samples, or 0 if that is small against their spread.

        Examples
        --------
        >>> Audio([0.2, 0.25, 0.3] * 1000, 16000).offset
        0.25
        """
        middle = float(np.median(self.samples))
        return middle if abs(middle) > OFFSET_SHARE * float(self.samples.std()) else 0.0

    def resample(self, sample_rate: int) -> "Audio":
        """Give the recording at another rate (band-limited, soxr's high quality)."""
        if sample_rate == self.sample_rate:
            return self
        samples = soxr.resample(self.samples, self.sample_rate, sample_rate)
        samples = samples if len(samples) else np.zeros(1, np.float32)
        return Audio(np.clip(samples, -OVERSHOOT, OVERSHOOT), sample_rate, self.notes)

    def cut(self, start: float, end: float) -> "Audio":
        """Give the piece from ``start`` to ``end`` seconds.

        Raises
        ------
        ValueError
            Unless ``0 <= start < end <= duration`` (up to one sample) and the piece is not empty.
        """
        first, last = round(start * self.sample_rate), round(end * self.sample_rate)
        if not 0 <= first < last <= len(self.samples) + 1:
            raise ValueError(f"cannot cut {start} s to {end} s from {self.duration:.3f} s of sound")
        return Audio(self.samples[first:last], self.sample_rate)

    def data_uri(self, format: str = "flac") -> str:
        """Give the recording as a ``data:`` URI for a web page (16-bit; flac or wav)."""
        file, samples = io.BytesIO(), np.clip(self.samples, -1, 1)
        soundfile.write(file, samples, self.sample_rate, "PCM_16", format=format)
        return f"data:audio/{format};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"

    def __repr__(self) -> str:
        notes = f", {'; '.join(self.notes)}" if self.notes else ""
        return f"Audio({self.duration:.3f} s, {self.sample_rate} Hz{notes})"

    def _repr_html_(self) -> str:
        label = html.escape(repr(self))
        return f'<audio controls aria-label="{label}" src="{self.data_uri()}"></audio>'


class _Memory(io.BytesIO):
    """A file in memory; what a damaged header puts before its start is its start."""

    def seek(self, place: int, whence: int = 0, /) -> int:
        return super().seek(place if whence else max(place, 0), whence)


def _array(samples: Any) -> np.ndarray:
    """Give samples as an array; tensors lose their gradient, their device and their odd type."""
    if hasattr(samples, "detach"):
        samples = samples.detach().cpu()
        samples = samples.double() if samples.is_floating_point() else samples
    return np.asarray(samples)


def _decoded(content: bytearray) -> tuple[np.ndarray, int, list[str]]:
    """Decode a file as far as it goes: samples of shape (N, channels), their rate, notes."""
    notes, blocks, damaged = _mended(content), [np.zeros((0, 1), np.float32)], False
    if re.match(rb"ID3|\xff[\xe2-\xff]", content) and not re.search(rb"Xing|Info|VBRI", content):
        # the length of such an MP3 file is guessed from its first frames, and often too short
        content += EMPTY_TAG * (20 * len(content) // len(EMPTY_TAG) + 1)  # 8 to 160 kbit/s
    with soundfile.SoundFile(_Memory(content)) as file:
        vars(file)["seekable"] = lambda: False  # some formats cannot seek, and none has to
        # by blocks: what a damaged header promises may not fit into any memory
        while not damaged and (len(blocks) == 1 or len(blocks[-1])):
            block = np.full((max(1, BLOCK // file.channels), file.channels), np.nan, np.float32)
            try:
                blocks.append(file.read(out=block))
            except soundfile.LibsndfileError:
                damaged = True
                blocks.append(block[: np.count_nonzero(~np.isnan(block[:, 0]))])
        samples = np.concatenate(blocks[1:])
        if len(samples) == 0:
            raise ValueError("the file holds no samples")
        return samples, file.samplerate, notes + _cut_short(content, file, len(samples), damaged)


def _cut_short(content: bytearray, file: Any, count: int, damaged: bool) -> list[str]:
    """Note that a file ends before its sound does: by its header, or by how its format ends."""
    log, guessed = file.extra_info, file.frames > 2**62 or content.endswith(EMPTY_TAG)
    promised = [0 if guessed else file.frames]
    sizes = re.findall(r"(?:data|Size|BODY|SSND) *: (\d+) \(should be (\d+)\)", log)
    promised += [-(-count * int(a) // int(b)) for a, b in sizes if int(a) < UNKNOWN_SIZE]
    log += content[:1024].decode("latin-1") if content[:4] == b"NIST" else ""
    promised += map(int, re.findall(r"(?:COMM' chunk \(|ds64' chunk of |count -i )(\d+)", log))
    if max(promised) > count:
        return [f"cut short: {count} of {max(promised)} samples are there"]
    if content[:4] == b"OggS":  # the last page is marked as such, and whole
        page = content[content.rfind(b"OggS") :]
        lengths = page[27 : 27 + sum(page[26:27])]
        damaged |= len(page) < 27 + len(lengths) + sum(lengths) or not page[5] & 4
    if damaged or re.search(r"riff : \d+ \(should|truncated|Data length", log):
        return [f"cut short: {count} samples are there, the rest is missing"]
    return []


def _mended(content: bytearray) -> list[str]:
    """Let a WAV or CAF header that tells a wrong length or none tell the right one, with a note."""
    if content[:4] == b"RF64" and not any(content[28:36]):  # sizes that were never written
        content[:4], content[12:16] = b"RIFF", b"JUNK"
    at, head, order = LAYOUTS.get(bytes(content[:4]), (len(content), 8, "big"))
    while (chunk := bytes(content[at : at + 4])) != b"data" and at < len(content):
        size = int.from_bytes(content[at + 4 : at + head], order)
        at += head + size + (size % 2 if head == 8 else 0)
    if chunk != b"data":
        return []
    size, there = int.from_bytes(content[at + 4 : at + head], order), len(content) - at - head
    rest = content[at + head + size + size % 2 :]
    more = len(rest) > LONGEST_TAIL and not re.match(rb"[\w ]{4}|ID3", rest)
    if not more and (size <= there or (head == 8 and size < UNKNOWN_SIZE)):
        return []  # too long a WAV is no obstacle: `_cut_short` notes it
    content[at + 4 : at + head] = min(there, 256 ** (head - 4) - 1).to_bytes(head - 4, order)
    return [f"cut short or never finished: {size} bytes are announced, {there} are there"]


def _mono_float(samples: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Check samples; give them as a float32 vector in [-1, 1] with notes on what was done."""
    notes: list[str] = []
    if samples.ndim not in (1, 2):
        raise ValueError(f"audio must have one or two dimensions, not shape {samples.shape}")
    if samples.size == 0:
        raise ValueError(f"audio is empty: shape {samples.shape}")
    if samples.dtype.kind in "iu":
        samples, bits = _from_integers(samples)
        notes.append(f"{bits}-bit integers scaled to [-1, 1]")
    elif samples.dtype.kind != "f":
        raise ValueError(f"audio must be floats or integers, not {samples.dtype}")
    bad = np.argwhere(~np.isfinite(samples))
    if len(bad):
        at = ", ".join(map(str, bad[0]))
        raise ValueError(f"audio has {len(bad)} NaN or infinite samples, the first at index {at}")
    if samples.ndim == 2:
        samples, mixed = _mixed(samples.T if np.argmin(samples.shape) == 0 else samples)
        notes += mixed
    peak = float(np.abs(samples).max())
    if peak > LOUDEST_FLOAT:
        raise ValueError(f"float audio reaches {peak:g}, not 1; divide 16-bit values by 32768")
    if peak > OVERSHOOT:
        notes.append(f"peaks reach {peak:.2f}, over full scale: scaled to 1")
        samples, peak = samples / peak, 1.0
    held = np.count_nonzero((np.abs(samples[1:]) >= 0.999 * peak) & (samples[1:] == samples[:-1]))
    if peak > 0 and held > CLIPPED_SHARE * len(samples):
        notes.append(f"clipped: {held} samples stay at the peak")
    return np.array(samples, dtype=np.float32), notes


def _from_integers(samples: np.ndarray) -> tuple[np.ndarray, int]:
    """Scale integers to [-1, 1] by their width; 64 bits (NumPy's default) hold 16 or 32."""
    bits = 8 * samples.dtype.itemsize
    middle = 2.0 ** (bits - 1) if samples.dtype.kind == "u" else 0.0
    if bits > 32:
        peak = max(abs(int(samples.min())), abs(int(samples.max())))
        if peak > 2**31:
            raise ValueError(f"integer audio reaches {peak}, beyond 32 bits")
        bits, middle = 16 if peak <= 2**15 else 32, 0.0
        samples = np.minimum(samples, 2 ** (bits - 1) - 1)
    return (samples - middle) / 2.0 ** (bits - 1), bits


def _mixed(samples: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Average the channels of samples of shape (N, channels), with a note if there are several."""
    channels = samples.shape[1]
    if channels > MAX_CHANNELS:
        raise ValueError(f"audio has {channels} channels, at most {MAX_CHANNELS} are mixed down")
    with np.errstate(invalid="ignore"):  # infinities of both signs
        mean, power = samples.mean(axis=1, dtype=np.float64), samples.var(axis=0, dtype=np.float64)
        cancelled = mean.var() * channels < CANCELLED_SHARE * power.mean()
    note, loudest = f"{channels} channels mixed down to mono", int(power.argmax())
    if cancelled:
        mean = samples[:, loudest].astype(np.float64)
        note = f"{channels} channels cancel each other: only channel {loudest + 1} is used"
    return mean, [note] if channels > 1 else []
