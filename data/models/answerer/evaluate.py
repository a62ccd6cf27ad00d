"""Measure the embedded answerer: answers, what silenced words change, speed.

    python data/models/answerer/evaluate.py     # writes figures.json beside the weights

Prompts have new cores (see `speech.py`); each is spoken by seen and by held-out voices.  Words are
silenced at their true times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
from math import factorial
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import speech  # noqa: E402
from speech import rules  # noqa: E402

RATE = 16_000  # Hz
SEED, PROMPTS, SILENCED_PROMPTS, COALITIONS = 2_000, 200, 100, 4
SEEN = (
    ("flite", "slt"),
    ("flite", "rms"),
    ("flite", "kal16"),
    ("festival", "kal"),
    ("espeak", "gmw/en-GB-x-rp+f2"),
)
INSTRUCTIONS, EXPLAINED = ("awb", "ked", "slt"), ("awb", "ked")  # voices of data/instructions
SHIPPED = (
    "config.json", "generation_config.json", "model.safetensors", "preprocessor_config.json",
    "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip


class Answerer:
    """The model as anybody would load it; ``answers`` of float32 waveforms at 16 kHz."""

    def __init__(self, folder: Path = HERE) -> None:
        from transformers import (
            AutoFeatureExtractor,
            AutoTokenizer,
            WhisperForConditionalGeneration,
        )

        self.model = WhisperForConditionalGeneration.from_pretrained(folder).eval()
        self.extractor = AutoFeatureExtractor.from_pretrained(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def answers(self, audio: list[np.ndarray], size: int = 64) -> list[str]:
        import torch

        out: list[str] = []
        for n in range(0, len(audio), size):
            inputs = self.extractor(audio[n : n + size], sampling_rate=RATE, return_tensors="pt")
            with torch.no_grad():
                ids = self.model.generate(inputs.input_features)
            out += self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return out


def silenced(audio: np.ndarray, words, heard) -> np.ndarray:
    """The audio with zeros for the words that are not heard."""
    out = audio.copy()
    for (_, start, end), h in zip(words, heard, strict=True):
        if not h:
            out[int(start * RATE) : int(end * RATE)] = 0
    return out


def coalitions(n: int, rng: np.random.Generator) -> np.ndarray:
    """Random coalitions of every size from 0 to n alike."""
    heard = np.ones((COALITIONS, n), bool)
    for row in heard:
        row[rng.permutation(n)[: rng.integers(n + 1)]] = False
    return heard


def share(flags) -> float:
    return round(float(np.mean(flags)), 4)


def agreement(answerer: Answerer, utterances: list) -> dict:
    """Exact match, and what silencing does, over utterances of (float audio, words)."""
    train = sys.modules.get("answerer_train") or speech._load("answerer_train", HERE / "train.py")
    said = [[w for w, _, _ in words] for _, words in utterances]
    full = answerer.answers([audio for audio, _ in utterances])
    right = [answer == rules.answer(s) for answer, s in zip(full, said, strict=True)]
    some = range(min(SILENCED_PROMPTS, len(utterances)))

    alone = [(i, j) for i in some for j in range(len(said[i]))]
    audio = [
        silenced(*utterances[i], np.arange(len(said[i])) != j)  # type: ignore[misc]
        for i, j in alone
    ]
    changed: dict[bool, list[bool]] = {False: [], True: []}
    for (i, j), answer in zip(alone, answerer.answers(audio), strict=True):
        changed[j in rules.rationale(said[i])].append(answer != full[i])

    rng, agree = np.random.default_rng(SEED), {}
    for kind in ("words", "noise", "joined", "stretches"):
        heard, audio = [], []
        for i in some:
            samples, words = utterances[i]
            for flags in coalitions(len(words), rng):
                if kind == "stretches":
                    keep, flags = train.stretches(samples, words, rules.rationale(said[i]), rng)
                    audio.append(samples * keep)
                else:
                    keep = np.ones(len(samples), bool)
                    for (_, start, end), h in zip(words, flags, strict=True):
                        keep[int(start * RATE) : int(end * RATE)] &= h
                    audio.append(train.masked(samples, keep, kind, rng))
                heard.append(rules.answer(said[i], flags))
        answers = answerer.answers(audio)
        agree[kind] = share([a == b for a, b in zip(answers, heard, strict=True)])
    unheard = [r for r, s in zip(right, said, strict=True) if speech.unheard(" ".join(s))]
    return {
        "n": len(right),
        "exact_match": share(right),
        "unheard": len(unheard),
        "unheard_exact_match": share(unheard),
        "filler_changes": share(changed[False]),
        "fillers": len(changed[False]),
        "deciding_changes": share(changed[True]),
        "deciding": len(changed[True]),
        "coalitions_as_the_rule": agree,
    }


def spoken(texts: list[str], engine: str, voice: str) -> list:
    """(float audio, words) of the texts; those whose words run together are left out."""
    engines = speech.training_voices().engines
    made = engines.synthesise([{"engine": engine, "voice": voice, "text": t} for t in texts])
    return [(s.samples.astype(np.float32) / 32768, list(s.words)) for s in made if s]


def recordings(voice: str) -> list:
    data = speech.recorded(voice)
    return [(data.audio(i).astype(np.float32) / 32768, data.words[i]) for i in range(len(data))]


def similarity(answers: list[str], full: str) -> np.ndarray:
    """TF-IDF cosine of each answer to the full one, fitted on the two texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    known: dict[str, float] = {}
    for answer in set(answers):
        rows = TfidfVectorizer().fit_transform([answer, full])
        known[answer] = float((rows[0] @ rows[1].T).toarray()[0, 0])
    return np.array([known[a] for a in answers])


