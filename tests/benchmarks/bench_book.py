"""Seconds that the whole book takes to build, cold, every chapter executed: ``make bench``."""

import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> None:
    tool = pathlib.Path(sys.executable).with_name("jupyter-book")
    with tempfile.TemporaryDirectory() as folder:
        command = [tool, "build", ROOT, "--path-output", folder, "-W", "-n", "--keep-going"]
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        taken = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stdout[-2000:])
    print(f"{'the whole book, cold: seconds':<66} {taken:8.1f}  goal ≤ 300")


if __name__ == "__main__":
    main()
