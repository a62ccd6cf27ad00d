"""Stage 2's models: any character CTC model, batches and chunks that change nothing."""

import shutil

import numpy as np
import pytest
from tiny_models import SYMBOLS, wav2vec2

from sgpa_core import Audio, aligner, load_aligner
from sgpa_core.files import verify

RNG = np.random.default_rng(0)


def noise(seconds: float, rate: int = 16000) -> Audio:
    return Audio(np.clip(RNG.normal(size=int(seconds * rate)) * 0.1, -1, 1), rate)


@pytest.fixture(scope="module", params=["layer", "group"])
def tiny(request, tmp_path_factory):
    """A tiny model of XLSR's kind ("layer") and one of wav2vec2-base's ("group")."""
    return load_aligner(str(wav2vec2(tmp_path_factory.mktemp(request.param), request.param)))


def test_what_it_says_of_itself(tiny):
    assert set(tiny.vocabulary) >= set(SYMBOLS)
    assert tiny.letters == frozenset("abcdefghijklmnopqrstuvwxyz'")
    assert (tiny.blank, tiny.sample_rate, tiny.stride, tiny.receptive_field) == (0, 16000, 320, 400)
    assert "27 characters" in repr(tiny)


def test_emissions_are_log_probabilities_on_a_grid_of_20_ms(tiny):
    emissions = tiny.emissions(noise(1.0))
    assert emissions.log_probs.dtype == np.float32
    np.testing.assert_allclose(np.exp(emissions.log_probs).sum(axis=1), 1, atol=1e-5)
    assert emissions.frame_seconds == 0.02
    centres = emissions.seconds(np.arange(len(emissions)) + 0.5)
    np.testing.assert_allclose(centres, (320 * np.arange(len(emissions)) + 200) / 16000)


def test_a_batch_equals_its_members(tiny):
    audios = [noise(seconds) for seconds in (0.7, 2.0, 1.3, 0.7, 0.03)]
    for together, audio in zip(tiny.emissions_many(audios), audios, strict=True):
        np.testing.assert_allclose(together.log_probs, tiny.emissions(audio).log_probs, atol=1e-5)


def test_long_audio_in_chunks_equals_the_whole(tmp_path, monkeypatch):
    tiny = load_aligner(str(wav2vec2(tmp_path / "layer", "layer")))
    audio = noise(9.13)
    whole = tiny.emissions(audio).log_probs
    monkeypatch.setattr(aligner, "CHUNK_SECONDS", 2.0)
    monkeypatch.setattr(aligner, "CONTEXT_SECONDS", 1.0)
    chunks = tiny.emissions(audio).log_probs
    assert chunks.shape == whole.shape
    np.testing.assert_allclose(chunks, whole, atol=2e-3)


def test_chunks_and_batches_bound_what_the_model_sees_at_once(tiny, monkeypatch):
    monkeypatch.setattr(aligner, "CHUNK_SECONDS", 2.0)
    monkeypatch.setattr(aligner, "CONTEXT_SECONDS", 0.5)
    monkeypatch.setattr(aligner, "BATCH_SECONDS", 8.0)
    sizes, forward = [], tiny.model.forward

    def counted(input_values, **options):
        sizes.append(input_values.numel())
        return forward(input_values, **options)

    monkeypatch.setattr(tiny.model, "forward", counted)
    emissions = tiny.emissions(noise(20.0))
    assert len(emissions) == 999
    assert max(sizes) <= 8 * 16000
    assert len(sizes) > 3


def test_a_model_whose_frames_cannot_be_counted_is_read_one_by_one(tiny):
    """For instance one with an adapter behind its convolutions."""
    from transformers import Wav2Vec2ForCTC

    config = Wav2Vec2ForCTC.config_class.from_dict(tiny.model.config.to_dict())
    config.add_adapter, config.output_hidden_size = True, config.hidden_size
    adapted = aligner.Aligner(Wav2Vec2ForCTC(config), tiny.processor, "adapted")
    for emissions, seconds in zip(
        adapted.emissions_many([noise(1.0), noise(1.5)]), (1.0, 1.5), strict=True
    ):
        np.testing.assert_allclose(np.exp(emissions.log_probs).sum(axis=1), 1, atol=1e-5)
        assert emissions.seconds(len(emissions)) == pytest.approx(seconds)


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates_are_resampled(tiny, rate):
    assert abs(len(tiny.emissions(noise(1.0, rate))) - 49) <= 1


def test_an_upper_case_vocabulary(tmp_path):
    model = load_aligner(str(wav2vec2(tmp_path / "upper", "group", upper=True)))
    assert model.letters == frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ'")


def test_silence_and_too_little_audio(tiny):
    with pytest.raises(ValueError, match="silent"):
        tiny.emissions(Audio(np.zeros(16000), 16000))
    with pytest.raises(ValueError, match=r"too short: 0\.0100 s"):
        tiny.emissions(noise(0.01))


@pytest.mark.parametrize("name", ["", "   ", 5, None])
def test_a_name_that_is_none(name):
    with pytest.raises(ValueError, match="an aligner is named by"):
        load_aligner(name)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(ValueError, match=r"no config\.json"):
        load_aligner(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="cannot load a CTC model"):
        load_aligner(str(tmp_path))


def test_an_unknown_hub_name_offline():
    with pytest.raises(ValueError, match="cannot load a CTC model from 'nobody/nothing'"):
        load_aligner("nobody/nothing")


def test_weights_that_are_no_safetensors_are_refused(tmp_path):
    import torch

    folder = wav2vec2(tmp_path / "pickle")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="cannot load a CTC model"):
        load_aligner(str(folder))


def test_word_pieces_are_refused(tiny):
    class Tokenizer:
        pad_token_id = 0

        def get_vocab(self):
            return {"<pad>": 0, "the": 1, "ing": 2}

    class Processor:
        tokenizer = Tokenizer()
        feature_extractor = tiny.processor.feature_extractor

    with pytest.raises(ValueError, match="no character CTC model"):
        aligner.Aligner(tiny.model, Processor(), "pieces")


def test_the_embedded_model_is_checked_against_its_checksums(tmp_path, monkeypatch):
    copy = tmp_path / "aligner"
    shutil.copytree(aligner.EMBEDDED, copy)
    verify(copy)
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(bytes(weights))
    with pytest.raises(ValueError, match=r"model\.safetensors has SHA-256"):
        verify(copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors is missing"):
        verify(copy)
    (copy / "SHA256SUMS").unlink()
    monkeypatch.setattr(aligner, "EMBEDDED", copy)
    with pytest.raises(ValueError, match="no SHA256SUMS"):
        load_aligner()
