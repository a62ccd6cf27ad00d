"""The assistant against a plain loop, and what exact explanations take: ``make bench``.

The loop: one coalition at a time, Whisper's own window of 30 s, no memory. It answers some of the
coalitions of a question, drawn at random; the project answers all of them. Both work on the same
words in one run, in turn.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import torch

import sgpa_core as sgpa
from sgpa_core import masking
from sgpa_core.game import all_coalitions

#: Questions in natural voices, 4 to 8 words.
QUESTIONS = ("bm_george-052", "af_bella-013", "am_fenrir-019", "bm_fable-009", "bf_emma-024")
PLAIN = 24  # coalitions that the loop answers, of each question
THREADS = min(2, os.cpu_count() or 1)
SEED = 0
GOAL_RATIO, GOAL_SECONDS = 5, {5: 12, 7: 45}


def plain(model: Any, heard: sgpa.Audio) -> str:
    """Answer one recording as one would: the extractor, `generate`, the template, `generate`."""
    whisper, tokenizer = model.recogniser, model.tokenizer
    features = whisper.extractor(
        heard.samples, sampling_rate=heard.sample_rate, return_tensors="pt"
    ).input_features
    with torch.inference_mode():
        ids = whisper.model.generate(features.to(whisper.model.device, whisper.model.dtype))
    (text,) = whisper.tokenizer.batch_decode(ids, skip_special_tokens=True)
    turns = [{"role": "system", "content": model.prompt}, {"role": "user", "content": text.strip()}]
    inputs = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(model.model.device)
    with torch.inference_mode():
        ids = model.model.generate(**inputs)
    return tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def rows(device: str = "cpu") -> list[dict[str, Any]]:
    """Time each question: all of its coalitions by the project, some by the loop."""
    torch.set_num_threads(THREADS)
    model, rng = sgpa.load_model("assistant", device=device), np.random.default_rng(SEED)
    first = sgpa.questions(QUESTIONS[0]).audio
    model.respond([first.samples], first.sample_rate)
    table = []
    for id in QUESTIONS:
        recording = sgpa.questions(id)
        began = time.perf_counter()
        found = sgpa.explain(recording.audio, recording.text, model, method="exact")
        seconds = time.perf_counter() - began
        coalitions = all_coalitions(len(found))
        drawn = coalitions[rng.permutation(len(coalitions))[:PLAIN]]
        audio = recording.audio.resample(model.sample_rate)
        waves = [w for row in drawn for w in masking.mask(audio, found.spans, row[None])]
        began = time.perf_counter()
        for wave in waves:
            plain(model, sgpa.Audio(wave, model.sample_rate))
        loop = (time.perf_counter() - began) / len(waves)
        waves = masking.mask(audio, found.spans, coalitions)
        began = time.perf_counter()
        model.hear(waves, model.sample_rate)
        hearing = time.perf_counter() - began
        table.append(
            {
                "id": id, "text": recording.text, "heard": found.heard, "answer": found.answer,
                "words": len(found), "coalitions": len(coalitions),
                "transcripts": len(set(found.coalition_heard)), "seconds": seconds,
                "hearing": hearing, "loop_each": loop, "loop_n": len(drawn),
            }
        )  # fmt: skip
        print(
            f"{len(found)} words, {len(coalitions):>3} coalitions, "
            f"{table[-1]['transcripts']:>3} transcripts: {seconds:6.1f} s, "
            f"{len(coalitions) / seconds:5.2f} a second, loop {1 / loop:5.2f} a second, "
            f"ratio {loop * len(coalitions) / seconds:5.1f}",
            flush=True,
        )
    return table


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"assistant on {device}, {THREADS} threads, load {os.getloadavg()[0]:.1f}")
    rows(device)
    goals = ", ".join(f"{n} words ≤ {s} s" for n, s in GOAL_SECONDS.items())
    print(f"goal: ratio ≥ {GOAL_RATIO}; {goals}, on two idle cores")


if __name__ == "__main__":
    main()
