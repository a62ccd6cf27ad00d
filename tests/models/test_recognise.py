"""Speech recognisers as models, and recognised transcripts."""

import numpy as np
import pytest
import tiny_models
import torch

from sgpa_core import Answers, Audio, speech
from sgpa_core.models import Recogniser, assert_conforms, load_model
from sgpa_core.models.recognise import transcribe, windows

RATE = 16000

#: Seconds that a state of the encoder stands for.
KINDS = {"wav2vec2": 0.02, "moonshine": 0.024}


def offline(*_):
    raise OSError("no network")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("recognise")
    return {kind: getattr(tiny_models, kind)(root / kind) for kind in (*KINDS, "whisper")}


@pytest.fixture(scope="module")
def models(folders):
    return {kind: load_model(folders[kind], batch_size=3) for kind in KINDS}


@pytest.fixture(scope="module")
def batch():
    return [r.audio.resample(RATE).samples for r in speech()[:5]]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


class Parrot:
    """Says how many seconds it hears; keeps what it was given."""

    name, sample_rate, token_seconds = "parrot", RATE, 0.04

    def __init__(self, answer=lambda samples: f" {len(samples) / RATE:.0f}  s\n"):
        self.answer, self.given = answer, []

    def respond(self, batch, sample_rate):
        self.given += batch
        return [self.answer(samples) for samples in batch]


def test_any_recogniser_of_transformers_is_a_model(folders, models, kind):
    model = models[kind]
    assert isinstance(model, Recogniser) and repr(model).startswith(f"Recogniser('{kind}@")
    assert model.token_seconds == pytest.approx(KINDS[kind], rel=0.02)
    assert_conforms(model)
    with pytest.raises(ValueError, match="unknown option 'window'; this model takes none"):
        load_model(folders[kind], window=10)
    with pytest.raises(ValueError, match="gives no log-likelihood"):
        Answers(model).log_likelihood([np.zeros(RATE, np.float32)], "so")


def test_equal_lengths_are_heard_in_one_batch_and_others_alone(models, kind, batch, monkeypatch):
    model, sizes = models[kind], []
    shortest = min(map(len, batch))
    forward = model.pipeline._forward
    monkeypatch.setattr(
        model.pipeline,
        "_forward",
        lambda inputs, **how: sizes.append(len(inputs["input_values"])) or forward(inputs, **how),
    )
    equal = [samples[:shortest] for samples in batch]
    answers = model.respond(equal, RATE)
    assert sizes == [3, 2]
    assert answers == [model.respond([samples], RATE)[0] for samples in equal]
    sizes.clear()
    assert len(set(model.respond(batch, RATE))) > 1
    assert sizes == [1] * 5


def test_ctc_answers_are_the_likeliest_letters(models, batch):
    pipeline = models["wav2vec2"].pipeline
    inputs = pipeline.feature_extractor(batch[0], sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        ids = pipeline.model(**inputs).logits.argmax(-1)
    expected = pipeline.tokenizer.decode(ids[0], skip_special_tokens=False)
    assert models["wav2vec2"].respond(batch[:1], RATE) == [expected]


def test_a_recogniser_can_hear_for_a_language_model(folders, models, batch, tmp_path):
    mouth = tiny_models.language_model(tmp_path / "mouth")
    model = load_model(f"{folders['moonshine']}+{mouth}")
    assert model.hear(batch, RATE) == models["moonshine"].respond(batch, RATE)
    assert model.respond(batch, RATE) == model.write(model.hear(batch, RATE))


def test_a_name_a_path_or_an_object_hears(folders, models, tmp_path):
    recording = speech()[0]
    recording.audio.write(tmp_path / "question.wav")
    text = transcribe(recording.audio, models["wav2vec2"])
    assert text == transcribe(recording.audio, str(folders["wav2vec2"]))
    assert text == transcribe(recording.audio, folders["wav2vec2"])
    parrot = Parrot()
    assert transcribe(tmp_path / "question.wav", parrot) == "2 s"
    assert len(parrot.given[0]) == len(recording.audio.resample(RATE).samples)


def test_a_model_that_hears_and_answers_is_asked_what_it_heard():
    parrot = Parrot()
    parrot.hear = lambda batch, rate: ["it heard this"] * len(batch)
    assert transcribe(speech()[0].audio, parrot) == "it heard this"
    assert not parrot.given


def test_a_long_recording_is_heard_in_pieces_cut_at_quiet_moments():
    rng = np.random.default_rng(0)
    sound = rng.normal(scale=0.1, size=70 * RATE).astype(np.float32)
    pauses = (25, 47, 68)
    for second in (3, *pauses):
        sound[second * RATE : second * RATE + RATE // 2] *= 0.001
    parrot = Parrot()
    parrot.window_seconds = 30
    assert transcribe(Audio(sound, RATE), parrot) == "25 s 22 s 23 s"
    assert np.array_equal(np.concatenate(parrot.given), sound)
    ends = np.cumsum([len(piece) for piece in parrot.given])[:-1] / RATE
    assert all(pause < end < pause + 0.5 for pause, end in zip(pauses, ends, strict=False))


def test_pieces_are_whole_whatever_the_window(batch):
    audio = Audio(np.concatenate(batch), RATE)
    for seconds in (0.5, 1, 3.3, 6, audio.duration, 100):
        pieces = windows(audio, seconds)
        assert np.array_equal(np.concatenate(pieces), audio.samples)
        assert all(0 < len(piece) <= seconds * RATE for piece in pieces)
    assert len(windows(audio, audio.duration)) == 1


def test_whisper_hears_the_pieces_of_its_window(folders, batch):
    model = load_model(folders["whisper"])
    audio = Audio(np.concatenate(batch), RATE)
    pieces = windows(audio, 6)
    assert len(pieces) > 1
    expected = " ".join(" ".join(model.respond(pieces, RATE)).split())
    assert transcribe(audio, model) == expected


@pytest.mark.parametrize("level", [0, 1e-6, 9e-5])
def test_silence_has_no_transcript_and_is_not_heard(level):
    parrot = Parrot()
    with pytest.raises(ValueError, match=r"parrot understood nothing in 1\.00 s: type the"):
        transcribe(Audio(np.full(RATE, level), RATE), parrot)
    assert not parrot.given


def test_an_empty_transcript_is_none():
    with pytest.raises(ValueError, match="parrot understood nothing"):
        transcribe(speech()[0].audio, Parrot(lambda samples: " \n"))


def test_without_weights_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("transformers.utils.cached_file", offline)
    with pytest.raises(ValueError, match=r"whisper-tiny\.en are not here.*sgpa_core fetch models"):
        transcribe(speech()[0].audio)
    with pytest.raises(ValueError, match=r"SmolLM2-135M-Instruct are not here.*\"embedded\" needs"):
        load_model(max_new_tokens=5)  # without an option it may be loaded already
