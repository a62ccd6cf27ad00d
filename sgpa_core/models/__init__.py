"""Audio language models behind one protocol: `load_model`, `check_model`, and the adapters."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "AudioLM": "protocol",
    "SPEECH_PROMPT": "protocol",
    "prepare": "protocol",
    "load_model": "loading",
    "check_model": "conformance",
    "assert_conforms": "conformance",
    "Whisper": "whisper",
    "Qwen2Audio": "chat",
    "Voxtral": "chat",
    "LFM2Audio": "lfm2",
    "OpenAIServer": "server",
}
__all__ = [
    "SPEECH_PROMPT",
    "AudioLM",
    "LFM2Audio",
    "OpenAIServer",
    "Qwen2Audio",
    "Voxtral",
    "Whisper",
    "assert_conforms",
    "check_model",
    "load_model",
    "prepare",
]

if TYPE_CHECKING:
    from .chat import Qwen2Audio, Voxtral
    from .conformance import assert_conforms, check_model
    from .lfm2 import LFM2Audio
    from .loading import load_model
    from .protocol import SPEECH_PROMPT, AudioLM, prepare
    from .server import OpenAIServer
    from .whisper import Whisper


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
