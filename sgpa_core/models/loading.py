"""From a name to a model: the assistant, the embedded one, a folder, a hub id or a server."""

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from ..answers import AudioLM
from ..checks import choice, whole
from ..files import DATA, reading_weights, verify
from . import weights
from .adapter import digest_of

#: What "assistant" stands for: who hears, and who answers.
ASSISTANT = "openai/whisper-tiny.en+HuggingFaceTB/SmolLM2-135M-Instruct"

EMBEDDED = DATA / "models" / "answerer"

#: ``model_type`` of a config.json → its adapter, and what transformers reads beside the model.
ADAPTERS = {
    "whisper": ("whisper", "Whisper", ("AutoFeatureExtractor", "AutoTokenizer")),
    "qwen2_audio": ("chat", "Qwen2Audio", ("AutoProcessor",)),
    "voxtral": ("chat", "Voxtral", ("AutoFeatureExtractor", "AutoTokenizer")),
    "lfm2_audio": ("lfm2", "LFM2Audio", ()),
}

#: Adapters for anything else that transformers knows, by the tasks of its own lists.
OTHERS = {"recogniser": ("CTC", "SPEECH_SEQ_2_SEQ"), "language model": ("CAUSAL_LM",)}

#: Options of who hears; a model of two parts has the others for who answers.
HEARING = ("window", "language")

DTYPES = ("float32", "bfloat16", "float16")

#: Endings of the files that loaders read.
READ = (".safetensors", ".json", ".jinja", ".txt", ".model")

#: Larger files are hashed by samples: a digest tells checkpoints apart, it is no checksum.
HASHED_WHOLE = 64 * 2**20

SAMPLES, SAMPLE_BYTES = 256, 2**16


def load_model(
    name: str | Path = "assistant",
    device: str | None = None,
    dtype: str | None = None,
    batch_size: int | None = None,
    **options: Any,
) -> AudioLM:
    """Load an audio language model to explain.

    Parameters
    ----------
    name : str or Path, default "assistant"
        - "assistant": Whisper tiny.en hears, SmolLM2-135M-Instruct answers;
        - "embedded": the small answerer that comes with the project, checked against its SHA-256;
        - a folder, or a hub id such as ``"openai/whisper-tiny.en"``, taken from where
          `weights.fetch` put it, or fetched by transformers; a recogniser answers what it hears;
        - two of these joined by "+", a recogniser and a language model that chats:
          ``"openai/whisper-base+Qwen/Qwen2.5-0.5B-Instruct"``;
        - an OpenAI-compatible server and the model it serves,
          ``"http://localhost:8000/v1#model"``.

        Options may stand behind the name: ``"assistant?window=30&max_new_tokens=60"``.
    device : str, optional
        For instance "cpu" or "cuda"; by default the GPU where there is one.
    dtype : str, optional
        "float32", "bfloat16" or "float16"; by default float32 on a CPU and for Whisper, else
        bfloat16.
    batch_size : int, optional
        Recordings in one forward pass; for a server, requests in flight. By default the adapter's.
    **options
        What the adapter takes: ``max_new_tokens`` (all), ``language`` and ``window`` (Whisper),
        ``prompt`` and ``instruction`` (models that chat), ``timeout``, ``retries`` … (server).

    Returns
    -------
    AudioLM
        Its class follows from ``model_type`` in config.json: `Whisper`, `Qwen2Audio`, `Voxtral`,
        `LFM2Audio` or `Recogniser`; `Cascade` for two parts, `OpenAIServer` for a URL. Weights are
        read from safetensors only, and no code that comes with a model is run.

    Raises
    ------
    ValueError
        If the name leads to no model that there is an adapter for, an option is unknown, memory
        does not suffice, or a file of the embedded model is not the one that its checksum names.

    Examples
    --------
    >>> load_model("embedded").sample_rate
    16000
    """
    if not isinstance(name, (str, Path)) or not str(name).strip():
        raise ValueError(f"a model is named by {_CHOICES}, not {name!r}")
    choice(DTYPES[0] if dtype is None else dtype, DTYPES, "dtype")
    if batch_size is not None:
        options["batch_size"] = whole(batch_size, "batch_size")
    name = str(name)
    if "?" in name and not Path(name).is_dir():
        name, _, query = name.partition("?")
        given = {"device": device, "dtype": dtype, **options}
        told = {option: value for option, value in given.items() if value is not None}
        return load_model(name, **_options(query) | told)
    if name.startswith(("http://", "https://")):
        from .server import OpenAIServer

        if device is not None or dtype is not None:
            raise ValueError("device and dtype are the server's business; leave them out")
        return _made(OpenAIServer, name, **options)
    import torch

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if name in ("assistant", "embedded") and not options:
        return _loaded_once(name, device, dtype)
    return _load(name, device, dtype, options)


