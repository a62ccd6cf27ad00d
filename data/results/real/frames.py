"""Explain questions by native frames of 80 ms, as PLAN.md says: ``make results-assistant``.

Whisper's transcript of 12 questions and the assistant's answer to 6 of them; frames by the
published estimator at 3n² evaluations and by the surrogate at n², words by the published one, for
the time that it takes. One line of frames.jsonl for each, with every utility that was evaluated, so
that smaller budgets and other estimators cost nothing. What is there is kept, so that an
interrupted run goes on. It takes hours.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from common import complete
from prompts import answers_of_model, recordings, subset

import sgpa_core as sgpa
from sgpa_core import partition
from sgpa_core.game import pack
from sgpa_core.shapley.estimate import estimate

TRANSCRIPTS, ANSWERS, SEED = 12, 6, 0
FRAME_SECONDS = 0.08
PUBLISHED, OURS = ("cc-neyman-published", "3n^2"), ("surrogate", "n^2")
RUNS = (("words", *PUBLISHED), ("frames", *PUBLISHED), ("frames", *OURS))


class Transcript:
    """The assistant's recogniser as a model of its own: its answer is what it hears."""

    def __init__(self, assistant: sgpa.Answers) -> None:
        self.assistant, self.name = assistant, assistant.model.recogniser.name
        self.sample_rate, self.token_seconds = assistant.model.sample_rate, FRAME_SECONDS

    def respond(self, batch: list[np.ndarray], sample_rate: int) -> list[str]:
        """Hear every recording; what the assistant heard before is not heard again."""
        return self.assistant.heard(batch)


@cache
def answers_about_frames(kind: str) -> sgpa.Answers:
    """Return the model that a kind of answer comes from, with what it was asked about frames."""
    assistant = sgpa.Answers(answers_of_model().model, HERE / "frames.sqlite", batch_size=128)
    return assistant if kind == "answer" else sgpa.Answers(Transcript(assistant), batch_size=128)


def row(id: str, kind: str, regime: str, method: str, budget: str) -> dict:
    """Explain one question."""
    spoken, answers = recordings()[id], answers_about_frames(kind)
    audio = sgpa.Audio.read(spoken.path)
    words = sgpa.align(audio, spoken.text)
    players = partition.native(audio, FRAME_SECONDS)
    if regime == "words":  # timed, so nothing may be known before
        players, model = partition.words(words), answers_of_model().model
        answers = sgpa.Answers(model if kind == "answer" else model.recogniser, batch_size=128)
    seconds, calls = answers.seconds, answers.calls
    game = sgpa.SpeechGame(audio, players, answers).under()
    values = estimate(game, method, budget, SEED)
    coalitions, utilities = game.observed()
    return {
        "id": id,
        "kind": kind,
        "regime": regime,
        "method": method,
        "budget": budget,
        "prompt": spoken.prompt,
        "players": len(players),
        "duration": round(audio.duration, 4),
        "evaluations": values.evaluations,
        "calls": answers.calls - calls,
        "seconds": round(answers.seconds - seconds, 2),
        "values": values.values.round(6).tolist(),
        "words": [word.text for word in words.words],
        "spans": words.spans.round(4).tolist(),
        "coalitions": [key.hex() for key in pack(coalitions)],
        "utilities": utilities.round(4).tolist(),
    }


def tasks() -> list[tuple[str, str, str, str, str]]:
    """List what is asked: the answers' questions are every second one of the transcripts'."""
    chosen = subset(TRANSCRIPTS)
    step = TRANSCRIPTS // ANSWERS
    kinds = {"answer": chosen[::step], "transcript": chosen}
    return [(id, kind, *run) for kind, ids in kinds.items() for id in ids for run in RUNS]


def main() -> None:
    complete(HERE / "frames.jsonl", ("id", "kind", "regime", "method", "budget"), row, tasks())


if __name__ == "__main__":
    main()
