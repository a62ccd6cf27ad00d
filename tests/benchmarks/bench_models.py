"""The embedded answerer's throughput: coalitions at once against one at a time: ``make bench``.

Medians of several rounds over the same 64 coalitions of one utterance of about 3 s. On a busy
machine read the processor's seconds; with one thread they do not depend on the neighbours.
"""

import os
import time

import numpy as np
import torch

import sgpa_core as sgpa
from sgpa_core import masking

COALITIONS = 64
ROUNDS = 5
SIZES = (1, 8, 16, 32, 64)
GOAL_RATIO, GOAL_SECONDS = 2.5, 0.5


def coalitions() -> tuple[list[np.ndarray], float]:
    """Return distinct masked recordings of the utterance closest to 3 s, and its length."""
    recording = min(sgpa.instructions(), key=lambda r: abs(r.audio.duration - 3))
    rng = np.random.default_rng(0)
    audio = recording.audio
    heard = rng.random((COALITIONS, len(recording.words))) < 0.5
    batch = [masking.silence(audio, recording.spans, row).samples for row in heard]
    return batch, audio.duration


def measured(size: int, batch: list[np.ndarray]) -> tuple[float, float]:
    """Median wall-clock and processor seconds for all coalitions, `size` at a time."""
    model = sgpa.load_model("embedded", device="cpu", batch_size=size)
    model.respond(batch[:size], model.sample_rate)
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter(), time.process_time()
        model.respond(batch, model.sample_rate)
        taken.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, processor = np.median(taken, axis=0)
    return float(wall), float(processor)


def main() -> None:
    batch, seconds = coalitions()
    print(f"{COALITIONS} coalitions of {seconds:.2f} s, {sgpa.load_model('embedded').name}")
    print("threads at once   wall s    cpu s wall ratio  cpu ratio")
    for threads in sorted({1, min(2, os.cpu_count() or 1)}):
        torch.set_num_threads(threads)
        one = measured(SIZES[0], batch)
        for size in SIZES:
            wall, processor = measured(size, batch)
            print(
                f"{threads:>7} {size:>7} {wall:>8.3f} {processor:>8.3f} "
                f"{one[0] / wall:>10.2f} {one[1] / processor:>10.2f}"
            )
    print(
        f"goal: ratio ≥ {GOAL_RATIO} at 16, and ≤ {GOAL_SECONDS} s of wall clock with two threads"
    )


if __name__ == "__main__":
    main()
