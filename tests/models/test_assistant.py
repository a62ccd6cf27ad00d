"""The open weights themselves: what Whisper hears, and what SmolLM2 makes of it."""

import csv
import re

import numpy as np
import pytest
import torch

from sgpa_core import Answers, Audio, explain, instructions
from sgpa_core.models import assert_conforms, load_model, weights
from sgpa_core.models.loading import ASSISTANT
from sgpa_core.models.recognise import transcribe

RATE = 16000
EAR, MOUTH = ASSISTANT.split("+")
QUESTIONS = {
    206: "How many wings does a mosquito have?",
    461: "What is the largest ocean in the world?",
    715: "Where do kangaroos live?",
}
VOICES = ("male", "female", "original")


def loaded(name="assistant", **options):
    for part in (EAR, MOUTH) if name == "assistant" else (name,):
        if not weights.fetched(part):
            pytest.skip("the open weights are not here: python -m sgpa_core fetch models")
    return load_model(name, **options)


@pytest.fixture(scope="module")
def assistant():
    return loaded()


@pytest.fixture(scope="module")
def answers(assistant):
    """Its answers, which tests share: many sounds are heard as the same."""
    return Answers(assistant)


@pytest.fixture(scope="module")
def ear():
    return loaded(EAR)


@pytest.fixture(scope="module")
def asked(reference):
    """The three questions as each voice asks them."""
    place = reference / "audio/1k"
    return {
        (voice, number): Audio.read(*(place / voice).glob(f"{number:05}.*"))
        for voice in VOICES
        for number in QUESTIONS
    }


@pytest.fixture(scope="module")
def kangaroos(asked, answers):
    return explain(asked["original", 715], QUESTIONS[715], answers, "exact")


def words(text):
    return re.sub("[^a-z0-9' ]", " ", text.lower()).split()


