"""Ask the assistant for every coalition, as PLAN.md says: ``make results-assistant``.

Every question in two voices, and the reference's recordings of at most 8 words where they are at
hand (SGPA_REFERENCE): SGPA's words under silence, with the log-likelihood of the full answer for
the questions. Subsets: other cuttings, other maskings, other boundaries, boundaries that are moved.
One line of tables.jsonl for each table of answers, with what was heard. Texts of others are left
out: their recordings have the utilities of their answers in place of these. What is there is kept,
so that an interrupted run goes on. It takes hours.
"""

from __future__ import annotations

import json
import os
import sys
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from common import complete, moved
from prompts import answers_of_model, recordings, subset

import sgpa_core as sgpa
from sgpa_core import faithfulness, partition
from sgpa_core.companion.pedigree import write_pedigree
from sgpa_core.game import all_coalitions
from sgpa_core.utility import tokens

REFINED = {"sgpa": "sgpa", "midpoint": "none"}
SHIFTS = tuple(f"shift{sign * ms:+d}" for ms in (20, 40, 80) for sign in (-1, 1))
SUBSETS = {
    24: [(regime, "silence") for regime in ("uniform", "random-0", "random-1", "ctc")],
    16: [("words", "noise"), ("words", "cut")],
    12: [(regime, "silence") for regime in (*REFINED, *SHIFTS)],
}
"""How many prompts, and what is done with them."""


def tasks() -> list[tuple[str, str, str]]:
    """List what is asked, in the order in which it is of use."""
    listed = []
    for count, ways in SUBSETS.items():
        listed += [(id, *way) for way in (("words", "silence"), *ways) for id in subset(count)]
    first = subset(min(SUBSETS))
    listed.sort(key=lambda task: first.index(task[0]) if task[0] in first else len(first))
    by_length = sorted(recordings(), key=lambda id: len(recordings()[id].text.split()))
    listed += [(id, "words", "silence") for id in by_length if recordings()[id].own]
    listed += [(id, "words", "silence") for id in recordings()]
    return list(dict.fromkeys(listed))


def players_of(regime: str, words: sgpa.Segmentation) -> partition.Partition:
    """Cut a recording as a regime does; `words` is what the aligner found by default."""
    players, name = partition.words(words), regime.partition("-")[0]
    assert words.audio is not None
    if regime.startswith("shift"):
        shift = int(regime.removeprefix("shift")) / 1000
        return moved(players, np.full(len(players) - 1, shift))
    if name == "random":
        return partition.random(words.audio, len(players), int(regime[-1]))
    if regime in REFINED:
        return partition.words(sgpa.align(words.audio, words.text, refine=REFINED[regime]))
    return partition.make_partition(regime, words)


def row(id: str, regime: str, masking: str) -> dict:
    """Collect one table."""
    spoken = recordings()[id]
    words = sgpa.align(sgpa.Audio.read(spoken.path), spoken.text)
    assert words.audio is not None and words.alignment is not None
    game = sgpa.SpeechGame(words.audio, players_of(regime, words), answers_of_model(), masking)
    answers = game.table(id, spoken.voice, regime)
    coalitions = all_coalitions(answers.n)
    heard = game.heard(coalitions)
    likeness = SequenceMatcher(None, tokens(spoken.text), tokens(heard[-1]), False).ratio()
    table = {"prompt": spoken.prompt, "heard_rightly": round(likeness, 3)}
    table |= {"margin": round(float(words.alignment.margin), 3)} | json.loads(answers.to_json())
    if not spoken.own:
        table = {name: table[name] for name in table if name not in ("labels", "answers", "which")}
        named = {name: answers.utilities(name).round(4).tolist() for name in ("tfidf", "f1")}
        loudness = faithfulness.loudness(words.audio, answers.spans).round(5).tolist()
        about = {"seconds": round(words.audio.duration, 4), "loudness": loudness}
        return table | named | about | {"which": answers.which.tolist()}
    texts = list(dict.fromkeys(heard))
    table |= {"heard": texts, "heard_by": [texts.index(text) for text in heard]}
    if (regime, masking) == ("words", "silence"):
        table["log_likelihood"] = game.under("log-likelihood")(coalitions).round(3).tolist()
    return table


def main() -> None:
    file, todo = HERE / "tables.jsonl", tasks()
    if "SGPA_REFERENCE" not in os.environ and file.exists():
        print("the reference's recordings are not at hand; their rows stay as stored")
        kept = map(json.loads, file.read_text("utf-8").splitlines())
        keys = [(line["id"], line["regime"], line["masking"]) for line in kept]
        todo += [key for key in keys if key not in todo]
    lines = complete(file, ("id", "regime", "masking"), row, todo)
    asked = sum(len(line["which"]) for line in lines)
    write_pedigree(HERE, 0, model=answers_of_model().model.name, tables=len(lines), asked=asked)


if __name__ == "__main__":
    main()
