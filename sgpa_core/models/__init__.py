"""Audio language models behind one protocol: `load_model`, `check_model`, and the adapters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
