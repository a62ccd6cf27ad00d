"""Listen and see: a segmentation as a piece of HTML that plays words, without kernel or network."""

from __future__ import annotations

import base64
import html
import io
import itertools
import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

from ..segments import Segment, Segmentation
from . import plots

if TYPE_CHECKING:
    from ..explanation import Explanation

_ENVELOPE_POINTS = 500
_IMAGE_WIDTH = 900
_numbers = itertools.count(1)

STYLE = """
.sgpa,.sgpa-mute{--ring:#0072B2;font:14px/1.45 var(--pst-font-family-base,system-ui,sans-serif);
max-width:60rem;margin:.6rem 0}
html[data-theme=dark] :is(.sgpa,.sgpa-mute){--ring:#56B4E9}
:is(.sgpa,.sgpa-mute) ul{display:flex;flex-wrap:wrap;gap:.35rem;margin:.5rem 0;padding:0;
list-style:none}
:is(.sgpa,.sgpa-mute) li{margin:0;padding:0}
:is(.sgpa,.sgpa-mute) button{font:inherit;padding:.2rem .55rem;border-radius:4px;color:inherit;
border:1px solid rgba(128,128,128,.8);background:transparent;cursor:pointer;min-height:2rem;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
:is(.sgpa,.sgpa-mute) button:hover{border-color:var(--ring)}
:is(.sgpa,.sgpa-mute) button:focus-visible{outline:2px solid var(--ring);outline-offset:2px}
:is(.sgpa,.sgpa-mute) .on{box-shadow:0 0 0 3px var(--ring)}
:is(.sgpa,.sgpa-mute) button small{display:block;font-size:.82em;font-variant-numeric:tabular-nums}
.sgpa-said{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);
white-space:nowrap}
@media print{:is(.sgpa,.sgpa-mute) :is(audio,[data-do],.sgpa-head,.sgpa-live){
display:none!important}
:is(.sgpa-view,.sgpa-mute,.sgpa li){break-inside:avoid}}
"""
"""Of words that can be pressed: shared with the page on which they are muted."""

_HTML = """
<div class="sgpa" id="{ID}" data-duration="{DURATION}">
<style>{STYLE}
.sgpa audio{width:100%;height:2.2rem}
.sgpa-view{position:relative;height:9.5rem;border:1px solid rgba(128,128,128,.5);
border-radius:4px;overflow:hidden;background:#fff;cursor:pointer}
.sgpa-view img{position:absolute;left:0;bottom:0;width:100%;height:55%;margin:0;
padding:0!important;border-radius:0!important;background:none!important;filter:none!important}
.sgpa-view svg{position:absolute;inset:0;width:100%;height:100%;fill:#767676;stroke-width:2}
.sgpa-view line{vector-effect:non-scaling-stroke}
.sgpa-view .refined{stroke:#0072B2}
.sgpa-view .fallback{stroke:#D55E00;stroke-dasharray:5 4}
.sgpa-head{position:absolute;top:0;bottom:0;width:2px;background:#000;left:0}
.sgpa-lit{position:absolute;top:0;bottom:0;background:#56B4E9;opacity:.4}
.sgpa .interpolated,.sgpa .unalignable{border-style:dashed}
.sgpa-answer{margin:.2rem 0 .5rem}
</style>
<audio controls preload="auto" aria-label="the whole recording: {SAID}" src="{SOUND}"></audio>
<div class="sgpa-view"><img alt="Spectrogram of: {SAID}" src="{PICTURE}">
<svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true">{DRAWING}</svg>
<div class="sgpa-lit" hidden></div><div class="sgpa-head"></div></div>
<ul aria-label="words: press one to hear it">{BUTTONS}</ul>
<small><span class="sgpa-live">Press a word to hear it. </span>{HINT}{NOTES}</small>
<script>
(() => {
  const box = document.getElementById("{ID}");
  if (!box || box.dataset.ready) return;
  box.dataset.ready = "yes";
  const audio = box.querySelector("audio"), head = box.querySelector(".sgpa-head");
  const view = box.querySelector(".sgpa-view"), words = [...box.querySelectorAll("button")];
  const lit = box.querySelector(".sgpa-lit");
  const spans = words.map(word => [+word.dataset.start, +word.dataset.end]);
  const total = +box.dataset.duration, part = time => 100 * time / total + "%";
  let stop = null;
  const draw = () => {
    const now = audio.currentTime;
    if (stop !== null && now >= stop) { audio.pause(); stop = null; }
    head.style.left = part(now);
    const on = audio.paused ? -1 : spans.findIndex(([start, end]) => now >= start && now < end);
    words.forEach((word, i) => word.classList.toggle("on", i === on));
    lit.hidden = on < 0;
    if (on >= 0) {
      lit.style.left = part(spans[on][0]);
      lit.style.width = part(spans[on][1] - spans[on][0]);
      lit.style.backgroundColor = words[on].style.backgroundColor;
    }
    if (!audio.paused) requestAnimationFrame(draw);
  };
  for (const change of ["play", "pause", "seeked"]) audio.addEventListener(change, draw);
  const play = (from, to) => { stop = to; audio.currentTime = from; audio.play().catch(() => {}); };
  words.forEach((word, i) => word.addEventListener("click", () => play(...spans[i])));
  view.addEventListener("click", event => {
    const place = view.getBoundingClientRect();
    const time = total * (event.clientX - place.left) / place.width;
    const span = spans.find(([start, end]) => time >= start && time < end);
    play(...(span || [time, null]));
  });
})();
</script></div>
"""


