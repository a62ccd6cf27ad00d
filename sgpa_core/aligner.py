"""Stage 2's model: emissions from any character CTC model of the Hugging Face kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from .audio import Audio
from .ctc import Emissions
from .files import DATA, reading_weights, verify

EMBEDDED = DATA / "models" / "aligner"

#: Longer audio is read in pieces of this length.
CHUNK_SECONDS = 12.0

#: What each piece sees of its neighbours on either side.
CONTEXT_SECONDS = 2.0

#: A recording below this level is raised to it. The feature extractors of models add a small
#: constant to the power before they divide by it, and so would hear a faint voice too softly.
QUIET_RMS = 0.01

#: Audio in one forward pass, padding included.
BATCH_SECONDS = 120.0


#: A piece of a recording: how many samples, of which recording, which they are, and which of their
#: frames to keep.
_Window = tuple[int, int, slice, slice]


class Aligner:
    """A character CTC model with its processor.

    Parameters
    ----------
    model : transformers model with a CTC head
        For instance ``Wav2Vec2ForCTC``; its ``logits`` have shape (batch, T, V).
    processor : transformers processor
        With ``feature_extractor`` and a character ``tokenizer``.
    name : str
        How results name it.

    Raises
    ------
    ValueError
        If the vocabulary has no single characters (a word-piece model cannot align characters).
    """

    def __init__(self, model: Any, processor: Any, name: str):
        self.model, self.processor, self.name = model.eval(), processor, name
        tokenizer = processor.tokenizer
        delimiter = getattr(tokenizer, "word_delimiter_token", None)
        names = {c: "|" if s == delimiter else s for s, c in tokenizer.get_vocab().items()}
        size = max(model.config.vocab_size, max(names) + 1)
        symbols = self.vocabulary = tuple(names.get(c, f"<{c}>") for c in range(size))
        self.letters = frozenset(s for s in symbols if len(s) == 1 and (s.isalnum() or s == "'"))
        if len(self.letters) < 2:
            raise ValueError(
                f"{name} is no character CTC model: its vocabulary begins {symbols[:8]}; "
                "choose one that is trained on characters, such as facebook/wav2vec2-base-960h"
            )
        self.blank = tokenizer.pad_token_id or 0
        self.sample_rate = int(processor.feature_extractor.sampling_rate)
        inputs, config = processor.feature_extractor.model_input_names[0], model.config
        counted = hasattr(config, "conv_kernel") and not getattr(config, "add_adapter", False)
        self.reads_samples = counted and inputs == "input_values"
        layers = (config.conv_kernel, config.conv_stride) if self.reads_samples else ([], [])
        # samples that a frame sees, and samples from one frame to the next
        self.receptive_field = self.stride = 1
        for kernel, stride in zip(*layers, strict=True):
            self.receptive_field += (kernel - 1) * self.stride
            self.stride *= stride

    def __repr__(self) -> str:
        return f"Aligner({self.name!r}, {len(self.letters)} characters, {self.sample_rate} Hz)"

    def emissions(self, audio: Audio) -> Emissions:
        """Give the log-probabilities of one recording; see :meth:`emissions_many`."""
        return self.emissions_many([audio])[0]

    def emissions_many(self, audios: Sequence[Audio]) -> list[Emissions]:
        """Give the log-probabilities of several recordings, in padded batches.

        Recordings longer than ``CHUNK_SECONDS`` are read in overlapping pieces, so that memory
        stays bounded whatever their length.

        Parameters
        ----------
        audios : sequence of Audio
            Any sample rate; resampled to the model's.

        Returns
        -------
        list of Emissions

        Raises
        ------
        ValueError
            If a recording is silent (constant) or shorter than one frame.
        """
        signals = [self._normalised(audio) for audio in audios]
        if not self.reads_samples:
            return [self._whole(signal) for signal in signals]
        windows = [w for i, signal in enumerate(signals) for w in self._windows(i, len(signal))]
        rows: list[dict[int, np.ndarray]] = [{} for _ in signals]
        pad = self.processor.feature_extractor.pad
        for batch in self._batches(windows):
            pieces = {"input_values": [signals[index][samples] for _, index, samples, _ in batch]}
            unequal = batch[0][0] < batch[-1][0]
            inputs = pad(pieces, return_attention_mask=unequal, return_tensors="pt")
            log_probs = self._log_probs(inputs)
            for (_, index, samples, frames), values in zip(batch, log_probs, strict=True):
                rows[index][samples.start] = values[frames]
        offset = (self.receptive_field - self.stride) / 2 / self.sample_rate
        grid = (self.vocabulary, self.blank, self.stride / self.sample_rate, offset)
        return [Emissions(np.concatenate([row[k] for k in sorted(row)]), *grid) for row in rows]

    def _normalised(self, audio: Audio) -> np.ndarray:
        """Resample and normalise one recording as the model's feature extractor wants it."""
        if not np.ptp(audio.samples):
            raise ValueError("the audio is silent: all samples are the same, nothing to align")
        level = Audio(audio.samples - audio.offset, audio.sample_rate)
        samples = level.resample(self.sample_rate).samples
        samples = samples * max(1.0, QUIET_RMS / max(1e-30, float(samples.std(dtype=np.float64))))
        if not self.reads_samples:
            return samples
        if len(samples) < self.receptive_field:
            least = f"{self.receptive_field / self.sample_rate:.4f} s"
            raise ValueError(f"the audio is too short: {audio.duration:.4f} s, not {least} or more")
        extract, rate = self.processor.feature_extractor, self.sample_rate
        extracted = extract(samples, sampling_rate=rate, return_tensors="np")
        return extracted.input_values[0].astype(np.float32)

    def _windows(self, recording: int, samples: int) -> Iterator[_Window]:
        """Cut a recording into windows whose frames fall on the grid of the whole."""
        total = (samples - self.receptive_field) // self.stride + 1
        chunk = round(CHUNK_SECONDS * self.sample_rate / self.stride)
        context = round(CONTEXT_SECONDS * self.sample_rate / self.stride)
        if total <= chunk + 2 * context:
            chunk = total
        for start in range(0, total, chunk):
            first, last = max(0, start - context), min(total, start + chunk + context)
            stop = samples if last == total else (last - 1) * self.stride + self.receptive_field
            frames = slice(start - first, min(total, start + chunk) - first)
            yield stop - first * self.stride, recording, slice(first * self.stride, stop), frames

    def _batches(self, windows: list[_Window]) -> list[list[_Window]]:
        """Group windows of like length; one at a time where padding would change the result."""
        masked = getattr(self.processor.feature_extractor, "return_attention_mask", False)
        batches: list[list[_Window]] = []
        for window in sorted(windows, key=itemgetter(0)):
            batch = batches[-1] if batches else []
            full = (len(batch) + 1) * window[0] > BATCH_SECONDS * self.sample_rate
            if not batch or full or (window[0] > batch[0][0] and not masked):
                batches.append([])
            batches[-1].append(window)
        return batches

    def _whole(self, samples: np.ndarray) -> Emissions:
        """Run a model that reads features instead of samples, one recording at a time."""
        inputs = self.processor(samples, sampling_rate=self.sample_rate, return_tensors="pt")
        log_probs = self._log_probs(inputs)[0]
        frame_seconds = len(samples) / self.sample_rate / len(log_probs)
        return Emissions(log_probs, self.vocabulary, self.blank, frame_seconds)

    def _log_probs(self, inputs: Any) -> np.ndarray:
        """Run the model; log-probabilities of shape (batch, T, V)."""
        import torch

        with torch.inference_mode():
            logits = self.model(**inputs.to(self.model.device, self.model.dtype)).logits
        return torch.log_softmax(logits.float(), dim=-1).cpu().numpy()


