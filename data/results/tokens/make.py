"""Ask a recogniser alone which spoken word made which word of its transcript: ``make results``.

A known truth for `Explanation.answer_words`: a word that was heard rightly should rest on itself.
Whisper tiny.en, SGPA's words, silence, exact values; up to 7 words. One line of words.jsonl for
each recording, without its text: for each of its words that was heard, what the spoken word itself
is worth, and how many words away the one is that is worth most (0: itself). The recordings of
people are read through SGPA_REFERENCE; the natural voices are the project's own.
"""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "boundaries")]
import baselines
from common import complete

import sgpa_core as sgpa
from sgpa_core.companion.pedigree import write_pedigree
from sgpa_core.utility import tokens

LONGEST, MODEL = 7, "openai/whisper-tiny.en"
"""Words of a recording."""


@cache
def recordings() -> dict[tuple[str, str], tuple[str, sgpa.Audio, str]]:
    """Name each recording at hand by its set and id, with its voice, sound and text."""
    found = {("natural voices", r.id): (r.voice, r.audio, r.text) for r in sgpa.questions()[::4]}
    reference = Path(os.environ.get("SGPA_REFERENCE", "nowhere"))
    if reference.is_dir():
        for id, speaker, audio, text, _ in baselines.people(reference):
            found["people, read", id] = (speaker, audio, text)
    for path in sorted(reference.glob("audio/1k/original/*.flac")):
        run = reference / "runs" / "1k_original_sgpa" / f"{path.stem}.json"
        if run.exists():
            text = json.loads(run.read_text("utf-8"))["prompt_texts"][0]
            found["people, asking", path.stem] = (path.stem, sgpa.Audio.read(path), text)
    return {key: item for key, item in found.items() if len(item[2].split()) <= LONGEST}


@cache
def model() -> sgpa.AudioLM:
    """Load the recogniser once a process."""
    return sgpa.load_model(MODEL)


def run(name: str, id: str) -> dict:
    """Explain one transcript."""
    voice, audio, text = recordings()[name, id]
    explanation = sgpa.explain(audio, text, model(), "exact")
    frame = explanation.answer_words()
    spoken = [tokens(label) for label in explanation.players]
    rows = []
    for column, word in enumerate(tokens(explanation.answer)):
        own = [k for k, name in enumerate(spoken) if word in name]
        if own:
            values = frame.iloc[:, column].to_numpy()
            best, top = float(values[own].max()), int(values.argmax())
            rows.append([round(best, 4), min(abs(top - k) for k in own)])
    heard = {"players": len(explanation), "heard": len(tokens(explanation.answer)), "words": rows}
    return {"set": name, "id": id, "voice": voice} | heard | {"calls": explanation.calls}


def main() -> None:
    file, tasks = HERE / "words.jsonl", list(recordings())
    if "SGPA_REFERENCE" not in os.environ and file.exists():
        print("the recordings of people are not at hand; their rows stay as stored")
        rows = map(json.loads, file.read_text("utf-8").splitlines())
        tasks += [(row["set"], row["id"]) for row in rows if row["set"].startswith("people")]
    lines = complete(file, ("set", "id"), run, tasks, workers=1)
    settings = {"method": "exact", "masking": "silence", "utterances": len(lines)}
    write_pedigree(HERE, None, model=model().name, **settings)


if __name__ == "__main__":
    main()
