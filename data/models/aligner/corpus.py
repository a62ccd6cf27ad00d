"""The training corpus: texts spoken by every voice that is not held out, kept in a cache folder
outside git."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "speech")]
import engines  # noqa: E402
import kokoro  # noqa: E402
import texts  # noqa: E402

CACHE = HERE.parents[2] / ".cache" / "aligner"
ACCENTS = (
    "en", "en-US", "en-US-nyc", "en-029", "en-GB-x-rp", "en-GB-scotland", "en-GB-x-gbclan",
    "en-GB-x-gbcwmd",
)  # fmt: skip
VARIANTS = (
    "f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4", "m5", "m6", "klatt", "klatt2", "klatt3",
    "klatt4", "klatt5", "klatt6", "adam", "Alex", "Alicia", "Andrea", "Andy", "Annie", "anika",
    "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "croak", "david", "Denis",
    "Diogo", "ed", "edward", "edward2", "Gene", "Gene2", "grandma", "grandpa", "gustave",
    "Henrique", "Hugo", "iven", "iven2", "iven3", "iven4", "Jacky", "john", "kaukovalta", "Lee",
    "linda", "marcelo", "Marco", "Mario", "max", "Michael", "michel", "miguel", "Mike",
    "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert", "sandro", "shelby", "steph",
    "steph2", "steph3", "travis", "victor", "zac", "announcer",
)  # fmt: skip
HELD_OUT = (
    ("flite", "awb"),
    ("festival", "ked"),
    ("espeak", "gmw/en-GB-x-rp+f5"),
    ("espeak", "gmw/en-US+m7"),
    ("espeak", "gmw/en-GB-scotland+m8"),
)
SHARES = {  # of the utterances
    ("flite", "slt"): 0.13,
    ("flite", "rms"): 0.13,
    ("flite", "kal16"): 0.06,
    ("flite", "kal"): 0.03,
    ("festival", "kal"): 0.06,
    ("festival", "slt_hts"): 0.10,
    ("espeak", ""): 0.49,  # any accent and variant
}
CHUNK = 120  # utterances of one fresh process
NATURAL = (  # the voices of data/questions are not among them
    "af_alloy", "af_aoede", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river", "af_sarah",
    "af_sky", "am_adam", "am_echo", "am_eric", "am_liam", "am_onyx", "am_puck", "am_santa",
    "bf_alice", "bf_lily", "bm_daniel", "bm_lewis",
)  # fmt: skip
NATURAL_CHUNK = 30
FILLERS = ("um,", "uh,", "er,", "well,", "you know,", "i mean,")


@dataclass(frozen=True)
class Corpus:
    """All utterances end to end, int16, and for each its ``bounds``, ``words`` and ``voice``."""

    samples: np.ndarray
    bounds: np.ndarray
    words: list[list[tuple[str, float, float]]]
    voices: list[str]

    def __len__(self) -> int:
        return len(self.words)

    def audio(self, i: int) -> np.ndarray:
        return self.samples[self.bounds[i] : self.bounds[i + 1]]


def job(text: str, rng: np.random.Generator) -> dict:
    """A voice, a rate and a pitch for the text."""
    keys = list(SHARES)
    engine, voice = keys[rng.choice(len(keys), p=list(SHARES.values()))]
    if engine == "espeak":
        voice = f"gmw/{rng.choice(ACCENTS)}+{rng.choice(VARIANTS)}"
        rate, pitch, spread = rng.integers(120, 230), rng.integers(15, 85), rng.integers(20, 90)
        return {
            "engine": engine,
            "voice": voice,
            "text": text,
            "rate": int(rate),
            "pitch": int(pitch),
            "range": int(spread),
        }
    result = {
        "engine": engine,
        "voice": voice,
        "text": text,
        "stretch": round(float(rng.uniform(0.72, 1.3)), 3),
    }
    if engine == "flite":
        low, high = (150, 230) if voice == "slt" else (75, 160)
        result["f0"] = 0 if rng.random() < 0.4 else int(rng.integers(low, high))
    return result


def natural_job(text: str, rng: np.random.Generator) -> dict:
    """A natural voice and a speed for the text, spoken with hesitation now and then."""
    words = text.split()
    while rng.random() < 0.25:
        words.insert(int(rng.integers(len(words) + 1)), str(rng.choice(FILLERS)))
    asks = words[0] in ("what", "who", "how", "when", "where", "why", "which", "is", "are", "do")
    return {
        "engine": "kokoro",
        "voice": str(rng.choice(NATURAL)),
        "text": " ".join(words).rstrip(",") + ("?" if asks else "."),
        "speed": round(float(rng.uniform(0.75, 1.3)), 3),
    }


def make(count: int, seed: int, folder: Path = CACHE, workers: int = 2) -> Corpus:
    """Synthesise ``count`` utterances (what the folder holds already is kept) and load them."""
    rng = np.random.default_rng(seed)
    jobs = [job(text, rng) for text in texts.texts(count, seed)]
    chunks = {folder / f"{seed}-{n:05d}.npz": jobs[n : n + CHUNK] for n in range(0, count, CHUNK)}
    return _made(chunks, engines.synthesise, workers)


def make_natural(count: int, seed: int, folder: Path = CACHE, workers: int = 2) -> Corpus:
    """Synthesise ``count`` utterances in natural voices, with word times on a grid of 25 ms."""
    rng, step = np.random.default_rng(seed), NATURAL_CHUNK
    jobs = [natural_job(text, rng) for text in texts.texts(count, seed, (0.35, 0.55, 0.1))]
    starts = range(0, count, step)
    chunks = {folder / f"natural-{seed}-{n:05d}.npz": jobs[n : n + step] for n in starts}
    return _made(chunks, _kokoro, workers)


def _kokoro(jobs: list[dict]) -> list[engines.Speech]:
    spoken = [kokoro.synthesise([job])[0] for job in jobs]
    rate = kokoro.SAMPLE_RATE
    return [engines.Speech(engines.at_16k(s.samples, rate), s.words) for s in spoken]


def _made(chunks: dict[Path, list[dict]], synthesise: Callable, workers: int) -> Corpus:
    def run(item) -> None:
        path, part = item
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        done = [(j, s) for j, s in zip(part, synthesise(part), strict=True) if s]
        words = json.dumps([[f"{j['engine']}/{j['voice']}", s.words] for j, s in done])
        sizes = [len(s.samples) for _, s in done]
        partial = path.with_suffix(".part.npz")
        np.savez(
            partial, samples=np.concatenate([s.samples for _, s in done]), sizes=sizes, words=words
        )
        partial.rename(path)

    with ThreadPoolExecutor(workers) as pool:
        for n, _ in enumerate(pool.map(run, chunks.items())):
            print(f"\rcorpus: {n + 1}/{len(chunks)} parts", end="", flush=True)
    print()
    return _load(list(chunks))


def _load(paths: list[Path]) -> Corpus:
    samples, sizes, words, voices = [], [0], [], []
    for path in paths:
        part = np.load(path)
        samples.append(part["samples"])
        sizes += part["sizes"].tolist()
        for voice, times in json.loads(str(part["words"])):
            voices.append(voice)
            words.append([tuple(w) for w in times])
    return Corpus(np.concatenate(samples), np.cumsum(sizes), words, voices)


def recorded(voice: str) -> Corpus:
    """The recordings of data/speech by one voice whose words are written as they are spoken."""
    import soundfile

    folder = HERE.parents[1] / "speech"
    samples, sizes, words = [], [0], []
    for entry in json.loads((folder / "index.json").read_text())["recordings"]:
        spoken = [(w["text"].lower().strip("?.,"), w["start"], w["end"]) for w in entry["words"]]
        if entry["voice"] == voice and all(engines.TEXT.fullmatch(w) for w, _, _ in spoken):
            samples.append(soundfile.read(folder / entry["file"], dtype="int16")[0])
            sizes.append(len(samples[-1]))
            words.append(spoken)
    return Corpus(np.concatenate(samples), np.cumsum(sizes), words, [voice] * len(words))


if __name__ == "__main__":
    made = make(int(sys.argv[1]), seed=int(sys.argv[2]))
    print(
        f"{len(made)} utterances, {made.bounds[-1] / engines.SAMPLE_RATE / 3600:.1f} h in {CACHE}"
    )
