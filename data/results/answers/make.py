"""Ask the embedded answerer for every coalition of many partitions: ``make results``.

Each prompt of up to nine words, spoken by a voice that no training has heard and by one that it
has; words cut by each kind of boundary, pieces that know nothing of words, true boundaries moved
by a known error, and three maskings. One line of tables.jsonl for each; what is there is kept, so
that an interrupted run goes on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from common import LONGEST, VOICES, complete, moved

import sgpa_core as sgpa
from sgpa_core import partition, speech_game
from sgpa_core.companion.pedigree import write_pedigree
from sgpa_core.companion.recordings import Recording

SEED = 0
REFINED = {"words": "sgpa", "anchored": "anchored", "midpoint": "none"}
PIECES = ("uniform", "random-0", "random-1", "random-2")
MASKED = ("words", "midpoint")  # also with these:
OTHER_MASKINGS = ("noise", "cut")
ERRORS_MS = (10, 20, 40, 80)
SHIFTS = tuple(f"shift{sign * ms:+d}" for sign in (-1, 1) for ms in ERRORS_MS)
JITTERS = tuple(f"jitter-{ms}" for ms in ERRORS_MS)
LONGEST_SHIFTED = 7  # words

ORDER = (
    [(regime, "silence") for regime in ("words", "ctc", "midpoint", *PIECES, "truth", "anchored")]
    + [(regime, kind) for kind in OTHER_MASKINGS for regime in MASKED]
    + [(regime, "silence") for regime in SHIFTS + JITTERS]
)


def truth(recording: Recording) -> partition.Partition:
    """Return the words where the synthesiser put them."""
    spans = np.array([[word.start, word.end] for word in recording.words])
    spans[:, 1] = np.minimum(spans[:, 1], recording.audio.duration)
    return partition.Partition("truth", tuple(word.text for word in recording.words), spans)


def players_of(regime: str, recording: Recording) -> partition.Partition:
    """Cut a recording as a regime does."""
    name, _, number = regime.partition("-")
    if regime in REFINED:
        return partition.words(sgpa.align(recording.audio, recording.text, refine=REFINED[regime]))
    if regime == "ctc":
        return partition.ctc(sgpa.align(recording.audio, recording.text))
    if regime == "uniform":
        return partition.uniform(recording.audio, len(recording.words))
    if name == "random":
        return partition.random(recording.audio, len(recording.words), int(number))
    if regime == "truth":
        return truth(recording)
    inner = len(recording.words) - 1
    if name == "jitter":
        prompt = int(recording.id.split("-")[1])
        signs = np.random.default_rng((SEED, prompt)).choice([-1, 1], inner)
        return moved(truth(recording), signs * int(number) / 1000)
    return moved(truth(recording), np.full(inner, int(regime.removeprefix("shift")) / 1000))


def table(id: str, regime: str, masking: str) -> speech_game.AnswerTable:
    """Collect one table."""
    recording = sgpa.instructions(id)
    players = players_of(regime, recording)
    game = sgpa.SpeechGame(recording.audio, players, "embedded", masking)
    return game.table(id, recording.voice, regime)


def line(*task: str) -> dict:
    """Return one table as its file holds it."""
    return json.loads(table(*task).to_json())


def tasks() -> list[tuple[str, str, str]]:
    """List what is to be collected, in the order in which it is of use."""
    chosen = [r for r in sgpa.instructions() if r.voice in VOICES]
    return [
        (recording.id, regime, masking)
        for regime, masking in ORDER
        for recording in chosen
        if len(recording.words) <= (LONGEST_SHIFTED if regime in SHIFTS + JITTERS else LONGEST)
    ]


def main() -> None:
    file = HERE / "tables.jsonl"
    complete(file, ("id", "regime", "masking"), line, tasks())
    tables = speech_game.read_tables(file)
    asked = sum(2**table.n for table in tables)
    name = sgpa.load_model("embedded").name
    write_pedigree(HERE, SEED, model=name, tables=len(tables), asked=asked)


if __name__ == "__main__":
    main()