def edits(expected, heard):
    """Count the words to delete, insert or replace: Levenshtein's distance."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(expected, 1):
        before, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (word != other)))
    return row[-1]


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize(
    ("corpus", "voice", "count", "rate"),
    [("1k", "male", 33, 0.04), ("1k", "original", 33, 0.12), ("500", "original", 31, 0.10)],
)
def test_words_are_heard_as_well_as_they_were_measured(ear, reference, corpus, voice, count, rate):
    with (reference / "runs.csv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table) if row["dataset"] == corpus]
    said = {int(row["row_index"]): words(row["transcript"]) for row in rows}
    files = sorted((reference / "audio" / corpus / voice).iterdir())
    files = {int(file.stem): file for file in files if int(file.stem) in said}
    assert len(files) == count
    heard = ear.respond([Audio.read(file).resample(RATE).samples for file in files.values()], RATE)
    wrong = [edits(said[k], words(text)) for k, text in zip(files, heard, strict=True)]
    assert sum(wrong) / sum(len(said[k]) for k in files) == pytest.approx(rate, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "longest"), [("assistant", 6), (EAR, 50)])
def test_it_conforms(name, longest):
    assert_conforms(loaded(name, max_new_tokens=longest))


def test_a_question_is_heard_and_answered(assistant):
    recording = instructions("awb-001").audio.resample(RATE)
    assert assistant.name.startswith("assistant@") and assistant.max_new_tokens == 30
    assert assistant.hear([recording.samples], RATE) == ["What is the capital of Kenya?"]
    (answer,) = assistant.respond([recording.samples], RATE)
    assert "Nairobi" in answer
    assert load_model() is assistant


def test_a_recording_without_a_transcript_is_heard(ear):
    for name in ("awb-001", "slt-019", "ked-001"):
        recording = instructions(name)
        assert words(transcribe(recording.audio)) == recording.text.split()


@pytest.mark.slow
@pytest.mark.reference
def test_recordings_of_any_length_are_heard_as_each_alone(ear, asked):
    batch = [asked["original", number].resample(RATE).samples for number in QUESTIONS]
    batch += [np.tile(batch[0], 4), np.tile(batch[1], 13)[: 30 * RATE]]
    heard = ear.respond(batch, RATE)
    assert [ear.respond([samples], RATE)[0] for samples in batch] == heard
    assert ear.respond(batch[::-1], RATE) == heard[::-1]


def test_log_likelihood_is_that_of_the_language_models_own_loss(assistant):
    recording = instructions("awb-001").audio.resample(RATE)
    turns = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is the capital of Kenya?"},
    ]
    template = assistant.tokenizer.apply_chat_template
    how = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": False}
    before = template(turns, **how)
    for answer in ("Nairobi.", "The capital of Kenya is Nairobi.", "Lima", ""):
        end = torch.tensor([assistant.ends])
        ids = assistant.tokenizer.encode(answer, add_special_tokens=False)
        after = torch.cat([torch.tensor([ids], dtype=torch.long), end], dim=1)
        labels = torch.cat([torch.full_like(before, -100), after], dim=1)
        with torch.inference_mode():
            loss = assistant.model(torch.cat([before, after], dim=1), labels=labels).loss
        value = assistant.log_likelihood([recording.samples], answer, RATE)
        assert value == pytest.approx([-loss.item() * after.shape[1]], abs=1e-2)


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize("voice", VOICES)
def test_questions_are_understood_in_every_voice(answers, asked, voice):
    sounds = [asked[voice, number].resample(RATE).samples for number in QUESTIONS]
    heard = answers.heard(sounds)
    for text, question in zip(heard, QUESTIONS.values(), strict=True):
        assert edits(words(question), words(text)) <= 1
    for answer, word in zip(
        answers(sounds), ("mosquito", "Pacific Ocean", "Australia"), strict=True
    ):
        assert word in answer


@pytest.mark.slow
@pytest.mark.reference
def test_exact_values_sum_to_what_all_words_are_worth_beyond_none(kangaroos):
    assert kangaroos.attribution.method == "exact"
    assert kangaroos.players == ("Where", "do", "kangaroos", "live?")
    assert kangaroos.heard == QUESTIONS[715] and "Australia" in kangaroos.answer
    none = kangaroos.utilities[~kangaroos.coalitions.any(axis=1)].item()
    assert kangaroos.utilities[kangaroos.coalitions.all(axis=1)] == pytest.approx(1)
    assert kangaroos.values.sum() == pytest.approx(1 - none)
    assert 0 <= none < 0.15


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize("voice", VOICES)
def test_kangaroos_are_what_the_answer_is_about(answers, asked, kangaroos, voice):
    if voice != "original":
        kangaroos = explain(asked[voice, 715], QUESTIONS[715], answers, "exact")
    values = dict(zip(kangaroos.players, kangaroos.values, strict=True))
    assert max(values, key=values.get) == "kangaroos"
    assert 0.35 < values["kangaroos"] < 0.65


@pytest.mark.slow
@pytest.mark.reference
def test_the_largest_ocean_is_what_the_answer_is_about(answers, asked):
    """Estimated from 64 of 256 coalitions, where all of them gave .47, .27 and at most .08."""
    audio = asked["original", 461]
    explanation = explain(audio, QUESTIONS[461], answers, "kernel", 64)
    values = dict(zip(explanation.players, explanation.values, strict=True))
    first, second, *rest = sorted(values, key=values.get, reverse=True)
    assert (first, second) == ("largest", "ocean")
    assert values["largest"] == pytest.approx(0.47, abs=0.06)
    assert values["ocean"] == pytest.approx(0.27, abs=0.06)
    assert max(values[word] for word in rest) < 0.2
    distinct = len(set(explanation.coalition_heard))
    assert len(set(explanation.coalition_answers)) <= distinct < len(explanation.coalitions)


@pytest.mark.slow
@pytest.mark.parametrize("sound", ["tune", "noise"])
def test_what_whisper_makes_of_other_sound_is_shown(assistant, answers, sound):
    seconds = np.arange(RATE // 2) / RATE
    notes = [np.sin(2 * np.pi * pitch * seconds) for pitch in (262, 330, 392, 523, 392, 330)]
    samples = 0.3 * np.concatenate([note * np.exp(-4 * seconds) for note in notes])
    if sound == "noise":
        samples = np.random.default_rng(0).normal(scale=0.1, size=3 * RATE)
    explanation = explain(Audio(samples, RATE), "play it again", answers)
    assert explanation.heard == assistant.hear([Audio(samples, RATE).samples], RATE)[0] != ""
    note = f"the model heard {explanation.heard!r}, which is not the transcript"
    assert note in explanation.notes and explanation.heard in explanation.answers().heard.tolist()


def test_more_than_a_window_is_refused(assistant):
    message = r"lasts 31\.00 s, but openai/whisper-tiny\.en@\w+ hears at most 30 s; cut the"
    with pytest.raises(ValueError, match=message):
        assistant.respond([np.zeros(31 * RATE, np.float32)], RATE)


@pytest.mark.parametrize("name", [EAR, f"{EAR}+{MOUTH}", "assistant?language=de"])
def test_an_english_recogniser_has_no_other_language(assistant, name):
    with pytest.raises(ValueError, match="has no language 'de'; it knows one only"):
        load_model(name, language="de")


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", None])
def test_whisper_base_hears_the_language_it_is_told_or_finds_it(language):
    base = loaded("openai/whisper-base", language=language)
    assert len(base.languages) == 99
    recordings = [instructions(name) for name in ("awb-001", "slt-019")]
    heard = base.respond([r.audio.resample(RATE).samples for r in recordings], RATE)
    assert [words(text) for text in heard] == [r.text.split() for r in recordings]
