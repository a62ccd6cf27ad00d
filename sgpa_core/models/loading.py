"""From a name to a model: the embedded one, a folder, a hub id or a server."""

import hashlib
import inspect
import json
from collections.abc import Mapping
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from ..answers import AudioLM
from ..checks import choice, whole
from ..files import DATA, reading_weights, verify
from . import weights
from .adapter import BATCH_SIZE, digest_of

EMBEDDED = DATA / "models" / "answerer"

#: ``model_type`` of a config.json → its adapter, and what transformers reads beside the model.
ADAPTERS = {
    "whisper": ("whisper", "Whisper", ("AutoFeatureExtractor", "AutoTokenizer")),
    "qwen2_audio": ("chat", "Qwen2Audio", ("AutoProcessor",)),
    "voxtral": ("chat", "Voxtral", ("AutoFeatureExtractor", "AutoTokenizer")),
    "lfm2_audio": ("lfm2", "LFM2Audio", ()),
}

DTYPES = ("float32", "bfloat16", "float16")

#: Endings of the files that loaders read.
READ = (".safetensors", ".json", ".jinja", ".txt", ".model")

#: Larger files are hashed by samples: a digest tells checkpoints apart, it is no checksum.
HASHED_WHOLE = 64 * 2**20

SAMPLES, SAMPLE_BYTES = 256, 2**16


def load_model(
    name: str | Path = "embedded",
    device: str | None = None,
    dtype: str | None = None,
    batch_size: int = BATCH_SIZE,
    **options: Any,
) -> AudioLM:
    """Load an audio language model to explain.

    Parameters
    ----------
    name : str or Path, default "embedded"
        "embedded" (the small answerer that comes with the project, checked against its SHA-256), a
        folder, a hub id such as ``"openai/whisper-tiny.en"``, or an OpenAI-compatible server
        and the model it serves, ``"http://localhost:8000/v1#model"``. A hub id is taken from where
        `weights.fetch` put it, or fetched by transformers; with a server it is one of the two cases
        that use the network.
    device : str, optional
        For instance "cpu" or "cuda"; by default the GPU where there is one.
    dtype : str, optional
        "float32", "bfloat16" or "float16"; by default float32 on a CPU and for Whisper, else
        bfloat16.
    batch_size : int
        Recordings in one forward pass; for a server, requests in flight.
    **options
        What the adapter takes: ``max_new_tokens`` (all), ``language`` (Whisper), ``prompt`` and
        ``instruction`` (models that chat), ``timeout``, ``retries``, ``seed`` … (server).

    Returns
    -------
    AudioLM
        Its class follows from ``model_type`` in config.json: `Whisper`, `Qwen2Audio`, `Voxtral` or
        `LFM2Audio`; `OpenAIServer` for a URL. Weights are read from safetensors only, and no code
        that comes with a model is run.

    Raises
    ------
    ValueError
        If the name leads to no model that there is an adapter for, an option is unknown, or a file
        of the embedded model is not the one that its checksum names.

    Examples
    --------
    >>> load_model().sample_rate
    16000
    """
    if not isinstance(name, (str, Path)) or not str(name).strip():
        raise ValueError(f"a model is named by {_CHOICES}, not {name!r}")
    whole(batch_size, "batch_size")
    if dtype is not None:
        choice(dtype, DTYPES, "dtype")
    name = str(name)
    if name.startswith(("http://", "https://")):
        from .server import OpenAIServer

        if device is not None or dtype is not None:
            raise ValueError("device and dtype are the server's business; leave them out")
        return _made(OpenAIServer, name, batch_size=batch_size, **options)
    import torch

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name == "embedded" and not options:
        return _embedded(device, dtype, batch_size)
    return _load(name, device, dtype, batch_size, options)


_CHOICES = (
    '"embedded", a folder, a hub id or a server\'s URL with "#model"; there are adapters for '
    "config.json's model_type " + ", ".join(ADAPTERS)
)


@lru_cache(maxsize=2)
def _embedded(device: str, dtype: str | None, batch_size: int) -> AudioLM:
    return _load("embedded", device, dtype, batch_size, {})


