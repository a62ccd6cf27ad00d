"""The network of the embedded aligner: 100 characters a second, from Whisper's encoder.

The encoder of an open Whisper model tells *what* is said (it has heard many people); a mel
spectrogram at twice its rate tells *when*. Importing this module lets `AutoModelForCTC` load it.
"""

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.functional import gelu, pad
from transformers import AutoConfig, AutoModelForCTC, PreTrainedModel, WhisperConfig
from transformers.audio_utils import mel_filter_bank
from transformers.modeling_outputs import CausalLMOutput
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from .whisper import layer_states

N_FFT, HOP, RATE = 400, 160, 16_000

#: Root mean square that speech is brought to: samples come in with unit variance.
LEVEL = 0.08

#: Whisper's spectrograms end 8 decades under their loudest bin; this is that of speech at `LEVEL`,
#: always the same, so that a window does not depend on the loudest sound in it.
FLOOR = -6.8

#: Frames that the encoder is given at least: in a shorter window Whisper hears short speech twice.
FRAMES = 1000


class WhisperCTCConfig(WhisperConfig):
    """A Whisper encoder's configuration, with the width of the head at 50 and at 100 Hz.

    As convolutions count them, a frame sees 400 samples and the next begins 160 later.
    """

    model_type = "whisper-ctc"
    conv_kernel, conv_stride = (N_FFT,), (HOP,)
    head_width: int = 256
    fine_width: int = 192


class WhisperForCTC(PreTrainedModel):
    """A Whisper encoder and a head that spells what it heard.

    The states of all layers are averaged with learnt weights; two convolutions follow at 50 Hz,
    then two at 100 Hz, after the spectrogram is added. Input: samples at 16 kHz of zero mean and
    unit variance, at most 30 s. Logits: shape (batch, frames, characters); frame ``i`` is centred
    on sample 160 i + 200.
    """

    config_class = WhisperCTCConfig
    base_model_prefix = "encoder"
    main_input_name = "input_values"

    def __init__(self, config: WhisperCTCConfig):
        super().__init__(config)
        size, wide, fine = config.d_model, config.head_width, config.fine_width
        layers = config.encoder_layers + 1
        self.encoder = WhisperEncoder(config)
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(layers))
        self.mix = nn.Parameter(torch.zeros(layers))
        self.project, self.narrow = nn.Linear(size, wide), nn.Conv1d(wide, fine, 1)
        self.coarse = nn.ModuleList(nn.Conv1d(wide, wide, 5, padding=2) for _ in range(2))
        self.edges = nn.ModuleList(
            nn.Conv1d(given, made, 5, padding=2)
            for given, made in ((config.num_mel_bins, fine // 2), (fine // 2, fine))
        )
        self.fine = nn.ModuleList(nn.Conv1d(fine, fine, 5, padding=2) for _ in range(2))
        self.dropout = nn.Dropout(config.dropout)
        self.lm_head = nn.Linear(fine, config.vocab_size)
        self.post_init()

    def forward(self, input_values: torch.Tensor, **_: Any) -> CausalLMOutput:
        """Give the logits of samples of shape (batch, samples)."""
        mel, frames = self.log_mel(input_values)
        return CausalLMOutput(logits=self.head(self.states(mel), mel)[:, :frames])

    def log_mel(self, samples: torch.Tensor) -> tuple[torch.Tensor, int]:
        """Give the spectrogram of a window of 10 s or more, and the frames that hold samples."""
        frames = (samples.shape[1] - N_FFT) // HOP + 1
        window = max(FRAMES, frames + frames % 2)
        samples = pad(LEVEL * samples.float(), (0, (window - 1) * HOP + N_FFT - samples.shape[1]))
        hann = torch.hann_window(N_FFT, device=samples.device)
        spectra = torch.stft(samples, N_FFT, HOP, window=hann, center=False, return_complex=True)
        power = spectra.real.square() + spectra.imag.square()
        weights = _filters(self.config.num_mel_bins).to(samples.device)
        return ((weights @ power).clamp(min=10**FLOOR).log10() + 4) / 4, frames

    def states(self, mel: torch.Tensor) -> torch.Tensor:
        """Give what goes into each layer and what comes out of the last: (batch, 5, T, size)."""
        return torch.stack(layer_states(self.encoder, mel.to(self.dtype)), dim=1)

    def head(self, states: torch.Tensor, mel: torch.Tensor) -> torch.Tensor:
        """Give the logits at 100 Hz of states at 50 Hz and their spectrogram."""
        normed = torch.stack([norm(states[:, k]) for k, norm in enumerate(self.norms)], dim=-1)
        hidden = gelu(self.project(normed @ self.mix.softmax(0)).transpose(1, 2))
        for layer in self.coarse:
            hidden = hidden + gelu(layer(self.dropout(hidden)))
        hidden = self.narrow(hidden)
        between = (hidden + torch.cat([hidden[..., 1:], hidden[..., -1:]], dim=-1)) / 2
        hidden = torch.stack([hidden, between], dim=-1).flatten(-2)
        first, second = self.edges
        hidden = gelu(hidden + second(gelu(first(mel.to(self.dtype)))))
        for layer in self.fine:
            hidden = hidden + gelu(layer(self.dropout(hidden)))
        return self.lm_head(self.dropout(hidden.transpose(1, 2)))


@cache
def _filters(bins: int) -> torch.Tensor:
    """Give Whisper's mel filters, shape (bins, frequencies)."""
    filters = mel_filter_bank(
        N_FFT // 2 + 1, bins, 0.0, RATE / 2, RATE, norm="slaney", mel_scale="slaney"
    )
    return torch.as_tensor(filters.T, dtype=torch.float32)


AutoConfig.register(WhisperCTCConfig.model_type, WhisperCTCConfig, exist_ok=True)
AutoModelForCTC.register(WhisperCTCConfig, WhisperForCTC, exist_ok=True)
