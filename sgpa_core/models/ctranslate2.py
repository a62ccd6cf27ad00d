"""Read Whisper's weights from a CTranslate2 file, ``model.bin``, as a model of transformers."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..files import reading_weights

#: The file's version and the architecture that are known here.
VERSION, SPECIFICATION = 6, "WhisperSpec"

#: Types of variables, by their number in the file.
DTYPES = ("float32", "int8", "int16", "int32", "float16")

#: Parts of a layer there and in transformers; those in braces are stacked in one matrix.
LAYER = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_0": "self_attn.{q,k,v}_proj",
    "self_attention/linear_1": "self_attn.out_proj",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_1": "encoder_attn.{k,v}_proj",
    "attention/linear_2": "encoder_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}

#: Variables of the same array under another name.
ARRAYS = {
    "decoder/embeddings/weight": "decoder.embed_tokens.weight",
    "encoder/position_encodings/encodings": "encoder.embed_positions.weight",
    "decoder/position_encodings/encodings": "decoder.embed_positions.weight",
}

KINDS = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}

#: The encoder's positions in a second of audio.
POSITIONS_PER_SECOND = 50

#: A vocabulary of at least so many tokens is multilingual.
MULTILINGUAL = 51_865


def read_variables(path: Path) -> dict[str, np.ndarray]:
    """Read the variables of a ``model.bin`` by name, each an array as it is stored.

    Raises
    ------
    ValueError
        If the file is of another kind or version, or is cut short.
    """
    with path.open("rb") as stream:
        try:
            version, specification = _number(stream, "I"), _name(stream)
            if (version, specification) != (VERSION, SPECIFICATION):
                raise ValueError(f"it holds {specification!r}, version {version}")
            _number(stream, "I")  # the specification's revision
            return dict(_variable(stream) for _ in range(_number(stream, "I")))
        except (ValueError, IndexError, struct.error) as fault:
            raise ValueError(
                f"{path} is no CTranslate2 file of {SPECIFICATION}, version {VERSION}: {fault}"
            ) from fault


def _number(stream: BinaryIO, kind: str) -> int:
    return int(struct.unpack(f"<{kind}", stream.read(struct.calcsize(kind)))[0])


def _name(stream: BinaryIO) -> str:
    return stream.read(_number(stream, "H")).rstrip(b"\0").decode()


def _variable(stream: BinaryIO) -> tuple[str, np.ndarray]:
    name, rank = _name(stream), _number(stream, "B")
    shape = [_number(stream, "I") for _ in range(rank)]
    dtype, size = DTYPES[_number(stream, "B")], _number(stream, "I")
    return name, np.frombuffer(stream.read(size), dtype).reshape(shape)


def state_dict(variables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give the arrays the names that ``WhisperForConditionalGeneration`` has for them.

    Whisper's keys have no bias: the zeros that stand for it in the file are left out.
    """
    weights = {}
    for name, values in variables.items():
        part, _, kind = name.rpartition("/")
        side, layer, inner = [*part.split("/", 2), "", ""][:3]
        if name in ARRAYS:
            weights[f"model.{ARRAYS[name]}"] = values
        elif layer.startswith("layer_") and inner in LAYER and kind in KINDS:
            before, _, rest = LAYER[inner].partition("{")
            stacked, _, after = rest.partition("}")
            letters = stacked.split(",")
            for letter, piece in zip(letters, np.split(values, len(letters)), strict=True):
                if (letter, kind) != ("k", "bias"):
                    target = f"{side}.layers.{layer[6:]}.{before}{letter}{after}.{KINDS[kind]}"
                    weights[f"model.{target}"] = piece
        elif layer in ("conv1", "conv2", "layer_norm") and not inner and kind in KINDS:
            weights[f"model.{side}.{layer}.{KINDS[kind]}"] = values
    return weights


def convert(source: Path, target: Path) -> None:
    """Make a model folder of transformers from model.bin, config.json and tokenizer.json.

    Parameters
    ----------
    source : Path
        A folder with those three files.
    target : Path
        The new folder: config, generation config, weights in float16 safetensors, tokenizer and
        feature extractor, for `load_model`.

    Raises
    ------
    ValueError
        If a weight is missing or left over, or the file is no CTranslate2 Whisper.
    """
    import torch
    import transformers

    variables = read_variables(source / "model.bin")
    tokens = json.loads((source / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    ids = {token["content"]: token["id"] for token in tokens}
    suppressed = json.loads((source / "config.json").read_text("utf-8"))
    end, start = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    special: dict[str, Any] = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    special["decoder_start_token_id"] = start
    config = transformers.WhisperConfig(**_sizes(variables), **special)
    model = transformers.WhisperForConditionalGeneration(config)
    weights = {name: torch.tensor(values) for name, values in state_dict(variables).items()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or set(missing) - {"proj_out.weight"}:  # which is the embedding
        raise ValueError(f"{source}: missing weights {missing}, unknown weights {unexpected}")
    model.tie_weights()
    model.generation_config = transformers.GenerationConfig(
        **special, **_languages(ids, config.vocab_size),
        no_timestamps_token_id=ids["<|notimestamps|>"], max_length=config.max_target_positions,
        suppress_tokens=suppressed["suppress_ids"],
        begin_suppress_tokens=suppressed["suppress_ids_begin"],
    )  # fmt: skip
    with reading_weights():
        model.half().save_pretrained(target)
    seconds = config.max_source_positions // POSITIONS_PER_SECOND
    extractor = transformers.WhisperFeatureExtractor(config.num_mel_bins, chunk_length=seconds)
    extractor.save_pretrained(target)
    (target / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    settings = {"tokenizer_class": "WhisperTokenizer", "model_max_length": 448}
    (target / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


def _sizes(variables: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Read the sizes of an architecture from its arrays."""
    sizes: dict[str, Any] = {
        "vocab_size": len(variables["decoder/embeddings/weight"]),
        "num_mel_bins": variables["encoder/conv1/weight"].shape[1],
        "d_model": variables["encoder/position_encodings/encodings"].shape[1],
    }
    for side, kind in (("encoder", "source"), ("decoder", "target")):
        layers = {name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_")}
        sizes[f"{side}_layers"] = len(layers - {"layer_norm"})
        sizes[f"{side}_attention_heads"] = int(variables[f"{side}/num_heads"])
        sizes[f"{side}_ffn_dim"] = len(variables[f"{side}/layer_0/ffn/linear_0/weight"])
        sizes[f"max_{kind}_positions"] = len(variables[f"{side}/position_encodings/encodings"])
    return sizes


def _languages(ids: Mapping[str, int], vocabulary: int) -> dict[str, Any]:
    """Give the generation settings of a multilingual Whisper; none for an English one."""
    if vocabulary < MULTILINGUAL:
        return {"is_multilingual": False}
    codes = range(ids["<|startoftranscript|>"] + 1, ids["<|translate|>"])
    languages = {token: number for token, number in ids.items() if number in codes}
    tasks = {task: ids[f"<|{task}|>"] for task in ("translate", "transcribe")}
    return {"is_multilingual": True, "lang_to_id": languages, "task_to_id": tasks}
