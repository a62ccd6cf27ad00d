"""Whom the assistant hears, and the assistant: what the scripts of this folder share."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import sgpa_core as sgpa

HERE = Path(__file__).resolve().parent
LONGEST, SHORT = 8, 7
"""Words of a recording, and of those that are also cut, masked and moved in other ways."""
REFERENCE = (("1k", "male"), ("1k", "female"), ("1k", "original"), ("500", "original"))


class Spoken(NamedTuple):
    """A recording: whose prompt it is, who speaks, what, and where it lies."""

    prompt: str
    voice: str
    text: str
    path: Path
    own: bool


@cache
def recordings() -> dict[str, Spoken]:
    """Name what is at hand: the questions, and the reference's recordings."""
    found = {
        r.id: Spoken(f"question-{r.id.split('-')[1]}", r.voice, r.text, r.path, True)
        for r in sorted(sgpa.questions(), key=lambda r: r.id.split("-")[1])
    }
    folder = Path(os.environ.get("SGPA_REFERENCE", "nowhere"))
    for corpus, voice in REFERENCE:
        for path in sorted(folder.glob(f"audio/{corpus}/{voice}/*")):
            run = folder / "runs" / f"{corpus}_{voice}_sgpa" / f"{path.stem}.json"
            if run.exists():
                text = json.loads(run.read_text("utf-8"))["prompt_texts"][0]
                id, prompt = f"{corpus}-{voice}-{path.stem}", f"{corpus}-{path.stem}"
                found[id] = Spoken(prompt, f"{corpus} {voice}", text, path, False)
    return {id: spoken for id, spoken in found.items() if len(spoken.text.split()) <= LONGEST}


def subset(count: int) -> list[str]:
    """Name every k-th question of few words, in the voice that comes first."""
    words = {id: len(spoken.text.split()) for id, spoken in recordings().items() if spoken.own}
    short = [id for id in list(words)[::2] if words[id] <= SHORT]
    return [short[k * len(short) // count] for k in range(count)]


@cache
def answers_of_model() -> sgpa.Answers:
    """Load the assistant once a process; what it heard and answered is kept for the others."""
    return sgpa.Answers(sgpa.load_model("assistant"), HERE / "answers.sqlite", batch_size=128)
