"""Spectrogram-guided phonetic alignment and Shapley explanations of audio language models.

The package behind the executable companion of Pozorski, Muszyński and Ganzha (2026),
arXiv:2603.02250. Data flow in one direction::

    audio + text → transcript → ctc → refine → segments          Stages 1 to 4, all in pipeline
    partition → masking → answers → utility → speech_game        the game of a recording and a model
    shapley → explanation                                        values, and all of it in one call
    cost, concentration, profile, faithfulness, boundary, stats  what is asked of values and words

The core lies in this folder and in :mod:`sgpa_core.shapley`, a file for each concept. Around it lie
:mod:`sgpa_core.models` (adapters of audio language models) and :mod:`sgpa_core.show` (pictures,
players, widgets), and around those :mod:`sgpa_core.companion` (the paper's record, corpora, the
command line). Imports point inward; only the methods that draw or load something reach outward,
when they are called. ``__init__.pyi`` lists the public names; each is imported when
it is first used, so that ``import sgpa_core`` stays fast.
"""

import time

import lazy_loader

__version__ = "0.1.0"
IMPORTED_AT = time.perf_counter()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
