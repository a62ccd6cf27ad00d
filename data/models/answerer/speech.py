"""What is asked, and the training corpus: prompts spoken by every voice that is not held out.

The corpus stays in a cache folder outside git.  A prompt is a core, which is a wording with its
values ("name the capital of france"), between fillers ("hey", "please").  Every eighth core is
*new*: no training text is made from it.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def _load(name: str, path: Path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


rules = _load("answerer_rules", HERE / "rules.py")
CACHE = HERE.parents[2] / ".cache" / "answerer"
NEW = 8  # one core of so many is never trained on
CHUNK = 150  # utterances of one fresh process
SHARES = {  # of the utterances
    ("flite", "slt"): 0.14,
    ("flite", "rms"): 0.15,
    ("flite", "kal16"): 0.08,
    ("flite", "kal"): 0.05,
    ("festival", "kal"): 0.12,
    ("festival", "slt_hts"): 0.11,
    ("espeak", ""): 0.35,  # any accent and variant
}

QUESTION, NOUN, COMMAND = "question", "noun", "command"
FRAMES = {
    "capital": (
        (QUESTION, "what is the capital of {country}"),
        (QUESTION, "which city is the capital of {country}"),
        (QUESTION, "what capital does {country} have"),
        (NOUN, "the capital of {country}"),
        (COMMAND, "name the capital of {country}"),
    ),
    "legs": (
        (QUESTION, "how many legs does a {animal} have"),
        (QUESTION, "how many legs are on a {animal}"),
        (NOUN, "the number of legs of a {animal}"),
        (COMMAND, "count the legs of the {animal}"),
        (NOUN, "how many legs the {animal} has"),
    ),
    "sound": (
        (QUESTION, "what sound does a {loud} make"),
        (QUESTION, "what is the sound of a {loud}"),
        (NOUN, "the sound of a {loud}"),
        (NOUN, "which sound the {loud} makes"),
        (COMMAND, "make the sound of a {loud}"),
    ),
    "opposite": (
        (QUESTION, "what is the opposite of {adjective}"),
        (QUESTION, "which word is the opposite of {adjective}"),
        (NOUN, "the opposite of {adjective}"),
        (COMMAND, "name the opposite of {adjective}"),
        (COMMAND, "say the opposite of {adjective}"),
    ),
    "colour": (
        (QUESTION, "what colour is the {thing}"),
        (QUESTION, "which colour does the {thing} have"),
        (NOUN, "the colour of {thing}"),
        (NOUN, "what colour the {thing} has"),
        (COMMAND, "name the colour of the {thing}"),
    ),
    "sum": (
        (QUESTION, "what is {sum}"),
        (QUESTION, "how much is {sum}"),
        (NOUN, "the result of {sum}"),
        (COMMAND, "work out {sum}"),
    ),
    "timer": (
        (COMMAND, "set a timer for {number} {unit}"),
        (COMMAND, "start a timer of {number} {unit}"),
        (QUESTION, "i need a timer for {number} {unit}"),
        (COMMAND, "make the timer ring after {number} {unit}"),
    ),
    "alarm": (
        (COMMAND, "set an alarm for {number} on {day}"),
        (COMMAND, "wake me at {number} on {day}"),
        (COMMAND, "wake me up on {day} at {number}"),
        (QUESTION, "i need an alarm on {day} at {number}"),
        (COMMAND, "wake me up at {number}"),
    ),
    "open": (
        (COMMAND, "{action} the {object} in the {room}"),
        (COMMAND, "{action} the {room} {object}"),
        (QUESTION, "in the {room} {action} the {object}"),
        (QUESTION, "you should {action} the {object} of the {room}"),
    ),
    "music": (
        (COMMAND, "play some {genre}"),
        (COMMAND, "play {genre} music"),
        (COMMAND, "play some {genre} in the {room}"),
        (QUESTION, "in the {room} play {genre}"),
    ),
}
INTENTS = tuple(FRAMES)
SUMS = tuple(
    f"{a} {op} {b}"
    for op, sign in rules.OPERATORS.items()
    for a, b in product(rules.NUMBERS, repeat=2)
    if sign > 0 or rules.NUMBERS[a] > rules.NUMBERS[b]
)
VALUES = {**{k: tuple(v) for k, v in rules.SLOTS.items()}, "sum": SUMS, "loud": (*rules.SOUNDS,)}
ANY = ("hey", "okay", "hello there", "hey computer", "excuse me", "well")
BEFORE = {
    QUESTION: (*ANY, "please", "listen"),
    NOUN: (
        "tell me", "please tell me", "can you tell me", "do you know", "i would like to know",
        "hey tell me", "give me", "could you please give me",
    ),
    COMMAND: (*ANY, "please", "can you", "could you please", "i would like you to", "would you"),
}  # fmt: skip
AFTER = ("please", "for me", "thank you", "thanks", "if you can", "right away", "computer")


def cores() -> dict[str, list[tuple[str, str]]]:
    """For each intent, every core with its kind."""
    found = {}
    for intent, frames in FRAMES.items():
        found[intent] = []
        for kind, frame in frames:
            names = [part.split("}")[0] for part in frame.split("{")[1:]]
            for values in product(*(VALUES[n] for n in names)):
                core = frame.format(**dict(zip(names, values, strict=True)))
                found[intent].append((kind, core.replace(" a elephant", " an elephant")))
    return found


def split(new: bool) -> dict[str, list[tuple[str, str]]]:
    """The new cores of each intent (an eighth of them, by a checksum), or the others."""
    found = {}
    for intent, some in cores().items():
        ranked = sorted(some, key=lambda core: zlib.crc32(core[1].encode()))
        cut = len(ranked) // NEW
        found[intent] = ranked[:cut] if new else ranked[cut:]
    return found


def unheard(text: str) -> bool:
    """Whether the new core of a text is not even a part of a longer core that is trained on."""
    new = max((c for some in split(True).values() for _, c in some if c in text), key=len)
    return not any(new in core for some in split(False).values() for _, core in some)


def prompts(count: int, seed: int, new: bool = False, plain: float = 0.35) -> list[str]:
    """Prompts of 3 to 10 words, all intents alike, from new cores only or from the others only.

    The share ``plain`` of the questions and commands has no filler before it, and of all 0.6
    have none after it.
    """
    rng = np.random.default_rng([seed, new])
    pool = split(new)
    out = []
    while len(out) < count:
        some = pool[INTENTS[len(out) % len(INTENTS)]]
        kind, core = some[rng.integers(len(some))]
        bare = kind != NOUN and rng.random() < plain
        parts = ["" if bare else str(rng.choice(BEFORE[kind])), core]
        parts.append(str(rng.choice(AFTER)) if rng.random() < 0.4 else "")
        text = " ".join(filter(None, parts))
        if 3 <= len(text.split()) <= 10:
            out.append(text)
    return out


def vocabulary() -> list[str]:
    """Every word that can be asked."""
    said = [core for found in cores().values() for _, core in found]
    said += [filler for fillers in BEFORE.values() for filler in fillers] + list(AFTER)
    return sorted({word for text in said for word in text.split()})


def answers() -> list[str]:
    """Every word that the rules can say."""
    words = set()
    for found in cores().values():
        for _, core in found:
            said = [w for w in core.split() if w in rules.SLOT]
            for heard in product((False, True), repeat=len(said)):
                words |= set(rules.answer(said, heard).split())
    return sorted(words)


def job(text: str, rng: np.random.Generator) -> dict:
    """A voice, a rate and a pitch for the text."""
    aligner = training_voices()
    keys = list(SHARES)
    engine, voice = keys[rng.choice(len(keys), p=list(SHARES.values()))]
    if engine == "espeak":
        voice = f"gmw/{rng.choice(aligner.ACCENTS)}+{rng.choice(aligner.VARIANTS)}"
        rate, pitch, spread = rng.integers(120, 220), rng.integers(15, 85), rng.integers(20, 90)
        options = {"rate": int(rate), "pitch": int(pitch), "range": int(spread)}
        return {"engine": engine, "voice": voice, "text": text, **options}
    result = {"engine": engine, "voice": voice, "text": text}
    result["stretch"] = round(float(rng.uniform(0.75, 1.3)), 3)
    if engine == "flite":
        low, high = (150, 230) if voice == "slt" else (75, 160)
        result["f0"] = 0 if rng.random() < 0.4 else int(rng.integers(low, high))
    return result


def training_voices():
    """The aligner's corpus module: which voices train and which are held out, for both models."""
    name = "aligner_corpus"
    return sys.modules.get(name) or _load(name, HERE.parent / "aligner" / "corpus.py")


