"""Explain questions by native frames of 80 ms, as PLAN.md says: ``make results-assistant``.

Whisper's transcript of 12 questions and the assistant's answer to 6 of them; the published
estimator at 3n² evaluations, and the surrogate at n². One line of frames.jsonl for each, with every
utility that was evaluated, so that smaller budgets and other estimators cost nothing. What is there
is kept, so that an interrupted run goes on. It takes hours.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from make import HERE, answers_of_model, complete, recordings, subset

import sgpa_core as sgpa
from sgpa_core import partition
from sgpa_core.game import pack

TRANSCRIPTS, ANSWERS, SEED = 12, 6, 0
FRAME_SECONDS = 0.08
RUNS = {"cc-neyman-published": "3n^2", "surrogate": "n^2"}


class Transcript:
    """The assistant's recogniser as a model of its own: its answer is what it hears."""

    def __init__(self) -> None:
        assistant = answers_of_model().model
        self.name = assistant.recogniser.name
        self.sample_rate, self.token_seconds = assistant.sample_rate, FRAME_SECONDS

    def respond(self, batch: list[np.ndarray], sample_rate: int) -> list[str]:
        """Hear every recording; what the assistant heard before is not heard again."""
        return answers_of_model().heard(batch)


@cache
def model_of(kind: str) -> sgpa.Answers:
    """Return the model that a kind of answer comes from."""
    return answers_of_model() if kind == "answer" else sgpa.Answers(Transcript(), batch_size=128)


def row(id: str, kind: str, method: str) -> dict:
    """Explain one question."""
    spoken, answers = recordings()[id], model_of(kind)
    audio = sgpa.Audio.read(spoken.path)
    words, frames = sgpa.align(audio, spoken.text), partition.native(audio, FRAME_SECONDS)
    seconds, calls = answers.seconds, answers.calls
    game = sgpa.SpeechGame(audio, frames, answers).under()
    values = sgpa.shapley.estimate(game, method, RUNS[method], SEED)
    coalitions, utilities = game.observed()
    return {
        "id": id,
        "kind": kind,
        "method": method,
        "prompt": spoken.prompt,
        "players": len(frames),
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


def tasks() -> list[tuple[str, str, str]]:
    """List what is asked: the answers' questions are every second one of the transcripts'."""
    chosen = subset(TRANSCRIPTS)
    step = TRANSCRIPTS // ANSWERS
    kinds = {"answer": chosen[::step], "transcript": chosen}
    return [(id, kind, method) for kind, ids in kinds.items() for id in ids for method in RUNS]


def main() -> None:
    complete(HERE / "frames.jsonl", ("id", "kind", "method"), row, tasks())


if __name__ == "__main__":
    main()
