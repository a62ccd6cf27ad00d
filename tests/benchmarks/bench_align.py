"""Ratios of the alignment stages, in one run: ``make bench``.

Each line names its baseline. Medians of several rounds, both sides in turn, one thread.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import librosa
import numpy as np
import torch

from sgpa_core import align, load_aligner, refine, speech

ROUNDS = 9


def seconds(*tasks: Callable[[], object]) -> list[np.ndarray]:
    """Time tasks in turn, so that the machine's noise falls on all of them alike."""
    for task in tasks:
        task()
    taken = np.empty((len(tasks), ROUNDS))
    for turn in range(ROUNDS):
        for row, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            taken[row, turn] = time.perf_counter() - start
    return list(taken)


def one_boundary_at_a_time(samples: np.ndarray, rate: int, starts, ends) -> np.ndarray:
    """Stage 3 with librosa, features computed anew in every window: the plain way."""
    times = []
    for index in range(len(starts) + 1):
        left = starts[0] if index == 0 else ends[index - 1]
        right = starts[index] if index < len(starts) else ends[-1]
        edge = index in (0, len(starts))
        middle, half = (left + right) / 2, (right - left) / 2 + refine.PADDING_SECONDS
        half = refine.EDGE_SECONDS if edge else half
        first = max(0, int((middle - half) * rate))
        window = samples[first : int((middle + half) * rate)]
        energy = librosa.feature.rms(y=window, frame_length=256, hop_length=64)[0]
        spectrum = np.abs(librosa.stft(window, n_fft=256, hop_length=64))
        flux = np.linalg.norm(np.diff(spectrum, axis=1, prepend=spectrum[:, :1]), axis=0)
        scaled = [(v - v.min()) / (np.ptp(v) or 1.0) for v in (energy, flux)]
        best = int(np.argmin(0.8 * scaled[0] + 0.2 * scaled[1]))
        accepted = energy[best] < 0.5 * energy.mean()
        times.append(np.clip(first / rate + best * 64 / rate, left, right) if accepted else middle)
    return np.array(times)


def line(what: str, ratios: np.ndarray, goal: str) -> None:
    low, high = np.percentile(ratios, [10, 90])
    print(f"{what:<66} {np.median(ratios):8.2f}  [{low:.2f}, {high:.2f}]  goal {goal}")


def main() -> None:
    torch.set_num_threads(1)
    recordings = speech()[::6]
    aligner = load_aligner()
    results = [align(r.audio, r.text, aligner) for r in recordings]
    spans = [(s.audio, s.alignment.starts, s.alignment.ends) for s in results]
    boundaries = sum(len(starts) + 1 for _, starts, _ in spans)
    print(f"{len(recordings)} recordings, {boundaries} boundaries, {ROUNDS} rounds; [10 %, 90 %]")

    plain, ours = seconds(
        lambda: [one_boundary_at_a_time(a.samples, a.sample_rate, s, e) for a, s, e in spans],
        lambda: [refine.boundaries(refine.features(a), s, e) for a, s, e in spans],
    )
    line("Stage 3: one boundary at a time (librosa) / all at once", plain / ours, "≥ 10")

    duration = sum(r.audio.duration for r in recordings)
    (whole,) = seconds(lambda: [align(s.audio, s.text, aligner) for s in results])
    line("alignment: seconds of audio per second of one CPU", duration / whole, "≥ 1")

    command = (
        "import time as t; s = t.perf_counter(); import sgpa_core; print(t.perf_counter() - s)"
    )
    taken = [
        float(
            subprocess.run([sys.executable, "-c", command], capture_output=True, text=True).stdout
        )
        for _ in range(ROUNDS)
    ]
    line("import sgpa_core: seconds", np.array(taken), "≤ 0.3")


if __name__ == "__main__":
    main()
