"""Train the embedded aligner: a head that spells, on the frozen encoder of Whisper tiny.en.

    python data/models/aligner/train.py            # continues from its last checkpoint
    python data/models/aligner/train.py --smoke    # a few steps on a handful of utterances

Two losses.  CTC says which characters, and leaves open when.  The known word times say when, at the
edges of words alone: the first letter just after a word begins, the last just before it ends, "|"
after a word and a blank in the rest of a pause.  Inside a word CTC is free.  Natural voices, whose
times are coarse, have no say near the edges of words: they teach what is said, and pauses.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[3])]
import corpus  # noqa: E402

from sgpa_core.models import weights  # noqa: E402

HERE = Path(__file__).parent
ENCODER = "openai/whisper-tiny.en"
RATE = 16_000  # Hz
STRIDE, CENTRE = 160, 200  # frame i is centred on sample STRIDE * i + CENTRE
VOCABULARY = ("<pad>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz", "'")
BLANK, DELIMITER, UNSAID = 0, 2, -100  # UNSAID: a frame whose character is left open
CODE = {c: i for i, c in enumerate(VOCABULARY)}

UTTERANCES, NATURAL, SEED = 4_800, 900, 1
STEPS = 1_800
ROWS, SECONDS = 3, 10.0  # 30 s of audio a step
NATURAL_SHARE = 1 / 3  # of the steps
RATE_PEAK, WARM_UP, WEIGHT_DECAY = 1.5e-3, 100, 0.01
FRAME_WEIGHT, CTC_STEPS = 0.7, 300  # the steps in which CTC joins in
EDGE = 0.035  # s of a word at either end whose character is known
AFTER = 0.100  # s after a word that are "|"; the rest of a pause is blank, as the end of a row is
GUARD = 0.040  # s around the edges of natural words that say nothing
HARDNESS = (0.3, 0.4, 0.3)  # shares of rows: steady speech; uneven speed; another vocal tract too


def build():
    """Make the model, its encoder as published and its head untrained."""
    import torch
    from safetensors.torch import load_file

    from sgpa_core.models.whisper_ctc import WhisperCTCConfig, WhisperForCTC

    torch.manual_seed(SEED)
    folder = weights.folder(ENCODER)
    published = json.loads((folder / "config.json").read_text("utf-8"))
    kept = ("d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim")
    kept += ("num_mel_bins", "max_source_positions")
    config = WhisperCTCConfig(
        **{name: published[name] for name in kept},
        vocab_size=len(VOCABULARY),
        dropout=0.1,
        pad_token_id=BLANK,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = WhisperForCTC(config)
    stored, prefix = load_file(folder / "model.safetensors"), "model.encoder."
    states = {k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)}
    model.encoder.load_state_dict({k: v.float() for k, v in states.items()})
    return model


def frame_count(samples: int) -> int:
    """Frames of the model for so many samples."""
    return (samples - 2 * CENTRE) // STRIDE + 1


def frame_labels(
    words: list[tuple[str, float, float]], frames: int, guard: float = 0
) -> np.ndarray:
    """The character of every frame that is known: see the head of this file."""
    times = (STRIDE * np.arange(frames) + CENTRE) / RATE
    labels = np.full(frames, BLANK)
    for word, start, end in words:
        edge = min(EDGE, (end - start) / max(2, len(word)))
        labels[(times >= start) & (times < end)] = UNSAID
        labels[(times >= start) & (times < start + edge)] = CODE[word[0]]
        labels[(times >= end - edge) & (times < end)] = CODE[word[-1]]
    for (_, _, end), (_, start, _) in pairwise(words):
        labels[(times >= end) & (times < min(start, end + AFTER))] = DELIMITER
        nearest = round(((end + min(start, end + AFTER)) / 2 * RATE - CENTRE) / STRIDE)
        if 0 <= nearest < frames:
            labels[nearest] = DELIMITER
    labels[(times >= words[-1][2]) & (times < words[-1][2] + AFTER)] = UNSAID
    for _, *edges in words:
        for edge in edges:
            labels[np.abs(times - edge) < guard] = UNSAID
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


def pause(samples: np.ndarray, words: list, rng: np.random.Generator) -> tuple[np.ndarray, list]:
    """Put silence of 0.1-1 s between some words, in a third of the cases."""
    if len(words) < 3 or rng.random() > 0.35:
        return samples, words
    after = set(rng.choice(len(words) - 1, int(rng.integers(1, 3)), replace=False).tolist())
    fade = np.linspace(1, 0, 80, dtype=np.float32)
    parts, moved, at, shift = [], [], 0, 0
    for i, (word, start, end) in enumerate(words):
        moved.append((word, start + shift / RATE, end + shift / RATE))
        if i in after:
            cut = int(midpoint(words[i], words[i + 1]) * RATE)
            silence = int(rng.uniform(0.1, 1) * RATE)
            part = samples[at:cut].copy()
            part[-len(fade) :] *= fade[-len(part) :]
            parts += [part, np.zeros(silence, np.float32)]
            at, shift = cut, shift + silence
    return np.concatenate([*parts, samples[at:]]), moved


def row(
    data: corpus.Corpus, rng: np.random.Generator, seconds: float = SECONDS
) -> tuple[np.ndarray, list]:
    """Utterances and pauses, warped and coloured, ``seconds`` long, of unit variance."""
    factor, hard = rng.uniform(0.85, 1.2), int(rng.choice(3, p=HARDNESS))
    samples, words, at = np.zeros(int(seconds * RATE / factor), np.float32), [], 0
    end = int(len(samples) * (rng.uniform(0.3, 1) if rng.random() < 0.5 else 1))  # then silence
    for _ in range(8):
        at += int(rng.uniform(0, 0.6) * RATE * (rng.random() < 0.7))
        if end - at < RATE:
            break
        found = piece(data, end - at, rng, cuts=0.2)
        if found:
            longer = pause(*found, rng)
            speech, said = longer if len(longer[0]) <= end - at else found
            level = 1 / (speech.std() + 1.0)
            samples[at : at + len(speech)] = speech * level * 10 ** rng.uniform(-0.15, 0.15)
            words += [(w, s + at / RATE, e + at / RATE) for w, s, e in said]
            at += len(speech)
    samples, words = warp(samples, words, int(seconds * RATE), rng, 0.16 if hard else 0.08)
    if hard > 1:
        samples = reshape(samples, rng)
    breathe(samples, words, rng)
    samples = colour(samples, data.samples, rng)
    return (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7), words


def batch(data: corpus.Corpus, rng: np.random.Generator) -> tuple[np.ndarray, list[list]]:
    """Audio of shape (rows, samples), and the words of each row."""
    frames, rows = frame_count(int(SECONDS * RATE)), []
    while len(rows) < ROWS:
        samples, words = row(data, rng)
        if words and frames > 2 * len(target_of(words)):
            rows.append((samples, words))
    audio, said = zip(*rows, strict=True)
    return np.stack(audio).astype(np.float32), list(said)


# --- the run ------------------------------------------------------------------------------------


def losses(model, audio: np.ndarray, words: list[list], guard: float):
    """Cross-entropy of the frames that are known, and CTC loss per target character."""
    import torch

    with torch.no_grad():
        mel, frames = model.log_mel(torch.from_numpy(audio))
        states = model.states(mel)
    log_probs = model.head(states, mel)[:, :frames].log_softmax(-1)
    labels = torch.as_tensor(np.stack([frame_labels(w, frames, guard) for w in words]))
    frame = torch.nn.functional.nll_loss(log_probs.transpose(1, 2), labels, ignore_index=UNSAID)
    targets = [target_of(w) for w in words]
    lengths = torch.tensor([len(t) for t in targets])
    ctc = torch.nn.functional.ctc_loss(
        log_probs.transpose(0, 1),
        torch.tensor([code for target in targets for code in target]),
        torch.full_like(lengths, frames),
        lengths,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,
    )
    return frame, ctc / lengths.sum()


def run(
    data: tuple[corpus.Corpus, ...], steps: int, stop: int = 0, work: Path | None = None, log=print
):
    """Train for ``steps`` (or leave at ``stop``) on one corpus, or on one and a natural one.

    With a ``work`` folder, write a checkpoint every 300 steps and continue from the last.
    """
    import torch

    model = build().train()
    model.encoder.eval().requires_grad_(False)
    trained = {k: p for k, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(
        trained.values(), RATE_PEAK, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY
    )
    first, spent, history = 0, 0.0, []
    checkpoint = work and work / "checkpoint.pt"
    if checkpoint and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["head"], strict=False)
        optimizer.load_state_dict(state["optimizer"])
        first, spent = state["step"], state["seconds"]
        log(f"continuing from step {first}")
    began, last = time.time() - spent, stop or steps
    for step in range(first, last):
        rng = np.random.default_rng([SEED, step])
        torch.manual_seed(SEED * 1_000_000 + step)
        falling = 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = RATE_PEAK * min(1, (step + 1) / WARM_UP) * falling
        natural = len(data) > 1 and rng.random() < NATURAL_SHARE
        frame, ctc = losses(model, *batch(data[natural], rng), GUARD * natural)
        optimizer.zero_grad()
        (FRAME_WEIGHT * frame + min(1, step / CTC_STEPS) * ctc).backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimizer.step()
        history.append((float(frame.detach()), float(ctc.detach())))
        seconds = time.time() - began
        if (step + 1) % 50 == 0:
            recent = np.mean(history[-50:], axis=0)
            log(f"step {step + 1}/{last} frame {recent[0]:.3f} ctc {recent[1]:.3f} {seconds:.0f} s")
        if checkpoint and ((step + 1) % 300 == 0 or step + 1 == last):
            head = {k: p.detach() for k, p in trained.items()}
            state = {"head": head, "optimizer": optimizer.state_dict()}
            part = checkpoint.with_suffix(".part")
            torch.save({**state, "step": step + 1, "seconds": seconds}, part)
            part.rename(checkpoint)
    ran = {"step": last, "steps": steps, "seed": SEED, "seconds": round(time.time() - began)}
    return model.eval(), ran, history


def save(model, ran: dict, folder: Path) -> None:
    """Write config, weights (float16), vocabulary and what the run was."""
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(CODE))
    tokenizer = Wav2Vec2CTCTokenizer(
        str(folder / "vocab.json"),
        bos_token=None,
        eos_token=None,
        unk_token="<unk>",
        pad_token="<pad>",
        word_delimiter_token="|",
    )
    extractor = Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=RATE, do_normalize=True, return_attention_mask=False
    )
    Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    extractor.save_pretrained(folder)  # where older versions of transformers look
    (folder / "run.json").write_text(json.dumps(ran) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--utterances", type=int, default=UTTERANCES)
    parser.add_argument("--natural", type=int, default=NATURAL)
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
    began = time.time()
    data = (
        corpus.make(options.utterances, SEED, options.work),
        corpus.make_natural(options.natural, SEED + 1, options.work),
    )
    with (options.work / "train.log").open("a") as file:

        def log(line: str) -> None:
            print(line, flush=True)
            print(line, file=file, flush=True)

        for d in data:
            log(f"{len(d)} utterances, {d.bounds[-1] / RATE / 3600:.1f} h")
        log(f"synthesised or loaded in {time.time() - began:.0f} s; torch {torch.__version__}")
        model, ran, _ = run(data, options.steps, work=options.work, log=log)
    save(model, ran, options.out)
    print(f"saved to {options.out}: now run evaluate.py")


def smoke(steps: int = 18) -> list[float]:
    """Frame loss at each of a few steps on the recordings of data/speech; needs no synthesiser."""
    history = run((corpus.recorded("slt"),), 300, stop=steps)[2]
    falling = [frame for frame, _ in history]
    print("frame loss", " ".join(f"{x:.2f}" for x in falling))
    return falling


if __name__ == "__main__":
    main()
