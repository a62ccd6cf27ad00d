"""Ask how likely the full answer is under every coalition of words: ``make results``.

SGPA's words, silence, prompts of up to 9 words in both voices; log P(full answer | coalition) in
nats, teacher-forced. One line of values.jsonl for each utterance, in the order of the coalitions'
bits, lowest bit the first word; what is there is kept, so that an interrupted run goes on.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import pedigree

import sgpa_core as sgpa

PROCESSES = 2


def run(id: str) -> dict:
    """Collect one game, on one thread."""
    import torch

    torch.set_num_threads(1)
    recording, model = sgpa.instructions(id), sgpa.load_model()
    found = sgpa.explain(recording.audio, recording.text, model, "exact", utility="log-likelihood")
    order = np.argsort(found.coalitions @ (1 << np.arange(len(found))))
    return {
        "id": id,
        "voice": recording.voice,
        "answer": found.response,
        "utilities": found.utilities[order].round(4).tolist(),
    }


def main() -> None:
    began = time.time()
    file = HERE / "values.jsonl"
    chosen = [r.id for r in pedigree.recordings()]
    lines = pedigree.gather(file, run, [(id,) for id in chosen], ("id",), PROCESSES)
    pedigree.write(
        HERE,
        began,
        None,
        model=sgpa.load_model().name,
        method="exact",
        utility="log-likelihood",
        masking="silence",
        utterances=len(lines),
        asked=sum(len(line["utilities"]) for line in lines),
    )


if __name__ == "__main__":
    main()
