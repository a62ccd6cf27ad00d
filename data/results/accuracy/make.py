"""How many evaluations does the same error cost, for words and for frames: ``make results``.

Words: every coalition is answered, so that the truth is exact and each estimator can be run with
any budget at no further cost. Frames of 80 ms: the reference is the mean of two long runs with
different seeds; half their difference tells how far it can be trusted. errors.csv has one line per
utterance, kind of player, estimator and budget: the error mean |φ̂ − φ| / mean |φ|, averaged over
seeds. Answers are kept in .cache/results, so that an interrupted run goes on.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import pedigree  # noqa: E402

import sgpa_core as sgpa  # noqa: E402
from sgpa_core.shapley import estimate  # noqa: E402
from sgpa_core.shapley.estimate import METHODS, replaced_by_kernel  # noqa: E402

CACHE = pedigree.ROOT / ".cache" / "results"
PROCESSES = 2
VOICES = ("awb", "slt")
FRAME_UTTERANCES, FRAME_SECONDS = 8, 0.08
REFERENCE_EVALUATIONS = 8_000  # each of the two runs
WORD_METHODS = tuple(METHODS)
FRAME_METHODS = ("permutation", "kernel", "surrogate", "cc-neyman-published")
WORD_BUDGETS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
FRAME_BUDGETS = ("2n", "4n", "8n", "1n^2", "3n^2")
WORD_SEEDS, FRAME_SEEDS = range(20), range(1)
SMALLEST_WORDS = 4


def error(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(found - truth).mean() / np.abs(truth).mean())


def of_words(id: str) -> list[dict]:
    """Errors of every estimator on one utterance whose coalitions are all known."""
    model, recording = sgpa.load_model(), sgpa.instructions(id)
    found = sgpa.explain(recording.audio, recording.text, model, "exact")
    if len(found) < SMALLEST_WORDS or not found.values.any():
        return []
    order = np.argsort(found.coalitions @ (1 << np.arange(len(found))))
    game = sgpa.TableGame(found.utilities[order])
    rows = []
    for method in WORD_METHODS:
        for budget in (b for b in WORD_BUDGETS if b < 2 ** len(found)):
            if budget < METHODS[method][1](len(found)):
                continue
            errors = [
                error(estimate(game, method, budget, seed).values, found.values)
                for seed in WORD_SEEDS
            ]
            rows.append(line(recording, "words", len(found), method, budget, errors))
    rows.append(line(recording, "words", len(found), "exact", 2 ** len(found), [0.0]))
    return rows


def of_frames(id: str) -> list[dict]:
    """Errors on one utterance of frames, against two long runs."""
    model, recording = sgpa.load_model(), sgpa.instructions(id)
    CACHE.mkdir(parents=True, exist_ok=True)
    answers = sgpa.Responses(model, CACHE / f"{model.name}-{id}.sqlite")

    def run(method: str, budget: int | str, seed: int) -> np.ndarray:
        return sgpa.explain(
            recording.audio, recording.text, answers, method, budget, seed, partition=players
        ).values

    players = sgpa.partition.native(recording.audio, FRAME_SECONDS)
    n = len(players)
    halves = [run("kernel", REFERENCE_EVALUATIONS, seed) for seed in (101, 102)]
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
            errors = [error(run(method, evaluations, seed), truth) for seed in FRAME_SEEDS]
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
    """One utterance, on one thread."""
    import torch

    torch.set_num_threads(1)
    return of_words(id) if kind == "words" else of_frames(id)


def main() -> None:
    from tqdm import tqdm

    began = time.time()
    chosen = [r for r in sgpa.instructions() if r.voice in VOICES]
    few = [r.id for r in chosen if 6 <= len(r.words) <= 7]
    few = few[:: max(1, len(few) // FRAME_UTTERANCES)][:FRAME_UTTERANCES]
    tasks = [("frames", id) for id in few] + [("words", r.id) for r in chosen]
    rows = []
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        for done in tqdm(as_completed(pool.submit(work, *t) for t in tasks), total=len(tasks)):
            rows += done.result()
    keys = ["kind", "id", "method", "evaluations"]
    pd.DataFrame(rows).sort_values(keys).to_csv(HERE / "errors.csv", index=False)
    name = sgpa.load_model().name
    pedigree.write(HERE, began, 0, model=name, utility="tfidf", masking="silence")


if __name__ == "__main__":
    main()
