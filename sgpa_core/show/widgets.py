"""Controls for notebooks: Stage 3's settings, the cost, muted words, an upload explained, all live.

They need a kernel. The pages of the book show explorers that need none in their place.
"""

import io
from collections.abc import Callable, Iterable
from html import escape
from itertools import pairwise
from typing import Any

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np

from ..answers import Answers
from ..audio import Audio
from ..cost import plan
from ..explainer import explain
from ..explanation import Explanation
from ..masking import KINDS
from ..pipeline import align
from ..refine import ALPHA, PADDING_SECONDS, SILENCE_RATIO
from ..shapley.estimate import METHODS
from ..speech_game import SpeechGame
from ..utility import LOG_LIKELIHOOD, make_utility
from .player import views
from .plots import refinement, signed


def stage3(audio: Audio, text: str) -> w.VBox:
    """Return sliders for α, padding and silence threshold above the boundary that they move.

    Attributes of the box, to drive it from code: `boundary`, `alpha`, `padding_ms`, `silence` are
    controls, `segmentation` is the last `Segmentation`.
    """
    box, first = w.VBox(), align(audio, text, refine="sgpa")
    assert first.alignment is not None
    names, edges = [word.text for word in first.spoken], first.alignment.word_edges[1:-1].tolist()
    between = [f"{left} | {right}" for left, right in pairwise(names)]
    style, milliseconds = {"description_width": "8rem"}, round(1000 * PADDING_SECONDS)

    def slider(kind: Any, value: float, most: float, step: float, description: str) -> Any:
        return kind(value, min=0, max=most, step=step, description=description, style=style)

    options = list(zip(between, edges, strict=True))
    box.boundary = w.Dropdown(options=options, description="between", style=style)
    box.alpha = slider(w.FloatSlider, ALPHA, 1, 0.05, "α")
    box.padding_ms = slider(w.IntSlider, milliseconds, 120, 5, "padding (ms)")
    box.silence = slider(w.FloatSlider, SILENCE_RATIO, 1.5, 0.05, "silence threshold")
    picture, status = w.HTML(), w.HTML()

    def draw(_: Any = None) -> None:
        padding, place = box.padding_ms.value / 1000, box.boundary.value
        settings = {"alpha": box.alpha.value, "padding": padding, "silence": box.silence.value}
        box.segmentation = align(audio, text, refine="sgpa", **settings)
        figure, ax = plt.subplots(figsize=(7, 2.6))
        refinement(box.segmentation, place, ax)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", bbox_inches="tight")
        plt.close(figure)
        picture.value = '<svg role="img"' + buffer.getvalue().partition("<svg")[2]
        cuts = box.segmentation.boundaries
        outcome = "refined" if cuts.refined[place] else "fell back to the midpoint"
        status.value = f"<p role='status'>Boundary at {cuts.times[place]:.3f} s, {outcome}.</p>"

    controls = (box.boundary, box.alpha, box.padding_ms, box.silence)
    return _live(box, controls, (*controls, picture, status), draw)


def cost(players: int = 8, seconds_per_call: float = 1.0, most: int = 150) -> w.VBox:
    """Return a slider for the number of players above what each estimator would cost.

    Attributes: `players`, `seconds`, and `table`, the last plan.
    """
    box, shown = w.VBox(), w.HTML()
    box.players = w.IntSlider(players, min=2, max=most, description="players")
    box.seconds = w.BoundedFloatText(seconds_per_call, min=1e-6, max=3600, description="s a call")

    def draw(_: Any = None) -> None:
        box.table = plan(box.players.value, box.seconds.value)
        shown.value = box.table.to_html(index=False, border=0, na_rep="")

    controls = (box.players, box.seconds)
    return _live(box, controls, (*controls, shown), draw)


