"""Measure what an evaluation and an explanation take, beside a plain loop: ``make results``.

What two pages show of tests/benchmarks. Of bench_explain: rates.csv, the same distinct coalitions
by both, one and two threads; explained.csv, the published estimator with the same draws by both. Of
bench_batch: corpus.csv, memory and seconds of a corpus beside its explanations. Times depend on the
machine and on its other work: the load is kept with them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tests" / "benchmarks"))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of each process; the benchmarks ask torch for more
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import bench_batch
from bench_explain import SEED, explained, rates

import sgpa_core as sgpa
from sgpa_core.companion.pedigree import write_pedigree


def main() -> None:
    load = os.getloadavg()[0]
    pd.DataFrame(rates()).round(4).to_csv(HERE / "rates.csv", index=False)
    pd.DataFrame(explained()).round(4).to_csv(HERE / "explained.csv", index=False)
    pd.DataFrame(bench_batch.sizes()).round(2).to_csv(HERE / "corpus.csv", index=False)
    load = (load + os.getloadavg()[0]) / 2
    write_pedigree(HERE, SEED, model=sgpa.load_model("embedded").name, load=round(load, 2))


if __name__ == "__main__":
    main()
