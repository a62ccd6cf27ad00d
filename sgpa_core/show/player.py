"""Listen and see: a recording as a piece of HTML that plays words, without kernel or network."""

from __future__ import annotations

import base64
import html
import io
import itertools
import re
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.image import imsave

from ..audio import Audio
from ..explanation import Explanation
from ..segments import Segmentation
from ..utility import spelled, tokens
from . import plots
from .plots import COLOURS, GREYS, signed, spectrogram_db, word_boundaries

if TYPE_CHECKING:
    import pandas as pd

ENVELOPE_POINTS = 500  # of the waveform's outline
IMAGE_WIDTH = 900  # columns of the spectrogram's picture, at most

#: How much of the colour the largest value gets, the rest being white: black text stays legible.
DEEPEST = 0.65

_numbers = itertools.count(1)

_HINT_STAGES = "Solid lines: refined boundaries; dash-dotted: fell back to the midpoint of the gap."
_HINT_VALUES = (
    "Blue, +: it speaks for this answer; orange, −: against it. The stronger the colour, the "
    "larger the value."
)


def template(name: str) -> str:
    """Return a file of the folder ``templates``: HTML, CSS or JavaScript with places to fill."""
    return Path(__file__).with_name("templates").joinpath(name).read_text(encoding="utf-8")


def page(body: str, title: str) -> str:
    """Give a whole HTML document around a piece of HTML."""
    return template("page.html").format(TITLE=html.escape(title), BODY=body)


def listen(segmentation: Segmentation) -> str:
    """Give a self-contained HTML player: waveform, spectrogram, boundaries, a button per word.

    Clicking a word or its place in the picture plays just that word. Solid lines are refined
    boundaries, dash-dotted ones fell back to the midpoint. Without audio (read from a file) it
    is a table.

    Parameters
    ----------
    segmentation : Segmentation

    Returns
    -------
    str
        HTML with inline style, script, picture and sound.
    """
    if segmentation.audio is None:
        return str(segmentation.to_frame().to_html(border=0))
    buttons = ""
    for word, span in zip(segmentation.words, segmentation.spans, strict=True):
        facts = f"{word.status}, confidence {word.confidence:.2f}"
        state = f' class="{word.status}"{" disabled" * (word.start == word.end)}'
        buttons += _button(html.escape(word.text), span, facts, state)
    lines = [(time, refined) for time, _, refined in word_boundaries(segmentation)]
    notes = _notes(_HINT_STAGES, segmentation.notes)
    return _player(segmentation.audio, segmentation.text, lines, BUTTONS=buttons, NOTES=notes)


def explained(explanation: Explanation) -> str:
    """Give an explanation as a player: words shaded by value, each playable, with the answer.

    Pointing at a word of the answer shades the spoken words by what they are worth for it, and the
    other way round.

    Parameters
    ----------
    explanation : Explanation

    Returns
    -------
    str
        HTML with inline style, script, picture and sound.
    """
    values, spans, game = explanation.values, explanation.spans, explanation.attribution
    stderr = np.zeros(len(values)) if explanation.stderr is None else explanation.stderr
    buttons, largest = "", float(np.abs(values).max())
    for label, span, value, error in zip(explanation.players, spans, values, stderr, strict=True):
        number = signed(value) + (f" ± {error:.2f}" if error > 0 else "")
        style = shade(value, largest)
        buttons += _button(html.escape(label) + below(number), span, f"value {number}", style)
    audio, text = explanation.segmentation.audio, " ".join(explanation.players)
    assert audio is not None
    lines = [(time, True) for time in np.unique(spans)]
    notes = _notes(_HINT_VALUES, explanation.notes)
    body = _player(audio, text, lines, BUTTONS=buttons, NOTES=notes)
    heard = f"Heard: <b>{html.escape(explanation.heard)}</b><br>" if explanation.heard else ""
    counted = html.escape(
        f"{explanation.model}; {explanation.utility} after {explanation.masking}; {game.method}, "
        f"{game.evaluations} evaluations, {explanation.calls} model calls"
        f"{', ± one standard error' if stderr.any() else ''}. The values sum to "
        f"{values.sum():.3f}: from {game.baseline:.3f} with nobody heard to "
        f"{game.baseline + values.sum():.3f}."
    )
    parts = {"HEARD": heard, "ANSWER": _linked(explanation), "PLAYER": body, "COUNTED": counted}
    return fill("explained", text, DEEPEST=str(DEEPEST), **parts)


def views(explanation: Explanation, inside: pd.DataFrame | None = None) -> str:
    """Give the summary and the pictures of an explanation, to stand below `explained`.

    Parameters
    ----------
    explanation : Explanation
    inside : DataFrame, optional
        Of `Explanation.inside`.
    """
    body, drawn = f"<p>{html.escape(explanation.summary())}</p>", {}
    if len(explanation) > 1 and tokens(explanation.answer):
        drawn["What each spoken word is worth for each word of the answer"] = plots.answer_words
        drawn["Which spoken words work together"] = plots.together
    if inside is not None and len(inside):
        drawn["Inside the words that matter"] = partial(plots.explanation, inside=inside)
    for title, draw in drawn.items():
        file = io.BytesIO()
        figure = draw(explanation)
        figure.savefig(file, dpi=150)
        plt.close(figure)
        source = base64.b64encode(file.getvalue()).decode("ascii")
        body += f'<h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{source}">'
    return f'<div class="sgpa">{body}</div>'


