"""Tiny random-weight models of the real classes, built by the tests that need them."""

import json
from pathlib import Path

SYMBOLS = ("<pad>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz", "'")


def wav2vec2(folder: Path, norm: str = "layer", upper: bool = False) -> Path:
    """Save a tiny Wav2Vec2ForCTC with its processor; norm "layer" as XLSR, "group" as base."""
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    symbols = [s if s.startswith("<") else s.upper() for s in SYMBOLS] if upper else list(SYMBOLS)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({symbol: i for i, symbol in enumerate(symbols)}))
    tokenizer = Wav2Vec2CTCTokenizer(
        str(vocabulary), pad_token="<pad>", unk_token="<unk>", word_delimiter_token="|"
    )
    extractor = Wav2Vec2FeatureExtractor(
        feature_size=1,
        sampling_rate=16000,
        do_normalize=True,
        return_attention_mask=norm == "layer",
    )
    Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    return folder


WORDS = ("<pad>", "<start>", "<end>", "<unk>", "the", "capital", "of", "france")
WORDS += ("is", "paris", "lima", "peru")


def whisper(folder: Path, multilingual: bool = False, words: tuple[str, ...] = WORDS) -> Path:
    """Save a tiny Whisper of 6 s with a word tokenizer; the answers are random words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        GenerationConfig,
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    folder.mkdir(parents=True, exist_ok=True)
    special = ["<|en|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"] if multilingual else []
    symbols = [*words, *special]
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(symbols)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        bos_token="<start>",
        eos_token="<end>",
        unk_token="<unk>",
        additional_special_tokens=special,
    )
    tokenizer.save_pretrained(folder)
    WhisperFeatureExtractor(
        feature_size=16, hop_length=320, chunk_length=6, n_fft=400
    ).save_pretrained(folder)
    torch.manual_seed(3)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(symbols),
            num_mel_bins=16,
            d_model=32,
            encoder_layers=2,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_source_positions=150,
            max_target_positions=24,
            decoder_start_token_id=1,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            suppress_tokens=None,
            begin_suppress_tokens=None,
            init_std=0.4,
        )
    )
    model.generation_config = GenerationConfig(
        decoder_start_token_id=1, bos_token_id=1, eos_token_id=2, pad_token_id=0, max_new_tokens=12
    )
    if multilingual:
        ids = {symbol: symbols.index(symbol) for symbol in special}
        model.generation_config.update(
            lang_to_id={key: ids[key] for key in special[:2]},
            task_to_id={"transcribe": ids["<|transcribe|>"]},
            no_timestamps_token_id=ids["<|notimestamps|>"],
            is_multilingual=True,
            suppress_tokens=[3],
            begin_suppress_tokens=[2],
        )
    model.save_pretrained(folder)
    return folder