def load_aligner(name: str = "embedded", device: str | None = None) -> Aligner:
    """Load a CTC model to align with.

    Parameters
    ----------
    name : str, default "embedded"
        "embedded" (the small English model that comes with the project, checked against its
        SHA-256), a folder, or a hub id such as ``"jonatasgrosman/wav2vec2-large-xlsr-53-english"``.
        A hub id is fetched by transformers: the one case that uses the network.
    device : str, optional
        For instance "cpu" or "cuda"; by default the GPU where there is one.

    Returns
    -------
    Aligner
        Loaded once per name and device.

    Raises
    ------
    ValueError
        If the name is no known model, the folder holds no character CTC model, or a file of the
        embedded model is not the one that its checksum names.

    Examples
    --------
    >>> load_aligner()
    Aligner('embedded', 27 characters, 16000 Hz)
    """
    if not isinstance(name, (str, Path)) or not str(name).strip():
        raise ValueError(f'an aligner is named by "embedded", a folder or a hub id, not {name!r}')
    import torch

    source = str(EMBEDDED if name == "embedded" else name)
    return _load(str(name), source, device or ("cuda" if torch.cuda.is_available() else "cpu"))


@lru_cache(maxsize=4)
def _load(name: str, source: str, device: str) -> Aligner:
    import torch
    from transformers import AutoModelForCTC, AutoProcessor

    from .models import whisper_ctc  # noqa: F401  so that AutoModelForCTC knows it

    if name == "embedded":
        verify(EMBEDDED)
    elif Path(source).exists() and not (Path(source) / "config.json").is_file():
        raise ValueError(f"{name} is no model folder: it has no config.json")
    try:
        with reading_weights(Path(source).is_dir()):
            processor = AutoProcessor.from_pretrained(source)
            number = torch.float32 if device == "cpu" else "auto"
            model = AutoModelForCTC.from_pretrained(source, use_safetensors=True, dtype=number)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ValueError(
            f'cannot load a CTC model from {name!r}; give "embedded", a folder with a character '
            f"model in safetensors, or a hub id within reach: {' '.join(str(fault).split())}"
        ) from fault
    if not hasattr(processor, "tokenizer"):
        raise ValueError(f"{name!r} has no tokenizer beside its model, so its symbols are unknown")
    return Aligner(model.to(device), processor, name)
