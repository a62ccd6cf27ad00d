"""Read a language model's weights from a GGUF file, as a model of transformers."""

from pathlib import Path

from ..files import reading_weights

#: The file in the folder that `convert` reads.
FILE = "model.gguf"


def convert(source: Path, target: Path) -> None:
    """Make a model folder of transformers from a GGUF file, its weights no longer quantised.

    Parameters
    ----------
    source : Path
        A folder with ``model.gguf``, of an architecture that transformers reads.
    target : Path
        The new folder: configs, weights in float16 safetensors, tokenizer and chat template.

    Raises
    ------
    ValueError
        If the file is no GGUF file, or of an unknown architecture.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with reading_weights():
            model = AutoModelForCausalLM.from_pretrained(source, gguf_file=FILE)
            tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=FILE)
    except Exception as fault:
        raise ValueError(f"{source / FILE} is no GGUF file of a language model: {fault}") from fault
    target.mkdir()
    vars(model.config).pop("quantization_config", None)
    model.config.dtype = torch.float16
    model.config.save_pretrained(target)
    model.generation_config.save_pretrained(target)
    weights = {name: values.half() for name, values in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del weights["lm_head.weight"]  # which is the embedding
    save_file(weights, target / "model.safetensors", {"format": "pt"})
    tokenizer.save_pretrained(target)
