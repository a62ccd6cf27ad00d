"""Make the recordings of data/questions: every question in two of eight natural voices, with the
time of every word.

    python data/questions/make.py

The first run fetches the synthesiser's weights. Running this again gives the same samples on the
same kind of processor, before Opus compresses them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import soundfile

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "speech"), str(HERE.parents[1])]
import kokoro  # noqa: E402

import sgpa_core  # noqa: E402

BITS = 24_000  # a second
LEVEL = 1 - (BITS - 6_000) / 250_000  # how libsndfile wants it: 0 is 256 kbit/s, 1 is 6 kbit/s
LICENCE = "Apache-2.0 (texts and recordings are this project's own; see README.md on the voices)"


def voices(number: int) -> tuple[str, str]:
    """Who says a question (from 1): an American and a British voice, all pairs in turn."""
    turn = number - 1
    american, british = kokoro.VOICES[:4], kokoro.VOICES[4:]
    return american[turn % 4], british[(turn + turn // 4) % 4]


def speak(text: str, voice: str) -> tuple[kokoro.engines.Speech, list[dict]]:
    """The samples, and the time of every written word: the spoken words of "30%" are merged."""
    words = sgpa_core.decompose(text).words
    spoken = [w.spoken + w.text[-1] * (w.text[-1] in ",.?!") for w in words]
    job = {"engine": "kokoro", "voice": voice, "text": " ".join(spoken)}
    speech = kokoro.synthesise([job])[0]
    rest, timed = list(speech.words), []
    for word in words:
        parts = [rest.pop(0) for _ in word.spoken.split()]
        timed.append(
            {"text": word.text, "start": round(parts[0][1], 4), "end": round(parts[-1][2], 4)}
        )
    return speech, timed


def record(number: int, text: str, voice: str) -> dict:
    """Write one Ogg file and return its entry of the index."""
    speech, words = speak(text, voice)
    name = f"{voice}-{number:03d}"
    path = HERE / "audio" / f"{name}.ogg"
    with soundfile.SoundFile(
        path, "w", kokoro.SAMPLE_RATE, 1, "OPUS", format="OGG", compression_level=LEVEL
    ) as file:
        file.write(speech.samples)
    return {
        "id": name,
        "file": f"audio/{name}.ogg",
        "text": text,
        "voice": voice,
        "engine": "kokoro",
        "held_out": True,
        "prompt": number,
        "sample_rate": kokoro.SAMPLE_RATE,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "words": words,
    }


def main() -> None:
    questions = (HERE / "questions.txt").read_text().splitlines()
    (HERE / "audio").mkdir(exist_ok=True)
    for old in (HERE / "audio").glob("*.ogg"):
        old.unlink()
    kokoro.fetch()
    jobs = [
        (number, text, voice)
        for number, text in enumerate(questions, 1)
        for voice in voices(number)
    ]
    with ThreadPoolExecutor(2) as pool:
        recordings = list(pool.map(lambda job: record(*job), jobs))
    recordings.sort(key=lambda r: (kokoro.VOICES.index(r["voice"]), r["prompt"]))
    index = {
        "licence": LICENCE,
        "made_by": "data/questions/make.py",
        "engine_versions": kokoro.versions(),
    }
    lines = ",\n".join(json.dumps(r, ensure_ascii=False) for r in recordings)
    (HERE / "index.json").write_text(f'{json.dumps(index)[:-1]}, "recordings": [\n{lines}\n]}}\n')
    size = sum(p.stat().st_size for p in (HERE / "audio").iterdir())
    print(f"{len(recordings)} recordings of {len(questions)} questions, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
