"""Measure what an exact explanation of the assistant takes, beside a plain loop: ``make results``.

What a page shows of tests/benchmarks/bench_assistant.py, one row for each question, in speed.csv.
Times depend on the machine and on its other work: the load is kept with them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tests" / "benchmarks"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
from bench_assistant import SEED, rows

import sgpa_core as sgpa
from sgpa_core.companion.pedigree import write_pedigree


def main() -> None:
    load = os.getloadavg()[0]
    pd.DataFrame(rows()).round(3).to_csv(HERE / "speed.csv", index=False)
    load = (load + os.getloadavg()[0]) / 2
    write_pedigree(HERE, SEED, model=sgpa.load_model("assistant").name, load=round(load, 2))


if __name__ == "__main__":
    main()