_CHOICES = (
    '"assistant", "embedded", a folder, a hub id, RECOGNISER+LANGUAGE_MODEL or a server\'s URL '
    f'with "#model"; there are adapters for {", ".join(ADAPTERS)}, other speech recognisers and, '
    "behind one, language models that chat"
)


def _options(query: str) -> dict[str, Any]:
    """Read options that stand behind a name, numbers as numbers."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError as fault:
        raise ValueError(
            f"options stand behind a model's name as in 'assistant?window=30&language=en', "
            f"not {query!r}"
        ) from fault
    options: dict[str, Any] = dict(pairs)
    for option, value in pairs:
        with suppress(ValueError):
            options[option] = json.loads(value)
    return options


@lru_cache(maxsize=4)
def _loaded_once(name: str, device: str, dtype: str | None) -> AudioLM:
    return _load(name, device, dtype, {})


def _load(name: str, device: str, dtype: str | None, options: Mapping[str, Any]) -> AudioLM:
    hears, _, answers = (ASSISTANT if name == "assistant" else name).partition("+")
    if not answers or Path(name).is_dir():
        kind, make, label = _opened(name, device, dtype, options)
        if kind == "language model":
            raise ValueError(
                f"{name} is a language model: it writes, but it does not hear. Name a recogniser "
                f'before it, as in "openai/whisper-tiny.en+{name}"'
            )
        return _made(make, name=label, **options)
    own = {option: value for option, value in options.items() if option not in HEARING}
    shared = (*HEARING, "batch_size")
    listening = {option: value for option, value in options.items() if option in shared}
    kind, make, label = _opened(answers, device, dtype, own)
    if kind != "language model":
        raise ValueError(
            f"{answers} is a {kind}: after the + comes a language model that chats, such as "
            "HuggingFaceTB/SmolLM2-135M-Instruct"
        )
    recogniser = _load(hears, device, dtype, listening)
    if type(recogniser).__name__ not in ("Recogniser", "Whisper"):
        raise ValueError(
            f"{hears} answers: before the + comes a recogniser, such as openai/whisper-tiny.en"
        )
    label = f"{name}@{digest_of([recogniser.name, label])}"
    heard = [option for option in HEARING if hasattr(recogniser, option)]
    return _made(partial(make, recogniser), name=label, also=heard, **own)


def _opened(
    name: str, device: str, dtype: str | None, options: Mapping[str, Any]
) -> tuple[str, Any, str]:
    """Read a model; give its kind, its adapter's constructor and the name for results."""
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
            _check_memory(name, folder, device, dtype)
            make = _read(kind, str(source) if local else name, device, dtype)
        except Exception as fault:
            raise ValueError(
                f"cannot load the {kind} {name!r} on {device}: {str(fault).strip()}. "
                "A folder needs config.json, weights in safetensors and the processor's files"
            ) from fault
    parameters = inspect.signature(make).parameters.values()
    defaults = {
        p.name: p.default for p in parameters if p.name not in ("name", "recogniser", "window")
    }
    decoding = {**defaults, **options, "dtype": f"torch.{dtype}"}
    decoding.pop("batch_size")
    label = source.name if local and source == Path(name) else name
    return kind, make, f"{label}@{digest(folder, decoding)}"