_HINT_STAGES = "Solid lines: refined boundaries; dashed: fell back to the midpoint of the gap."
_HINT_VALUES = (
    "Blue, +: it speaks for this answer; orange, −: against it. The stronger the colour, the "
    "larger the value."
)
_DEEPEST = 0.65
"""How much of the colour the largest value gets, the rest being white: black text stays legible."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title></head>
<body style="margin:1rem auto;max-width:62rem;padding:0 1rem">{BODY}</body></html>
"""


def explained(explanation: Explanation) -> str:
    """Give an explanation as a player: words shaded by value, each playable, with the answer.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    str
        HTML with inline style, script, picture and sound.
    """
    found = explanation.attribution
    assert explanation.segmentation.audio is not None
    shown = explanation.partition.show(explanation.segmentation.audio)
    certain = "" if found.stderr is None or not found.stderr.any() else ", ± one standard error"
    answer = html.escape(explanation.response) or "<i>nothing</i>"
    counted = html.escape(
        f"{explanation.model}; {explanation.utility} after {explanation.masking}; "
        f"{found.method}, {found.evaluations} evaluations, {explanation.calls} model calls"
        f"{certain}. The values sum to {explanation.values.sum():.3f}: from "
        f"{found.baseline:.3f} with nobody heard to {found.baseline + found.values.sum():.3f}."
    )
    body = listen(shown, explanation.values, found.stderr, explanation.notes)
    return (
        f'<div class="sgpa"><p class="sgpa-answer">Answer to the full recording: '
        f"<b>{answer}</b></p>{body}<small>{counted}</small></div>"
    )


def page(body: str, title: str) -> str:
    """Give a whole HTML document around a piece of HTML."""
    return _PAGE.format(TITLE=html.escape(title), BODY=body)


def listen(
    segmentation: Segmentation,
    values: np.ndarray | None = None,
    stderr: np.ndarray | None = None,
    notes: tuple[str, ...] | None = None,
) -> str:
    """Give a self-contained HTML player: waveform, spectrogram, boundaries, a button per word.

    Clicking a word or its place in the picture plays just that word. Solid lines are refined
    boundaries, dashed ones fell back to the gap's midpoint. Without audio (read from a file) it
    is a table.

    Parameters
    ----------
    segmentation : Segmentation
    values : ndarray of float, optional
        One per word: shades the words, and is written below them.
    stderr : ndarray of float, optional
        Standard errors of the values.
    notes : tuple of str, optional
        In place of the segmentation's own.

    Returns
    -------
    str
        HTML with inline style, script, picture and sound.
    """
    if segmentation.audio is None:
        return str(segmentation.to_frame().to_html(border=0))
    said = html.escape(segmentation.text)
    parts = {
        "STYLE": STYLE,
        "ID": f"sgpa-player-{next(_numbers)}-{zlib.crc32(segmentation.text.encode())}",
        "DURATION": f"{segmentation.duration:.4f}",
        "SAID": said,
        "SOUND": segmentation.audio.data_uri(),
        "PICTURE": _spectrogram_png(segmentation),
        "DRAWING": _drawing(segmentation),
        "BUTTONS": "".join(
            _button(word, index, values, stderr) for index, word in enumerate(segmentation.words)
        ),
        "HINT": _HINT_STAGES if values is None else _HINT_VALUES,
        "NOTES": "".join(
            f"<br>Note: {html.escape(note)}"
            for note in (segmentation.notes if notes is None else notes)
        ),
    }
    return re.sub(r"\{([A-Z]+)\}", lambda match: parts[match[1]], _HTML)


