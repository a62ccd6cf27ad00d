"""How many evaluations does the same error cost, for words and for frames: ``make results``.

Words: every coalition is answered in data/results/answers, which has to be there; so the truth is
exact and each estimator can be run with any budget. Frames of 80 ms: the reference is the mean of
two long runs with different seeds; half their difference tells how far it can be trusted.
errors.csv has one line per utterance, kind of player, estimator and budget: the error
mean |φ̂ − φ| / mean |φ|, averaged over seeds. The answers to frames are kept in .cache/results, so
that an interrupted run goes on.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from common import PROCESSES, VOICES

import sgpa_core as sgpa
from sgpa_core import speech_game
from sgpa_core.companion.pedigree import write_pedigree
from sgpa_core.companion.runner import run
from sgpa_core.files import DATA
from sgpa_core.shapley import estimate
from sgpa_core.shapley.estimate import METHODS, replaced_by_kernel

CACHE = DATA.parent / ".cache" / "results"
FRAME_UTTERANCES, FRAME_SECONDS = 6, 0.08
REFERENCE_EVALUATIONS = 8_000  # each of the two runs
WORD_METHODS = tuple(METHODS)
FRAME_METHODS = ("permutation", "kernel", "surrogate", "cc-neyman-published")
WORD_BUDGETS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
FRAME_BUDGETS = ("2n", "4n", "8n", "1n^2", "3n^2")
WORD_SEEDS, FRAME_SEEDS = range(20), range(1)
SMALLEST_WORDS = 4


def error(values: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(values - truth).mean() / np.abs(truth).mean())


@cache
def words() -> dict[str, speech_game.AnswerTable]:
    """Return all answers to SGPA's words, by recording."""
    tables = speech_game.read_tables(HERE.parent / "answers" / "tables.jsonl")
    return {t.id: t for t in tables if (t.regime, t.masking) == ("words", "silence")}


def of_words(id: str) -> list[dict]:
    """Errors of every estimator on one utterance whose coalitions are all known."""
    recording, table = sgpa.instructions(id), words()[id]
    game, truth, n = table.game(), table.values(), table.n
    if n < SMALLEST_WORDS or not truth.any():
        return []
    rows = []
    for method in WORD_METHODS:
        for budget in (b for b in WORD_BUDGETS if b < 2**n):
            if budget < METHODS[method][1](n):
                continue
            errors = [
                error(estimate(game, method, budget, seed).values, truth) for seed in WORD_SEEDS
            ]
            rows.append(line(recording, "words", n, method, budget, errors))
    rows.append(line(recording, "words", n, "exact", 2**n, [0.0]))
    return rows


def of_frames(id: str) -> list[dict]:
    """Errors on one utterance of frames, against two long runs."""
    model, recording = sgpa.load_model("embedded"), sgpa.instructions(id)
    CACHE.mkdir(parents=True, exist_ok=True)
    answers = sgpa.Answers(model, CACHE / f"{model.name}-{id}.sqlite")

    def values_by(method: str, budget: int | str, seed: int) -> np.ndarray:
        return sgpa.explain(
            recording.audio, recording.text, answers, method, budget, seed, partition=players
        ).values

    players = sgpa.partition.native(recording.audio, FRAME_SECONDS)
    n = len(players)
    halves = [values_by("kernel", REFERENCE_EVALUATIONS, seed) for seed in (101, 102)]
    truth = np.mean(halves, axis=0)
    doubt = error(halves[0], truth)
    rows = [
        line(recording, "frames", len(players), "reference", 2 * REFERENCE_EVALUATIONS, [doubt])
    ]
    for method in FRAME_METHODS:
        for budget in FRAME_BUDGETS:
            evaluations = sgpa.shapley.attribution.parse_budget(budget, n)
            if method == "surrogate" and replaced_by_kernel(n, evaluations):
                continue
            errors = [error(values_by(method, evaluations, seed), truth) for seed in FRAME_SEEDS]
            rows.append(line(recording, "frames", len(players), method, evaluations, errors))
    return rows


def line(recording, kind: str, n: int, method: str, evaluations: int, errors: list[float]) -> dict:
    return {
        "id": recording.id,
        "voice": recording.voice,
        "kind": kind,
        "players": n,
        "method": method,
        "evaluations": evaluations,
        "error": round(float(np.mean(errors)), 5),
        "seeds": len(errors),
    }


def work(kind: str, id: str) -> list[dict]:
    """Measure one utterance."""
    return of_words(id) if kind == "words" else of_frames(id)


def main() -> None:
    from tqdm import tqdm

    chosen = [r for r in sgpa.instructions() if r.voice in VOICES]
    few = [r.id for r in chosen if 6 <= len(r.words) <= 7]
    few = few[:: max(1, len(few) // FRAME_UTTERANCES)][:FRAME_UTTERANCES]
    tasks = [("frames", id) for id in few] + [("words", id) for id in words()]
    rows = []
    for task, lines, reason in tqdm(run(work, tasks, PROCESSES), total=len(tasks)):
        if reason:
            raise SystemExit(f"{task}: {reason}")
        rows += lines
    keys = ["kind", "id", "method", "evaluations"]
    table = pd.DataFrame(rows).sort_values(keys)
    table.to_csv(HERE / "errors.csv", index=False)
    frames = table[table["kind"] == "frames"]
    asked = int((frames["evaluations"] * frames["seeds"]).sum())
    settings = {"model": sgpa.load_model("embedded").name, "utility": "tfidf", "masking": "silence"}
    write_pedigree(HERE, 0, **settings, asked=asked)


if __name__ == "__main__":
    main()
