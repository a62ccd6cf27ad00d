"""Recordings: read, check, resample, cut, play."""

import base64
import html
import io
import os
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

#: A decoder may overshoot full scale a little; a peak beyond this is noted.
OVERSHOOT = 1.1

#: Float samples beyond this are refused: they are integers that nobody scaled.
LOUDEST_FLOAT = 2.0

#: Samples of each channel that are read from a file at once.
BLOCK = 1 << 20

#: Share of samples that repeat the peak value from which a recording is noted as clipped.
CLIPPED_SHARE = 0.001


@dataclass(frozen=True, eq=False)
class Audio:
    """A mono recording.

    Parameters
    ----------
    samples : array_like, shape (N,), (N, channels) or (channels, N)
        Floats in [-1, 1] or integers of 8 to 32 bits. Several channels are averaged, with a note.
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
        samples, notes = _mono_float(np.asarray(self.samples))
        samples.flags.writeable = False
        every = tuple(dict.fromkeys((*self.notes, *notes)))
        vars(self).update(samples=samples, sample_rate=int(rate), notes=every)

    @classmethod
    def read(cls, source: str | os.PathLike[str] | bytes) -> Self:
        """Read a recording (WAV, FLAC, OGG, MP3, recognised by content, not by the name's ending).

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
            raise ValueError(
                f"a recording is a path or an Audio, not {type(source).__name__}; of samples, "
                "Audio(samples, sample_rate) makes one"
            )
        sound: Any = source
        if isinstance(source, bytes):
            name, sound = f"what was given, {len(source)} bytes,", io.BytesIO(source)
        elif not Path(name := str(source)).is_file():
            raise FileNotFoundError(f"no such audio file: {source}")
        blocks: list[np.ndarray] = []
        try:
            with soundfile.SoundFile(sound) as file:
                # by blocks: what a damaged header promises may not fit into any memory
                while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                    blocks.append(block)
                rate, promised = file.samplerate, file.frames
            if not blocks:
                raise ValueError("the file holds no samples")
            samples, notes = _mixed(np.concatenate(blocks))
            if len(samples) < promised:
                notes.append(f"cut short: {len(samples)} of {promised} samples are there")
            return cls(samples, rate, tuple(notes))
        except (soundfile.LibsndfileError, TypeError) as fault:
            reason = getattr(fault, "error_string", fault)
            raise ValueError(
                f"{name} is not audio that can be read (WAV, FLAC, OGG or MP3): {reason}"
            ) from fault
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

    def resample(self, sample_rate: int) -> "Audio":
        """Give the recording at another rate (band-limited, soxr's high quality)."""
        if sample_rate == self.sample_rate:
            return self
        samples = soxr.resample(self.samples, self.sample_rate, sample_rate)
        if len(samples) == 0:
            samples = np.zeros(1, np.float32)
        return Audio(np.clip(samples, -LOUDEST_FLOAT, LOUDEST_FLOAT), sample_rate, self.notes)

    def cut(self, start: float, end: float) -> "Audio":
        """Give the piece from ``start`` to ``end`` seconds.

        Raises
        ------
        ValueError
            Unless ``0 <= start < end <= duration`` (up to one sample) and the piece is not empty.
        """
        first, last = round(start * self.sample_rate), round(end * self.sample_rate)
        if not 0 <= first < last <= len(self.samples) + 1:
            raise ValueError(
                f"cannot cut {start} s to {end} s from a recording of {self.duration:.3f} s"
            )
        return Audio(self.samples[first:last], self.sample_rate)

    def data_uri(self) -> str:
        """Give the recording as a ``data:audio/wav`` URI for a web page (16-bit)."""
        file, samples = io.BytesIO(), np.clip(self.samples, -1, 1)
        soundfile.write(file, samples, self.sample_rate, "PCM_16", format="WAV")
        return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode("ascii")

    def __repr__(self) -> str:
        notes = f", {'; '.join(self.notes)}" if self.notes else ""
        return f"Audio({self.duration:.3f} s, {self.sample_rate} Hz{notes})"

    def _repr_html_(self) -> str:
        label = html.escape(repr(self))
        return f'<audio controls aria-label="{label}" src="{self.data_uri()}"></audio>'


def _mono_float(samples: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Check samples; give them as a float32 vector in [-1, 1] with notes on what was done."""
    notes: list[str] = []
    if samples.ndim not in (1, 2):
        raise ValueError(
            f"audio must have one or two dimensions (samples, channels), not shape {samples.shape}"
        )
    if samples.size == 0:
        raise ValueError(f"audio is empty: shape {samples.shape}")
    if samples.dtype.kind in "iu":
        samples, bits = _from_integers(samples)
        notes.append(f"{bits}-bit integers scaled to [-1, 1]")
    elif samples.dtype.kind != "f":
        raise ValueError(f"audio must be floats or integers, not {samples.dtype}")
    bad = np.argwhere(~np.isfinite(samples))
    if len(bad):
        raise ValueError(
            f"audio has {len(bad)} NaN or infinite samples, the first at index "
            f"{', '.join(map(str, bad[0]))}"
        )
    if samples.ndim == 2:
        samples, mixed = _mixed(samples.T if np.argmin(samples.shape) == 0 else samples)
        notes += mixed
    peak = float(np.abs(samples).max())
    if peak > LOUDEST_FLOAT:
        raise ValueError(
            f"float audio must be in [-1, 1], but reaches {peak:g}; divide 16-bit values by 32768"
        )
    if peak > OVERSHOOT:
        notes.append(f"peaks reach {peak:.2f}, over full scale")
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
    notes = [f"{channels} channels mixed down to mono"] if channels > 1 else []
    with np.errstate(invalid="ignore"):  # infinities of both signs
        return samples.mean(axis=1, dtype=np.float64), notes