def _linked(explanation: Explanation) -> str:
    """Give the answer, each word with what the spoken words are worth for it."""
    if not explanation.coalition_answers or not tokens(explanation.answer):
        return html.escape(explanation.answer) or "<i>nothing</i>"
    content, end, frame = "", 0, explanation.answer_words().to_numpy().round(3)
    for (gap, word, _), values in zip(spelled(explanation.answer), frame.T.tolist(), strict=True):
        if word:
            content += f'{html.escape(gap)}<button type="button" data-from="{values}">'
            content += f"{html.escape(word)}</button>"
        end += len(gap + word)
    return content + html.escape(explanation.answer[end:])


def fill(kind: str, name: str, **parts: str) -> str:
    """Fill the places in capitals, ``{BUTTONS}`` for instance, of a kind's HTML and JavaScript.

    The style of words that can be pressed, ``{STYLE}``, and an ``{ID}`` that the page has only once
    come by themselves; what is filled in is not searched for places.
    """
    parts["STYLE"] = template("style.css")
    parts["ID"] = f"sgpa-{next(_numbers)}-{zlib.crc32(name.encode())}"
    script = template("frame.html").replace("{SCRIPT}", template(f"{kind}.js"))
    whole = template(f"{kind}.html").replace("{SCRIPT}", script)
    return re.sub(r"\{([A-Z]+)\}", lambda place: parts[place[1]], whole)


def shade(value: float, largest: float) -> str:
    """Give the style of a word that is worth `value`, where the largest is worth `largest`.

    Blue for, vermilion against; black on it has a contrast of 7 to 1 or more.
    """
    strength = DEEPEST * abs(value) / max(largest, 1e-12)
    if strength < 0.01:
        return ""
    colour = COLOURS["blue" if value >= 0 else "vermilion"]
    mixed = (round(255 + strength * (int(colour[i : i + 2], 16) - 255)) for i in (1, 3, 5))
    return f' style="background:rgb({",".join(map(str, mixed))});color:#000"'


def below(number: str) -> str:
    """Give what stands below a word; a screen reader calls it its value."""
    return f'<small><span class="sgpa-spoken">, value </span>{number}</small>'


def _button(content: str, span: Sequence[float], facts: str, attributes: str) -> str:
    start, end = span
    return (
        f'<li><button type="button" data-start="{start:.4f}" data-end="{end:.4f}" '
        f'title="{start:.2f}–{end:.2f} s, {facts}"{attributes}>{content}</button></li>'
    )


def _notes(hint: str, notes: Iterable[str]) -> str:
    return hint + "".join(f"<br>Note: {html.escape(note)}" for note in notes)


def _player(audio: Audio, text: str, lines: Iterable[tuple[float, bool]], **parts: str) -> str:
    """Put a player together; a line is a boundary's time in seconds, and whether it is refined."""
    drawing = _outline(audio)
    for time, refined in lines:
        kind, x = "refined" if refined else "fallback", f"{1000 * time / audio.duration:.1f}"
        drawing += f'<line class="{kind}" x1="{x}" x2="{x}" y1="0" y2="100"/>'
    parts |= {"TEXT": html.escape(text), "DURATION": f"{audio.duration:.4f}"}
    parts |= {"SOUND": audio.data_uri(), "PICTURE": _spectrogram_png(audio), "DRAWING": drawing}
    return fill("player", text, **parts)


def _outline(audio: Audio) -> str:
    """Draw the waveform's envelope as SVG, stretched over the view."""
    samples = audio.samples
    edges = np.unique(np.linspace(0, len(samples), ENVELOPE_POINTS, endpoint=False).astype(int))
    scale = 21 / max(float(np.abs(samples).max()), 1e-6)
    high = 22 - scale * np.maximum.reduceat(samples, edges)
    low = 22 - scale * np.minimum.reduceat(samples, edges)
    xs = 1000 * edges / len(samples)
    outline = zip([*xs, *xs[::-1]], [*high, *low[::-1]], strict=True)
    return f'<polygon points="{" ".join(f"{x:.0f},{y:.1f}" for x, y in outline)}"/>'


def _spectrogram_png(audio: Audio) -> str:
    """Draw the spectrogram up to 8 kHz as a PNG data URI."""
    decibels, buffer = spectrogram_db(audio)[::2], io.BytesIO()
    width = decibels.shape[1]
    columns = np.linspace(0, width - 1, min(IMAGE_WIDTH, width)).astype(int)
    imsave(buffer, decibels[:, columns], format="png", **GREYS)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
