"""Train the embedded answerer: a small Whisper that answers spoken prompts as `rules.py` says.

    python data/models/answerer/train.py            # continues from its last checkpoint
    python data/models/answerer/train.py --smoke    # a few steps on a handful of recordings

Words, or short stretches, of most utterances are silenced; the target is the rule's answer to what
is left.  The known word times give every 40 ms of the encoder the word spoken there; this frame
loss alone opens the run, then the loss of the answer joins in.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import speech  # noqa: E402
from speech import rules  # noqa: E402

RATE = 16_000  # Hz
SECONDS = 6  # of audio that the model takes
HOP, FFT, MELS = 320, 400, 64  # samples, samples, bands
STRIDE = 640  # samples; state i of the encoder is centred on sample STRIDE * i
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
PAD, START, END = 0, 1, 2
TOKENS = 12  # of an answer, with its end

UTTERANCES, SEED = 30_000, 1
STEPS, ROWS = 8_000, 48
OPENING = (5_000, 11_000)  # until this step, as in a run of so many
LAYOUTS = ((4.0, 0.65), (6.0, 0.35))  # seconds of a batch, and how often
RATE_PEAK, WARM_UP = 1.5e-3, 0.04  # learning rate; share of the run
FRAMES_ALONE, RAMP = 0.1, 0.05  # share of the run without answers; share in which they join
FRAME_WEIGHT_END = 0.3
AVERAGE = 0.998  # of the weights that are kept, per step
SILENCED = (  # what is done to a row, and how often
    ("nothing", 0.34),
    ("words", 0.34),  # words silent, as in a game of words
    ("stretches", 0.18),  # short stretches silent, as in a game of native frames
    ("noise", 0.07),  # words replaced by noise at the level of the pauses
    ("joined", 0.07),  # words cut out
)


def build():
    """Make the untrained model, its feature extractor and its tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    torch.manual_seed(SEED)
    vocabulary = {word: i for i, word in enumerate((*SPECIAL, *speech.answers()))}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=TOKENS,
    )
    extractor = WhisperFeatureExtractor(
        feature_size=MELS, hop_length=HOP, chunk_length=SECONDS, n_fft=FFT, sampling_rate=RATE
    )
    ids = {
        "pad_token_id": PAD,
        "bos_token_id": START,
        "eos_token_id": END,
        "decoder_start_token_id": START,
    }
    config = WhisperConfig(
        vocab_size=len(vocabulary),
        num_mel_bins=MELS,
        d_model=160,
        encoder_layers=4,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=640,
        decoder_ffn_dim=640,
        max_source_positions=SECONDS * RATE // STRIDE,
        max_target_positions=TOKENS + 1,
        dropout=0.05,
        attention_dropout=0.0,
        activation_dropout=0.0,
        suppress_tokens=None,
        begin_suppress_tokens=None,
        apply_spec_augment=False,
        **ids,
    )
    model = WhisperForConditionalGeneration(config)
    model.generation_config = type(model.generation_config)(max_length=TOKENS + 1, **ids)
    return model, extractor, tokenizer


# --- from an utterance to a row: time, room, noise, silenced words ------------------------------


