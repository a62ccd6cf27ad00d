"""Explanations in one run: this project, a plain loop, shapiq and shap: ``make bench``.

The same embedded model, utterances, coalitions and utility for all. Sides take turns, so that the
machine's other work falls on all of them alike; medians over rounds, in brackets [10 %, 90 %].
shapiq and shap are optional: ``pip install 'sgpa-core[shap]'``.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch

import sgpa_core as sgpa
from sgpa_core import masking, speech_game, utility
from sgpa_core.game import all_coalitions
from sgpa_core.models import load_model
from sgpa_core.shapley import Attribution, estimate
from sgpa_core.shapley.exact import shapley_of_table

ROUNDS, COALITIONS, EXPLAINED = 9, 49, 9
THREADS = min(2, os.cpu_count() or 1)
SEED = 0
GOAL_RATE, GOAL_EVALUATIONS = 5, 3
TARGETS = (0.5, 0.25)  # mean |φ̂ − φ| / mean |φ|
DURATIONS = (1, 3, 6, 12, 20, 30)  # seconds
WINDOW_SECONDS, POSITIONS_A_SECOND = 6, 25  # of the embedded model
PLAYERS = (4, 8, 16, 32, 64, 150)
SLOWEST_SECONDS = 20  # an estimator that took longer is not asked for more players


class Plain:
    """What one would write: mask one coalition, the extractor, `generate`, decode; no memory."""

    def __init__(self, recording: sgpa.companion.recordings.Recording) -> None:
        self.model, self.recording = load_model("embedded", device="cpu"), recording
        self.calls = 0
        self.full = self.answer(np.ones(len(recording.words), bool))

    def answer(self, coalition: np.ndarray) -> str:
        model, recording = self.model, self.recording
        heard = masking.silence(recording.audio, recording.spans, coalition)
        inputs = model.extractor(
            heard.samples, sampling_rate=heard.sample_rate, return_tensors="pt"
        ).input_features
        ids = model.model.generate(inputs)
        self.calls += 1
        return model.tokenizer.batch_decode(ids, skip_special_tokens=True)[0].strip()

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        return np.array([utility.tfidf([self.answer(row)], self.full)[0] for row in coalitions])


class Ours:
    """The same value function through `Answers`: batched, and answered from memory."""

    def __init__(self, recording: sgpa.companion.recordings.Recording) -> None:
        self.recording = recording
        self.asked = sgpa.Answers(load_model("embedded", device="cpu"))
        self.full = self.asked([recording.audio.samples])[0]

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        batch = masking.mask(self.recording.audio, self.recording.spans, coalitions)
        return utility.tfidf(self.asked(batch), self.full)


class Forgetful(sgpa.Game):
    """A game without memory: repeats are paid for, as in the published code."""

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        self.asked += len(coalitions)
        return np.asarray(self.value_function(coalitions))


def timed(task: Callable[[], object]) -> tuple[float, float, object]:
    """Return wall-clock seconds, processor seconds and the result."""
    wall, processor = time.perf_counter(), time.process_time()
    found = task()
    return time.perf_counter() - wall, time.process_time() - processor, found


def spread(values: list[float] | np.ndarray, digits: int = 2) -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def title(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def chosen(count: int, words: int) -> list[sgpa.companion.recordings.Recording]:
    found = [r for r in sgpa.instructions() if len(r.words) == words]
    return found[:: max(1, len(found) // count)][:count]


def rates(rounds: int = ROUNDS) -> list[dict]:
    """Time distinct coalitions of an utterance, another one each round; one row a side."""
    rng, rows = np.random.default_rng(SEED), []
    for turn, recording in enumerate(chosen(rounds, 7)):
        coalitions = rng.permutation(all_coalitions(7)[1:-1])[:COALITIONS]
        sides = [(side, threads) for threads in (1, THREADS) for side in (Plain, Ours)]
        for place in rng.permutation(len(sides)):
            side, threads = sides[place]
            torch.set_num_threads(threads)
            value = side(recording)
            value(coalitions[:1])
            wall, processor, values = timed(lambda v=value, c=coalitions[1:]: v(c))
            rows.append(
                {
                    "round": turn,
                    "id": recording.id,
                    "side": side.__name__.lower(),
                    "threads": threads,
                    "ms": 1e3 * wall / (COALITIONS - 1),
                    "cpu_ms": 1e3 * processor / (COALITIONS - 1),
                    "values": values,
                }
            )
        assert all(np.allclose(r["values"], rows[-1]["values"]) for r in rows[-len(sides) :])
    for row in rows:
        del row["values"]
    return rows


def ratio(rows: list[dict], ours: int, plain: int | None, column: str = "ms") -> np.ndarray:
    """Plain loop / this project, by round; `plain` None: its faster number of threads."""
    by = {(r["round"], r["side"], r["threads"]): r[column] for r in rows}
    count = 1 + max(r["round"] for r in rows)
    least = [
        min(by[k, "plain", t] for t in ((1, THREADS) if plain is None else (plain,)))
        for k in range(count)
    ]
    return np.array([least[k] / by[k, "ours", ours] for k in range(count)])


def show_rates(rows: list[dict]) -> None:
    title(f"One evaluation: {ROUNDS} utterances of 7 words, {COALITIONS - 1} distinct coalitions")
    print(f"{'':<38}{'ms':>22}{'processor ms':>22}{'evaluations/s':>15}")
    for side in ("plain", "ours"):
        for threads in sorted({1, THREADS}):
            one = [r for r in rows if r["side"] == side and r["threads"] == threads]
            wall, processor = ([r[c] for r in one] for c in ("ms", "cpu_ms"))
            name = f"{'plain loop' if side == 'plain' else 'this project'}, {threads} thread(s)"
            rate = 1e3 / np.median(wall)
            print(f"{name:<38}{spread(wall, 1):>22}{spread(processor, 1):>22}{rate:>15.0f}")
    for what, found in (
        ("1 thread each", ratio(rows, 1, 1)),
        ("1 thread each, processor time", ratio(rows, 1, 1, "cpu_ms")),
        (f"{THREADS} threads each", ratio(rows, THREADS, THREADS)),
        (f"{THREADS} threads against the loop's faster setting", ratio(rows, THREADS, None)),
    ):
        print(f"× plain loop, {what:<48} {spread(found):>20}  goal ≥ {GOAL_RATE}")


def explained(count: int = EXPLAINED) -> list[dict]:
    """Explain as published, 3n² with repeats, both ways; then as this project does by default.

    The loop has one thread: two make it no faster, and where other programs run, much slower.
    """
    rows = []
    for recording in chosen(count, 6):
        n = len(recording.words)

        def published(game: sgpa.Game) -> Attribution:
            return estimate(game, "cc-neyman-published", "3n^2", SEED)

        torch.set_num_threads(1)
        plain = Plain(recording)
        slow, _, theirs = timed(lambda: published(Forgetful(n, plain)))  # noqa: B023
        torch.set_num_threads(THREADS)
        mine = Ours(recording)
        fast, _, same = timed(lambda: published(sgpa.Game(n, mine)))  # noqa: B023
        assert np.allclose(theirs.values, same.values)
        default, _, found = timed(
            lambda: sgpa.explain(recording.audio, recording.text, "embedded")  # noqa: B023
        )
        evaluations = same.evaluations
        rows.append(
            {
                "id": recording.id,
                "evaluations": evaluations,
                "calls_plain": plain.calls - 1,
                "calls": mine.asked.calls - 1,
                "seconds_plain": slow,
                "seconds": fast,
                "seconds_default": default,
                "evaluations_default": found.evaluations,
            }
        )
    return rows


def show_explained(rows: list[dict]) -> None:
    title(f"One utterance of 6 words, cc-neyman-published, 3n², n = {len(rows)}")
    column = {name: np.array([r[name] for r in rows]) for name in rows[0] if name != "id"}
    for what, seconds, calls in (
        ("plain loop, 1 thread", "seconds_plain", "calls_plain"),
        (f"this project, {THREADS} threads, same values", "seconds", "calls"),
    ):
        rate = np.median(column["evaluations"] / column[seconds])
        print(
            f"{what:<40}{spread(column[seconds]):>22} s, {column[calls].mean():.0f} model calls, "
            f"{rate:.0f} evaluations/s"
        )
    print(
        f"{'this project, explain(): exact':<40}{spread(column['seconds_default']):>22} s, "
        f"{column['evaluations_default'].mean():.0f} evaluations, alignment included"
    )
    found = spread(column["seconds_plain"] / column["seconds"])
    print(f"evaluations/s × plain loop {found:>36}  goal ≥ {GOAL_RATE}")


def ours(method: str) -> Callable:
    """Return an estimator of this project: (value, n, budget, seed) → φ."""
    return lambda value, n, budget, seed: estimate(sgpa.Game(n, value), method, budget, seed).values


def others() -> dict[str, Callable[[Callable, int, int, int], np.ndarray]]:
    """Return the estimators of shapiq and shap that are installed: (value, n, budget, seed) → φ."""
    found: dict[str, Callable] = {}
    if find_spec("shapiq"):
        import shapiq

        def with_shapiq(kind: type, **options: object) -> Callable:
            def run(value: Callable, n: int, budget: int, seed: int) -> np.ndarray:
                values = kind(n=n, random_state=seed, **options).approximate(
                    budget, lambda c: value(np.atleast_2d(np.asarray(c, bool)))
                )
                return np.array([values[(player,)] for player in range(n)])

            return run

        found["shapiq KernelSHAP, paired"] = with_shapiq(shapiq.KernelSHAP, pairing_trick=True)
        found["shapiq permutations"] = with_shapiq(shapiq.PermutationSamplingSV)
    if find_spec("shap"):
        import shap

        logging.getLogger("shap").setLevel(logging.ERROR)

        def kernel(value: Callable, n: int, budget: int, seed: int) -> np.ndarray:
            np.random.seed(seed)  # noqa: NPY002, it draws from the global generator
            explainer = shap.KernelExplainer(lambda c: value(c > 0.5), np.zeros((1, n)))
            options = {"nsamples": budget - 2, "silent": True, "l1_reg": False}
            return np.asarray(explainer.shap_values(np.ones((1, n)), **options)).ravel()

        found["shap KernelExplainer"] = kernel
    return found


def error(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.abs(found - truth).mean() / np.abs(truth).mean())


def show_errors(words: int = 8, count: int = 12, seeds: int = 3) -> None:
    """Compare errors at equal evaluations on stored answers of the embedded model."""
    tables = [
        t for t in speech_game.read_tables("data/results/answers/tables.jsonl")
        if (t.regime, t.masking, t.n) == ("words", "silence", words)
    ]  # fmt: skip
    games = [t.utilities("tfidf") for t in tables[:: max(1, len(tables) // count)][:count]]
    title(f"Error at equal evaluations: {len(games)} utterances of {words} words, {seeds} seeds")
    budgets = (2 * words, 4 * words, 2 ** (words - 2), 2 ** (words - 1))
    print(f"{'median of mean |φ̂ − φ| / mean |φ|':<36}" + "".join(f"{b:>10}" for b in budgets))
    bits = 1 << np.arange(words)

    sides = {f"this project, {m}": ours(m) for m in ("auto", "kernel", "cc-neyman-published")}
    sides |= others()
    for name in ("shapiq", "shap"):
        if not find_spec(name):
            print(f"{name}: not installed (pip install 'sgpa-core[shap]')")
    for name, run in sides.items():
        cells = []
        for budget in budgets:
            wrong = []
            for values in games:
                truth = shapley_of_table(values)
                if np.abs(truth).max() < 1e-9:
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    wrong += [
                        error(run(lambda c, v=values: v[c @ bits], words, budget, seed), truth)
                        for seed in range(seeds)
                    ]
            cells.append(f"{np.median(wrong):>10.3f}")
        print(f"{name:<36}" + "".join(cells), flush=True)


def show_seconds(words: int = 7, count: int = 3) -> None:
    """Explain live through shapiq and shap with the batched value function of this project."""
    torch.set_num_threads(THREADS)
    budget = 2 ** (words - 1)
    title(f"One utterance of {words} words, {budget} evaluations, same value function, n = {count}")

    for name, run in {"this project, auto": ours("auto"), **others()}.items():
        taken, calls = [], []
        for recording in chosen(count, words):
            value = Ours(recording)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                taken.append(timed(lambda r=run, v=value: r(v, words, budget, SEED))[0])
            calls.append(value.asked.calls - 1)
        print(f"{name:<36}{spread(taken):>22} s, {np.mean(calls):.0f} model calls")


def needed(curve: object, target: float) -> float:
    """Evaluations at which an error curve first falls to the target, interpolated in logarithms."""
    curve = curve.sort_values("evaluations")
    wrong = np.log(np.maximum(curve["error"].to_numpy(), 1e-6)) - np.log(target)
    made = np.log(curve["evaluations"].to_numpy())
    below = np.flatnonzero(wrong <= 0)
    if not len(below):
        return np.nan
    if below[0] == 0:
        return float(np.exp(made[0]))
    before, after = wrong[below[0] - 1], wrong[below[0]]
    step = made[below[0]] - made[below[0] - 1]
    return float(np.exp(made[below[0] - 1] + step * before / (before - after)))


def show_equal_error() -> None:
    """How many evaluations does the same error cost, published against this project's default?"""
    import pandas as pd
    from scipy.stats import bootstrap

    errors = pd.read_csv("data/results/accuracy/errors.csv")
    errors = errors[(errors["kind"] == "words") & errors["players"].between(5, 10)]
    title("Evaluations at equal error: cc-neyman-published / this project, 5 to 10 words, stored")
    print("default: the surrogate, or all 2^n coalitions where that is less; median [95 %] over")
    print("utterances; where the published one never gets there, its largest budget: lower bounds")
    for target in TARGETS:
        rows = []
        for (_, n), one in errors.groupby(["id", "players"]):
            of = dict(tuple(one.groupby("method")))
            theirs, mine = (needed(of[m], target) for m in ("cc-neyman-published", "surrogate"))
            most = of["cc-neyman-published"]["evaluations"].max()
            reached = np.isfinite(theirs)
            rows.append((n, (theirs if reached else most) / np.nanmin([mine, 2**n]), reached))
        table = pd.DataFrame(rows, columns=["n", "ratio", "reached"])
        found = bootstrap(
            (table["ratio"],), np.median, method="percentile", rng=np.random.default_rng(SEED)
        ).confidence_interval
        by_n = ", ".join(f"{n}: {r:.1f}" for n, r in table.groupby("n")["ratio"].median().items())
        print(
            f"error {target:.0%}: {table['ratio'].median():.1f} [{found.low:.1f}, {found.high:.1f}]"
            f" × fewer, n = {len(table)} ({table['reached'].sum()} reached); by words {by_n};"
            f"  goal ≥ {GOAL_EVALUATIONS}"
        )


