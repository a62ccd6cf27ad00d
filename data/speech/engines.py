"""Speech with true word times, from three free synthesisers: espeak-ng, flite and festival.

Every engine tells when it placed each word, so the times are known and not estimated.  A job is a
small dictionary; :func:`synthesise` runs a list of jobs in a fresh process, which makes the samples
repeatable::

    synthesise([{"engine": "flite", "voice": "slt", "text": "what's the time"}])

Text is the *spoken form*: lowercase words of a-z and apostrophes (commas are allowed as pauses).
Debian packages: espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000  # Hz, of everything returned here
FLITE_VOICES = ("slt", "rms", "awb", "kal16", "kal")
FESTIVAL_VOICES = {
    "kal": "voice_kal_diphone",
    "ked": "voice_ked_diphone",
    "slt_hts": "voice_cmu_us_slt_arctic_hts",
}
TEXT = re.compile(r"[a-z' ,]*")


@dataclass(frozen=True)
class Speech:
    """Synthetic speech: int16 ``samples`` (16 kHz here) and ``words`` as (word, start s, end s)."""

    samples: np.ndarray
    words: tuple[tuple[str, float, float], ...]


def available() -> dict[str, bool]:
    """Which engines can run on this machine."""
    return {
        "espeak": _loads("libespeak-ng.so.1"),
        "flite": _loads("libflite.so.1") and _loads("libflite_cmu_us_slt.so.1"),
        "festival": shutil.which("festival") is not None,
    }


def versions() -> dict[str, str]:
    """The version of every engine, "" where it is not installed."""
    found = {}
    for engine, program in (("espeak", "espeak-ng"), ("flite", "flite"), ("festival", "festival")):
        told = ""
        if shutil.which(program):
            run = subprocess.run([program, "--version"], capture_output=True, text=True)
            told = next(iter(re.findall(r"\d+\.\d+(?:\.\d+)*", run.stdout + run.stderr)), "")
        found[engine] = told
    return found


def synthesise(jobs: list[dict]) -> list[Speech | None]:
    """Run the jobs, each ``{"engine", "voice", "text", ...}``, in one fresh process.

    Options: espeak ``rate`` (words/min), ``pitch`` and ``range`` (0-100); flite ``stretch`` and
    ``f0`` (Hz, 0 keeps the voice's); festival ``stretch``.  An utterance whose words cannot be told
    apart comes back as None.  The same list gives the same bytes every time; a job's samples may
    depend on the espeak jobs before it.
    """
    for job in jobs:
        if not TEXT.fullmatch(job["text"]) or not job["text"].strip(" ,'"):
            raise ValueError(
                f"text {job['text']!r} is not a spoken form: "
                "use lowercase a-z, apostrophe, space, comma"
            )
        if job["engine"] not in ENGINES:
            raise ValueError(
                f"engine {job['engine']!r} is unknown: use one of {', '.join(ENGINES)}"
            )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "jobs.json").write_text(json.dumps(jobs))
        subprocess.run(
            [sys.executable, __file__, folder],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        words = json.loads(Path(folder, "words.json").read_text())
        samples = np.load(Path(folder, "samples.npz"))
        return [w and Speech(samples[str(i)], tuple(map(tuple, w))) for i, w in enumerate(words)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def at_16k(samples: np.ndarray, rate: int) -> np.ndarray:
    """Polyphase resampling to 16 kHz; time stays where it was."""
    if rate == SAMPLE_RATE:
        return samples.astype(np.int16)
    from scipy.signal import resample_poly

    step = math.gcd(rate, SAMPLE_RATE)
    moved = resample_poly(samples.astype(np.float64), SAMPLE_RATE // step, rate // step)
    return np.clip(np.round(moved), -32768, 32767).astype(np.int16)


# --- espeak-ng: WORD and PHONEME events of its C API --------------------------------------------


class _Name(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # ms
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_WORD, _PHONEME = 1, 7
_RATE, _PITCH, _RANGE = 1, 3, 4
_SYNCHRONOUS, _PHONEME_EVENTS = 2, 1
_STOPS = tuple(letter.encode() for letter in "ptkbdg")


class _Espeak:
    """espeak-ng, loaded once per process; voices by path such as ``gmw/en-GB-x-rp+f3``."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL("libespeak-ng.so.1")
        self.rate = self.library.espeak_Initialize(_SYNCHRONOUS, 500, None, _PHONEME_EVENTS)
        self.chunks: list[np.ndarray] = []
        self.events: list[tuple[int, int, int, bytes]] = []
        self.callback = _CALLBACK(
            self._collect
        )  # referenced here for as long as the library may call it
        self.library.espeak_SetSynthCallback(self.callback)

    def _collect(self, wave, count, events) -> int:
        if wave and count > 0:
            self.chunks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        i = 0
        while events[i].type:
            e = events[i]
            name = e.id.string if e.type == _PHONEME else b""
            self.events.append((e.type, e.text_position, e.sample, name))
            i += 1
        return 0

    def _speak(self, text: str) -> None:
        self.chunks, self.events = [], []
        raw = text.encode() + b"\0"
        self.library.espeak_Synth(raw, ctypes.c_size_t(len(raw)), 0, 1, 0, 1, None, None)

    def _phonemes(self, word: str) -> int:
        """How many phonemes espeak gives the word alone."""
        self._speak(word)
        return sum(t == _PHONEME and not _is_pause(name) for t, _, _, name in self.events)

    def __call__(self, job: dict) -> tuple[np.ndarray, list] | None:
        if self.library.espeak_SetVoiceByName(job["voice"].encode()):
            raise ValueError(f"espeak-ng has no voice {job['voice']!r}")
        for number, value in (
            (_RATE, job.get("rate", 165)),
            (_PITCH, job.get("pitch", 50)),
            (_RANGE, job.get("range", 50)),
        ):
            self.library.espeak_SetParameter(number, int(value), 0)
        text = job["text"]
        self._speak(text)
        if not self.chunks:
            return None
        samples, events = np.concatenate(self.chunks), self.events
        starts = [m.start() for m in re.finditer(r"[a-z'][a-z']*", text)]
        words = _words(text)
        if len(starts) != len(words):
            return None
        # phonemes of each word event; a word without an event belongs to the one before it
        spoken: list[tuple[list[int], list[tuple[float, bool]]]] = []
        closure = (
            None  # a stop's phoneme event is its burst; the word event before it is where it closes
        )
        for kind, position, sample, name in events:
            if kind == _WORD:
                index = max((k for k, s in enumerate(starts) if s <= position - 1), default=-1)
                if index <= (spoken[-1][0][-1] if spoken else -1):
                    continue  # a clause ends with a word event of no word
                if not spoken and index != 0:
                    return None
                if spoken:
                    spoken[-1][0].extend(range(spoken[-1][0][-1] + 1, index))
                spoken.append(([index], []))
                closure = sample / self.rate
            elif kind == _PHONEME and spoken:
                time = sample / self.rate
                if closure is not None and name[:1] in _STOPS and time - closure < 0.1:
                    time = closure
                spoken[-1][1].append((time, _is_pause(name)))
                closure = None
        if not spoken:
            return None
        spoken[-1][0].extend(range(spoken[-1][0][-1] + 1, len(words)))
        out = []
        finish = len(samples) / self.rate
        for n, (indices, phones) in enumerate(spoken):
            sounds = [t for t, pause in phones if not pause]
            if not sounds:
                return None
            pauses = [t for t, pause in phones if pause and t > sounds[-1]]
            following = [t for t, _ in spoken[n + 1][1][:1]] if n + 1 < len(spoken) else [finish]
            edges = [sounds[0]]
            if len(indices) > 1:
                counts = [self._phonemes(words[k]) for k in indices]
                if len(indices) > 2 or sum(counts) != len(sounds) or not all(counts):
                    return None
                edges.append(sounds[counts[0]])
            edges.append(min(pauses + following))
            if np.any(np.diff(edges) < 0.01):
                return None
            out += [(words[k], float(edges[j]), float(edges[j + 1])) for j, k in enumerate(indices)]
        return at_16k(samples, self.rate), _voiced_end(samples, self.rate, out)


def _is_pause(name: bytes) -> bool:
    return name[:1] in (b"_", b"") or name in (b"\0", b" ")


def _voiced_end(samples: np.ndarray, rate: int, words: list) -> list:
    """The last word ends where the sound does: espeak pads its utterances with silence."""
    word, start, end = words[-1]
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 40)
    last = min(end, (loud[-1] + 1) / rate) if len(loud) else end
    return [*words[:-1], (word, start, float(max(last, start + 0.02)))]


