"""A page part on which words are muted: what is left can be heard, with the model's answer."""

from __future__ import annotations

import html
import json

import numpy as np

from ..audio import Audio
from ..speech_game import AnswerTable
from ..utility import Utility
from .player import below, fill, shade, signed

MAX_PLAYERS = 12
"""4,096 coalitions: about 20 kB of page."""

_HTML = """
<div class="sgpa sgpa-mute" id="{ID}">
<style>{STYLE}
.sgpa-mute li button[aria-pressed=true]{text-decoration:line-through;border-style:dashed}
.sgpa-mute .bar{height:.6rem;border:1px solid rgba(128,128,128,.8);border-radius:3px;
max-width:24rem;margin:.3rem 0}
.sgpa-mute .bar i{display:block;height:100%;background:#0072B2;print-color-adjust:exact}
.sgpa-mute p{margin:.35rem 0}
</style>
<ul aria-label="words: press one to mute it">{BUTTONS}</ul>
<p data-do><button type="button" data-do="play">▶ Hear what is left</button>
<button type="button" data-do="all">All words</button>
<button type="button" data-do="none">No word</button></p>
<p role="status">The model answers: <b data-show="answer"></b><br>
<span data-show="utility"></span></p>
<div class="bar" aria-hidden="true"><i data-show="bar"></i></div>
<small><span class="sgpa-live">Press words to mute them. </span>The answers were computed
beforehand, one for each of the {COUNT} coalitions; a number below a word is its exact Shapley
value.</small>
{SCRIPT}</div>
"""

_SCRIPT = """
  const data = {DATA};
  const words = [...box.querySelectorAll("li button")];
  const show = name => box.querySelector(`[data-show=${name}]`);
  const muted = word => word.getAttribute("aria-pressed") === "true";
  const mask = () => words.reduce((m, word, i) => muted(word) ? m : m | 1 << i, 0);
  const draw = () => {
    const which = data.which[mask()], utility = data.utilities[which];
    show("answer").textContent = data.answers[which] || "(nothing)";
    show("utility").textContent = `${words.filter(w => !muted(w)).length} of ${words.length} ` +
      `words heard; utility U(S) = ${utility.toFixed(3)}`;
    show("bar").style.width = 100 * Math.max(0, Math.min(1, utility)) + "%";
  };
  let context = null, source = null, sound = null;
  const button = box.querySelector("[data-do=play]"), label = button.textContent;
  const ended = () => { source = null; button.textContent = label; };
  const left = () => {
    const heard = context.createBuffer(1, sound.length, sound.sampleRate);
    const samples = heard.getChannelData(0);
    samples.set(sound.getChannelData(0));
    data.spans.forEach((span, i) => {
      const [from, to] = span.map(time => Math.round(time * sound.sampleRate));
      if (muted(words[i])) samples.fill(0, from, to);
    });
    box.dataset.heard = samples.reduce((count, x) => count + (x !== 0), 0);
    return heard;
  };
  const play = async () => {
    if (source) { source.onended = null; source.stop(); ended(); return; }
    context = context || new AudioContext();
    if (!sound) {
      const bytes = Uint8Array.from(atob("{SOUND}"), c => c.charCodeAt(0));
      sound = await context.decodeAudioData(bytes.buffer);
      if (source) return;
    }
    source = context.createBufferSource();
    source.buffer = left();
    source.connect(context.destination);
    const began = context.currentTime, mine = source;
    const light = () => {
      const now = context.currentTime - began;
      words.forEach((word, i) => word.classList.toggle("on", source === mine &&
        now >= data.spans[i][0] && now < data.spans[i][1] && !muted(word)));
      if (source === mine) requestAnimationFrame(light);
    };
    source.onended = () => { if (source === mine) ended(); };
    button.textContent = "■ Stop";
    source.start();
    light();
  };
  const press = (some, on) => { some.forEach(w => w.setAttribute("aria-pressed", on)); draw(); };
  words.forEach(word => word.addEventListener("click", () => press([word], !muted(word))));
  button.addEventListener("click", play);
  box.querySelector("[data-do=all]").addEventListener("click", () => press(words, false));
  box.querySelector("[data-do=none]").addEventListener("click", () => press(words, true));
  draw();
"""


def mute(table: AnswerTable, audio: Audio, utility: str | Utility = "tfidf") -> str:
    """Give an HTML page part on which a reader mutes words and sees the model's real answer.

    Parameters
    ----------
    table : AnswerTable
        All answers, under the masking ``"silence"``: that is what the page plays.
    audio : Audio
        The recording that they belong to.
    utility : str or callable
        As for :meth:`sgpa_core.speech_game.AnswerTable.utilities`.

    Returns
    -------
    str
        HTML with inline style, script and sound; it works without a network or a kernel.

    Raises
    ------
    ValueError
        If there are more than `MAX_PLAYERS` players, another masking, or spans outside the audio.
    """
    if table.n > MAX_PLAYERS:
        raise ValueError(f"{table.n} players have 2^{table.n} answers; at most {MAX_PLAYERS} here")
    if table.masking != "silence":
        raise ValueError(f"the page plays silence in place of words, not {table.masking!r}")
    end = table.spans[-1, 1]
    if end > audio.duration + 1e-3:
        raise ValueError(
            f"the last player ends at {end:.3f} s, the recording at {audio.duration:.3f} s"
        )
    utilities, values = np.zeros(len(table.answers)), table.values(utility)
    utilities[table.which] = table.utilities(utility)
    data = {
        "answers": table.answers,
        "utilities": utilities.round(4).tolist(),
        "which": table.which.tolist(),
        "spans": table.spans.round(4).tolist(),
    }
    largest = float(np.abs(values).max())
    buttons = [
        f'<li><button type="button" aria-pressed="false"{shade(value, largest)}>'
        f'<span class="sgpa-spoken">mute </span>{html.escape(label)}'
        f"{below(signed(value))}</button></li>"
        for label, value in zip(table.labels, values.tolist(), strict=True)
    ]
    return fill(
        _HTML,
        _SCRIPT,
        table.id,
        BUTTONS="".join(buttons),
        COUNT=f"{2**table.n:,}",
        DATA=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        SOUND=audio.data_uri().partition(",")[2],
    )
