"""Measure what an evaluation and an explanation take, beside a plain loop: ``make results``.

What two pages show of tests/benchmarks. Of bench_explain: rates.csv, the same distinct coalitions
by both, one and two threads; explained.csv, the published estimator with the same draws by both. Of
bench_batch: corpus.csv, memory and seconds of a corpus beside its explanations. Times depend on the
machine and on its other work: the load is kept with them.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2] / "tests" / "benchmarks")]
import bench_batch
import bench_explain as bench
import pedigree

import sgpa_core as sgpa


def main() -> None:
    began, load = time.time(), os.getloadavg()[0]
    pd.DataFrame(bench.rates()).round(4).to_csv(HERE / "rates.csv", index=False)
    pd.DataFrame(bench.explained()).round(4).to_csv(HERE / "explained.csv", index=False)
    pd.DataFrame(bench_batch.sizes()).round(2).to_csv(HERE / "corpus.csv", index=False)
    load = (load + os.getloadavg()[0]) / 2
    pedigree.write(HERE, began, bench.SEED, model=sgpa.load_model().name, load=round(load, 2))


if __name__ == "__main__":
    main()
