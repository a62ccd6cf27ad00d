"""Make the recordings of data/instructions: the prompts in three voices, with the true time of
every word, the answer that the rule gives and the words that decide it.

    python data/instructions/make.py

Every recording is made in a fresh process, so that running this again gives the same samples.
"""

from __future__ import annotations

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import soundfile

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "speech"), str(HERE.parent / "models" / "answerer")]
import engines  # noqa: E402
import speech  # noqa: E402
from speech import rules  # noqa: E402

VOICES = {  # name: engine and whether the voice is held out from all training
    "awb": ("flite", True),
    "ked": ("festival", True),
    "slt": ("flite", False),
}
LICENCE = "Apache-2.0 (prompts and recordings are this project's own; see README.md on the voices)"


def intent(text: str) -> str:
    """What is asked: the intent one of whose new cores the prompt contains."""
    found = [i for i, some in speech.split(new=True).items() if any(c in text for _, c in some)]
    if len(found) != 1:
        raise ValueError(f"{text!r} has the new cores of {found}: one intent is wanted")
    return found[0]


def record(number: int, text: str, voice: str) -> dict:
    """Write one FLAC file and return its entry of the index."""
    engine, held_out = VOICES[voice]
    made = engines.synthesise([{"engine": engine, "voice": voice, "text": text}])[0]
    if made is None:
        raise ValueError(f"{voice} gives no word times for {text!r}: reword this prompt")
    name = f"{voice}-{number:03d}"
    path = HERE / "audio" / f"{name}.flac"
    soundfile.write(
        path, made.samples, engines.SAMPLE_RATE, subtype="PCM_16", compression_level=1.0
    )
    return {
        "id": name,
        "file": f"audio/{name}.flac",
        "text": text,
        "voice": voice,
        "engine": engine,
        "held_out": held_out,
        "prompt": number,
        "intent": intent(text),
        "answer": rules.answer(text.split()),
        "rationale": list(rules.rationale(text.split())),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "words": [
            {"text": word, "start": round(start, 4), "end": round(end, 4)}
            for word, start, end in made.words
        ],
    }


def main() -> None:
    prompts = (HERE / "prompts.txt").read_text().splitlines()
    (HERE / "audio").mkdir(exist_ok=True)
    for old in (HERE / "audio").glob("*.flac"):
        old.unlink()
    jobs = [(number, text, voice) for voice in VOICES for number, text in enumerate(prompts, 1)]
    with ThreadPoolExecutor(2) as pool:
        recordings = list(pool.map(lambda job: record(*job), jobs))
    index = {
        "licence": LICENCE,
        "made_by": "data/instructions/make.py",
        "engine_versions": engines.versions(),
    }
    lines = ",\n".join(json.dumps(r, ensure_ascii=False) for r in recordings)
    (HERE / "index.json").write_text(f'{json.dumps(index)[:-1]}, "recordings": [\n{lines}\n]}}\n')
    size = sum(p.stat().st_size for p in (HERE / "audio").iterdir())
    print(f"{len(recordings)} recordings of {len(prompts)} prompts, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
