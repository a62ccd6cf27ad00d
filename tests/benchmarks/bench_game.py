"""Ratios of games and estimators, in one run: ``make bench``.

Each line names its baseline; medians of several rounds, one thread. Where SGPA_REFERENCE is set,
the error table on games of real models follows.
"""

import os
import pathlib
import subprocess
import sys
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import shapiq

from sgpa_core import FunctionGame, TableGame
from sgpa_core.game import all_coalitions
from sgpa_core.shapley import estimate
from sgpa_core.shapley.estimate import METHODS
from sgpa_core.shapley.exact import shapley_of_table

ROUNDS = 5
GAMES = 60
MEMORY = """
import pathlib, re
from sgpa_core import FunctionGame
from sgpa_core.shapley import estimate
a = estimate(FunctionGame(150, lambda c: c.mean(axis=1)), {method!r}, "3n^2")
status = pathlib.Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) / 2**20, a.distinct)
"""


def seconds(task, rounds: int = ROUNDS) -> float:
    """Return the median time of a task."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        task()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def line(what: str, value: float, unit: str, goal: str) -> None:
    print(f"{what:<72} {value:9.3g} {unit:<8} goal {goal}")


def voting(n: int, seed: int) -> np.ndarray:
    """A made-up answer game: the answer turns when enough weight is heard, with some noise."""
    rng = np.random.default_rng(seed)
    weight = rng.exponential(size=n)
    share = all_coalitions(n) @ weight / weight.sum()
    noise = rng.normal(scale=0.05, size=2**n)
    return 1 / (1 + np.exp(-8 * (share - rng.uniform(0.3, 0.7)))) + noise


def paired_kernel(values: np.ndarray, budget: int, seed: int) -> np.ndarray:
    n = len(values).bit_length() - 1
    estimator = shapiq.KernelSHAP(n=n, pairing_trick=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = estimator.approximate(budget, lambda c: values[c.astype(int) @ (1 << np.arange(n))])
    return np.array([found[(i,)] for i in range(n)])


def errors(n: int, budget: int) -> dict[str, float]:
    """Return mean |err| / mean |φ| of three estimators over made-up games."""
    wrong, size = dict.fromkeys(("shapiq", "kernel", "surrogate"), 0.0), 0.0
    for seed in range(GAMES):
        values = voting(n, seed)
        truth = shapley_of_table(values)
        size += np.abs(truth).sum()
        for method in wrong:
            if method == "shapiq":
                found = paired_kernel(values, budget, seed)
            else:
                found = estimate(TableGame(values), method, budget, seed).values
            wrong[method] += np.abs(found - truth).sum()
    return {method: total / size for method, total in wrong.items()}


def reference_table(folder: pathlib.Path, most: int = 40, seeds: int = 4) -> None:
    """Print mean |err| / mean |φ| and, in brackets, Spearman's ρ on games of real models."""
    import pandas as pd

    methods = ["shapiq paired", *METHODS]
    rows = pd.read_csv(folder / "coalitions.csv").sort_values("mask")
    print(
        f"\n{'utility, n, evaluations':<24}"
        + "".join(f"{m.replace('cc-neyman-pub', 'pub'):>16}" for m in methods)
    )
    for utility in ("embedding", "tfidf"):
        for n in (5, 6, 7):
            groups = rows[rows.n_players == n].groupby(["model", "condition", "sample_id"])
            games = [game[f"util_{utility}"].to_numpy() for _, game in groups]
            chosen = np.random.default_rng(n).permutation(len(games))[:most]
            for budget in (2 * n, 4 * n, 2 ** (n - 1), 3 * 2 ** (n - 2)):
                cells = []
                for method in methods:
                    wrong, size, ranks = 0.0, 0.0, []
                    for values in (games[i] for i in chosen):
                        truth = shapley_of_table(values)
                        for seed in range(seeds):
                            if method == "shapiq paired":
                                found = paired_kernel(values, budget, seed)
                            else:
                                found = estimate(TableGame(values), method, budget, seed).values
                            wrong += np.abs(found - truth).sum()
                            size += np.abs(truth).sum()
                            order = np.argsort(np.argsort([found, truth], axis=1), axis=1)
                            ranks.append(np.corrcoef(order)[0, 1])
                    cells.append(f"{wrong / size:9.3f} ({np.mean(ranks):4.2f})")
                print(f"{utility:<12} {n}  {budget:>3}      " + "".join(cells), flush=True)


def main() -> None:
    table = voting(16, 0)
    ours = seconds(lambda: estimate(TableGame(table), "exact"))
    theirs = seconds(lambda: shapiq.ExactComputer(TableGame(table).to_shapiq())("SV"), 1)
    line("exact, 16 players, table game", ours, "s", "≤ 0.5")
    line("exact, 16 players: shapiq's ExactComputer / ours", theirs / ours, "×", "≥ 1")

    coalitions = np.random.default_rng(0).random((20_000, 16)) < 0.5
    cold = seconds(lambda: FunctionGame(16, lambda c: np.zeros(len(c)))(coalitions))
    line("Game: overhead per coalition", 1e6 * cold / len(coalitions), "µs", "≤ 20")

    linux = sys.platform == "linux"  # where a process knows the peak of its own memory
    for method in ("auto", "permutation", "cc-neyman", "cc-neyman-published") if linux else ():
        code = MEMORY.format(method=method)
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        line(
            f"{method}, 150 players, 67,500 evaluations", float(out.stdout.split()[0]), "GiB", "≤ 1"
        )

    game = TableGame(voting(7, 0))
    fit = seconds(lambda: estimate(game, "surrogate", 64), 20)
    line("surrogate, 7 players, 64 evaluations", 1e3 * fit, "ms", "≤ 100")

    ratios = {"kernel": [], "surrogate": []}
    for n in (5, 6, 7):
        for budget in (4 * n, 2 ** (n - 1), 3 * 2 ** (n - 2)):  # at 2n shapiq's solve can blow up
            found = errors(n, budget)
            for method in ratios:
                ratios[method].append(found[method] / found["shapiq"])
    for method, goal in (("kernel", "≤ 1.05"), ("surrogate", "≤ 0.78")):
        mean, worst = float(np.exp(np.log(ratios[method]).mean())), max(ratios[method])
        line(f"{method}: error / shapiq's paired KernelSHAP, made-up games", mean, "×", goal)
        line(f"{method}: the same, worst of 9 cells", worst, "×", "≤ 1.05")

    folder = os.environ.get("SGPA_REFERENCE")
    if folder:
        reference_table(pathlib.Path(folder))


if __name__ == "__main__":
    main()