def shade(value: float, largest: float) -> str:
    """Give the style of a word that is worth `value`, where the largest is worth `largest`.

    Blue for, vermilion against; black on it has a contrast of 7 to 1 or more.
    """
    strength = _DEEPEST * abs(value) / max(largest, 1e-12)
    if strength < 0.01:
        return ""
    colour = plots.COLOURS["blue" if value >= 0 else "vermilion"]
    mixed = (round(255 + strength * (int(colour[i : i + 2], 16) - 255)) for i in (1, 3, 5))
    return f' style="background:rgb({",".join(map(str, mixed))});color:#000"'


def signed(value: float) -> str:
    """Give a value as it stands below a word.

    >>> signed(-0.126), signed(0.0)
    ('−0.13', '+0.00')
    """
    return f"{value:+.2f}".replace("-", "−")


def below(number: str) -> str:
    """Give what stands below a word, said as its value."""
    return f'<small><span class="sgpa-said">, value </span>{number}</small>'


def _button(word: Segment, index: int, values: np.ndarray | None, stderr: np.ndarray | None) -> str:
    style = number = ""
    facts = f"{word.status}, confidence {word.confidence:.2f}"
    if values is not None:
        style = shade(float(values[index]), float(np.abs(values).max()))
        facts = signed(float(values[index]))
        if stderr is not None and stderr[index] > 0:
            facts += f" ± {stderr[index]:.2f}"
        number, facts = below(facts), f"value {facts}"
    return (
        f'<li><button type="button" data-start="{word.start:.4f}" data-end="{word.end:.4f}" '
        f'class="{word.status}" title="{word.start:.2f}–{word.end:.2f} s, {facts}"{style}>'
        f"{html.escape(word.text)}{number}</button></li>"
    )


def _drawing(segmentation: Segmentation) -> str:
    """Waveform envelope and boundaries as SVG, stretched over the view."""
    assert segmentation.audio is not None
    samples = segmentation.audio.samples
    edges = np.unique(np.linspace(0, len(samples), _ENVELOPE_POINTS, endpoint=False).astype(int))
    scale = 21 / max(float(np.abs(samples).max()), 1e-6)
    high = 22 - scale * np.maximum.reduceat(samples, edges)
    low = 22 - scale * np.minimum.reduceat(samples, edges)
    xs = 1000 * edges / len(samples)
    outline = np.column_stack([np.append(xs, xs[::-1]), np.append(high, low[::-1])])
    points = " ".join(f"{x:.0f},{y:.1f}" for x, y in outline)
    lines = []
    for time, _, accepted in plots.word_boundaries(segmentation):
        x = f"{1000 * time / segmentation.duration:.1f}"
        kind = "refined" if accepted else "fallback"
        lines.append(f'<line class="{kind}" x1="{x}" x2="{x}" y1="0" y2="100"/>')
    return f'<polygon points="{points}"/>{"".join(lines)}'


def _spectrogram_png(segmentation: Segmentation) -> str:
    """The spectrogram up to 8 kHz as a PNG data URI."""
    from matplotlib.image import imsave

    decibels, rate = plots.spectrogram_db(segmentation)
    shown = decibels[: 1 + int(len(decibels) * min(1.0, 16000 / rate))]
    columns = np.linspace(0, shown.shape[1] - 1, min(_IMAGE_WIDTH, shown.shape[1])).astype(int)
    buffer = io.BytesIO()
    imsave(
        buffer, shown[:, columns][::2], cmap="Greys", vmin=-60, vmax=0, origin="lower", format="png"
    )
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
