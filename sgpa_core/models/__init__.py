"""The first ring: audio language models behind one protocol (`sgpa_core.AudioLM`).

- ``loading``: `load_model`, from a name to a model; ``conformance``: `check_model`
- ``whisper``, ``recogniser`` (any other that hears), ``cascade`` (a recogniser and a language
  model), ``chat`` (Qwen2-Audio, Voxtral), ``lfm2``, ``server``: the adapters, what they share in
  ``adapter``
- ``weights``: open weights by hash, read by ``ctranslate2`` and ``gguf``
- ``recognise``: a transcript where there is none; ``encoder``: sentence embeddings
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