def wide(seconds: int) -> object:
    """Return the embedded model's architecture with random weights and another window."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    from sgpa_core.models import Whisper

    embedded = load_model("embedded", device="cpu")
    settings = embedded.model.config.to_dict() | {
        "max_source_positions": POSITIONS_A_SECOND * seconds
    }
    torch.manual_seed(SEED)
    network = WhisperForConditionalGeneration(WhisperConfig.from_dict(settings))
    network.generation_config = embedded.model.generation_config
    shape = {"feature_size": embedded.extractor.feature_size, "hop_length": 320, "n_fft": 400}
    extractor = WhisperFeatureExtractor(chunk_length=seconds, **shape)
    return Whisper(network, extractor, embedded.tokenizer, f"random, {seconds} s", max_new_tokens=8)


def show_durations(coalitions: int = 12, rounds: int = 3) -> None:
    """Grow the recording: alignment and evaluations by measurement, their number by the law."""
    torch.set_num_threads(THREADS)
    title(f"Cost and duration, {THREADS} threads, median of {rounds}; words at the mean rate here")
    print(f"up to {WINDOW_SECONDS} s the embedded model; beyond, its architecture with random")
    print("weights and a window of that length; evaluations: 3n² or 2^n, words and 80 ms pieces")
    spoken = sgpa.speech()
    rate = sum(len(r.text.split()) for r in spoken) / sum(r.audio.duration for r in spoken)
    print(f"{'s':>4}{'align ms':>10}{'ms/eval':>9}{'words':>7}{'evals':>8}{'s each':>9}"
          f"{'pieces':>8}{'evals':>9}{'s each':>10}")  # fmt: skip
    for seconds in DURATIONS:
        text, samples = [], []
        at = spoken[0].audio.sample_rate
        for recording in (r for r in spoken if r.audio.sample_rate == at):
            text.append(recording.text)
            samples.append(recording.audio.samples)
            if sum(map(len, samples)) >= seconds * at:
                break
        audio = sgpa.Audio(np.concatenate(samples), at)
        aligning = [timed(lambda a=audio, t=text: sgpa.align(a, " ".join(t)))[0] * seconds
                    / audio.duration for _ in range(rounds + 1)][1:]  # fmt: skip
        model = load_model("embedded", device="cpu") if seconds <= WINDOW_SECONDS else wide(seconds)
        heard = audio.resample(16_000).samples[: 16_000 * seconds]
        drawn = np.random.default_rng(SEED).random((coalitions, seconds * 2)) < 0.5
        batch = [heard * np.repeat(row, -(-len(heard) // len(row)))[: len(heard)] for row in drawn]
        model.respond(batch[:2], 16_000)
        taken = [timed(lambda m=model, b=batch: m.respond(b, 16_000))[0] for _ in range(rounds)]
        each = np.median(taken) / coalitions
        cells = []
        for n in (max(2, round(rate * seconds)), round(seconds / 0.08)):
            made = min(3 * n * n, 2 ** min(n, 40))
            cells.append((n, made, made * each))
        (words, few, short), (pieces, many, long) = cells
        print(f"{seconds:>4}{1e3 * np.median(aligning):>10.0f}{1e3 * each:>9.1f}{words:>7}{few:>8,}"
              f"{short:>9.1f}{pieces:>8}{many:>9,}{long:>10.0f}", flush=True)  # fmt: skip


def show_players() -> None:
    """Grow the players of a made-up game that costs nothing: the estimators' own time."""
    torch.set_num_threads(1)
    title("The estimators alone: seconds for 3n² evaluations of a made-up game, by players")
    print(f"{'':<36}" + "".join(f"{n:>9}" for n in PLAYERS))

    methods = ("auto", "kernel", "permutation", "cc-neyman-published")
    for name, run in {**{f"this project, {m}": ours(m) for m in methods}, **others()}.items():
        cells, taken = [], 0.0
        for n in PLAYERS:
            if taken > SLOWEST_SECONDS:
                cells.append(f"{'–':>9}")
                continue
            weight = np.random.default_rng(n).dirichlet(np.ones(n))
            budget = min(3 * n * n, 2**n)

            def made_up(coalitions: np.ndarray, weight: np.ndarray = weight) -> np.ndarray:
                return 1 / (1 + np.exp(-8 * (coalitions @ weight - 0.5)))

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                taken = timed(lambda r=run, n=n, b=budget, v=made_up: r(v, n, b, SEED))[0]
            cells.append(f"{taken:>9.3f}")
        print(f"{name:<36}" + "".join(cells), flush=True)
    print(f"– not asked: more than {SLOWEST_SECONDS} s for fewer players")


def main() -> None:
    logging.getLogger("transformers").setLevel(logging.ERROR)
    load = os.getloadavg() if hasattr(os, "getloadavg") else ()
    print(
        f"{load_model('embedded').name}, {os.cpu_count()} cores, load", *(f"{x:.1f}" for x in load)
    )
    show_rates(rates())
    show_explained(explained())
    show_seconds()
    show_errors()
    show_equal_error()
    show_durations()
    show_players()


if __name__ == "__main__":
    main()
