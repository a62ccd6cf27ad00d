"""The committed answerer: whole, small, and as good as its card says on a part of the prompts."""

from __future__ import annotations

import doctest
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "data" / "models" / "answerer"
READ = (  # by loaders
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


@pytest.fixture(scope="module")
def scripts(script):
    return {name: script(f"data/models/answerer/{name}.py") for name in ("evaluate", "train")}


@pytest.fixture(scope="module")
def rules(script):
    return script("data/models/answerer/rules.py")


@pytest.fixture(scope="module")
def answerer(scripts):
    return scripts["evaluate"].Answerer()


@pytest.fixture(scope="module")
def heard(scripts):
    """Every third recording of awb: (float audio, words)."""
    return scripts["evaluate"].recordings("awb")[::3]


@pytest.fixture(scope="module")
def answers(answerer, heard):
    return answerer.answers([audio for audio, _ in heard])


def test_files_are_those_of_the_sums():
    lines = [line.split("  ") for line in (FOLDER / "SHA256SUMS").read_text().splitlines()]
    assert [name for _, name in lines] == sorted(READ)
    for digest, name in lines:
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_weights_are_small_and_need_no_code_of_others():
    assert (FOLDER / "model.safetensors").stat().st_size <= 10_000_000
    assert not [p for p in FOLDER.iterdir() if p.suffix in (".bin", ".pt", ".pkl")]
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["architectures"] == ["WhisperForConditionalGeneration"]
    assert "auto_map" not in config


def test_card_shows_the_figures(scripts):
    found = json.loads((FOLDER / "figures.json").read_text())
    assert scripts["evaluate"].table(found) in (FOLDER / "README.md").read_text()
    assert found["training"] == json.loads((FOLDER / "run.json").read_text())
    for voice, figures in found["new_texts"].items():
        floor = 0.8 if figures["voice"] == "seen" else 0.7
        assert figures["exact_match"] >= floor, voice


# --- the rule -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "missing", "said"),
    [
        ("what is the capital of france", "", "the capital of france is paris"),
        ("what is the capital of france", "france", "the capital of which country"),
        ("what is the capital of france", "capital", "what about france"),
        ("what is the capital of france", "capital france", "please say that again"),
        ("how many legs does a duck have", "", "the duck has two legs"),
        ("how many legs does a duck have", "legs", "what about the duck"),
        ("what is ten minus three", "", "ten minus three is seven"),
        ("what is ten minus three", "ten", "what minus three"),
        ("what is ten minus three", "three", "ten minus what"),
        ("what is ten minus three", "minus", "what about ten and three"),
        ("wake me at six on friday", "six", "alarm at what time on friday"),
        ("open the attic window", "attic", "opening the window in which room"),
        ("open the attic window", "window", "opening what in the attic"),
        ("open the attic window", "open", "what about the window in the attic"),
        ("set a timer for five hours", "hours", "timer for five what"),
        ("play some jazz in the attic", "jazz", "playing what in the attic"),
    ],
)
def test_rule(rules, text, missing, said):
    words = text.split()
    assert rules.answer(words, [w not in missing.split() for w in words]) == said


def test_examples_of_the_rule(rules):
    assert doctest.testmod(rules) == (0, 4)


def test_rule_wants_a_flag_for_each_word(rules):
    with pytest.raises(ValueError, match="2 flags for 3 words"):
        rules.answer(["play", "some", "jazz"], [True, False])


def test_fillers_are_null_players_of_the_rule(scripts, rules):
    """In every coalition: an answer never depends on a word outside the rationale."""
    for text in scripts["train"].speech.prompts(40, 3):
        words = text.split()
        n, deciding = len(words), rules.rationale(words)
        assert deciding
        for flags in np.random.default_rng(n).random((20, n)) < 0.5:
            bare = [bool(f) and i in deciding for i, f in enumerate(flags)]
            assert rules.answer(words, flags) == rules.answer(words, bare)


def test_answers_are_short_and_in_the_vocabulary(scripts, rules, answerer):
    speech = scripts["train"].speech
    known = set(answerer.tokenizer.get_vocab())
    assert set(speech.answers()) <= known
    for text in speech.prompts(200, 4) + speech.prompts(50, 4, new=True):
        answer = rules.answer(text.split())
        assert 3 <= len(answer.split()) <= 7, answer
        ids = answerer.tokenizer.encode(answer)
        assert answerer.tokenizer.decode(ids, skip_special_tokens=True) == answer


