"""data/speech and data/models/aligner: complete, true to their scripts, as good as they claim."""

import hashlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import sgpa_core
from sgpa_core.files import DATA

SPEECH = DATA / "speech"
ALIGNER = DATA / "models" / "aligner"
sys.path[:0] = [str(SPEECH), str(ALIGNER), str(DATA / "results" / "boundaries")]


@pytest.fixture(scope="module")
def index():
    return json.loads((SPEECH / "index.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def figures():
    return json.loads((ALIGNER / "figures.json").read_text())


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- the recordings -------------------------------------------------------------------------------


def test_index_names_every_recording_once_and_its_bytes(index):
    recordings = index["recordings"]
    files = [r["file"] for r in recordings]
    assert len(set(files)) == len(files) == len({r["id"] for r in recordings})
    assert set(files) == {f"audio/{p.name}" for p in (SPEECH / "audio").iterdir()}
    for r in recordings:
        assert sha256(SPEECH / r["file"]) == r["sha256"], r["id"]
    assert sum((SPEECH / f).stat().st_size for f in files) <= 12e6


def test_prompts_voices_and_engines(index):
    recordings = index["recordings"]
    prompts = (SPEECH / "prompts.txt").read_text().splitlines()
    assert len(set(prompts)) == len(prompts) >= 60
    assert all(4 <= len(p.split()) <= 12 for p in prompts)
    assert {r["text"] for r in recordings} == set(prompts)
    assert all(prompts[r["prompt"] - 1] == r["text"] for r in recordings)
    assert len({r["voice"] for r in recordings}) >= 4
    assert len({r["engine"] for r in recordings}) >= 2
    for pattern in (
        r"\d",
        r"[$£]\d",
        r"\d:\d\d",
        r"\b1\d{3}\b",
        r"\d(st|nd|rd|th)",
        "%",
        "'",
        r"\w-\w",
    ):
        assert any(re.search(pattern, p) for p in prompts), pattern


def test_held_out_voices_are_held_out_of_the_corpus(index):
    import corpus

    held_out = {(r["engine"], r["voice"]) for r in index["recordings"] if r["held_out"]}
    assert held_out
    assert held_out <= set(corpus.HELD_OUT)
    assert not set(corpus.HELD_OUT) & set(corpus.SHARES)
    assert not any(voice.split("+")[-1] in corpus.VARIANTS for _, voice in corpus.HELD_OUT)


def test_words_are_the_players_and_their_times_are_ordered_inside_the_audio(index):
    for r in index["recordings"]:
        info = soundfile.info(SPEECH / r["file"])
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert [w["text"] for w in r["words"]] == [
            w.text for w in sgpa_core.decompose(r["text"]).words
        ]
        edges = np.array([(w["start"], w["end"]) for w in r["words"]])
        assert np.all(edges[:, 0] < edges[:, 1]), r["id"]
        assert np.all(edges[:-1, 1] <= edges[1:, 0] + 1e-9), r["id"]
        assert edges[0, 0] >= 0
        assert edges[-1, 1] <= info.duration + 1e-3, r["id"]


def test_true_times_agree_with_an_independent_aligner(index):
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    import baselines

    errors = []
    for recording in sgpa_core.speech()[::4]:
        spans = baselines.pocketsphinx_spans(recording.audio, recording.text)
        if spans is not None:
            errors.append((spans[:-1, 1] + spans[1:, 0]) / 2 - recording.inner_boundaries)
    errors = np.abs(np.concatenate(errors))
    assert len(errors) > 100
    assert np.median(errors) <= 0.015


@pytest.mark.parametrize("voice", ["slt", "ked", "espeak"])
def test_the_script_makes_the_stored_samples_again(index, voice):
    import engines
    import make

    entry = next(r for r in index["recordings"] if r["voice"] == voice)
    engine = entry["engine"]
    if not engines.available()[engine]:
        pytest.skip(f"{engine} is not installed")
    if engines.versions()[engine] != index["engine_versions"][engine]:
        pytest.skip(f"recorded with {engine} {index['engine_versions'][engine]}, not this one")
    speech, words = make.speak(entry["text"], voice)
    stored, _ = soundfile.read(SPEECH / entry["file"], dtype="int16")
    assert words == entry["words"]
    assert speech.samples.shape == stored.shape
    assert np.abs(speech.samples.astype(int) - stored).max() <= 2  # rounding of another processor


def test_synthesise_refuses_what_no_engine_should_read():
    import engines

    for text in ("What is 15?", " ", "naïve", 'x") (system "id'):
        with pytest.raises(ValueError, match="not a spoken form"):
            engines.synthesise([{"engine": "flite", "voice": "slt", "text": text}])
    with pytest.raises(ValueError, match="'mbrola' is unknown"):
        engines.synthesise([{"engine": "mbrola", "voice": "us1", "text": "hello"}])


# --- the aligner ----------------------------------------------------------------------------------


def test_weights_are_small_and_have_their_checksums():
    listed = dict(
        line.split("  ")[::-1] for line in (ALIGNER / "SHA256SUMS").read_text().splitlines()
    )
    assert {"config.json", "model.safetensors", "vocab.json"} <= set(listed)
    for name, digest in listed.items():
        assert sha256(ALIGNER / name) == digest, name
    assert (ALIGNER / "model.safetensors").stat().st_size <= 20e6


def test_figures_meet_the_stated_floors(figures):
    for part in ("held_out_instructions", "held_out_prompts"):
        assert figures[part]["n"] >= 1000
        assert figures[part]["median"] <= 8.5, part
        assert figures[part]["within 50"] >= 97, part
    people = figures["people"]
    assert people["n"] >= 600
    assert (people["median"] <= 11) and (people["mean"] <= 16.5) and (people["within 50"] >= 95)
    assert figures["real_speech"]["within 50"] >= 88
    assert figures["natural_voices"]["within 50"] >= 95
    assert figures["long_audio"]["moved_at_most_10_ms"] >= 0.98
    assert figures["long_audio"]["times_real_time_one_core"] >= 30


def test_committed_weights_reach_their_figures_on_the_held_out_recordings():
    recordings = [r for r in sgpa_core.speech() if r.held_out][::3]
    audios, said = [r.audio for r in recordings], [r.text for r in recordings]
    aligned = sgpa_core.align_many(audios, said, refine="none")
    pairs = zip(aligned, recordings, strict=True)
    errors = np.concatenate([a.inner_boundaries - r.inner_boundaries for a, r in pairs])
    assert len(errors) > 100
    assert np.median(np.abs(errors)) <= 0.010
    assert np.mean(np.abs(errors) <= 0.05) >= 0.95


def test_committed_weights_reach_their_figures_on_people(figures, reference):
    import evaluate

    again = evaluate.measured(evaluate.people(reference)[::4], sgpa_core.load_aligner())
    assert again["n"] > 100
    assert again["median"] <= 1.3 * figures["people"]["median"]
    assert again["within 50"] >= figures["people"]["within 50"] - 4


def test_frame_labels_name_the_letters_at_the_edges_of_words():
    import train

    words = [("ab", 0.1, 0.2), ("cow", 0.2, 0.4), ("d", 0.6, 0.7)]
    frames = train.frame_count(16_000)
    times = (160 * np.arange(frames) + 200) / 16_000
    labels = train.frame_labels(words, frames)
    named = np.array([*train.VOCABULARY, "open"])[np.where(labels < 0, -1, labels)]
    assert set(named[times < 0.1]) == {"<pad>"} == set(named[times > 0.7 + train.AFTER])
    assert set(named[(times >= 0.1) & (times < 0.1 + train.EDGE)]) == {"a"}
    assert set(named[(times >= 0.14) & (times < 0.16)]) == {"open"}
    assert set(named[(times > 0.4) & (times < 0.4 + train.AFTER)]) == {"|"}
    assert set(named[(times > 0.4 + train.AFTER) & (times < 0.6)]) == {"<pad>"}
    junction = np.flatnonzero(named == "|")[0]
    assert abs(times[junction] - 0.2) <= 0.005
    guarded = train.frame_labels(words, frames, guard=0.03)
    near = np.abs(times[:, None] - [0.1, 0.2, 0.4, 0.6, 0.7]).min(axis=1) < 0.03
    assert (guarded[near] == train.UNSAID).all()
    np.testing.assert_array_equal(guarded[~near], labels[~near])


def test_pauses_are_put_between_words_and_times_follow():
    import train

    rng, changed = np.random.default_rng(0), 0
    samples, words = (
        np.ones(16_000, np.float32),
        [("a", 0.1, 0.3), ("b", 0.3, 0.6), ("c", 0.7, 0.9)],
    )
    for _ in range(20):
        longer, moved = train.pause(samples, words, rng)
        gained = (len(longer) - len(samples)) / train.RATE
        assert moved[0] == words[0]
        assert moved[-1][2] == pytest.approx(words[-1][2] + gained)
        assert [round(e - s, 6) for _, s, e in moved] == [0.2, 0.3, 0.2]
        changed += gained > 0
    assert 0 < changed < 20


def test_prompts_are_not_in_the_training_texts():
    import texts

    if not (texts.FORTUNES.exists() and texts.WORD_LIST.exists()):
        pytest.skip("fortunes and wamerican are not installed")
    banned = texts.prompt_letters()
    assert len(banned) >= 60
    assert not banned & {texts.letters_of(t) for t in texts.texts(1500, seed=1)}


def test_smoke_training_learns():
    run = subprocess.run(
        [sys.executable, str(ALIGNER / "train.py"), "--smoke"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    losses = [float(x) for x in re.search(r"frame loss (.*)", run.stdout)[1].split()]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.2