def _load(
    name: str, device: str, dtype: str | None, batch_size: int, options: Mapping[str, Any]
) -> AudioLM:
    source = EMBEDDED if name == "embedded" else Path(name)
    if name == "embedded":
        verify(source)
    elif not source.is_dir() and weights.fetched(name):
        source = weights.folder(name)
    local = source.is_dir()
    with reading_weights(local):
        folder, kind = _kind(name, source)
        dtype = dtype or ("float32" if device == "cpu" or kind == "whisper" else "bfloat16")
        try:
            make = _read(kind, str(source) if local else name, device, dtype)
        except Exception as fault:
            raise ValueError(
                f"cannot load the {kind} model {name!r} on {device}: {str(fault).strip()}. "
                "A folder needs config.json, weights in safetensors and the processor's files"
            ) from fault
    parameters = inspect.signature(make).parameters.values()
    decoding = {p.name: p.default for p in parameters if p.name not in ("name", "batch_size")}
    decoding |= {**options, "dtype": str(next(make.args[0].parameters()).dtype)}
    label = source.name if local and source == Path(name) else name
    return _made(make, name=f"{label}@{digest(folder, decoding)}", batch_size=batch_size, **options)


def _read(kind: str, where: str, device: str, dtype: str) -> Any:
    """Read a model and its processors; give its adapter's constructor, which lacks the name."""
    import transformers

    module, name, readers = ADAPTERS[kind]
    adapters = import_module(f".{module}", __package__)
    if kind == "lfm2_audio":
        return partial(adapters.LFM2Audio, *adapters.read(where, device, dtype))
    model = getattr(transformers, f"{name}ForConditionalGeneration").from_pretrained(
        where, use_safetensors=True, dtype=dtype
    )
    parts = [getattr(transformers, reader).from_pretrained(where) for reader in readers]
    return partial(getattr(adapters, name), model.to(device), *parts)


def _kind(name: str, source: Path) -> tuple[Path, str]:
    """Give the folder with a model's files and the ``model_type`` that picks the adapter."""
    from transformers.utils import cached_file

    if source.is_dir():
        config = source / "config.json"
        if not config.is_file():
            raise ValueError(f"{name} is no model folder: it has no config.json")
    else:
        try:
            config = Path(str(cached_file(name, "config.json")))
        except (OSError, ValueError, TypeError) as fault:
            raise ValueError(
                f"there is no model {name!r}: a model is named by {_CHOICES}. "
                f"The hub said: {' '.join(str(fault).split())}"
            ) from fault
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
        kind, classes = settings.get("model_type"), settings.get("architectures") or []
    except (ValueError, AttributeError) as fault:
        raise ValueError(f"{config} is no model's config.json: {fault}") from fault
    if any("lfm2audio" in str(name).lower() for name in classes):
        kind = "lfm2_audio"  # its config.json names no type
    if kind not in ADAPTERS:
        raise ValueError(
            f"{name} is of model_type {kind!r}; there are adapters for {', '.join(ADAPTERS)}. "
            "Anything else can be wrapped by hand: see AudioLM and check_model"
        )
    return config.parent, kind


def _made(make: Any, *arguments: Any, **options: Any) -> Any:
    """Call an adapter's constructor; an unknown option is a ValueError."""
    known = inspect.signature(make).parameters
    for option in options:
        if option not in known:
            choices = ", ".join(p for p in known if p not in ("name", "address", "batch_size"))
            raise ValueError(f"unknown option {option!r}; this model takes {choices}")
    return make(*arguments, **options)


def digest(folder: Path, decoding: Mapping[str, Any] | None = None) -> str:
    """Give eight hexadecimal digits that change with a model's files or its decoding.

    Examples
    --------
    >>> digest(EMBEDDED) == digest(EMBEDDED, {"max_new_tokens": 5})
    False
    """
    total = hashlib.sha256()
    listing = folder / "SHA256SUMS"  # names what a loader reads, where there is one
    listed = listing.read_text(encoding="utf-8").split() if listing.is_file() else None
    for path in sorted(folder.iterdir()):
        if path.suffix in READ if listed is None else path.name in listed:
            total.update(path.name.encode())
            with path.open("rb") as stream:
                _add_content(total, stream, path.stat().st_size)
    return digest_of([total.hexdigest(), dict(decoding or {})])


def _add_content(total: Any, stream: BinaryIO, size: int) -> None:
    """Hash a file as a whole, or its size and evenly spaced samples where it is large."""
    if size <= HASHED_WHOLE:
        total.update(stream.read())
        return
    total.update(str(size).encode())
    for sample in range(SAMPLES):
        stream.seek(sample * (size - SAMPLE_BYTES) // (SAMPLES - 1))
        total.update(stream.read(SAMPLE_BYTES))
