"""Where a stored result comes from: command, seed, versions, machine, time."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
VOICES = ("awb", "slt")
"""A man that no training has heard, and a woman that it has."""
LONGEST, PROMPTS = 9, 36
"""Words of a prompt, each more doubles the coalitions; and prompts explained by frames."""
# What several processes compute at once, each computes on one thread, matrix libraries included.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
PACKAGES = ("numpy", "pandas", "scipy", "torch", "transformers")


def recordings(longest: int = LONGEST) -> list[Any]:
    """Choose the recordings of both voices with at most so many words."""
    import sgpa_core

    every = sgpa_core.instructions()
    return [r for r in every if r.voice in VOICES and len(r.words) <= longest]


def chosen() -> list[str]:
    """Name the utterances to explain by frames, spread over all kinds of question."""
    by_voice = [[r.id for r in recordings() if r.voice == voice] for voice in VOICES]
    return [ids[k * len(ids) // PROMPTS] for ids in by_voice for k in range(PROMPTS)]


def kept(file: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a JSON-lines file; an unfinished last one is taken out of it."""
    text = file.read_text("utf-8") if file.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def gather(
    file: Path,
    line: Callable[..., dict[str, Any]],
    tasks: list[tuple],
    key: tuple[str, ...],
    processes: int,
) -> list[dict[str, Any]]:
    """Bring a JSON-lines file up to ``line(*task)`` of every task, and return its lines in order.

    A task is what its line holds under the names in `key`; a line that is there is not made again,
    and a new one is appended as soon as it is there.
    """
    from tqdm import tqdm

    from sgpa_core.files import write_text

    place = {task: index for index, task in enumerate(tasks)}

    def task_of(entry: dict[str, Any]) -> tuple:
        return tuple(entry[name] for name in key)

    known = {task_of(entry) for entry in kept(file)}
    todo = [task for task in tasks if task not in known]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool, file.open("a") as out:
        runs = [pool.submit(line, *task) for task in todo]
        for done in tqdm(as_completed(runs), total=len(runs)):
            out.write(_line(done.result()))
            out.flush()
    lines = sorted(kept(file), key=lambda entry: place[task_of(entry)])
    write_text(file, "".join(map(_line, lines)))
    return lines


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"


def write(folder: Path, began: float, seed: int | None, **more: Any) -> None:
    """Write pedigree.json beside the results that a script has just made."""
    content = {
        "made_by": f"python {Path(sys.argv[0]).resolve().relative_to(ROOT).as_posix()}",
        "seed": seed,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(time.time() - began),
        "cpu_seconds": round(sum(os.times()[:4])),  # of this process and those it started
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no GPU",
        **more,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (folder / "pedigree.json").write_text(text, encoding="utf-8")
