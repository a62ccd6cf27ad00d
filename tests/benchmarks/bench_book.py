"""Seconds for the whole book, built from nothing with every chapter executed: ``make bench``."""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXECUTED = re.compile(r"(\S+\.md): Executed notebook in ([\d.]+) seconds")
GOAL_SECONDS = 300


def main() -> None:
    """Build once and print the seconds of each chapter and of the whole."""
    tool = pathlib.Path(sys.executable).with_name("jupyter-book")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [tool, "build", ROOT, "--path-output", folder, "-W", "-n", "--keep-going"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        taken = time.perf_counter() - start
    if result.returncode:
        sys.exit(result.stdout[-4000:] + result.stderr[-4000:])
    for chapter, seconds in EXECUTED.findall(result.stdout + result.stderr):
        print(f"{pathlib.Path(chapter).stem:<66} {float(seconds):8.1f}")
    print(f"{'the whole book, cold: seconds':<66} {taken:8.1f}  goal ≤ {GOAL_SECONDS}")


if __name__ == "__main__":
    main()
