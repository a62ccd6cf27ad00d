"""LFM2-Audio by its own package, on tiny random weights; elsewhere, what is said without it."""

import importlib.util
import json

import pytest
import tiny_models

from sgpa_core import speech
from sgpa_core.models import assert_conforms, load_model

RATE = 16000
installed = importlib.util.find_spec("liquid_audio") is not None
needs_package = pytest.mark.skipif(
    not installed, reason="liquid-audio is not installed: it needs Python 3.12, extra 'lfm2'"
)
pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:FutureWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_models.lfm2_audio(tmp_path_factory.mktemp("lfm2") / "tiny")


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder, device="cpu")


@pytest.fixture(scope="module")
def batch():
    return [r.audio.resample(RATE).samples for r in speech()[:4]]


@needs_package
def test_it_conforms(model):
    from sgpa_core.models import LFM2Audio

    assert isinstance(model, LFM2Audio)
    assert (model.sample_rate, model.token_seconds, model.max_new_tokens) == (RATE, 0.08, 30)
    assert_conforms(model)


@needs_package
def test_it_answers_as_the_package_does(model, batch):
    import torch
    from liquid_audio import ChatState

    answers = model.respond(batch, RATE)
    assert len(set(answers)) > 1
    for samples, answer in zip(batch, answers, strict=True):
        chat = ChatState(model.processor, codebooks=2, dtype=torch.float32)
        for role in ("system", "user"):
            chat.new_turn(role)
            if role == "system":
                chat.add_text("You are a helpful assistant.")
            else:
                chat.add_audio(torch.tensor(samples[None]), RATE)
            chat.end_turn()
        chat.new_turn("assistant")
        tokens = model.model.generate_sequential(**chat, max_new_tokens=30)
        ids = [int(token[0]) for token in tokens]
        ids = ids[: next((i for i, t in enumerate(ids) if t in (7, 128)), 30)]
        assert answer == model.processor.text.decode(ids, skip_special_tokens=True).strip()


@needs_package
def test_the_voice_ends_the_written_answer(model, batch, monkeypatch):
    import torch

    spoken = [torch.tensor([t]) for t in (131 + 40, 131 + 41, 128)] + [torch.tensor([5, 6])]
    monkeypatch.setattr(model.model, "generate_sequential", lambda **_: iter(spoken))
    expected = model.processor.text.decode([171, 172])
    assert model.respond(batch[:1], RATE) == [expected]


@needs_package
def test_other_prompts_are_other_models(model, folder, batch):
    briefed = load_model(folder, device="cpu", prompt="Be brief.", max_new_tokens=4)
    assert briefed.name != model.name
    assert briefed.respond(batch[:1], RATE) != model.respond(batch[:1], RATE)


@needs_package
def test_weights_are_safetensors_only(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="no weights in safetensors"):
        load_model(tmp_path, device="cpu")


@pytest.mark.skipif(installed, reason="liquid-audio is installed")
def test_without_the_package_it_is_said_how_to_get_it(tmp_path):
    config = {"architectures": ["Lfm2AudioForConditionalGeneration"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"pip install 'sgpa-core\[lfm2\]'"):
        load_model(tmp_path)