def mute(explanation: Explanation, model: Any = "assistant") -> w.VBox:
    """Return a toggle for each player above what the model answers, now, to those that are on.

    Attributes: `words`, the toggles, and `status`: what is left to hear, the answer, its utility.

    Parameters
    ----------
    explanation : Explanation
        Its recording, players, masking and utility are used.
    model : str, AudioLM or Answers
        The one that was explained; `Answers` remember what was asked before.
    """
    audio = explanation.segmentation.audio
    assert audio is not None
    game = SpeechGame(audio, explanation.partition, model, explanation.masking, explanation.fade)
    worth, box = None, w.VBox()
    if explanation.rule != LOG_LIKELIHOOD:  # which would ask the model once more for each click
        rule = make_utility(explanation.rule, explanation.coalition_answers)
        worth = game.under(rule, explanation.towards or explanation.answer, explanation.against)
    box.status = w.HTML()
    box.words = tuple(
        w.ToggleButton(True, description=f"{label} {signed(value)}", layout={"width": "auto"})
        for label, value in zip(explanation.players, explanation.values.tolist(), strict=True)
    )

    def draw(_: Any = None) -> None:
        present = np.array([[word.value for word in box.words]])
        for word in box.words:
            word.icon = "volume-up" if word.value else "volume-off"
        (answer,), (left,) = game.answers(present), game.waveforms(present)
        value = f"; utility U(S) = {worth(present)[0]:.3f}" if worth is not None else ""
        box.status.value = (
            f"{Audio(left, game.audio.sample_rate)._repr_html_()}<p role='status'>The model "
            f"answers: <b>{escape(answer) or '(nothing)'}</b><br>{present.sum()} of {present.size} "
            f"players heard{value}</p>"
        )

    toggles = w.Box(box.words, layout={"flex_flow": "row wrap"})
    return _live(box, box.words, (toggles, box.status), draw)


def upload(model: Any = "assistant") -> w.VBox:
    """Return a form: upload a recording, type or recognise its transcript, explain the answer.

    Below the explanation its words can be muted, see `mute`.

    Attributes: `file`, `text`, `method`, `masking`, `towards`, `against`, `inside`, `run` are
    controls, `message` says what goes on or went wrong, `explanation` is the last `Explanation`, or
    None; `shown` is its page, `mute` its toggles.
    """
    from ..models.recognise import transcribe

    box, answers = w.VBox(), None
    box.file = w.FileUpload(accept=".wav,.flac,.ogg,.mp3", description="recording")
    box.text = w.Text(placeholder="what is said; empty: ask the recogniser", description="text")
    box.method = w.Dropdown(options=["auto", *METHODS], description="method")
    box.masking = w.Dropdown(options=KINDS, description="masking")
    box.towards = w.Text(placeholder="a text to explain in the answers", description="towards")
    box.against = w.Text(placeholder="a text to set against it", description="against")
    box.inside = w.Checkbox(False, description="look inside the words that matter")
    box.run = w.Button(description="Explain", button_style="primary")
    box.message, box.shown, box.explanation, box.mute = w.HTML(), w.HTML(), None, w.VBox()
    settings = {name: getattr(box, name) for name in ("method", "masking", "towards", "against")}
    controls = (box.file, box.text, *settings.values(), box.inside, box.run, box.message, box.shown)

    def run(_: Any) -> None:
        nonlocal answers
        box.explanation, box.shown.value, box.children = None, "", controls
        if not box.file.value:
            box.message.value = "Choose a recording first."
            return
        box.run.disabled, box.message.value = True, "Working …"
        try:
            audio = Audio.read(bytes(box.file.value[0]["content"]))
            box.text.value = box.text.value.strip() or transcribe(audio)
            answers = answers or Answers.of(model)
            chosen = {name: control.value for name, control in settings.items()}
            box.explanation = explain(audio, box.text.value, answers, **chosen)
            box.mute, inside = mute(box.explanation, answers), None
            if box.inside.value:
                count = box.explanation.inside()["evaluations"].sum()
                box.message.value = f"Looking inside words: at most {count} evaluations …"
                inside = box.explanation.inside(answers)
            box.shown.value = box.explanation._repr_html_() + views(box.explanation, inside)
            box.message.value = ""
            box.children = (*controls, box.mute)
        except (ValueError, OSError) as fault:
            box.message.value = escape(str(fault))
        finally:
            box.run.disabled = False

    def forget(_: Any) -> None:
        box.text.value = ""  # the transcript of the recording before

    box.file.observe(forget, "value")
    box.run.on_click(run)
    box.children = controls
    return box


def _live(
    box: w.VBox, controls: Iterable[Any], children: tuple[Any, ...], draw: Callable[..., None]
) -> w.VBox:
    """Fill a box whose controls redraw it."""
    for control in controls:
        control.observe(draw, "value")
    draw()
    box.children = children
    return box
