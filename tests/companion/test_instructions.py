"""The recordings of data/instructions: complete, as their index says, and new to the answerer."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
import soundfile

ROOT = Path(__file__).parents[2] / "data"
FOLDER = ROOT / "instructions"
INDEX = json.loads((FOLDER / "index.json").read_text())
RECORDINGS = INDEX["recordings"]


@pytest.fixture(scope="module")
def speech(script):
    """The script that says what is trained on and what is new."""
    return script("data/models/answerer/speech.py")


def test_every_prompt_by_every_voice():
    prompts = (FOLDER / "prompts.txt").read_text().splitlines()
    assert len(prompts) == len(set(prompts)) == 48
    expected = [(v, n, prompts[n - 1]) for v in ("awb", "ked", "slt") for n in range(1, 49)]
    assert [(r["voice"], r["prompt"], r["text"]) for r in RECORDINGS] == expected
    assert [r["id"] for r in RECORDINGS] == [f"{v}-{n:03d}" for v, n, _ in expected]
    assert {r["voice"]: (r["engine"], r["held_out"]) for r in RECORDINGS} == {
        "awb": ("flite", True),
        "ked": ("festival", True),
        "slt": ("flite", False),
    }


def test_intents_alike(speech):
    counts = Counter(r["intent"] for r in RECORDINGS)
    assert set(counts) == set(speech.INTENTS)
    assert max(counts.values()) - min(counts.values()) <= 3


def test_files():
    on_disk = {f"audio/{p.name}" for p in (FOLDER / "audio").iterdir()}
    assert on_disk == {r["file"] for r in RECORDINGS}
    assert sum(p.stat().st_size for p in (FOLDER / "audio").iterdir()) <= 8_000_000
    for r in RECORDINGS:
        path = FOLDER / r["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == r["sha256"], r["id"]


def test_word_times_lie_in_the_audio():
    for r in RECORDINGS:
        info = soundfile.info(FOLDER / r["file"])
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert info.duration <= 6.0
        assert [w["text"] for w in r["words"]] == r["text"].split()
        assert 3 <= len(r["words"]) <= 10
        times = [t for w in r["words"] for t in (w["start"], w["end"])]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= info.duration
        assert all(w["end"] - w["start"] > 0.02 for w in r["words"])


def test_answers_and_rationales_are_those_of_the_rule(speech):
    rules = speech.rules
    for r in RECORDINGS:
        words = r["text"].split()
        assert r["answer"] == rules.answer(words)
        changing = [
            i
            for i in range(len(words))
            if rules.answer(words, [j != i for j in range(len(words))]) != r["answer"]
        ]
        assert r["rationale"] == changing
        assert 2 <= len(changing) < len(words) or len(words) <= 4


def test_texts_are_in_no_training_list(speech):
    new = {core: intent for intent, some in speech.split(new=True).items() for _, core in some}
    for r in RECORDINGS:
        assert [i for core, i in new.items() if f" {core} " in f" {r['text']} "] == [r["intent"]]
    train = (ROOT / "models" / "answerer" / "train.py").read_text()
    count = int(train.split("UTTERANCES, SEED = ")[1].split(",")[0])
    seed = int(train.split("UTTERANCES, SEED = ")[1].split(",")[1].split()[0])
    assert not {r["text"] for r in RECORDINGS} & set(speech.prompts(count, seed))


def test_words_are_known(speech):
    assert {w for r in RECORDINGS for w in r["text"].split()} <= set(speech.vocabulary())
