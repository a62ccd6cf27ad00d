"""Ask how likely the full answer is under every coalition of words: ``make results``.

SGPA's words, silence, prompts of up to 9 words in both voices; log P(full answer | coalition) in
nats, teacher-forced. One line of values.jsonl for each utterance, in the order of the coalitions'
bits, lowest bit the first word; what is there is kept, so that an interrupted run goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from common import complete, recordings

import sgpa_core as sgpa
from sgpa_core.companion.pedigree import write_pedigree
from sgpa_core.game import mask_of


def run(id: str) -> dict:
    """Collect one game."""
    recording, model = sgpa.instructions(id), sgpa.load_model("embedded")
    explanation = sgpa.explain(
        recording.audio,
        recording.text,
        model,
        "exact",
        utility="log-likelihood",
        refine="sgpa",
    )
    order = np.argsort(mask_of(explanation.coalitions))
    return {
        "id": id,
        "voice": recording.voice,
        "answer": explanation.answer,
        "utilities": explanation.utilities[order].round(4).tolist(),
    }


def main() -> None:
    file = HERE / "values.jsonl"
    chosen = [r.id for r in recordings()]
    lines = complete(file, ("id",), run, [(id,) for id in chosen])
    write_pedigree(
        HERE,
        None,
        model=sgpa.load_model("embedded").name,
        method="exact",
        utility="log-likelihood",
        masking="silence",
        utterances=len(lines),
        asked=sum(len(line["utilities"]) for line in lines),
    )


if __name__ == "__main__":
    main()
