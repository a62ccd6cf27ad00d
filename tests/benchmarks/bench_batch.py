"""What a corpus takes beside its explanations, in memory and seconds: ``make bench``.

Every recording gets the same explanation at once, so that what is measured is the rest of
`explain_many`: reading, bookkeeping, files, summary and report. Each size runs in a process of its
own; peak memory is the largest resident set that it ever had. "again" finds everything there.
"""

import re
import subprocess
import sys
import tempfile

SIZES = (100, 1_000, 5_000, 20_000)
RUN = """
import pathlib, sys, time
import sgpa_core as sgpa
from sgpa_core.companion import batch

folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
recording, model = sgpa.instructions("awb-001"), sgpa.load_model("embedded")
found = sgpa.explain(recording.audio, recording.text, model)
batch.explain = lambda *given, **settings: found
for k in range(count):
    recording.audio.write(folder / f"{k}.wav")
    (folder / f"{k}.txt").write_text(recording.text)
for turn in range(2):
    began = time.perf_counter()
    table = batch.explain_many(folder, folder / "out", model)
    assert (table["status"] == "done").all() and len(table) == count
    print(1e3 * (time.perf_counter() - began) / count)
print(pathlib.Path("/proc/self/status").read_text())
"""


def sizes() -> list[dict]:
    """Measure one corpus of each size."""
    rows = []
    for count in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-W", "ignore", "-c", RUN, folder, str(count)]
            told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        first, again = map(float, told.split()[:2])
        peak = int(re.search(r"VmHWM:\s+(\d+)", told)[1]) / 1024
        rows.append({"utterances": count, "ms": first, "ms_again": again, "peak_mb": peak})
    return rows


def main() -> None:
    """Print one line for each size."""
    print(f"{'utterances':>10}{'ms each':>10}{'again':>10}{'peak MB':>10}")
    for count, first, again, peak in (row.values() for row in sizes()):
        print(f"{count:>10,}{first:>10.1f}{again:>10.2f}{peak:>10.0f}")


if __name__ == "__main__":
    main()