# --- flite: word items of its C API -------------------------------------------------------------


class _Wave(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


class _Flite:
    """flite with the voices of its shared libraries, loaded once per process."""

    def __init__(self) -> None:
        lib = self.library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        for library in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
            ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        signatures = {
            "flite_synth_text": (pointer, [text, pointer]),
            "utt_wave": (ctypes.POINTER(_Wave), [pointer]),
            "utt_relation": (pointer, [pointer, text]),
            "relation_head": (pointer, [pointer]),
            "item_next": (pointer, [pointer]),
            "ffeature_string": (text, [pointer, text]),
            "ffeature_float": (ctypes.c_float, [pointer, text]),
            "feat_set_float": (None, [pointer, text, ctypes.c_float]),
            "get_param_float": (ctypes.c_float, [pointer, text, ctypes.c_float]),
            "delete_utterance": (None, [pointer]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        lib.flite_init()
        self.voices: dict[str, tuple] = {}

    def _voice(self, name: str):
        if name not in self.voices:
            if name not in FLITE_VOICES:
                raise ValueError(
                    f"flite has no voice {name!r}: use one of {', '.join(FLITE_VOICES)}"
                )
            lib, library = self.library, ctypes.CDLL(f"libflite_cmu_us_{name}.so.1")
            register = getattr(library, f"register_cmu_us_{name}")
            register.restype, register.argtypes = ctypes.POINTER(_Voice), [ctypes.c_char_p]
            voice = register(None)
            mean = lib.get_param_float(voice.contents.features, b"int_f0_target_mean", 100.0)
            self.voices[name] = voice, mean
        return self.voices[name]

    def __call__(self, job: dict) -> tuple[np.ndarray, list] | None:
        lib, (voice, mean) = self.library, self._voice(job["voice"])
        lib.feat_set_float(voice.contents.features, b"duration_stretch", job.get("stretch", 1.0))
        lib.feat_set_float(voice.contents.features, b"int_f0_target_mean", job.get("f0") or mean)
        utterance = lib.flite_synth_text(job["text"].encode(), ctypes.cast(voice, ctypes.c_void_p))
        wave = lib.utt_wave(utterance).contents
        samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()
        items = []
        item = lib.relation_head(lib.utt_relation(utterance, b"Word"))
        while item:
            items.append(
                (
                    lib.ffeature_string(item, b"name").decode(),
                    lib.ffeature_float(item, b"R:SylStructure.daughter1.daughter1.R:Segment.p.end"),
                    lib.ffeature_float(item, b"R:SylStructure.daughtern.daughtern.R:Segment.end"),
                )
            )
            item = lib.item_next(item)
        rate = wave.sample_rate
        lib.delete_utterance(utterance)
        words = _joined(items, _words(job["text"]))
        return words and (at_16k(samples, rate), words)


def _joined(items: list[tuple[str, float, float]], words: list[str]) -> list | None:
    """Join "what" + "'s" to "what's"; None where something else than the text was spoken."""
    out, rest = [], list(items)
    for word in words:
        if not rest:
            return None
        name, start, end = rest.pop(0)
        while rest and name.replace("'", "") != word.replace("'", "") and len(name) < len(word):
            more, _, later = rest.pop(0)
            name, end = name + more, max(end, later)  # festival gives "'s" no time of its own
        if name.replace("'", "") != word.replace("'", ""):
            return None
        out.append((word, start, end))
    return out if not rest else None


# --- festival: a script for the batch program ---------------------------------------------------

_FESTIVAL_SCRIPT = """
(define (one txt wav times voice stretch)
  (eval (list voice))
  (Parameter.set 'Duration_Stretch stretch)
  (let ((utt (utt.synth (eval (list 'Utterance 'Text txt)))) (out (fopen times "w")))
    (utt.wave.resample utt 16000)
    (utt.save.wave utt wav 'riff)
    (mapcar
      (lambda (w)
        (format out "%s %f %f\\n"
          (item.name w) (item.feat w "word_start") (item.feat w "word_end")))
      (utt.relation.items utt 'Word))
    (fclose out)))
"""


def _festival(jobs: list[dict]) -> list:
    """All festival jobs of a list at once: the program is slow to start."""
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        script = [_FESTIVAL_SCRIPT]
        for i, job in enumerate(jobs):
            if job["voice"] not in FESTIVAL_VOICES:
                raise ValueError(
                    f"festival has no voice {job['voice']!r}: "
                    f"use one of {', '.join(FESTIVAL_VOICES)}"
                )
            voice, stretch = FESTIVAL_VOICES[job["voice"]], job.get("stretch", 1.0)
            script.append(
                f'(one "{job["text"]}" "{folder}/{i}.wav" "{folder}/{i}.txt" \'{voice} {stretch})'
            )
        Path(folder, "all.scm").write_text("\n".join(script))
        subprocess.run(
            ["festival", "-b", f"{folder}/all.scm"], check=True, stdout=subprocess.DEVNULL
        )
        results = []
        for i, job in enumerate(jobs):
            samples, rate = soundfile.read(f"{folder}/{i}.wav", dtype="int16")
            lines = [line.split() for line in Path(folder, f"{i}.txt").read_text().splitlines()]
            items = [(name, float(start), float(end)) for name, start, end in lines]
            words = _joined(items, _words(job["text"]))
            results.append(words and (at_16k(samples, rate), words))
        return results


def _each(make):
    def run(jobs: list[dict]) -> list:
        engine, c = make(), ctypes.CDLL(None)
        results = []
        for job in jobs:
            c.srand(1)  # espeak-ng seeds it from the clock, and both engines draw noise from it
            results.append(engine(job))
        return results

    return run


ENGINES = {"espeak": _each(_Espeak), "flite": _each(_Flite), "festival": _festival}


def _main(folder: str) -> None:
    jobs = json.loads(Path(folder, "jobs.json").read_text())
    words: list = [None] * len(jobs)
    samples = {}
    for engine, run in ENGINES.items():
        mine = [i for i, job in enumerate(jobs) if job["engine"] == engine]
        for i, result in zip(mine, run([jobs[i] for i in mine]) if mine else [], strict=True):
            if result:
                samples[str(i)], words[i] = result
    np.savez(Path(folder, "samples.npz"), **samples)
    Path(folder, "words.json").write_text(json.dumps(words))


if __name__ == "__main__":
    _main(sys.argv[1])
