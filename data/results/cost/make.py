"""Measure what words and native frames cost on the embedded answerer: ``make results``.

The same utterances, estimator (the published one) and budget (3n²), with SGPA's words and with
pieces of 80 ms as players; the shortest also with 20 ms. One line of runs.jsonl for each; what is
there is kept, so that an interrupted run goes on. Every run starts with an empty memory of answers.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from common import PROCESSES, complete, spread

import sgpa_core as sgpa
from sgpa_core.companion.pedigree import write_pedigree

REGIMES = {"words": None, "native-80": 0.08}
FINE, FINE_UTTERANCES = 0.02, 1
METHOD, BUDGET, SEED = "cc-neyman-published", "3n^2", 0


def status(field: str) -> float:
    """Return a field of the process's memory in MB, where the system tells it."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    return int(re.search(rf"{field}:\s+(\d+)", text)[1]) / 1024


def peak_of(task) -> tuple[object, float]:
    """Run a task; return its result and how far it raised the memory in use, in MB."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return task(), float("nan")
    before = status("VmRSS")
    return task(), status("VmHWM") - before


def run(id: str, regime: str) -> dict:
    """Explain one utterance under one regime."""
    model, recording = sgpa.load_model("embedded"), sgpa.instructions(id)
    players = (
        "words"
        if regime == "words"
        else sgpa.partition.native(recording.audio, int(regime.split("-")[1]) / 1000)
    )

    def task() -> sgpa.Explanation:
        return sgpa.explain(
            recording.audio,
            recording.text,
            model,
            METHOD,
            BUDGET,
            SEED,
            partition=players,
            refine="sgpa",
        )

    explanation, peak = peak_of(task)
    return {
        "id": recording.id,
        "voice": recording.voice,
        "regime": regime,
        "duration": round(recording.audio.duration, 3),
        "words": len(recording.words),
        "players": len(explanation),
        "evaluations": explanation.evaluations,
        "distinct": explanation.attribution.distinct,
        "calls": explanation.calls,
        "seconds": round(explanation.seconds, 3),
        "peak_mb": round(peak, 1),
        "right": explanation.answer == recording.answer,
        "baseline": round(explanation.attribution.baseline, 6),
        "values": [round(float(v), 6) for v in explanation.values],
        "word_spans": explanation.segmentation.spans.round(4).tolist(),
    }


def main() -> None:
    file = HERE / "runs.jsonl"
    chosen = spread()
    tasks = [(id, regime) for id in chosen for regime in REGIMES]
    shortest = sorted(chosen, key=lambda id: sgpa.instructions(id).audio.duration)
    tasks += [(id, f"native-{FINE * 1000:.0f}") for id in shortest[:FINE_UTTERANCES]]
    # One thread a process, so that the times of two regimes can be compared on a busy machine.
    lines = complete(file, ("id", "regime"), run, sorted(tasks))
    write_pedigree(
        HERE,
        SEED,
        model=sgpa.load_model("embedded").name,
        method=METHOD,
        budget=BUDGET,
        utility="tfidf",
        masking="silence",
        utterances=len(chosen),
        asked=sum(line["calls"] for line in lines),
        processes=PROCESSES,
        threads=1,
    )


if __name__ == "__main__":
    main()