def kept_words(n: int, deciding: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A coalition: of any size, or everything but one word, or mostly the deciding words."""
    kind = rng.random()
    heard = np.ones(n, bool)
    if kind < 0.5:
        heard[rng.permutation(n)[: rng.integers(n + 1)]] = False
    elif kind < 0.65:
        heard[rng.integers(n)] = False
    elif kind < 0.8:
        heard[rng.choice(deciding)] = False
    else:
        heard = rng.random(n) < 0.5
        heard[list(deciding)] = rng.random(len(deciding)) < 0.7
    return heard


def jittered(words: list, rng: np.random.Generator) -> np.ndarray:
    """Edges (n, 2) in s as an imperfect segmentation has them; words that touch share theirs."""
    spans = np.array([(s, e) for _, s, e in words])
    gaps = spans[1:, 0] - spans[:-1, 1]
    if rng.random() < 0.4:  # cut in the middle of the gaps
        middle = spans[:-1, 1] + gaps / 2
        near = gaps < 0.15
        spans[:-1, 1] = np.where(near, middle, spans[:-1, 1])
        spans[1:, 0] = np.where(near, middle, spans[1:, 0])
    moved = rng.normal(0, rng.choice([0.0, 0.01, 0.02]), spans.shape).clip(-0.035, 0.035)
    touching = spans[1:, 0] - spans[:-1, 1] < 0.005
    moved[1:, 0] = np.where(touching, moved[:-1, 1], moved[1:, 0])
    spans = spans + moved
    spans[1:, 0] = np.maximum(spans[1:, 0], spans[:-1, 1])
    spans[:, 1] = np.maximum(spans[:, 1], spans[:, 0] + 0.01)
    return spans


def stretches(samples: np.ndarray, words: list, deciding, rng: np.random.Generator):
    """Keep a random set of stretches of 20-160 ms: which samples, and which words are heard.

    A word is heard where at least 0.6 of it remains and not where at most 0.3 does; in between
    all of it is kept or silenced.
    """
    piece = int(rng.choice([320, 640, 640, 1280, 2560]))
    count = len(samples) // piece + 1
    keep = np.repeat(rng.random(count) < rng.choice([0.1, 0.3, 0.5, 0.7, 0.85, 0.95]), piece)
    keep = keep[: len(samples)]
    heard = np.ones(len(words), bool)
    for i, (_, start, end) in enumerate(words):
        inside = slice(int(start * RATE), max(int(start * RATE) + 1, int(end * RATE)))
        share = keep[inside].mean() if keep[inside].size else 0.0
        if 0.3 < share < 0.6 and i in deciding:
            keep[inside] = rng.random() < 0.5
            share = keep[inside].mean()
        heard[i] = share >= 0.6
    return keep, heard


def hush(samples: np.ndarray, words: list, rng: np.random.Generator, kind: str):
    """Silence a part of the row: the samples, the words still heard, and where sound remains."""
    said = [w for w, _, _ in words]
    deciding = rules.rationale(said)
    heard, keep = np.ones(len(words), bool), np.ones(len(samples), bool)
    if kind == "stretches":
        keep, heard = stretches(samples, words, deciding, rng)
        return samples * keep, words, heard, keep
    if kind != "nothing":
        heard = kept_words(len(words), deciding, rng)
        for (start, end), h in zip((jittered(words, rng) * RATE).astype(int), heard, strict=True):
            keep[max(start, 0) : max(end, 0)] &= h
    if kind == "joined":
        place = np.concatenate([[0], np.cumsum(keep)]) / RATE
        at = [int(min(t * RATE, len(samples))) for _, s, e in words for t in (s, e)]
        words = [(w, place[at[2 * i]], place[at[2 * i + 1]]) for i, w in enumerate(said)]
        return masked(samples, keep, kind, rng), words, heard, np.ones(keep.sum(), bool)
    return masked(samples, keep, kind, rng), words, heard, keep


def masked(samples: np.ndarray, keep: np.ndarray, kind: str, rng: np.random.Generator):
    """The kept samples joined, or in their place between zeros or noise."""
    if kind == "joined":
        return samples[keep]
    if kind == "noise":
        energy = np.sort(np.square(samples[: len(samples) // 320 * 320].reshape(-1, 320)).mean(1))
        floor = math.sqrt(energy[: max(1, len(energy) // 20)].mean())
        return np.where(keep, samples, np.float32(floor) * _noise(len(samples), rng))
    return samples * keep


@cache
def noises() -> np.ndarray:
    """Half a minute of noise of unit variance in six colours, from white to brown."""
    size = 30 * RATE
    white = np.fft.rfft(np.random.default_rng(0).standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    bank = [np.fft.irfft(white * (hertz + 50) ** -slope, size) for slope in np.linspace(0, 1.25, 6)]
    return np.stack([noise / noise.std() for noise in bank]).astype(np.float32)


def _noise(length: int, rng: np.random.Generator) -> np.ndarray:
    bank = noises()
    start = rng.integers(0, bank.shape[1] - length)
    return bank[rng.integers(len(bank)), start : start + length]


def room(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A short random reverberation."""
    length, decay = 3000, rng.uniform(0.01, 0.06)  # samples; time constant in s
    tail = rng.normal(0, 1, length) * np.exp(-np.arange(length) / RATE / decay)
    tail[: int(rng.uniform(0.001, 0.01) * RATE)] = 0
    tail *= 10 ** (-rng.uniform(2, 16) / 20) / np.sqrt(np.sum(tail**2) + 1e-9)
    tail[0] = 1
    size = (len(samples) + length + 4095) // 4096 * 4096
    product = np.fft.rfft(samples, size) * np.fft.rfft(tail.astype(np.float32), size)
    return np.fft.irfft(product, size)[: len(samples)].astype(np.float32)


def row(data, i: int, rng: np.random.Generator, length: int):
    """Audio of ``length`` samples, the words, which are heard, and where sound remains.

    None where the utterance does not fit.
    """
    samples, words = data.audio(i), data.words[i]
    trim = int(rng.uniform(0, max(0.0, words[0][1] - 0.02)) * RATE * (rng.random() < 0.5))
    factor = math.exp(rng.uniform(math.log(0.85), math.log(1.2))) if rng.random() < 0.85 else 1.0
    size = int((len(samples) - trim) / factor)
    room_left = length - size
    if room_left < 0:
        return None
    samples = np.interp(np.arange(size) * factor + trim, np.arange(len(samples)), samples)
    samples = samples.astype(np.float32) / 32768 * np.float32(10 ** rng.uniform(-0.7, 0.25))
    words = [(w, (s - trim / RATE) / factor, (e - trim / RATE) / factor) for w, s, e in words]
    if rng.random() < 0.25:
        samples = room(samples, rng)
    if rng.random() < 0.5:
        level = samples.std() * 10 ** (-rng.uniform(8, 45) / 20)
        samples = samples + np.float32(level) * _noise(size, rng)
    kinds, shares = zip(*SILENCED, strict=True)
    samples, words, heard, keep = hush(samples, words, rng, str(rng.choice(kinds, p=shares)))
    start = int(rng.uniform(0, min(room_left, 0.5 * RATE)) * (rng.random() < 0.5))
    out, sound = np.zeros(length, np.float32), np.zeros(length, bool)
    out[start : start + len(samples)] = samples
    sound[start : start + len(samples)] = keep
    words = [(w, s + start / RATE, e + start / RATE) for w, s, e in words]
    return out, words, heard, sound


def frame_labels(words: list, heard, sound: np.ndarray, code: dict[str, int]) -> np.ndarray:
    """For each state of the encoder the word that sounds there, 0 for none."""
    labels = np.zeros(len(sound) // STRIDE, np.int64)
    centres = np.arange(len(labels)) * STRIDE
    for (word, start, end), h in zip(words, heard, strict=True):
        if h:
            labels[(centres >= start * RATE) & (centres < end * RATE) & sound[centres]] = code[word]
    return labels


@cache
def frame_code() -> dict[str, int]:
    return {word: i for i, word in enumerate(speech.vocabulary(), 1)}


def batch(data, rng: np.random.Generator, tokenizer, rows: int = ROWS, layouts=LAYOUTS):
    """Audio, frame labels and answers."""
    import torch

    seconds = layouts[int(rng.choice(len(layouts), p=[p for _, p in layouts]))][0]
    audio, labels, answers = [], [], []
    while len(audio) < rows:
        found = row(data, int(rng.integers(len(data))), rng, int(seconds * RATE))
        if found is None:
            continue
        samples, words, heard, sound = found
        audio.append(samples)
        labels.append(frame_labels(words, heard, sound, frame_code()))
        answers.append(rules.answer([w for w, _, _ in words], heard))
    ids = [[*tokenizer.encode(a), END] for a in answers]
    longest = max(map(len, ids))
    padded = torch.tensor([i + [-100] * (longest - len(i)) for i in ids])
    return torch.as_tensor(np.stack(audio)), torch.as_tensor(np.stack(labels)), padded


# --- log-mel spectrograms of a batch, as WhisperFeatureExtractor makes them ---------------------


def log_mel(audio, filters, rng: np.random.Generator | None = None):
    """(B, MELS, T) from (B, samples); with ``rng``, other channels and vocal tracts.

    ``filters`` are those of the feature extractor.
    """
    import torch

    spectra = torch.stft(audio, FFT, HOP, window=torch.hann_window(FFT), return_complex=True)
    power = spectra[..., :-1].abs() ** 2
    bank = torch.as_tensor(filters, dtype=torch.float32).T
    if rng is None:
        mel = bank @ power
    else:
        count, bins = len(audio), power.shape[1]
        hertz = np.linspace(0, RATE / 2, bins)
        gains = np.zeros((count, bins))
        for gain in gains:
            if rng.random() < 0.7:
                knots = [0, 200, 400, 800, 1600, 3200, 6400, 8000]
                gain += np.interp(hertz, knots, rng.normal(0, 4.5, 8))
            if rng.random() < 0.2:
                gain -= 10 * np.log10(1 + (hertz / rng.uniform(2800, 7500)) ** 12)
        power = power * torch.as_tensor(10 ** (gains / 10), dtype=torch.float32)[:, :, None]
        warps = warped(np.asarray(filters, np.float32).tobytes(), bins)
        plain = len(warps) // 2
        which = np.where(rng.random(count) < 0.6, rng.integers(len(warps), size=count), plain)
        mel = torch.bmm(warps[torch.as_tensor(which)], power)
        for spectrogram in mel:
            if rng.random() < 0.25:
                first, width = rng.integers(MELS - 6), rng.integers(1, 7)
                spectrogram[first : first + width] *= 1e-3
    logs = mel.clamp(min=1e-10).log10()
    logs = torch.maximum(logs, logs.amax(dim=(1, 2), keepdim=True) - 8.0)
    return (logs + 4.0) / 4.0


@cache
def warped(filters: bytes, bins: int):
    """The mel filters for vocal tracts of 0.84-1.2 of the length, the true ones in the middle."""
    import torch

    bank = np.frombuffer(filters, np.float32).reshape(bins, MELS)
    place = np.arange(bins)
    moved = [
        [np.interp(place * a, place, band, right=0.0) for band in bank.T]
        for a in np.exp(np.linspace(-0.18, 0.18, 13))
    ]
    return torch.as_tensor(np.array(moved, np.float32))


# --- the run ------------------------------------------------------------------------------------


def states_of(model, features):
    """Encoder states of spectrograms of any length up to the model's."""
    import torch

    encoder = model.model.encoder
    x = torch.nn.functional.gelu(encoder.conv1(features))
    x = torch.nn.functional.gelu(encoder.conv2(x)).transpose(1, 2)
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    x = torch.nn.functional.dropout(x, encoder.dropout, encoder.training)
    for layer in encoder.layers:
        x = layer(x, None)
        x = x[0] if isinstance(x, tuple) else x
    return encoder.layer_norm(x)


def losses(model, head, features, labels, answers):
    """Frame loss and answer loss, both cross-entropies."""
    import torch

    start = torch.full_like(answers[:, :1], START)
    given = torch.cat([start, answers[:, :-1].clamp(min=0)], 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = states_of(model, features)
        frames = head(states)
        decoded = model.model.decoder(
            input_ids=given, encoder_hidden_states=states, use_cache=False
        )
        logits = model.proj_out(decoded.last_hidden_state)
    entropy = torch.nn.functional.cross_entropy
    frame = entropy(frames.float().transpose(1, 2), labels)
    return frame, entropy(logits.float().transpose(1, 2), answers, ignore_index=-100)


def schedule(step: int, steps: int) -> tuple[float, float, float]:
    """Learning rate, answer weight and frame weight at this step."""
    done = step / (OPENING[1] if steps == STEPS and step < OPENING[0] else steps)
    rate = RATE_PEAK * min(
        done / WARM_UP, 0.5 * (1 + math.cos(math.pi * max(0, done - WARM_UP) / (1 - WARM_UP)))
    )
    joined = min(1.0, max(0.0, (done - FRAMES_ALONE) / RAMP))
    return max(rate, 1e-6), joined, 1 + (FRAME_WEIGHT_END - 1) * joined


def run(
    data,
    steps: int,
    *,
    stop=None,
    rows=ROWS,
    layouts=LAYOUTS,
    work: Path | None = None,
    log=print,
    watch=None,
):
    """Train for ``steps`` (or leave at ``stop``).

    With a ``work`` folder, write a checkpoint every 500 steps and continue from the last.
    """
    import copy

    import torch

    model, extractor, tokenizer = build()
    head = torch.nn.Linear(model.config.d_model, len(frame_code()) + 1)
    average = copy.deepcopy(model).eval()
    model.train()
    trained = [p for p in (*model.parameters(), *head.parameters()) if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE_PEAK, betas=(0.9, 0.98))
    parts = {"model": model, "head": head, "average": average, "optimizer": optimizer}
    first, spent, history = 0, 0.0, []
    checkpoint = work and work / "checkpoint.pt"
    if checkpoint and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        first, spent = state["step"], state["seconds"]
        log(f"continuing from step {first}")
    began, last = time.time() - spent, stop or steps
    for step in range(first, last):
        rng = np.random.default_rng([SEED, step])
        torch.manual_seed(SEED * 1_000_000 + step)
        rate, answer_weight, frame_weight = schedule(step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        audio, labels, answers = batch(data, rng, tokenizer, rows, layouts)
        features = log_mel(audio, extractor.mel_filters, rng)
        frame, answer = losses(model, head, features, labels, answers)
        optimizer.zero_grad()
        (frame_weight * frame + answer_weight * answer).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 1 - min(AVERAGE, step / (step + 10)))
        history.append((float(frame.detach()), float(answer.detach())))
        if (step + 1) % 50 == 0:
            recent = np.mean(history[-50:], axis=0)
            log(
                f"step {step + 1}/{last} frame {recent[0]:.3f} answer {recent[1]:.3f} "
                f"{time.time() - began:.0f} s"
            )
        if checkpoint and ((step + 1) % 500 == 0 or step + 1 == last):
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"step": step + 1, "seconds": time.time() - began}
            torch.save(state, checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").rename(checkpoint)
            save(average, extractor, tokenizer, work / "latest")
            told = {"step": step + 1, "steps": steps, "rows": rows, "seed": SEED}
            told["seconds"] = round(state["seconds"])
            (work / "latest" / "run.json").write_text(json.dumps(told))
            if watch:
                log(f"step {step + 1} {watch(average, extractor, tokenizer)}")
    return average, extractor, tokenizer, history


def save(model, extractor, tokenizer, folder: Path) -> None:
    """Write config, safetensors weights, feature extractor and tokenizer."""
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def watcher(count: int = 200):
    """A function that says how many of a few new prompts each of three voices gets answered."""
    import torch

    engines = speech.training_voices().engines
    texts = speech.prompts(count, SEED + 100, new=True)
    voices = (("flite", "slt"), ("flite", "awb"), ("festival", "ked"))
    said = {
        voice: engines.synthesise([{"engine": e, "voice": voice, "text": t} for t in texts])
        for e, voice in voices
    }

    def watch(model, extractor, tokenizer) -> str:
        told = []
        for voice, speeches in said.items():
            audio = [s.samples.astype(np.float32) / 32768 for s in speeches]
            right = 0
            for n in range(0, count, 50):
                inputs = extractor(audio[n : n + 50], sampling_rate=RATE, return_tensors="pt")
                with torch.no_grad():
                    ids = model.generate(inputs.input_features)
                got = tokenizer.batch_decode(ids, skip_special_tokens=True)
                wanted = [rules.answer(t.split()) for t in texts[n : n + 50]]
                right += sum(g == w for g, w in zip(got, wanted, strict=True))
            told.append(f"{voice} {right / count:.3f}")
        return "exact " + " ".join(told)

    return watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--utterances", type=int, default=UTTERANCES)
    parser.add_argument(
        "--work", type=Path, default=speech.CACHE, help="corpus, checkpoints and log"
    )
    parser.add_argument("--out", type=Path, default=HERE, help="where the finished model goes")
    parser.add_argument(
        "--smoke", action="store_true", help="a few steps on a few recordings, nothing is kept"
    )
    options = parser.parse_args()

    import torch

    if options.smoke:
        smoke()
        return
    torch.set_num_threads(2)
    options.work.mkdir(parents=True, exist_ok=True)
    data = speech.make(options.utterances, SEED, options.work)
    with (options.work / "train.log").open("a") as file:

        def log(line: str) -> None:
            print(line, flush=True)
            print(line, file=file, flush=True)

        log(
            f"{len(data)} utterances, {data.bounds[-1] / RATE / 3600:.1f} h; "
            f"{options.steps} steps; torch {torch.__version__}"
        )
        found = run(data, options.steps, work=options.work, log=log, watch=watcher())
    save(*found[:3], options.out)
    shutil.copy(options.work / "latest" / "run.json", options.out)
    print(f"saved to {options.out}: now run evaluate.py")


def smoke(steps: int = 12) -> list[float]:
    """Frame loss at each of a few steps on data/instructions; needs no synthesiser."""
    data = speech.recorded("slt")
    history = run(data, 100, stop=steps, rows=4, layouts=((4.0, 1.0),))[3]
    falling = [frame for frame, _ in history]
    print("frame loss", " ".join(f"{x:.2f}" for x in falling))
    return falling


if __name__ == "__main__":
    main()
