"""The Whisper adapter against transformers itself, on tiny random weights."""

import numpy as np
import pytest
import tiny_models
import torch
from transformers import WhisperFeatureExtractor

from sgpa_core import speech
from sgpa_core.models import Whisper, assert_conforms, load_model
from sgpa_core.models.whisper import log_mel

RATE = 16000


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "multilingual"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whisper") / "tiny"
    return load_model(tiny_models.whisper(folder, request.param), batch_size=4)


@pytest.fixture(scope="module")
def batch():
    return [r.audio.resample(RATE).samples[: 6 * RATE] for r in speech()[:7]]


def features(model, batch):
    return model.extractor(batch, sampling_rate=RATE, return_tensors="pt").input_features


def test_it_is_the_adapter_of_its_class(model):
    assert isinstance(model, Whisper)
    assert (model.sample_rate, model.token_seconds, model.window_seconds) == (RATE, 0.04, 6)
    assert repr(model).startswith("Whisper('tiny@")


def test_it_conforms(model):
    assert_conforms(model)


@pytest.mark.parametrize("seconds", [1 / RATE, 0.1, 2.9, 5.98, 6.0])
@pytest.mark.parametrize("settings", [{"hop_length": 320}, {"hop_length": 160}, {"dither": 0.0}])
def test_the_spectrogram_is_the_extractors(seconds, settings):
    extractor = WhisperFeatureExtractor(feature_size=16, chunk_length=6, **settings)
    rng = np.random.default_rng(0)
    noise = rng.normal(scale=0.1, size=round(seconds * RATE)).astype(np.float32)
    noise[len(noise) // 3 : len(noise) // 2] = 0
    batch = [noise, np.zeros(len(noise), np.float32), noise[: len(noise) // 2 + 1]]
    expected = extractor(batch, sampling_rate=RATE, return_tensors="pt").input_features
    assert torch.allclose(log_mel(extractor, batch), expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_greedy_decoding_equals_generate(model, batch):
    task = {"task": "transcribe"} if model.languages else {}
    ids = model.model.generate(features(model, batch), do_sample=False, **task)
    expected = model.tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert model.respond(batch, RATE) == [text.strip() for text in expected]
    assert len(set(expected)) > 1


def test_batches_of_any_size_answer_alike(model, batch):
    whole = model.respond(batch, RATE)
    for size in (1, 3, 32):
        other = Whisper(model.model, model.extractor, model.tokenizer, "same", batch_size=size)
        assert other.respond(batch, RATE) == whole


def test_the_language_can_be_told(model, batch):
    if not model.languages:
        with pytest.raises(ValueError, match="no language 'en'; it knows one only"):
            Whisper(model.model, model.extractor, model.tokenizer, "m", language="en")
        return
    with pytest.raises(ValueError, match="no language 'fr'; it knows de, en"):
        Whisper(model.model, model.extractor, model.tokenizer, "m", language="fr")
    german = Whisper(model.model, model.extractor, model.tokenizer, "m", language="de")
    ids = model.model.generate(features(model, batch), do_sample=False, language="de")
    expected = model.tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert german.respond(batch, RATE) == [text.strip() for text in expected]


@pytest.mark.parametrize("text", ["the capital is paris", "lima", ""])
def test_log_likelihood_is_the_sum_by_hand(model, batch, text):
    values = model.log_likelihood(batch, text, RATE)
    assert values.shape == (len(batch),)
    prompt = {0: [1]}.get(len(model.languages))
    target = [tiny_models.WORDS.index(w) for w in text.split()] + [2]
    for row, value in zip(batch, values, strict=True):
        inputs = features(model, [row])
        start = prompt
        if start is None:
            symbols = [*tiny_models.WORDS, "<|en|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]
            spoken = int(model.model.detect_language(inputs)[0])
            start = [1, spoken, symbols.index("<|transcribe|>"), symbols.index("<|notimestamps|>")]
        ids, total = list(start), 0.0
        for token in target:  # one token at a time, no cache
            with torch.inference_mode():
                logits = model.model(inputs, decoder_input_ids=torch.tensor([ids])).logits[0, -1]
            total += float(torch.log_softmax(logits, -1)[token])
            ids.append(token)
        assert value == pytest.approx(total, abs=1e-3)


def test_the_greedy_answer_is_likelier_than_another(model, batch):
    answers = model.respond(batch, RATE)
    index = next(i for i, answer in enumerate(answers) if 0 < len(answer.split()) < 8)
    own = model.log_likelihood([batch[index]], answers[index], RATE)
    other = model.log_likelihood([batch[index]], "peru lima lima peru of of capital", RATE)
    assert own > other


def test_audio_beyond_the_window_is_refused(model):
    with pytest.raises(ValueError, match=r"lasts 6.50 s, but tiny@\w+ hears at most 6 s"):
        model.respond([np.zeros(RATE), np.zeros(6 * RATE + RATE // 2)], RATE)
    assert len(model.respond([np.zeros(6 * RATE)], RATE)) == 1


def test_a_text_beyond_the_decoder_is_refused(model, batch):
    with pytest.raises(ValueError, match="the text has 30 tokens, but"):
        model.log_likelihood(batch[:1], "the " * 30, RATE)


def test_short_answers_are_asked_for_by_option(tmp_path, batch):
    folder = tiny_models.whisper(tmp_path / "tiny")
    short = load_model(folder, max_new_tokens=2)
    assert all(len(answer.split()) <= 2 for answer in short.respond(batch, RATE))
    assert load_model(folder, max_new_tokens=999).max_new_tokens == 23
    with pytest.raises(ValueError, match="unknown option 'temperature'; this model takes max_new"):
        load_model(folder, temperature=0.5)
