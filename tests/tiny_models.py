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
        vars(model.generation_config).update(  # its own update leaves out what it does not know
            lang_to_id={key: ids[key] for key in special[:2]},
            task_to_id={"transcribe": ids["<|transcribe|>"]},
            no_timestamps_token_id=ids["<|notimestamps|>"],
            is_multilingual=True,
            suppress_tokens=[3],
            begin_suppress_tokens=[2],
        )
    model.save_pretrained(folder)
    return folder


def moonshine(folder: Path) -> Path:
    """Save a tiny Moonshine, a recogniser with a decoder that hears the waveform itself."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        MoonshineConfig,
        MoonshineForConditionalGeneration,
        PreTrainedTokenizerFast,
        Wav2Vec2FeatureExtractor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"pad_token": "<pad>", "bos_token": "<start>", "eos_token": "<end>"}
    PreTrainedTokenizerFast(tokenizer_object=raw, **special).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True).save_pretrained(folder)
    torch.manual_seed(3)
    model = MoonshineForConditionalGeneration(
        MoonshineConfig(
            vocab_size=len(WORDS),
            hidden_size=32,
            intermediate_size=64,
            encoder_num_hidden_layers=1,
            decoder_num_hidden_layers=1,
            encoder_num_attention_heads=2,
            decoder_num_attention_heads=2,
            initializer_range=0.3,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            decoder_start_token_id=1,
        )
    )
    model.generation_config.update(max_new_tokens=12)
    model.save_pretrained(folder)
    return folder


def _byte_tokenizer(special: list[str]):
    """Give a byte-level tokenizer without merges: 256 bytes and some special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    symbols = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    raw = Tokenizer(models.BPE({symbol: i for i, symbol in enumerate(symbols)}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    return raw


def qwen2_audio(folder: Path) -> Path:
    """Save a tiny Qwen2AudioForConditionalGeneration with its processor."""
    import torch
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        Qwen2TokenizerFast,
        WhisperFeatureExtractor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    special += ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
    tokenizer = Qwen2TokenizerFast(
        tokenizer_object=_byte_tokenizer(special), additional_special_tokens=special[1:]
    )
    extractor = WhisperFeatureExtractor(feature_size=16, return_attention_mask=True)
    Qwen2AudioProcessor(extractor, tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    model = Qwen2AudioForConditionalGeneration(
        Qwen2AudioConfig(
            audio_config={
                "model_type": "qwen2_audio_encoder",
                "num_mel_bins": 16,
                "d_model": 32,
                "encoder_layers": 1,
                "encoder_attention_heads": 2,
                "encoder_ffn_dim": 64,
                "max_source_positions": 1500,
                "initializer_range": 0.3,
            },
            text_config={
                "model_type": "qwen2",
                "vocab_size": len(tokenizer),
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "intermediate_size": 64,
                "initializer_range": 0.3,
            },
            audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
        )
    )
    ends = tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|im_end|>"])
    model.generation_config.update(
        eos_token_id=ends,
        pad_token_id=ends[0],
        do_sample=True,
        temperature=0.7,
        top_k=20,
        repetition_penalty=1.1,
    )
    model.save_pretrained(folder)
    return folder


def voxtral(folder: Path) -> Path:
    """Save a tiny VoxtralForConditionalGeneration, its feature extractor and a tekken.json."""
    import base64

    import torch
    from transformers import (
        VoxtralConfig,
        VoxtralForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    names = [f"<SPECIAL_{i}>" for i in range(40)]
    names[:5] = "<unk>", "<s>", "</s>", "[INST]", "[/INST]"
    names[5:8] = "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"
    names[8:14] = "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]"
    names[14:17] = "[PREFIX]", "[MIDDLE]", "[SUFFIX]"
    names[17:20] = "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"
    names[24:26], names[34] = ("[AUDIO]", "[BEGIN_AUDIO]"), "[TRANSCRIBE]"
    tekken = {
        "config": {
            "pattern": r"[^\s]+|\s+",
            "num_vocab_tokens": 256,
            "default_vocab_size": 256 + len(names),
            "default_num_special_tokens": len(names),
            "version": "v7",
        },
        "vocab": [
            {"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode(), "token_str": None}
            for i in range(256)
        ],
        "special_tokens": [
            {"rank": i, "token_str": name, "is_control": True} for i, name in enumerate(names)
        ],
        "audio": {
            "sampling_rate": 16000,
            "frame_rate": 12.5,
            "audio_encoding_config": {"num_mel_bins": 16, "hop_length": 160, "window_size": 400},
            "chunk_length_s": 30.0,
        },
    }
    (folder / "tekken.json").write_text(json.dumps(tekken))
    WhisperFeatureExtractor(feature_size=16).save_pretrained(folder)
    torch.manual_seed(0)
    model = VoxtralForConditionalGeneration(
        VoxtralConfig(
            audio_config={
                "num_mel_bins": 16,
                "hidden_size": 16,
                "intermediate_size": 64,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "max_source_positions": 1500,
                "initializer_range": 1.0,
            },
            text_config={
                "model_type": "llama",
                "vocab_size": 256 + len(names),
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "intermediate_size": 64,
                "max_position_embeddings": 4096,
                "initializer_range": 1.0,
            },
            audio_token_id=24,
        )
    )
    model.generation_config.update(bos_token_id=1, eos_token_id=2, pad_token_id=11)
    model.save_pretrained(folder)
    return folder


def lfm2_audio(folder: Path) -> Path:
    """Save a tiny LFM2AudioModel (package liquid-audio) with its tokenizer; half a million."""
    from dataclasses import asdict

    import torch
    from liquid_audio.model.conformer.encoder import ConformerEncoderConfig
    from liquid_audio.model.lfm2_audio import DepthformerConfig, LFM2AudioConfig, LFM2AudioModel
    from liquid_audio.processor import PreprocessorConfig
    from safetensors.torch import save_file
    from transformers import Lfm2Config, PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    special = [f"<|reserved_{i}|>" for i in range(131)]
    special[:2], special[6:8] = ("<|pad|>", "<|startoftext|>"), ("<|im_start|>", "<|im_end|>")
    special[128], special[130] = "<|audio_start|>", "<|text_end|>"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_byte_tokenizer(special),
        pad_token="<|pad|>",
        bos_token="<|startoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=special,
    )
    tokenizer.save_pretrained(folder)
    ear = PreprocessorConfig(
        sample_rate=16000,
        normalize="per_feature",
        window_size=0.025,
        window_stride=0.01,
        window="hann",
        features=128,
        n_fft=512,
        log=True,
        frame_splicing=1,
        dither=1e-5,
        pad_to=0,
        pad_value=0.0,
    )
    encoder = ConformerEncoderConfig(
        feat_in=128,
        feat_out=-1,
        n_layers=1,
        d_model=16,
        subsampling="dw_striding",
        subsampling_factor=8,
        subsampling_conv_channels=16,
        causal_downsampling=False,
        reduction=None,
        reduction_position=None,
        reduction_factor=1,
        ff_expansion_factor=2,
        self_attention_model="rel_pos",
        n_heads=2,
        att_context_size=[[-1, -1]],
        xscaling=False,
        untie_biases=True,
        pos_emb_max_len=500,
        conv_kernel_size=5,
        conv_norm_type="batch_norm",
        conv_context_size=None,
        dropout=0.1,
        dropout_pre_encoder=0.1,
        dropout_emb=0.0,
        dropout_att=0.1,
    )
    language = Lfm2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        layer_types=["conv", "full_attention"],
        initializer_range=0.3,
    )
    others = {
        "architectures": ["Lfm2AudioForConditionalGeneration"],
        "codebooks": 2,
        "tie_audio_embeddings": True,
        "semantic_codebook_factor": 100.0,
        "codebook_weight": "log",
        "interleaved_n_text": 6,
        "interleaved_n_audio": 12,
    }
    depth = DepthformerConfig(layers=1, dim=64, tie=True)
    torch.manual_seed(0)
    model = LFM2AudioModel(
        LFM2AudioConfig(
            **others, preprocessor=ear, encoder=encoder, lfm=language, depthformer=depth
        )
    )
    parts = {"preprocessor": ear, "encoder": encoder, "depthformer": depth}
    with torch.no_grad():
        for weight in model.audio_adapter.parameters():
            weight.mul_(8)  # so that what is heard turns the answer
    settings = others | {key: asdict(part) for key, part in parts.items()}
    settings["lfm"] = language.to_dict()
    (folder / "config.json").write_text(json.dumps(settings))
    weights = {k: v.clone().contiguous() for k, v in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def language_model(folder: Path, template: bool = True) -> Path:
    """Save a tiny Llama that chats in the words of `whisper`; its checkpoint asks for sampling."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<start>", eos_token="<end>", unk_token="<unk>"
    )
    if template:
        turns = "{% for turn in messages %}<start> {{ turn.content }} <end> {% endfor %}"
        tokenizer.chat_template = f"{turns}{{% if add_generation_prompt %}}<start>{{% endif %}}"
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            initializer_range=0.4,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    model.generation_config.update(do_sample=True, top_k=5, repetition_penalty=1.3)
    model.save_pretrained(folder)
    return folder
