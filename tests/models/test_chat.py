"""Qwen2-Audio and Voxtral on tiny random weights, each with its own processor."""

import importlib.util

import numpy as np
import pytest
import tiny_models
import torch

from sgpa_core import Audio, speech
from sgpa_core.models import Qwen2Audio, Voxtral, assert_conforms, check_model, load_model

RATE = 16000
KINDS = {"qwen2_audio": Qwen2Audio, "voxtral": Voxtral}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("chat")
    return {kind: getattr(tiny_models, kind)(root / kind) for kind in KINDS}


@pytest.fixture(scope="module")
def models(folders):
    return {kind: load_model(folder, batch_size=3) for kind, folder in folders.items()}


@pytest.fixture(scope="module")
def batch():
    return [r.audio.resample(RATE).samples for r in speech()[:5]]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_the_adapter_is_picked_by_the_model_type(models, kind):
    model = models[kind]
    assert isinstance(model, KINDS[kind])
    assert model.sample_rate == RATE and model.max_new_tokens == 30
    assert model.token_seconds == {"qwen2_audio": 0.04, "voxtral": 0.08}[kind]
    assert repr(model).startswith(f"{KINDS[kind].__name__}('{kind}@")


def test_it_conforms(models, kind):
    report = check_model(models[kind])
    assert report.ok, report
    assert not report.notes  # the probes' answers differ, so that their order was seen
    assert_conforms(models[kind])


def test_a_batch_answers_as_each_alone_in_any_split(models, kind, batch):
    model = models[kind]
    answers = model.respond(batch, RATE)
    assert len(set(answers)) == len(batch)
    assert [model.respond([samples], RATE)[0] for samples in batch] == answers
    assert model.respond(batch[::-1], RATE) == answers[::-1]


def by_hand(model, kind, samples):
    """Make the inputs of one recording without any padding of its prompt."""
    return {k: v for k, v in model.inputs([samples]).items() if k != "attention_mask"}


def test_answers_are_greedy_whatever_the_checkpoint_says(models, folders, kind, batch):
    model = models[kind]
    inputs = by_hand(model, kind, batch[0])
    features = {k: v for k, v in inputs.items() if k != "input_ids"}
    ids = inputs["input_ids"]
    for _ in range(6):  # no cache, no mask, no processors: the likeliest token, six times
        with torch.inference_mode():
            logits = model.model(input_ids=ids, **features).logits[0, -1]
        ids = torch.cat([ids, logits.argmax().view(1, 1)], dim=1)
    new = ids[0, inputs["input_ids"].shape[1] :]
    expected = model.tokenizer.decode(new, skip_special_tokens=True).strip()
    short = load_model(folders[kind], max_new_tokens=6)
    assert short.respond(batch[:1], RATE) == [expected]


@pytest.mark.parametrize("text", ["Lima, I think.", ""])
def test_log_likelihood_is_the_sum_by_hand(models, kind, batch, text):
    model = models[kind]
    values = model.log_likelihood(batch, text, RATE)
    target = model.tokenizer.encode(text, add_special_tokens=False)
    ends = {"qwen2_audio": [0, 2], "voxtral": [2]}[kind]
    words = model.word_log_likelihood(batch, text, RATE)
    heads = [model.tokenizer.decode(target[: k + 1]).rstrip() for k in range(len(target))]
    for samples, value, shares in zip(batch, values, words, strict=True):
        inputs = by_hand(model, kind, samples)
        total, by_word = 0.0, np.zeros(max(1, len(text.split())))
        for token, head in zip([*target, None], [*heads, text], strict=True):
            with torch.inference_mode():
                logits = model.model(**inputs).logits[0, -1]
            log_probs = torch.log_softmax(logits, -1)
            if token is None:
                total += float(torch.logsumexp(log_probs[ends], 0))
                by_word[-1] += total - by_word.sum()
            else:
                total += float(log_probs[token])
                by_word[head.count(" ")] += float(log_probs[token])
                ids = torch.cat([inputs["input_ids"], torch.tensor([[token]])], dim=1)
                inputs["input_ids"] = ids
        assert value == pytest.approx(total, abs=2e-3)
        np.testing.assert_allclose(shares, by_word, atol=2e-3)


def test_qwen_reads_the_papers_prompt_and_an_instruction(models, folders):
    assert models["qwen2_audio"].text == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nAudio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\n<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    briefed = load_model(folders["qwen2_audio"], prompt="Be brief.", instruction="Repeat it.")
    assert "system\nBe brief.<|im_end|>" in briefed.text
    assert "<|audio_eos|>\nRepeat it.<|im_end|>" in briefed.text
    assert briefed.name != models["qwen2_audio"].name


def test_qwen_refuses_what_its_window_would_cut(models):
    with pytest.raises(ValueError, match=r"lasts 30\.50 s, but qwen2_audio@\w+ hears at most 30 s"):
        models["qwen2_audio"].respond([np.zeros(RATE * 61 // 2)], RATE)


def test_voxtral_hears_beyond_one_window(models, batch):
    model = models["voxtral"]
    long = np.tile(batch[0], 40 * RATE // len(batch[0]) + 1)
    inputs = model.inputs([long, batch[1]])
    assert inputs["input_features"].shape[0] == 3
    assert (inputs["input_ids"] == 24).sum(1).tolist() == [750, 375]
    answers = model.respond([long, batch[1]], RATE)
    assert answers[1:] == model.respond(batch[1:2], RATE)
    assert answers[:1] == model.respond([long], RATE)


@pytest.mark.skipif(
    not importlib.util.find_spec("mistral_common"), reason="mistral-common is not installed"
)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("instruction", ["", "Repeat it."])
def test_voxtral_writes_the_turn_as_mistrals_own_processor(folders, batch, instruction):
    from transformers import MistralCommonBackend, VoxtralProcessor

    model = load_model(folders["voxtral"], instruction=instruction)
    tokenizer = MistralCommonBackend.from_pretrained(folders["voxtral"])
    processor = VoxtralProcessor(model.extractor, tokenizer)
    for samples in batch[:2]:
        wav = Audio(samples, RATE).data_uri("wav").partition(",")[2]
        spoken = [{"type": "audio", "base64": wav}]
        spoken += [{"type": "text", "text": instruction}] if instruction else []
        expected = processor.apply_chat_template([{"role": "user", "content": spoken}])
        inputs = model.inputs([samples])
        assert expected["input_ids"].tolist() == inputs["input_ids"].tolist()
        difference = expected["input_features"] - inputs["input_features"]
        assert difference.abs().max() < 0.05  # the processor's went through 16 bits
