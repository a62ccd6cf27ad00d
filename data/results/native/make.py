"""Explain the instructions by native frames, as well as can be paid for: ``make results``.

Frames of 80 ms; the surrogate estimator with 2,000 evaluations; on every eighth utterance with a
second seed, which tells how far the values can be trusted; the deletion and insertion curves of its
ordering, most valuable frame first; and the values summed inside SGPA's words. One line of
values.jsonl for each utterance and seed; what is there is kept, so that an interrupted run goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from common import complete, spread

import sgpa_core as sgpa
from sgpa_core import faithfulness, partition, utility
from sgpa_core.companion.pedigree import write_pedigree

SEED, SECOND_SEED, SECOND_EVERY = 0, 1, 8  # a second run of every eighth
FRAME_SECONDS = 0.08
METHOD, EVALUATIONS = "surrogate", 2_000


def run(id: str, seed: int) -> dict:
    """Explain one utterance."""
    answers, recording = sgpa.Answers(sgpa.load_model("embedded")), sgpa.instructions(id)
    segmentation = sgpa.align(recording.audio, recording.text, refine="sgpa")
    frames = partition.native(recording.audio, FRAME_SECONDS)
    explanation = sgpa.explain(
        segmentation, None, answers, METHOD, EVALUATIONS, seed, partition=frames
    )
    order = np.argsort(-explanation.values, kind="stable")
    game = sgpa.SpeechGame(recording.audio, frames, answers)

    def curve(order: np.ndarray, present: bool) -> list[float]:
        """Utilities while frames are made present, or absent, one after another."""
        steps = np.full((len(frames) + 1, len(frames)), not present)
        for step, frame in enumerate(order, 1):
            steps[step:, frame] = present
        return utility.tfidf(game.answers(steps), explanation.answer).round(5).tolist()

    inside = faithfulness.onto(explanation.values, frames.spans, segmentation.spans)
    return {
        "id": recording.id,
        "voice": recording.voice,
        "seed": seed,
        "players": len(frames),
        "duration": round(recording.audio.duration, 4),
        "evaluations": explanation.evaluations,
        "right": explanation.answer == recording.answer,
        "baseline": round(explanation.attribution.baseline, 6),
        "values": explanation.values.round(6).tolist(),
        "words": [word.text for word in segmentation.words],
        "spans": segmentation.spans.round(4).tolist(),
        "word_values": inside.round(6).tolist(),
        "deletion": curve(order, present=False),
        "insertion": curve(order, present=True),
    }


def main() -> None:
    file = HERE / "values.jsonl"
    chosen = spread()
    tasks = [(id, SEED) for id in chosen] + [(id, SECOND_SEED) for id in chosen[::SECOND_EVERY]]
    lines = complete(file, ("id", "seed"), run, tasks)
    write_pedigree(
        HERE,
        SEED,
        model=sgpa.load_model("embedded").name,
        method=METHOD,
        evaluations=EVALUATIONS,
        asked=sum(line["evaluations"] for line in lines),
        frame_seconds=FRAME_SECONDS,
        utility="tfidf",
        masking="silence",
    )


if __name__ == "__main__":
    main()
