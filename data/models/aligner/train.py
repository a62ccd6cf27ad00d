"""Train the embedded aligner: a small wav2vec2 with a CTC head, on speech with known word times.

    python data/models/aligner/train.py            # continues from its last checkpoint
    python data/models/aligner/train.py --smoke    # a few steps on a handful of utterances

The known word times give every 20 ms frame a character (spread evenly over the word), "|" between
words and a blank outside; this frame loss alone opens the run, then CTC joins in.  CTC from the
start stays on its plateau of blanks.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import corpus

HERE = Path(__file__).parent
RATE = 16_000  # Hz
STRIDE, CENTRE = 320, 200  # frame i is centred on sample STRIDE * i + CENTRE
VOCABULARY = ("<pad>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz", "'")
BLANK, DELIMITER = 0, 2
CODE = {c: i for i, c in enumerate(VOCABULARY)}

UTTERANCES, SEED = 24_000, 1
STEPS = 8_000
LAYOUTS = ((8, 3.75), (5, 6.0), (3, 10.0))  # rows and their seconds: 30 s of audio a step
RATE_PEAK, WARM_UP = 2e-3, 0.04  # learning rate; share of the run
FRAMES_ALONE, RAMP = 0.12, 0.08  # share of the run without CTC; share in which it joins
FRAME_WEIGHT_END = 0.3
HARD_FROM = 0.625  # share of the run after which speech breathes, drawls and swells as people do
RESTARTS = (  # from step, to step, learning rate falling to 0
    (7_000, 8_200, 6e-4),
    (8_200, 9_700, 1e-3),
)
FRAME_WEIGHT_RESTARTS = 1.5  # sharper edges, once the characters are known


def build():
    """Make the untrained model and its processor."""
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    torch.manual_seed(SEED)
    config = Wav2Vec2Config(
        vocab_size=len(VOCABULARY),
        conv_dim=(32, 32, 32, 64, 64, 128, 128),
        conv_bias=True,
        feat_extract_norm="layer",
        hidden_size=160,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=640,
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=64,
        num_conv_pos_embedding_groups=16,
        hidden_dropout=0.05,
        attention_dropout=0.05,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
        ctc_zero_infinity=True,
        pad_token_id=BLANK,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = Wav2Vec2ForCTC(config)
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = Path(folder, "vocab.json")
        vocabulary.write_text(json.dumps(CODE))
        tokenizer = Wav2Vec2CTCTokenizer(
            str(vocabulary),
            bos_token=None,
            eos_token=None,
            unk_token="<unk>",
            pad_token="<pad>",
            word_delimiter_token="|",
        )
    extractor = Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=RATE, do_normalize=True, return_attention_mask=True
    )
    return model, Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer)


def frame_count(samples: int) -> int:
    """Frames of the wav2vec2 feature encoder for this many samples."""
    for kernel, stride in zip((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2), strict=True):
        samples = (samples - kernel) // stride + 1
    return samples


def frame_labels(words: list[tuple[str, float, float]], frames: int) -> np.ndarray:
    """A character for every frame: spread over each word, "|" between words, blank outside."""
    times = (STRIDE * np.arange(frames) + CENTRE) / RATE
    labels = np.full(frames, BLANK)
    for word, start, end in words:
        inside = np.flatnonzero((times >= start) & (times < end))
        letter = (
            ((times[inside] - start) / (end - start) * len(word)).astype(int).clip(0, len(word) - 1)
        )
        labels[inside] = np.array([CODE[c] for c in word])[letter]
    for (_, _, end), (_, start, _) in pairwise(words):
        labels[(times >= end) & (times < start)] = DELIMITER
        nearest = round(((end + start) / 2 * RATE - CENTRE) / STRIDE)
        if 0 <= nearest < frames:
            labels[nearest] = DELIMITER
    return labels


def target_of(words: list[tuple[str, float, float]]) -> list[int]:
    return [CODE[c] for c in "|".join(w for w, _, _ in words)]


# --- augmentation: time, room, channel, noise ---------------------------------------------------


def warp(
    samples: np.ndarray, words: list, length: int, rng: np.random.Generator, spread: float = 0.08
) -> tuple[np.ndarray, list]:
    """Resample to ``length``, a little faster here and slower there; the word times move along."""
    knots = max(2, int(length / RATE / 0.5) + 1)
    speed = np.exp(rng.normal(0, spread if rng.random() < 0.6 else 0, knots))
    place = np.concatenate(
        [[0], np.cumsum(np.interp(np.arange(64), np.linspace(0, 63, knots), speed))]
    )
    where = np.interp(
        np.arange(length), np.linspace(0, length - 1, 65), place / place[-1] * (len(samples) - 1)
    )
    moved = np.interp(where, np.arange(len(samples)), samples).astype(np.float32)

    times = np.array([(s, e) for _, s, e in words])
    times = np.interp(times * RATE, where[::40], np.arange(0, length, 40)) / RATE
    return moved, [(w, s, e) for (w, _, _), (s, e) in zip(words, times.tolist(), strict=True)]


def reshape(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another vocal tract: move the formants by 0.82-1.22; pitch and times stay."""
    if rng.random() < 0.5:
        return samples
    size, hop = 512, 256
    window = np.sqrt(np.hanning(size + 1)[:-1]).astype(np.float32)
    padded = np.pad(samples, (size, size + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window
    spectra = np.fft.rfft(frames)
    logs = np.log(np.abs(spectra) + 1e-4)
    sums = np.cumsum(np.pad(logs, ((0, 0), (7, 6)), mode="edge"), axis=1)
    envelope = (sums[:, 13:] - sums[:, :-13]) / 13  # over 13 bins of 31 Hz
    bins = envelope.shape[1]
    place = np.clip(np.arange(bins) / rng.uniform(0.82, 1.22), 0, bins - 1.001)
    low, part = place.astype(int), (place % 1).astype(np.float32)
    moved = envelope[:, low] * (1 - part) + envelope[:, low + 1] * part
    spectra[:, :bins] *= np.exp(np.clip(moved - envelope, -3, 3))
    out = np.zeros(len(frames) * hop + size, np.float32)
    for half in (0, 1):  # the even and the odd windows each tile the time axis
        tiles = np.fft.irfft(spectra[half::2], size) * window
        out[half * hop : half * hop + tiles.size] += tiles.ravel()
    return out[size : size + len(samples)]


def breathe(samples: np.ndarray, words: list, rng: np.random.Generator) -> None:
    """Noise that swells and fades in some pauses, as breath does, and a changing loudness."""
    edges = [0.0, *(t for _, s, e in words for t in (s, e)), len(samples) / RATE]
    level = samples.std() * 1.3
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        room = end - start
        if room > 0.12 and rng.random() < 0.4:
            length = int(rng.uniform(0.08, min(room, 0.6)) * RATE)
            first = int((start + rng.uniform(0, room - length / RATE)) * RATE)
            bank = noises()
            at = rng.integers(0, bank.shape[1] - length)
            burst = bank[rng.integers(len(bank)), at : at + length] * np.hanning(length)
            target = samples[first : first + length]
            target += burst[: len(target)] * (level * 10 ** (-rng.uniform(6, 32) / 20))
    knots = max(2, int(len(samples) / RATE / 0.4))
    decibels = rng.normal(0, 3, knots)
    swell = np.interp(np.linspace(0, knots - 1, len(samples)), np.arange(knots), decibels)
    samples *= (10 ** (swell / 20)).astype(np.float32)


@cache
def noises() -> np.ndarray:
    """A minute of noise of unit variance in six colours, from white to brown."""
    size = 60 * RATE
    white = np.fft.rfft(np.random.default_rng(0).standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    bank = np.stack(
        [np.fft.irfft(white * (hertz + 50) ** -slope, size) for slope in np.linspace(0, 1.25, 6)]
    )
    return (bank / bank.std(axis=1, keepdims=True)).astype(np.float32)


def colour(samples: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random room, equaliser, loudness and noise."""
    n = len(samples)
    size = (n + 4000 + 4095) // 4096 * 4096
    spectrum = np.fft.rfft(samples, size)
    hertz = np.linspace(0, RATE / 2, len(spectrum), dtype=np.float32)
    if rng.random() < 0.8:
        decibels = np.interp(
            hertz, [0, 200, 400, 800, 1600, 3200, 6400, 8000], rng.normal(0, 4.5, 8)
        )
        spectrum *= np.exp(decibels.astype(np.float32) * np.float32(math.log(10) / 20))
    if rng.random() < 0.3:
        cutoff = rng.uniform(2800, 7500)
        spectrum *= 1 / (1 + (hertz / np.float32(cutoff)) ** 12)
    if rng.random() < 0.2:
        spectrum *= 1 / (1 + (np.float32(rng.uniform(60, 250)) / (hertz + 1)) ** 6)
    if rng.random() < 0.5:
        length, decay = 4000, rng.uniform(0.015, 0.08)  # 0.25 s; time constant in s
        room = rng.normal(0, 1, length) * np.exp(-np.arange(length) / RATE / decay)
        room[: int(rng.uniform(0.001, 0.01) * RATE)] = 0
        room *= 10 ** (-rng.uniform(0, 14) / 20) / np.sqrt(np.sum(room**2) + 1e-9)
        room[0] = 1
        spectrum *= np.fft.rfft(room.astype(np.float32), size)
    out = np.fft.irfft(spectrum, size)[:n].astype(np.float32)
    level = np.sqrt(np.mean(out**2)) + 1e-6
    if rng.random() < 0.8:
        bank = noises()
        start = rng.integers(0, bank.shape[1] - n)
        out += bank[rng.integers(len(bank)), start : start + n] * (
            level * 10 ** np.float32(-rng.uniform(5, 45) / 20)
        )
    if rng.random() < 0.15:
        start = rng.integers(0, len(others) - n)
        babble = others[start : start + n].astype(np.float32)
        out += babble * (level / (babble.std() + 1e-6) * 10 ** (-rng.uniform(8, 25) / 20))
    if rng.random() < 0.1:
        out = np.clip(out, -3.5 * level, 3.5 * level)
    return out


def piece(
    data: corpus.Corpus, room: int, rng: np.random.Generator, cuts: float
) -> tuple[np.ndarray, list] | None:
    """An utterance, or a run of its words where it does not fit into ``room`` samples."""
    i = int(rng.integers(len(data)))
    samples, words = data.audio(i), data.words[i]
    trim = int(rng.uniform(0, words[0][1]) * RATE)  # some of the leading silence
    stop = len(samples)
    if stop - trim > room or rng.random() < cuts:
        first = int(rng.integers(max(1, len(words) - 1)))
        if first:
            trim = int(midpoint(words[first - 1], words[first]) * RATE)
        last = first
        while last + 1 < len(words) and words[last + 1][2] * RATE - trim < room - 800:
            last += 1
        words = words[first : last + 1]
        stop = int(words[-1][2] * RATE) + 1
        if last + 1 < len(data.words[i]):
            stop = max(stop, int(midpoint(words[-1], data.words[i][last + 1]) * RATE))
    if stop - trim > room:
        return None
    return samples[trim:stop].astype(np.float32), [
        (w, s - trim / RATE, e - trim / RATE) for w, s, e in words
    ]


def midpoint(left: tuple, right: tuple) -> float:
    return (left[2] + right[1]) / 2


def row(
    data: corpus.Corpus, rng: np.random.Generator, seconds: float, hard: int = 0
) -> tuple[np.ndarray, list]:
    """Utterances and pauses, warped and coloured, ``seconds`` long, of unit variance."""
    factor = rng.uniform(0.85, 1.2)
    samples, words, at = np.zeros(int(seconds * RATE / factor), np.float32), [], 0
    for _ in range(8):
        at += int(rng.uniform(0, 0.6) * RATE * (rng.random() < 0.7))
        if len(samples) - at < RATE:
            break
        found = piece(data, len(samples) - at, rng, cuts=0.3 if hard else 0.1)
        if found:
            level = 1 / (found[0].std() + 1.0)
            samples[at : at + len(found[0])] = found[0] * level * 10 ** rng.uniform(-0.15, 0.15)
            words += [(w, s + at / RATE, e + at / RATE) for w, s, e in found[1]]
            at += len(found[0])
    samples, words = warp(samples, words, int(seconds * RATE), rng, 0.16 if hard else 0.08)
    if hard > 1:
        samples = reshape(samples, rng)
    if hard:
        breathe(samples, words, rng)
    samples = colour(samples, data.samples, rng)
    return (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7), words


def batch(data: corpus.Corpus, rng: np.random.Generator, layouts=LAYOUTS, hard: int = 0):
    """Audio, frame labels, targets and their lengths, in a shape of a few (a new one is slow)."""
    import torch

    count, seconds = layouts[int(rng.integers(len(layouts)))]
    frames = frame_count(int(seconds * RATE))
    rows = []
    while len(rows) < count:
        samples, words = row(data, rng, seconds, hard)
        if words and frames > 1.15 * len(target_of(words)):
            rows.append((samples, frame_labels(words, frames), target_of(words)))
    audio, labels, targets = zip(*rows, strict=True)
    arrays = (
        np.stack(audio),
        np.stack(labels),
        np.concatenate(targets),
        [frames] * count,
        [len(t) for t in targets],
    )
    return tuple(torch.as_tensor(a) for a in arrays)


# --- the run ------------------------------------------------------------------------------------


def schedule(step: int, steps: int) -> tuple[float, float, float]:
    """Learning rate, CTC weight and frame weight at this step."""
    done = step / steps
    for first, last, peak in RESTARTS:
        if first <= step < last:
            return peak * (last - step) / (last - first), 1.0, FRAME_WEIGHT_RESTARTS
    rate = RATE_PEAK * min(
        done / WARM_UP, 0.5 * (1 + math.cos(math.pi * max(0, done - WARM_UP) / (1 - WARM_UP)))
    )
    ctc = min(1.0, max(0.0, (done - FRAMES_ALONE) / RAMP))
    return max(rate, 1e-6), ctc, 1 + (FRAME_WEIGHT_END - 1) * ctc


def losses(model, parts):
    """Frame cross-entropy and CTC loss per target character."""
    import torch

    audio, labels, targets, frames, lengths = parts
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(audio).logits
    log_probs = logits.float().log_softmax(-1)
    frame = torch.nn.functional.nll_loss(log_probs.transpose(1, 2), labels)
    ctc = torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1),
        targets,
        frames,
        lengths,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,
    )
    return frame, ctc / lengths.sum()


def run(
    data: corpus.Corpus,
    steps: int,
    *,
    stop=None,
    layouts=LAYOUTS,
    work: Path | None = None,
    log=print,
):
    """Train for ``steps`` (or leave at ``stop``).

    With a ``work`` folder, write a checkpoint every 500 steps and continue from the last.
    """
    import torch

    model, processor = build()
    model.train()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE_PEAK, betas=(0.9, 0.98))
    first, spent, history = 0, 0.0, []
    checkpoint = work and work / "checkpoint.pt"
    if checkpoint and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, spent = state["step"], state["seconds"]
        log(f"continuing from step {first}")
    began = time.time() - spent
    last = stop or max(steps, RESTARTS[-1][1])
    for step in range(first, last):
        rng = np.random.default_rng([SEED, step])
        torch.manual_seed(SEED * 1_000_000 + step)
        rate, ctc_weight, frame_weight = schedule(step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        hard = (step >= HARD_FROM * steps) + (step >= RESTARTS[1][0])  # 0, 1 or 2
        frame, ctc = losses(model, batch(data, rng, layouts, hard))
        optimizer.zero_grad()
        (frame_weight * frame + ctc_weight * ctc).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        history.append((float(frame.detach()), float(ctc.detach())))
        if (step + 1) % 50 == 0:
            recent = np.mean(history[-50:], axis=0)
            log(
                f"step {step + 1}/{last} frame {recent[0]:.3f} ctc {recent[1]:.3f} "
                f"{time.time() - began:.0f} s"
            )
        if checkpoint and ((step + 1) % 500 == 0 or step + 1 == last):
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(
                {**state, "step": step + 1, "seconds": time.time() - began},
                checkpoint.with_suffix(".part"),
            )
            checkpoint.with_suffix(".part").rename(checkpoint)
            save(model, processor, work / "latest")
            (work / "latest" / "run.json").write_text(
                json.dumps(
                    {
                        "step": step + 1,
                        "steps": last,
                        "seed": SEED,
                        "seconds": round(time.time() - began),
                    }
                )
            )
    return model, processor, history


def save(model, processor, folder: Path) -> None:
    """Write config, safetensors weights and processor."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    processor.feature_extractor.save_pretrained(folder)  # where older versions of transformers look


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--utterances", type=int, default=UTTERANCES)
    parser.add_argument(
        "--work", type=Path, default=corpus.CACHE, help="corpus, checkpoints and log"
    )
    parser.add_argument("--out", type=Path, default=HERE, help="where the finished model goes")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="a few steps on a handful of utterances, nothing is kept",
    )
    options = parser.parse_args()

    import torch

    torch.set_num_threads(2)
    if options.smoke:
        smoke()
        return
    options.work.mkdir(parents=True, exist_ok=True)
    data = corpus.make(options.utterances, SEED, options.work)
    with (options.work / "train.log").open("a") as file:

        def log(line: str) -> None:
            print(line, flush=True)
            print(line, file=file, flush=True)

        log(
            f"{len(data)} utterances, {data.bounds[-1] / RATE / 3600:.1f} h; "
            f"{options.steps} steps; torch {torch.__version__}"
        )
        model, processor, _ = run(data, options.steps, work=options.work, log=log)
    save(model, processor, options.out)
    shutil.copy(options.work / "latest" / "run.json", options.out)
    print(f"saved to {options.out}: now run evaluate.py")


def smoke(steps: int = 20) -> list[float]:
    """Frame loss at each of a few steps on the recordings of data/speech; needs no synthesiser."""
    data = corpus.recorded("slt")
    history = run(data, 400, stop=steps, layouts=((2, 3.0),))[2]
    falling = [frame for frame, _ in history]
    print("frame loss", " ".join(f"{x:.2f}" for x in falling))
    return falling


if __name__ == "__main__":
    main()
