"""The embedded aligner's network: Whisper's spectrogram and states, frames of 10 ms, windows."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from transformers import AutoModelForCTC, WhisperFeatureExtractor  # noqa: E402

from sgpa_core import Audio, align, load_aligner, questions  # noqa: E402
from sgpa_core.models import whisper_ctc  # noqa: E402
from sgpa_core.models.whisper_ctc import WhisperCTCConfig, WhisperForCTC  # noqa: E402

RNG = np.random.default_rng(0)
SIZES = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    tokens = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0)
    config = WhisperCTCConfig(
        **SIZES, **tokens, decoder_start_token_id=0, vocab_size=30, head_width=8, fine_width=6
    )
    return WhisperForCTC(config).eval()


def noise(seconds: float) -> torch.Tensor:
    return torch.from_numpy(RNG.normal(size=(1, round(seconds * 16_000))).astype(np.float32))


@pytest.mark.parametrize("seconds", [0.025, 1.0, 1.01, 9.99, 12.345, 30.0])
def test_a_frame_every_10_ms_each_of_25(tiny, seconds):
    with torch.inference_mode():
        logits = tiny(noise(seconds)).logits
    assert logits.shape == (1, (round(seconds * 16_000) - 400) // 160 + 1, 30)


def test_its_spectrogram_is_whispers(tiny):
    samples = noise(2.0)
    mel, frames = tiny.log_mel(samples)
    extractor = WhisperFeatureExtractor()
    from_sample_200 = whisper_ctc.LEVEL * samples[0, 200:].numpy()
    theirs = extractor(from_sample_200, sampling_rate=16_000, return_tensors="pt").input_features
    inside = slice(3, frames - 3)  # theirs mirrors the ends
    torch.testing.assert_close(mel[..., inside], theirs[..., inside], atol=1e-4, rtol=0)
    assert mel.shape[-1] == whisper_ctc.FRAMES
    assert mel[..., frames + 3 :].unique().tolist() == pytest.approx([(whisper_ctc.FLOOR + 4) / 4])


def test_its_states_are_the_encoders(tiny):
    mel, _ = tiny.log_mel(noise(29.9))
    mel = torch.nn.functional.pad(mel, (0, 3000 - mel.shape[-1]))
    with torch.inference_mode():
        states = tiny.states(mel)
        whole = tiny.encoder(mel).last_hidden_state
        torch.testing.assert_close(tiny.encoder.layer_norm(states[:, -1]), whole)
    assert states.shape[1] == SIZES["encoder_layers"] + 1


def test_the_window_does_not_depend_on_what_is_loudest_in_it(tiny):
    samples = noise(2.0)
    louder = torch.cat([samples, 50 * noise(1.0)], dim=1)
    frames = 190
    torch.testing.assert_close(
        tiny.log_mel(samples)[0][..., :frames], tiny.log_mel(louder)[0][..., :frames]
    )


def test_auto_classes_know_it(tiny, tmp_path):
    tiny.save_pretrained(tmp_path)
    loaded = AutoModelForCTC.from_pretrained(tmp_path).eval()
    samples = noise(1.0)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(samples).logits, tiny(samples).logits)


def test_ten_minutes_are_read_in_windows_of_bounded_size(monkeypatch):
    aligner = load_aligner()
    sizes = []

    def forward(inputs):
        batch, samples = inputs["input_values"].shape
        sizes.append(batch * samples)
        frames = whisper_ctc.FRAMES + (samples // 160)
        return np.zeros((batch, frames, len(aligner.vocabulary)), np.float32)

    monkeypatch.setattr(aligner, "_log_probs", forward)
    emissions = aligner.emissions(Audio(RNG.normal(size=9_600_000).clip(-1, 1), 16_000))
    assert len(emissions) == (9_600_000 - 400) // 160 + 1
    assert max(sizes) <= 120 * 16_000


def test_boundaries_stay_where_they_are_wherever_the_windows_fall():
    """Joined to a recording of a minute and more, which is read in several windows."""
    aligner = load_aligner()
    alone, joined, said, at = [], [], [], 0.0
    for question in questions()[::9]:
        samples = question.audio.resample(16_000).samples
        found = align(Audio(samples, 16_000), question.text, aligner, "none").inner_boundaries
        alone.append(found + at)
        joined += [samples / samples.std() * 0.05, np.zeros(6_400, np.float32)]
        said.append(question.text)
        at += len(samples) / 16_000 + 0.4
    whole = Audio(np.concatenate(joined), 16_000)
    assert whole.duration > 40
    found = align(whole, " ".join(said), aligner, "none").inner_boundaries
    between = np.cumsum([len(text.split()) for text in said])[:-1] - 1
    moved = 1000 * np.abs(np.delete(found, between) - np.concatenate(alone))
    assert np.mean(moved <= 10 + 1e-6) >= 0.97
