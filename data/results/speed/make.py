"""Measure what an evaluation and an explanation take, beside a plain loop: ``make results``.

The two comparisons of tests/benchmarks/bench_explain.py that a chapter shows: rates.csv, the same
distinct coalitions by both, one and two threads; explained.csv, the published estimator with the
same draws by both. Times depend on the machine and on its other work: the load is kept with them.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import pedigree  # noqa: E402

import sgpa_core as sgpa  # noqa: E402

BENCH = pedigree.ROOT / "tests" / "benchmarks" / "bench_explain.py"


def main() -> None:
    spec = importlib.util.spec_from_file_location("bench_explain", BENCH)
    assert spec and spec.loader
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    began, load = time.time(), os.getloadavg()[0]
    pd.DataFrame(bench.rates()).round(4).to_csv(HERE / "rates.csv", index=False)
    pd.DataFrame(bench.explained()).round(4).to_csv(HERE / "explained.csv", index=False)
    load = (load + os.getloadavg()[0]) / 2
    pedigree.write(HERE, began, bench.SEED, model=sgpa.load_model().name, load=round(load, 2))


if __name__ == "__main__":
    main()
