"""Measure the embedded aligner on people, on natural and on old synthetic voices, all unheard.

    python data/models/aligner/evaluate.py     # writes figures.json beside the weights

With ``SGPA_REFERENCE`` set, people are measured too: sentences with word times by hand (the
development speakers), and LibriSpeech clips against pocketsphinx.

A word boundary is the middle of the gap between the last character of a word and the first of the
next: no refinement.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "results" / "boundaries"), str(HERE.parents[2])]
import baselines  # noqa: E402
import corpus  # noqa: E402
import engines  # noqa: E402
import texts  # noqa: E402

import sgpa_core as sgpa  # noqa: E402
from sgpa_core import boundary, pipeline, stats  # noqa: E402

PARTS = {
    "people": "people reading, words by hand",
    "real_speech": "LibriSpeech clips, against pocketsphinx",
    "natural_voices": "questions, natural voices (times on 25 ms)",
    "held_out_instructions": "new instructions, old voices",
    "held_out_prompts": "prompts of data/speech, old voices",
}
INSTRUCTIONS, SEED = 60, 2_000
JOINED, APART_SECONDS = 60, 0.4  # recordings joined to a long one, with silence between
SHIPPED = (
    "config.json", "model.safetensors", "preprocessor_config.json", "processor_config.json",
    "tokenizer_config.json", "vocab.json",
)  # fmt: skip

Item = tuple[str, sgpa.Audio, str, np.ndarray]  # voice, recording, text, word spans (s)


def people(reference: Path) -> list[Item]:
    """Sentences whose words were timed by hand."""
    return [item for _, *item in baselines.people(reference)]


def librispeech(reference: Path) -> list[Item]:
    """Clips of LibriSpeech; pocketsphinx, where it knows every word, stands in for the truth."""
    items = []
    for path in sorted(reference.glob("audio/500/original/*.flac")):
        run = reference / "runs" / "500_original_sgpa" / f"{path.stem}.json"
        text, audio = json.loads(run.read_text())["prompt_texts"][0], sgpa.Audio.read(path)
        spans = baselines.pocketsphinx_spans(audio, text)
        if spans is not None and len(spans) > 1:
            items.append((path.stem, audio, text, spans))
    return items


def natural() -> list[Item]:
    return [(r.voice, r.audio, r.text, r.spans) for r in sgpa.questions()]


def synthesised(said: list[str]) -> list[Item]:
    """The texts by the voices that no training has heard."""
    items = []
    for engine, voice in corpus.HELD_OUT:
        speeches = engines.synthesise([{"engine": engine, "voice": voice, "text": t} for t in said])
        for text, speech in zip(said, speeches, strict=True):
            if speech and len(speech.words) > 1:
                spans = np.array([[start, end] for _, start, end in speech.words])
                audio = sgpa.Audio(speech.samples, engines.SAMPLE_RATE)
                items.append((f"{engine}/{voice}", audio, text.replace(",", ""), spans))
    return items


def aligned(items: list[Item], aligner: sgpa.Aligner) -> list[sgpa.Segmentation]:
    _, audios, said, _ = zip(*items, strict=True)
    return sgpa.align_many(audios, said, aligner, "none")


def measured(items: list[Item], aligner: sgpa.Aligner) -> dict:
    """Errors of the boundaries between words, overall with intervals, and by voice."""
    by_voice = defaultdict(list)
    for (voice, _, _, spans), found in zip(items, aligned(items, aligner), strict=True):
        true = (spans[:-1, 1] + spans[1:, 0]) / 2
        by_voice[voice].append(boundary.errors(true, found.inner_boundaries))
    voices = {voice: np.concatenate(errors) for voice, errors in by_voice.items()}
    every = np.concatenate(list(voices.values()))
    result = {"voices": len(voices), "utterances": len(items), **row(every)}
    if len(voices) > 1:
        groups = [np.abs(errors)[:, None] for errors in voices.values()]
        for name, statistic in (("median", np.median), ("mean", np.mean)):
            result[f"{name}_95"] = np.round(stats.bootstrap_groups(groups, statistic), 1).tolist()
    few = {voice: row(errors) for voice, errors in voices.items()} if len(voices) < 12 else {}
    return result | {"by_voice": few}


def row(errors: np.ndarray) -> dict[str, float]:
    told = boundary.summary(errors)
    told["mean"] = float(np.abs(errors).mean())
    return {name: value if name == "n" else round(value, 1) for name, value in told.items()}


def doubts(parts: dict[str, list[Item]], aligner: sgpa.Aligner) -> dict:
    """How often the right transcript is doubted, and how often that of the next item is not."""
    result = {"threshold": pipeline.LOW_MARGIN}
    for name, items in parts.items():
        said = [text for _, _, text, _ in items]
        margins = []
        for given in (said, said[1:] + said[:1]):
            margins.append(
                [_margin(item, text, aligner) for item, text in zip(items, given, strict=True)]
            )
        right, wrong = (np.array(m) for m in margins)
        wrong = wrong[[a != b for a, b in zip(said, said[1:] + said[:1], strict=True)]]
        result[name] = {
            "right": len(right),
            "wrong": len(wrong),
            "right_doubted": round(float(np.mean(right < pipeline.LOW_MARGIN)), 4),
            "wrong_passed": round(float(np.mean(wrong >= pipeline.LOW_MARGIN)), 4),
            "right_5_percent": round(float(np.quantile(right, 0.05)), 2),
            "wrong_95_percent": round(float(np.quantile(wrong, 0.95)), 2),
        }
    return result


def _margin(item: Item, text: str, aligner: sgpa.Aligner) -> float:
    """The margin; the least there is where the recording is too short for the text."""
    try:
        return sgpa.align(item[1], text, aligner, "none").alignment.margin
    except ValueError:
        return -np.inf


def long_audio(items: list[Item], aligner: sgpa.Aligner) -> dict:
    """Boundaries in one long recording against those of its parts alone, and the speed."""
    import torch

    rate, parts, at, expected, said = 16_000, [], 0.0, [], []
    for (_, audio, text, _), alone in zip(items, aligned(items, aligner), strict=True):
        samples = audio.resample(rate).samples
        parts += [samples / samples.std() * 0.05, np.zeros(int(APART_SECONDS * rate), np.float32)]
        expected.append(alone.inner_boundaries + at)
        said.append(text)
        at += (len(parts[-2]) + len(parts[-1])) / rate
    whole, threads = sgpa.Audio(np.concatenate(parts), rate), torch.get_num_threads()
    torch.set_num_threads(1)
    began = time.perf_counter()
    aligner.emissions(whole)
    seconds = time.perf_counter() - began
    torch.set_num_threads(threads)
    found = sgpa.align(whole, " ".join(said), aligner, "none").inner_boundaries
    inner = np.cumsum([len(text.split()) for text in said])[:-1] - 1
    moved = 1000 * np.abs(np.delete(found, inner) - np.concatenate(expected))
    return {
        "seconds": round(whole.duration, 1),
        "boundaries": len(moved),
        "moved_at_most_10_ms": round(float(np.mean(moved <= 10 + 1e-6)), 4),
        "moved_99_percent_ms": round(float(np.quantile(moved, 0.99)), 1),
        "times_real_time_one_core": round(whole.duration / seconds, 1),
    }


def figures(folder: Path, quick: bool) -> dict:
    """Everything that is measured."""
    import torch
    import transformers

    aligner = sgpa.load_aligner("embedded" if folder == HERE else str(folder))
    parts: dict[str, list[Item]] = {"natural_voices": natural()}
    if reference := os.environ.get("SGPA_REFERENCE"):
        parts["people"] = people(Path(reference))
        parts["real_speech"] = librispeech(Path(reference))
    if not quick and all(engines.available().values()):
        rng = np.random.default_rng(SEED)
        said = sorted({texts.instruction(rng) for _ in range(INSTRUCTIONS)})
        parts["held_out_instructions"] = synthesised(said)
        parts["held_out_prompts"] = synthesised(texts.spoken_prompts())
    result = {name: measured(items, aligner) for name, items in parts.items()}
    told = {
        name: parts[name] for name in ("people", "natural_voices", "real_speech") if name in parts
    }
    result["doubts"] = doubts(told, aligner)
    result["long_audio"] = long_audio(parts["natural_voices"][::3][:JOINED], aligner)
    run = folder / "run.json"
    return {
        **result,
        "parameters": sum(p.numel() for p in aligner.model.parameters()),
        "training": json.loads(run.read_text()) if run.exists() else {},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def rows(found: dict) -> Iterator[tuple[str, dict]]:
    for part, label in PARTS.items():
        if part in found:
            yield f"**{label}**", found[part]
            yield from ((f"{label}: {v}", f) for v, f in found[part]["by_voice"].items())


def table(found: dict) -> str:
    """The figures as a Markdown table, one row for each voice and material."""
    lines = [
        "| material | boundaries | median | mean | 90 % | bias | ≤ 20 ms | ≤ 50 ms | ≤ 100 ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for label, f in rows(found):
        shares = " | ".join(f"{f[f'within {ms}']:.1f} %" for ms in boundary.WITHIN_MS)
        times = " | ".join(f"{f[k]:.1f} ms" for k in ("median", "mean", "p90", "bias"))
        lines.append(f"| {label} | {f['n']} | {times} | {shares} |")
    long, doubts = found["long_audio"], found["doubts"]
    lines += [
        f"\nLong audio, {long['seconds']:.0f} s of joined questions, read in windows: "
        f"{100 * long['moved_at_most_10_ms']:.1f} % of {long['boundaries']} boundaries stay within "
        f"10 ms of where they are alone; {long['times_real_time_one_core']:.0f} times real time on "
        "one core.",
        f"\nWrong transcripts, told by a margin below {doubts['threshold']} nats a character:\n",
    ]
    for part, f in doubts.items():
        if part in PARTS:
            lines.append(
                f"- {PARTS[part]}: {100 * f['right_doubted']:.1f} % of {f['right']} right ones are"
                f" doubted, {100 * f['wrong_passed']:.1f} % of {f['wrong']} wrong ones pass"
            )
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
    parser.add_argument("--quick", action="store_true", help="print only, without the old voices")
    options = parser.parse_args()
    if not options.quick:
        write_sums(options.model)
    found = figures(options.model, options.quick)
    print(json.dumps(found, indent=1))
    if not options.quick:
        (options.model / "figures.json").write_text(json.dumps(found, indent=1) + "\n")
        write_card(options.model, found)


if __name__ == "__main__":
    main()
