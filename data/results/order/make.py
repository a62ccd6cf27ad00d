"""Ask whether values follow the words or their place in time: ``make results``.

Exact values (TF-IDF, silence) of SGPA's words on two altered recordings of each prompt of up to 8
words, in both voices. *swapped*: the later half of the words is played first, then the earlier
half, cut at SGPA's boundary. *noise*: white noise, as loud as the recording, cut at the same times.
One line of values.jsonl for each; what is there is kept, so that an interrupted run goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from common import complete, recordings

import sgpa_core as sgpa
from sgpa_core import partition
from sgpa_core.companion.pedigree import write_pedigree

LONGEST, SEED = 8, 0
CONDITIONS = ("swapped", "noise")


def swapped(players: partition.Partition, audio: sgpa.Audio) -> tuple[sgpa.Audio, np.ndarray, list]:
    """Play the later half of the words first: the audio, the spans and which word is where."""
    spans, half = players.spans, len(players) // 2
    start, middle, end = spans[0, 0], spans[half, 0], spans[-1, 1]
    a, b, c = (round(t * audio.sample_rate) for t in (start, middle, end))
    x = audio.samples
    sound = np.concatenate([x[:a], x[b:c], x[a:b], x[c:]])
    late, early = spans[half:] - middle + start, spans[:half] + end - middle
    order = [*range(half, len(players)), *range(half)]
    moved = np.maximum.accumulate(np.concatenate([late, early]).ravel())  # sums are rounded
    return sgpa.Audio(sound, audio.sample_rate), moved.reshape(-1, 2), order


def run(id: str, condition: str) -> dict:
    """Collect all answers on an altered recording."""
    recording = sgpa.instructions(id)
    audio = recording.audio
    players = partition.words(sgpa.align(audio, recording.text, refine="sgpa"))
    spans, order = players.spans, list(range(len(players)))
    if condition == "swapped":
        audio, spans, order = swapped(players, audio)
    else:
        rng = np.random.default_rng((SEED, int(id.split("-")[1])))
        level = np.sqrt(np.mean(audio.samples**2))
        noise = rng.normal(0, level, len(audio.samples)).clip(-1, 1).astype(np.float32)
        audio = sgpa.Audio(noise, audio.sample_rate)
    labels = tuple(players.labels[k] for k in order)
    cut = partition.Partition(condition, labels, spans)
    table = sgpa.SpeechGame(audio, cut, "embedded").table(id, recording.voice)
    return {
        "id": id,
        "voice": recording.voice,
        "condition": condition,
        "order": order,
        "spans": spans.round(4).tolist(),
        "duration": round(audio.duration, 4),
        "values": table.values().round(6).tolist(),
        "answer": table.full,
        "same": table.full == recording.answer,
        "answers": len(table.answers),
    }


def main() -> None:
    file = HERE / "values.jsonl"
    chosen = recordings(LONGEST)
    tasks = [(r.id, condition) for condition in CONDITIONS for r in chosen]
    lines = complete(file, ("id", "condition"), run, tasks)
    write_pedigree(
        HERE,
        SEED,
        model=sgpa.load_model("embedded").name,
        method="exact",
        utility="tfidf",
        masking="silence",
        utterances=len(chosen),
        asked=sum(2 ** len(line["values"]) for line in lines),
    )


if __name__ == "__main__":
    main()