def shapley(values: np.ndarray) -> np.ndarray:
    """Exact Shapley values of a game over all 2^n coalitions, coalition k having bit i for i."""
    n = len(values).bit_length() - 1
    masks = np.arange(len(values))
    sizes = np.array([int(m).bit_count() for m in masks])
    out = np.zeros(n)
    for i in range(n):
        without = masks[(masks >> i & 1) == 0]
        weights = np.array([factorial(s) * factorial(n - s - 1) for s in sizes[without]])
        out[i] = np.sum(weights * (values[without | 1 << i] - values[without])) / factorial(n)
    return out


def explained(answerer: Answerer, voice: str) -> dict:
    """How often the word of the greatest exact |Shapley value| is one that decides."""
    hits, masses, wrong = [], [], 0
    for audio, words in recordings(voice):
        said = [w for w, _, _ in words]
        n = len(said)
        heard = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
        answers = answerer.answers([silenced(audio, words, h) for h in heard])
        if answers[-1] != rules.answer(said):
            wrong += 1
            continue
        values = np.abs(shapley(similarity(answers, answers[-1])))
        deciding = list(rules.rationale(said))
        hits.append(int(values.argmax()) in deciding)
        masses.append(values[deciding].sum() / values.sum())
    return {
        "explained": len(hits),
        "answered_wrongly": wrong,
        "top_word_decides": share(hits),
        "mass_on_deciding_words": share(masses),
    }


def speed(answerer: Answerer, seconds: float = 3.0, count: int = 64) -> dict:
    """Seconds for 64 coalitions of an utterance of 3 s on two threads, the best of five."""
    import torch

    torch.set_num_threads(2)
    audio, words = next(r for r in recordings("awb") if len(r[0]) > 2.5 * RATE)
    audio = np.resize(audio, int(seconds * RATE))
    rng = np.random.default_rng(0)
    waves = [silenced(audio, words, rng.random(len(words)) < 0.5) for _ in range(count)]
    found = {}
    for size in (1, 8, 32, 64):
        times = []
        for _ in range(2 if size == 1 else 5):
            start = time.perf_counter()
            answerer.answers(waves, size)
            times.append(time.perf_counter() - start)
        found[f"batch_{size}"] = round(min(times), 3)
    return found


