"""The Whisper adapter against transformers itself, on tiny random weights."""

from copy import deepcopy

import numpy as np
import pytest
import tiny_models
import torch
from transformers import WhisperFeatureExtractor

from sgpa_core import speech
from sgpa_core.models import Whisper, assert_conforms, load_model
from sgpa_core.models.whisper import encode, log_mel

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
    words = model.word_log_likelihood(batch, text, RATE)
    assert words.shape == (len(batch), max(1, len(text.split())))
    prompt = {0: [1]}.get(len(model.languages))
    target = [tiny_models.WORDS.index(w) for w in text.split()] + [2]
    for row, value, shares in zip(batch, values, words, strict=True):
        inputs = features(model, [row])
        start = prompt
        if start is None:
            symbols = [*tiny_models.WORDS, "<|en|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]
            spoken = int(model.model.detect_language(inputs)[0])
            start = [1, spoken, symbols.index("<|transcribe|>"), symbols.index("<|notimestamps|>")]
        ids, each = list(start), []
        for token in target:  # one token at a time, no cache
            with torch.inference_mode():
                logits = model.model(inputs, decoder_input_ids=torch.tensor([ids])).logits[0, -1]
            each.append(float(torch.log_softmax(logits, -1)[token]))
            ids.append(token)
        assert value == pytest.approx(sum(each), abs=1e-3)
        assert shares[:-1].tolist() == pytest.approx(each[: len(shares) - 1], abs=1e-3)


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


@pytest.mark.parametrize("seconds", [6, 2])
def test_a_window_is_the_encoder_with_as_many_positions(model, batch, seconds):
    encoder = deepcopy(model.model.model.encoder)
    positions = 25 * seconds
    weight = encoder.embed_positions.weight[:positions]
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(weight)
    encoder.config.max_source_positions = positions
    signals = [samples[: seconds * RATE].copy() for samples in batch[:3]]
    sounds = log_mel(model.extractor, signals, seconds * RATE)
    whole = {"padding": "max_length", "max_length": seconds * RATE, "return_tensors": "pt"}
    theirs = model.extractor(signals, sampling_rate=RATE, **whole).input_features
    assert torch.allclose(sounds, theirs, atol=1e-5)
    with torch.inference_mode():
        expected = encoder(sounds).last_hidden_state
        states = encode(model.model.model.encoder, sounds)
    assert states.shape == (3, positions, 32)
    assert torch.allclose(states, expected, atol=1e-5)


@pytest.fixture
def short(model):
    return Whisper(model.model, model.extractor, model.tokenizer, "s", batch_size=2, window=2)


def test_what_is_longer_than_the_shortest_window_is_heard_in_a_longer_one(short, monkeypatch):
    windows, write = [], short._write
    monkeypatch.setattr(
        short, "_write", lambda rows, window: windows.append(window) or write(rows, window)
    )
    first = []
    for length in (RATE // 2, RATE, RATE + 1, 3 * RATE, 6 * RATE):
        windows.clear()
        short.respond([np.zeros(length, np.float32)], RATE)
        first += windows[:1]
    assert first == [2, 2, 3, 4, 6]


def test_recordings_of_different_windows_answer_as_each_alone(model, short, batch):
    seconds = (1, 3, 2, 0.3, 6)
    mixed = [row[: round(k * RATE)] for k, row in zip(seconds, batch[:5], strict=True)]
    answers, scores = short.respond(mixed, RATE), short.log_likelihood(mixed, "lima", RATE)
    assert [short.respond([samples], RATE)[0] for samples in mixed] == answers
    alone = [short.log_likelihood([samples], "lima", RATE)[0] for samples in mixed]
    assert scores == pytest.approx(alone, abs=1e-4)
    assert short.respond(mixed[::-1], RATE) == answers[::-1]
    assert scores != pytest.approx(model.log_likelihood(mixed, "lima", RATE), abs=1e-2)


@pytest.mark.parametrize(
    ("written", "again"),
    [
        ([4, 5, 6, 7] * 2, True),
        (np.random.default_rng(2).permutation(np.arange(4, 34)).tolist(), True),
        ([4, 5, 6] * 2, False),
        ([], False),
    ],
)
def test_a_run_away_repetition_is_heard_again_in_the_full_window(
    short, monkeypatch, written, again
):
    asked = []

    def write(signals, window):
        asked.append((len(signals), window))
        return [written if window < 6 and len(row) == RATE else [4, 5] for row in signals]

    monkeypatch.setattr(short, "_write", write)
    monkeypatch.setattr(short.tokenizer, "decode", lambda ids, **_: str(ids))
    sounds = [np.zeros(n, np.float32) for n in (RATE // 2, RATE)]
    assert short.respond(sounds, RATE) == ["[4, 5]", "[4, 5]" if again else str(written)]
    assert asked == [(2, 2), (1, 6)] if again else [(2, 2)]