def make(count: int, seed: int, folder: Path = CACHE, workers: int = 2):
    """Synthesise ``count`` utterances (what the folder holds already is kept) and load them."""
    aligner = training_voices()
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    jobs = [job(text, rng) for text in prompts(count, seed)]
    chunks = {folder / f"{seed}-{n:05d}.npz": jobs[n : n + CHUNK] for n in range(0, count, CHUNK)}

    def run(item) -> None:
        path, part = item
        if path.exists():
            return
        done = [(j, s) for j, s in zip(part, aligner.engines.synthesise(part), strict=True) if s]
        words = json.dumps([[f"{j['engine']}/{j['voice']}", s.words] for j, s in done])
        samples, sizes = (
            np.concatenate([s.samples for _, s in done]),
            [len(s.samples) for _, s in done],
        )
        np.savez(path.with_suffix(".part.npz"), samples=samples, sizes=sizes, words=words)
        path.with_suffix(".part.npz").rename(path)

    with ThreadPoolExecutor(workers) as pool:
        for n, _ in enumerate(pool.map(run, chunks.items())):
            print(f"\rcorpus: {n + 1}/{len(chunks)} parts", end="", flush=True)
    print()
    return aligner._load(list(chunks))


def recorded(voice: str):
    """The recordings of data/instructions by one voice."""
    import soundfile

    folder = HERE.parents[1] / "instructions"
    samples, sizes, words = [], [0], []
    for entry in json.loads((folder / "index.json").read_text())["recordings"]:
        if entry["voice"] == voice:
            samples.append(soundfile.read(folder / entry["file"], dtype="int16")[0])
            sizes.append(len(samples[-1]))
            words.append([(w["text"], w["start"], w["end"]) for w in entry["words"]])
    voices = [voice] * len(words)
    return training_voices().Corpus(np.concatenate(samples), np.cumsum(sizes), words, voices)


if __name__ == "__main__":
    made = make(int(sys.argv[1]), seed=int(sys.argv[2]))
    hours = made.bounds[-1] / 16_000 / 3600
    print(f"{len(made)} utterances, {hours:.1f} h in {CACHE}")