def test_new_cores_are_in_no_training_text(scripts):
    speech = scripts["train"].speech
    new = [core for some in speech.split(new=True).values() for _, core in some]
    known = {core for some in speech.split(new=False).values() for _, core in some}
    assert known.isdisjoint(new)
    trained = set(speech.prompts(scripts["train"].UTTERANCES, scripts["train"].SEED))
    evaluated = speech.prompts(300, scripts["evaluate"].SEED, new=True)
    assert trained.isdisjoint(evaluated)
    unheard = [text for text in evaluated if speech.unheard(text)]
    assert 100 < len(unheard) < 300
    cores = [max((c for c in new if c in text), key=len) for text in unheard[:40]]
    assert not [text for text in trained if any(core in text for core in cores)]


# --- the weights --------------------------------------------------------------------------------


def test_held_out_voice_is_answered(answers, heard, rules):
    right = [
        a == rules.answer([w for w, _, _ in ws]) for a, (_, ws) in zip(answers, heard, strict=True)
    ]
    assert np.mean(right) >= 0.8


def test_deciding_words_change_the_answer_and_fillers_do_not(
    scripts, answerer, answers, heard, rules
):
    silenced = scripts["evaluate"].silenced
    audio, full, decides = [], [], []
    for (samples, words), answer in zip(heard, answers, strict=True):
        said = [w for w, _, _ in words]
        for j in range(len(words)):
            audio.append(silenced(samples, words, np.arange(len(words)) != j))
            full.append(answer)
            decides.append(j in rules.rationale(said))
    changed = np.array(answerer.answers(audio)) != np.array(full)
    decides = np.array(decides)
    assert changed[decides].mean() >= 0.9
    assert changed[~decides].mean() <= 0.1


def test_silence_is_heard_as_nothing(answerer, rules):
    empty = [np.zeros(n, np.float32) for n in (400, 16_000, 96_000)]
    assert answerer.answers(empty) == [rules.AGAIN] * 3


def test_spectrograms_are_those_of_the_feature_extractor(scripts, answerer, heard):
    import torch

    audio = [samples for samples, _ in heard[:4]]
    padded = np.stack([np.pad(a, (0, 6 * 16_000 - len(a))) for a in audio])
    ours = scripts["train"].log_mel(torch.as_tensor(padded), answerer.extractor.mel_filters)
    theirs = answerer.extractor(audio, sampling_rate=16_000, return_tensors="pt").input_features
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_encoder_of_the_training_is_that_of_the_model(scripts, answerer, heard):
    """`states_of` skips the check of the length; at full length it is the model's encoder."""
    import torch

    features = answerer.extractor(
        [heard[0][0]], sampling_rate=16_000, return_tensors="pt"
    ).input_features
    with torch.no_grad():
        theirs = answerer.model.model.encoder(features).last_hidden_state
        torch.testing.assert_close(scripts["train"].states_of(answerer.model, features), theirs)


# --- the training -------------------------------------------------------------------------------


def test_silencing_of_the_training_agrees_with_the_rule(scripts, rules):
    """Whatever is done to a row, a word that counts as silent left no frame label and no sound."""
    train = scripts["train"]
    data = train.speech.recorded("slt")
    rng = np.random.default_rng(0)
    for i in range(30):
        samples, words = data.audio(i).astype(np.float32), data.words[i]
        for kind, _ in train.SILENCED:
            out, moved, heard, sound = train.hush(samples, words, rng, kind)
            assert len(out) == len(sound)
            assert len(moved) == len(heard) == len(words)
            labels = train.frame_labels(moved, heard, sound, train.frame_code())
            allowed = {
                train.frame_code()[w] for (w, _, _), h in zip(moved, heard, strict=True) if h
            }
            assert set(labels.tolist()) <= allowed | {0}
            if kind == "nothing":
                assert heard.all()
                np.testing.assert_array_equal(out, samples)


def test_training_runs_a_few_steps_without_a_synthesiser():
    done = subprocess.run(
        [sys.executable, str(FOLDER / "train.py"), "--smoke"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    losses = [float(x) for x in done.stdout.split("frame loss")[1].split()]
    assert len(losses) == 12
    assert np.mean(losses[-4:]) < 0.7 * losses[0]
