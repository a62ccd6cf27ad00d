"""Check the recordings of data/questions: are they understood, and do their times hold?

    python data/questions/check.py     # writes checked.json, some minutes

Whisper tiny.en hears every recording and SmolLM2-135M-Instruct answers what it heard. Two aligners
that know nothing of the synthesiser place the boundaries between the words. Needs the open weights
(`python -m sgpa_core fetch models`) and pocketsphinx.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "results" / "boundaries")]

import baselines  # noqa: E402

import sgpa_core  # noqa: E402

RATE = 16_000
BATCH = 8


def spoken(text: str) -> list[str]:
    """The words that are spoken, so that "12" and "twelve" are the same; American spelling."""
    words = " ".join(word.spoken for word in sgpa_core.decompose(text).words)
    return words.replace("colour", "color").split()


def boundaries(recording) -> dict[str, np.ndarray]:
    """Boundaries (s) that the aligners find."""
    aligned = sgpa_core.align(recording.audio, recording.text, refine="none")
    estimates = {"embedded": aligned.inner_boundaries}
    spans = baselines.pocketsphinx_spans(recording.audio, recording.text)
    if spans is not None:
        estimates["pocketsphinx"] = (spans[:-1, 1] + spans[1:, 0]) / 2
    return estimates


def edits(a: list[str], b: list[str]) -> int:
    """Words to insert, to delete or to replace."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def main() -> None:
    recordings, assistant = sgpa_core.questions(), sgpa_core.load_model("assistant")
    heard = []
    for i in range(0, len(recordings), BATCH):
        sound = [r.audio.resample(RATE).samples for r in recordings[i : i + BATCH]]
        heard += assistant.hear(sound, RATE)
        print(f"\rheard {len(heard)} of {len(recordings)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    heard = [" ".join(text.split()) for text in heard]
    answers = assistant.write(heard)
    wrong = [edits(spoken(h), spoken(r.text)) for h, r in zip(heard, recordings, strict=True)]
    errors: dict[str, list[np.ndarray]] = {}
    for recording in recordings:
        for aligner, times in boundaries(recording).items():
            errors.setdefault(aligner, []).append(1000 * (times - recording.inner_boundaries))
    quartiles = {
        name: dict(
            zip(("n", "median_ms", "quartiles_ms", "absolute_median_ms"), summary(e), strict=True)
        )
        for name, e in errors.items()
    }
    result = {
        "made_by": "python data/questions/check.py",
        "models": assistant.name,
        "recordings": len(recordings),
        "heard_exactly": sum(not count for count in wrong),
        "word_error_rate": round(sum(wrong) / sum(len(spoken(r.text)) for r in recordings), 4),
        "aligner_minus_stored": quartiles,
        "answers": {
            r.id: {"text": r.text, "heard": h, "errors": w, "answer": a}
            for r, h, w, a in zip(recordings, heard, wrong, answers, strict=True)
        },
    }
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (HERE / "checked.json").write_text(text + "\n", "utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "answers"}, indent=1))


def summary(errors: list[np.ndarray]) -> tuple:
    """Number, median, quartiles and absolute median."""
    every = np.concatenate(errors)
    low, middle, high = np.percentile(every, (25, 50, 75)).round(1).tolist()
    return len(every), middle, [low, high], float(np.median(np.abs(every)).round(1))


if __name__ == "__main__":
    main()
