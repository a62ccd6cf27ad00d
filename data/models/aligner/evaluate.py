"""Measure the embedded aligner on voices held out from training, and on real speech.

    python data/models/aligner/evaluate.py     # writes figures.json beside the weights

With ``SGPA_REFERENCE`` set, LibriSpeech clips are measured too, against pocketsphinx.

A word boundary is the middle of the gap between the last character of a word and the first of the
next.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import corpus  # noqa: E402
import engines  # noqa: E402
import texts  # noqa: E402
from train import BLANK, CENTRE, CODE, DELIMITER, RATE, STRIDE, VOCABULARY  # noqa: E402

PARTS = {
    "held_out_instructions": "new instructions, held-out voices",
    "held_out_prompts": "prompts of data/speech, held-out voices",
    "seen_voices_prompts": "prompts of data/speech, seen voices",
    "real_speech": "LibriSpeech clips against pocketsphinx",
}
PRONUNCIATIONS = {  # of the clips' words that pocketsphinx does not know
    "clotho": "K L OW TH OW",
    "drouet": "D R UW EY",
    "your's": "Y AO R Z",
}
INSTRUCTIONS, SEED = 60, 2_000
SHIPPED = (
    "config.json", "model.safetensors", "preprocessor_config.json", "processor_config.json",
    "tokenizer_config.json", "vocab.json",
)  # fmt: skip


def load(folder: Path = HERE):
    """Model and processor, as anybody would load them."""
    from transformers import AutoModelForCTC, AutoProcessor

    return AutoModelForCTC.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)


def log_probs(model, processor, samples: np.ndarray):
    """(1, T, V) log-probabilities of int16 samples at 16 kHz."""
    import torch

    inputs = processor(samples.astype(np.float32) / 32768, sampling_rate=RATE, return_tensors="pt")
    with torch.no_grad():
        return model(**inputs).logits.log_softmax(-1)


def boundaries(scores, words: list[str]) -> np.ndarray:
    """Gap midpoints (s) between the words, from the best CTC path with "|" between words."""
    import torch
    from torchaudio.functional import forced_align, merge_tokens

    targets = torch.tensor([[CODE[c] for c in "|".join(words)]])
    path, score = forced_align(scores, targets, blank=BLANK)
    spans = merge_tokens(path[0], score[0], blank=BLANK)
    edge = (CENTRE - STRIDE / 2) / RATE
    out = [
        (spans[k - 1].end + spans[k + 1].start) / 2 * STRIDE / RATE + edge
        for k, span in enumerate(spans)
        if span.token == DELIMITER
    ]
    return np.array(out)


def midpoints(words: list[tuple[str, float, float]]) -> np.ndarray:
    return np.array([(a[2] + b[1]) / 2 for a, b in pairwise(words)])


def greedy(scores) -> str:
    """The best transcription without a language model."""
    best = scores[0].argmax(-1).tolist()
    tokens = [t for k, t in enumerate(best) if t != BLANK and (k == 0 or t != best[k - 1])]
    return "".join(VOCABULARY[t] for t in tokens).replace("|", " ").strip()


def edits(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def summary(errors: list[np.ndarray], utterances: int) -> dict:
    """n, median and 90 % absolute error, bias, and shares within 20, 50 and 100 ms."""
    e = np.concatenate(errors) * 1000
    shares = {f"within_{ms}_ms": round(float(np.mean(np.abs(e) <= ms)), 4) for ms in (20, 50, 100)}
    return {
        "utterances": utterances,
        "n": len(e),
        "median_ms": round(float(np.median(np.abs(e))), 1),
        "p90_ms": round(float(np.quantile(np.abs(e), 0.9)), 1),
        "bias_ms": round(float(np.median(e)), 1),
        **shares,
    }


def synthetic(model, processor, said: list[str], voices) -> dict:
    """Boundary error and character error rate of the texts in the voices, overall and by voice."""
    result, everything, total, mistakes, length = {}, [], 0, 0, 0
    for engine, voice in voices:
        speeches = engines.synthesise([{"engine": engine, "voice": voice, "text": t} for t in said])
        errors, wrong, letters, count = [], 0, 0, 0
        for speech in filter(None, speeches):
            words = [w for w, _, _ in speech.words]
            scores = log_probs(model, processor, speech.samples)
            errors.append(boundaries(scores, words) - midpoints(list(speech.words)))
            wrong += edits(greedy(scores), " ".join(words))
            letters += len(" ".join(words))
            count += 1
        result[f"{engine}/{voice}"] = {**summary(errors, count), "cer": round(wrong / letters, 3)}
        everything += errors
        total, mistakes, length = total + count, mistakes + wrong, length + letters
    return {**summary(everything, total), "cer": round(mistakes / length, 3), "by_voice": result}


def pocketsphinx_words(samples: np.ndarray, words: list[str]) -> list | None:
    """Word times of pocketsphinx's English model; None where it lacks a word or finds no path."""
    from pocketsphinx import Decoder

    decoder = Decoder(
        samprate=RATE, lm=None, beam=1e-100, pbeam=1e-100, wbeam=1e-80, loglevel="FATAL"
    )
    for word in set(words) & set(PRONUNCIATIONS):
        decoder.add_word(word, PRONUNCIATIONS[word], True)
    if any(decoder.lookup_word(w) is None for w in words):
        return None
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw(samples.astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    found = [
        (s.word.split("(")[0], s.start_frame / 100, (s.end_frame + 1) / 100)
        for s in decoder.seg() or []
    ]
    found = [f for f in found if f[0][0] not in "<["]
    return found if [w for w, _, _ in found] == words else None


def real(model, processor, reference: Path) -> dict:
    """LibriSpeech clips against pocketsphinx, beside characters spread in proportion."""
    import soundfile

    ours, proportion, used, clips = [], [], 0, 0
    for path in sorted(reference.glob("audio/500/original/*.flac")):
        run = reference / "runs" / "500_original_sgpa" / f"{path.stem}.json"
        words = re.sub(
            r"[^a-z' ]", " ", json.loads(run.read_text())["prompt_texts"][0].lower()
        ).split()
        samples, rate = soundfile.read(path, dtype="int16")
        if rate != RATE:
            raise ValueError(f"{path} has {rate} Hz, expected {RATE}")
        clips += 1
        truth = pocketsphinx_words(samples, words)
        if truth is None or len(words) < 2:
            continue
        used += 1
        true = midpoints(truth)
        ours.append(boundaries(log_probs(model, processor, samples), words) - true)
        ends = np.cumsum([len(w) + 1 for w in words])[:-1] / (len(" ".join(words)) + 1)
        proportion.append(ends * len(samples) / RATE - true)
    return {
        "reference": "pocketsphinx 10 ms frames",
        "clips": clips,
        **summary(ours, used),
        "characters_in_proportion": summary(proportion, used),
    }


def figures(folder: Path, prompts: bool = True) -> dict:
    """Everything that is measured."""
    import torch
    import transformers

    model, processor = load(folder)
    rng = np.random.default_rng(SEED)
    said = sorted({texts.instruction(rng) for _ in range(INSTRUCTIONS)})
    result = {
        "held_out_voices": [f"{engine}/{voice}" for engine, voice in corpus.HELD_OUT],
        "held_out_instructions": synthetic(model, processor, said, corpus.HELD_OUT),
    }
    if prompts:
        result["held_out_prompts"] = synthetic(
            model, processor, texts.spoken_prompts(), corpus.HELD_OUT
        )
        seen = [("flite", "slt"), ("flite", "rms"), ("festival", "kal"), ("espeak", "gmw/en-US+f2")]
        result["seen_voices_prompts"] = synthetic(model, processor, texts.spoken_prompts(), seen)
    if os.environ.get("SGPA_REFERENCE"):
        result["real_speech"] = real(model, processor, Path(os.environ["SGPA_REFERENCE"]))
    run = folder / "run.json"
    return {
        **result,
        "parameters": sum(p.numel() for p in model.parameters()),
        "training": json.loads(run.read_text()) if run.exists() else {},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def table(found: dict) -> str:
    """The figures as a Markdown table, one row for each voice and material."""
    rows = []
    for part, label in PARTS.items():
        if part in found:
            rows.append((f"**{label}**", found[part]))
            rows += [(f"{label}, {v}", f) for v, f in found[part].get("by_voice", {}).items()]
    if "real_speech" in found:
        rows.append(("characters in proportion", found["real_speech"]["characters_in_proportion"]))
    lines = [
        "| material | boundaries | median | 90 % | bias | ≤ 20 ms | ≤ 50 ms | ≤ 100 ms | CER |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for label, f in rows:
        shares = " | ".join(f"{100 * f[f'within_{ms}_ms']:.1f} %" for ms in (20, 50, 100))
        times = " | ".join(f"{f[k]:.1f} ms" for k in ("median_ms", "p90_ms", "bias_ms"))
        lines.append(f"| {label} | {f['n']} | {times} | {shares} | {f.get('cer', '')} |")
    return "\n".join(lines)


def write_card(folder: Path, found: dict) -> None:
    """Put the table between the marks of the model card."""
    card = folder / "README.md"
    before, mark, rest = card.read_text().partition("<!-- figures -->\n")
    _, end, after = rest.partition("<!-- end of figures -->\n")
    card.write_text(f"{before}{mark}{table(found)}\n{end}{after}")


def write_sums(folder: Path) -> None:
    """SHA256SUMS of every file that the loader reads."""
    present = [name for name in SHIPPED if (folder / name).exists()]
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in present]
    (folder / "SHA256SUMS").write_text("".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=HERE)
    parser.add_argument("--quick", action="store_true", help="print only, without the prompts")
    options = parser.parse_args()
    found = figures(options.model, prompts=not options.quick)
    print(json.dumps(found, indent=1))
    if not options.quick:
        (options.model / "figures.json").write_text(json.dumps(found, indent=1) + "\n")
        write_card(options.model, found)
        write_sums(options.model)


if __name__ == "__main__":
    main()