def _check_memory(name: str, folder: Path, device: str, dtype: str) -> None:
    """Refuse a model that does not fit into what is free: the system would end the process."""
    import psutil
    import torch
    from safetensors import safe_open

    needed = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            shapes = [tensors.get_slice(key).get_shape() for key in tensors.keys()]  # noqa: SIM118
        needed += sum(map(prod, shapes)) * getattr(torch, dtype).itemsize
    free = psutil.virtual_memory().available
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
    if needed > free:
        raise ValueError(
            f"{name} needs {needed / 1e9:.1f} GB of memory as {dtype}, but {free / 1e9:.1f} GB are "
            "free: choose a smaller model, or dtype='bfloat16'"
        )


def _read(kind: str, where: str, device: str, dtype: str) -> Any:
    """Read a model and its processors; give its adapter's constructor, which lacks the name."""
    import transformers

    if kind == "recogniser":
        from .recogniser import Recogniser

        pipeline: Any = partial(transformers.pipeline, "automatic-speech-recognition")
        safe = {"use_safetensors": True}
        return partial(Recogniser, pipeline(where, device=device, dtype=dtype, model_kwargs=safe))
    module, name, readers = ADAPTERS.get(kind, ("cascade", "Cascade", ("AutoTokenizer",)))
    adapters = import_module(f".{module}", __package__)
    if kind == "lfm2_audio":
        return partial(adapters.LFM2Audio, *adapters.read(where, device, dtype))
    network = f"{name}ForConditionalGeneration" if kind in ADAPTERS else "AutoModelForCausalLM"
    read: Any = getattr(transformers, network).from_pretrained
    model = read(where, use_safetensors=True, dtype=dtype)
    parts = [getattr(transformers, reader).from_pretrained(where) for reader in readers]
    return partial(getattr(adapters, name), model.to(device), *parts)


def _kind(name: str, source: Path) -> tuple[Path, str]:
    """Give the folder with a model's files and what picks the adapter."""
    from transformers.models.auto import modeling_auto
    from transformers.utils import cached_file

    if source.is_dir():
        config = source / "config.json"
        if not config.is_file():
            raise ValueError(f"{name} is no model folder: it has no config.json")
    else:
        try:
            config = Path(str(cached_file(name, "config.json")))
        except (OSError, ValueError, TypeError) as fault:
            told = f"there is no model {name!r}: a model is named by {_CHOICES}. "
            told += f"The hub said: {' '.join(str(fault).split())}"
            if name in weights.known():
                told = f"the weights of {name} are not here, or damaged: python -m sgpa_core fetch "
                told += 'models gets them (with a network). The model "embedded" needs none'
            raise ValueError(told) from fault
    try:
        settings = json.loads(config.read_text(encoding="utf-8"))
        kind, classes = settings.get("model_type"), settings.get("architectures") or []
    except (ValueError, AttributeError) as fault:
        raise ValueError(f"{config} is no model's config.json: {fault}") from fault
    if any("lfm2audio" in str(name).lower() for name in classes):
        kind = "lfm2_audio"  # its config.json names no type
    for other, tasks in OTHERS.items():
        lists = [getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES") for task in tasks]
        if kind not in ADAPTERS and any(kind in names for names in lists):
            kind = other
    if kind not in ADAPTERS and kind not in OTHERS:
        raise ValueError(
            f"{name} is of model_type {kind!r}; there are adapters for {', '.join(ADAPTERS)}. "
            "Anything else can be wrapped by hand: see AudioLM and check_model"
        )
    return config.parent, kind


def _made(make: Any, *arguments: Any, also: Sequence[str] = (), **options: Any) -> Any:
    """Call an adapter's constructor; an unknown option is a ValueError."""
    known = inspect.signature(make).parameters
    for option in options:
        if option not in known:
            own = [p for p in known if p not in ("name", "address", "batch_size")]
            choices = ", ".join([*own, *also]) or "none"
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
            size = path.stat().st_size
            with path.open("rb") as stream:
                if size <= HASHED_WHOLE:
                    total.update(stream.read())
                    continue
                total.update(str(size).encode())
                for sample in range(SAMPLES):  # evenly spaced
                    stream.seek(sample * (size - SAMPLE_BYTES) // (SAMPLES - 1))
                    total.update(stream.read(SAMPLE_BYTES))
    return digest_of([total.hexdigest(), dict(decoding or {})])
