"""Make the recordings of data/speech: the prompts in five voices, with the true time of every word.

    python data/speech/make.py

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
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
import engines  # noqa: E402

import sgpa_core  # noqa: E402

VOICES = {  # name: job options and whether the voice is held out from all training
    "slt": ({"engine": "flite", "voice": "slt"}, False),
    "awb": ({"engine": "flite", "voice": "awb"}, True),
    "rms": ({"engine": "flite", "voice": "rms"}, False),
    "ked": ({"engine": "festival", "voice": "ked"}, True),
    "espeak": ({"engine": "espeak", "voice": "gmw/en-GB-x-rp+f2", "rate": 150}, False),
}
EVERY_PROMPT, IN_TURN = ("slt", "awb"), ("ked", "rms", "espeak")  # who says all, who takes turns
LICENCE = "Apache-2.0 (prompts and recordings are this project's own; see README.md on the voices)"


def spoken_text(text: str) -> str:
    """What the synthesiser is given: the spoken form of every word, commas kept as pauses."""
    return " ".join(w.spoken + "," * w.text.endswith(",") for w in sgpa_core.decompose(text).words)


def speak(text: str, voice: str) -> tuple[engines.Speech, list[dict]] | None:
    """The samples, and the time of every written word: the spoken words of "7:30" are merged.

    None where the synthesiser runs words together so that their times cannot be told apart.
    """
    speech = engines.synthesise([{**VOICES[voice][0], "text": spoken_text(text)}])[0]
    if speech is None:
        return None
    rest, words = list(speech.words), []
    for word in sgpa_core.decompose(text).words:
        parts = [rest.pop(0) for _ in word.spoken.split()]
        words.append(
            {"text": word.text, "start": round(parts[0][1], 4), "end": round(parts[-1][2], 4)}
        )
    return speech, words


def record(number: int, text: str, voices: tuple[str, ...]) -> dict:
    """Write one FLAC file, by the first voice that can, and return its entry of the index."""
    for voice in voices:
        found = speak(text, voice)
        if found:
            break
    else:
        raise ValueError(f"none of {voices} gives word times for {text!r}: reword this prompt")
    speech, words = found
    name = f"{voice}-{number:03d}"
    path = HERE / "audio" / f"{name}.flac"
    soundfile.write(
        path, speech.samples, engines.SAMPLE_RATE, subtype="PCM_16", compression_level=1.0
    )
    return {
        "id": name,
        "file": f"audio/{name}.flac",
        "text": text,
        "voice": voice,
        "engine": VOICES[voice][0]["engine"],
        "held_out": VOICES[voice][1],
        "prompt": number,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "words": words,
    }


def main() -> None:
    prompts = (HERE / "prompts.txt").read_text().splitlines()
    (HERE / "audio").mkdir(exist_ok=True)
    for old in (HERE / "audio").glob("*.flac"):
        old.unlink()
    jobs = [
        (number, text, voices)
        for number, text in enumerate(prompts, 1)
        for voices in (*((v,) for v in EVERY_PROMPT), IN_TURN[number % 3 :] + IN_TURN[: number % 3])
    ]
    with ThreadPoolExecutor(2) as pool:
        recordings = list(pool.map(lambda job: record(*job), jobs))
    recordings.sort(key=lambda r: (list(VOICES).index(r["voice"]), r["prompt"]))
    index = {
        "licence": LICENCE,
        "made_by": "data/speech/make.py",
        "engine_versions": engines.versions(),
    }
    lines = ",\n".join(json.dumps(r, ensure_ascii=False) for r in recordings)
    head = json.dumps(index)[:-1]
    (HERE / "index.json").write_text(f'{head}, "recordings": [\n{lines}\n]}}\n')
    size = sum(p.stat().st_size for p in (HERE / "audio").iterdir())
    print(f"{len(recordings)} recordings of {len(prompts)} prompts, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