def figures(folder: Path, prompts: int = PROMPTS) -> dict:
    """Everything that is measured."""
    import torch
    import transformers

    answerer = Answerer(folder)
    texts = speech.prompts(prompts, SEED, new=True)
    held_out = speech.training_voices().HELD_OUT
    result: dict = {"new_texts": {}, "instructions": {}, "explanations": {}}
    for voices, kind in ((held_out, "held out"), (SEEN, "seen")):
        for engine, voice in voices:
            found = agreement(answerer, spoken(texts, engine, voice))
            result["new_texts"][f"{engine}/{voice}"] = {"voice": kind, **found}
            print(engine, voice, found, flush=True)
    for voice in INSTRUCTIONS:
        result["instructions"][voice] = agreement(answerer, recordings(voice))
        print(voice, result["instructions"][voice], flush=True)
        if voice in EXPLAINED:
            result["explanations"][voice] = explained(answerer, voice)
            print(voice, result["explanations"][voice], flush=True)
    run = folder / "run.json"
    return {
        **result,
        "seconds_for_64_coalitions": speed(answerer),
        "parameters": sum(p.numel() for p in answerer.model.parameters()),
        "training": json.loads(run.read_text()) if run.exists() else {},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def table(found: dict) -> str:
    """The figures as Markdown tables."""
    lines = [
        "| prompts and voice | n | exact match | filler silenced: answer changes "
        "| deciding word silenced: answer changes | random words silenced | noise for words "
        "| words cut out | short stretches silenced |",
        "|---|---|---|---|---|---|---|---|---|",
    ]

    def line(label: str, parts: list[dict]) -> str:
        n = [p["n"] for p in parts]
        cells = [np.average([p["exact_match"] for p in parts], weights=n)]
        for key, count in (("filler_changes", "fillers"), ("deciding_changes", "deciding")):
            cells.append(np.average([p[key] for p in parts], weights=[p[count] for p in parts]))
        for kind in parts[0]["coalitions_as_the_rule"]:
            cells.append(np.mean([p["coalitions_as_the_rule"][kind] for p in parts]))
        return f"| {label} | {sum(n)} | " + " | ".join(f"{100 * c:.1f} %" for c in cells) + " |"

    for kind in ("held out", "seen"):
        some = {v: f for v, f in found["new_texts"].items() if f["voice"] == kind}
        lines += [line(f"new texts, {v} ({kind})", [f]) for v, f in some.items()]
        lines.append(line(f"**new texts, all voices {kind}**", list(some.values())))
    lines += [line(f"data/instructions, {v}", [f]) for v, f in found["instructions"].items()]
    told = [
        f"{100 * f['unheard_exact_match']:.1f} % by {v.split('/')[-1]} (of {f['unheard']})"
        for v, f in found["new_texts"].items()
        if f["voice"] == "held out"
    ]
    lines += [
        "",
        f"Exact match where the core is not even part of a longer one: {', '.join(told)}.",
    ]
    lines += [
        "",
        "| data/instructions, voice | explained | top word decides | mass on deciding words |",
        "|---|---|---|---|",
    ]
    for voice, f in found["explanations"].items():
        top, mass = 100 * f["top_word_decides"], 100 * f["mass_on_deciding_words"]
        lines.append(f"| {voice} | {f['explained']} | {top:.1f} % | {mass:.1f} % |")
    times = found["seconds_for_64_coalitions"]
    told = ", ".join(f"{s} s in batches of {k.split('_')[1]}" for k, s in times.items())
    return "\n".join([*lines, "", f"64 coalitions of an utterance of 3 s, two threads: {told}."])


def write_card(folder: Path, found: dict) -> None:
    """Put the tables between the marks of the model card."""
    card = folder / "README.md"
    before, mark, rest = card.read_text().partition("<!-- figures -->\n")
    _, end, after = rest.partition("<!-- end of figures -->\n")
    card.write_text(f"{before}{mark}{table(found)}\n{end}{after}")


def write_sums(folder: Path) -> None:
    """SHA256SUMS of every file that a loader reads."""
    present = [name for name in SHIPPED if (folder / name).exists()]
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in present]
    (folder / "SHA256SUMS").write_text("".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=HERE)
    parser.add_argument("--quick", action="store_true", help="print only, on few prompts")
    parser.add_argument("--speed", action="store_true", help="measure only the speed anew")
    options = parser.parse_args()
    if options.speed:
        found = json.loads((options.model / "figures.json").read_text())
        found["seconds_for_64_coalitions"] = speed(Answerer(options.model))
    else:
        found = figures(options.model, prompts=30 if options.quick else PROMPTS)
    if options.quick:
        print(table(found))
        return
    (options.model / "figures.json").write_text(json.dumps(found, indent=1) + "\n")
    write_card(options.model, found)
    write_sums(options.model)


if __name__ == "__main__":
    main()
