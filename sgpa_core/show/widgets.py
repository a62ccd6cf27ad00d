"""Controls for notebooks: Stage 3's settings, the cost, muted words, an upload explained, all live.

They need a kernel. The pages of the book show explorers that need none in their place.
"""

from __future__ import annotations

import io
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import utility
from ..answers import Responses
from ..audio import Audio
from ..cost import plan
from ..explanation import Explanation, explain
from ..masking import mask
from ..models import load_model
from ..models.recognise import transcribe
from ..pipeline import align
from ..refine import ALPHA, PADDING_SECONDS, SILENCE_RATIO
from .player import signed
from .plots import refinement

if TYPE_CHECKING:
    from ipywidgets import VBox


def stage3(audio: Audio, text: str) -> VBox:
    """Return sliders for α, padding and silence threshold above the boundary that they move.

    Attributes of the box, to drive it from code: `boundary`, `alpha`, `padding_ms`, `silence` are
    controls, `found` is the last `Segmentation`.
    """
    import ipywidgets as w

    first = align(audio, text)
    assert first.alignment is not None
    at_words = np.flatnonzero(np.diff(first.alignment.word_of)) + 1
    names = [word.text for word in first.words]
    options = [
        (f"{names[k]} | {names[k + 1]}", int(place))
        for k, place in enumerate(at_words)
        if k + 1 < len(names)
    ]
    box = w.VBox()
    wide, padding_ms = {"description_width": "8rem"}, round(1000 * PADDING_SECONDS)
    box.boundary = w.Dropdown(options=options, description="between", style=wide)
    box.alpha = w.FloatSlider(ALPHA, min=0, max=1, step=0.05, description="α", style=wide)
    box.padding_ms = w.IntSlider(
        padding_ms, min=0, max=120, step=5, description="padding (ms)", style=wide
    )
    box.silence = w.FloatSlider(
        SILENCE_RATIO, min=0, max=1.5, step=0.05, description="silence threshold", style=wide
    )
    shown, told = w.HTML(), w.HTML()

    def draw(_: Any = None) -> None:
        import matplotlib.pyplot as plt

        settings = {"padding": box.padding_ms.value / 1000, "silence": box.silence.value}
        box.found = align(audio, text, alpha=box.alpha.value, **settings)
        figure, ax = plt.subplots(figsize=(7, 2.6))
        refinement(box.found, box.boundary.value, ax)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", bbox_inches="tight")
        plt.close(figure)
        svg = buffer.getvalue().decode()
        shown.value = svg[svg.index("<svg") :].replace("<svg", '<svg role="img"', 1)
        cuts = box.found.boundaries
        assert cuts is not None
        kind = "refined" if cuts.refined[box.boundary.value] else "fell back to the midpoint"
        told.value = (
            f"<p role='status'>Boundary at {cuts.times[box.boundary.value]:.3f} s, {kind}.</p>"
        )

    controls = (box.boundary, box.alpha, box.padding_ms, box.silence)
    for control in controls:
        control.observe(draw, "value")
    draw()
    box.children = (*controls, shown, told)
    return box


def cost(players: int = 8, seconds_per_call: float = 1.0, most: int = 150) -> VBox:
    """Return a slider for the number of players above what each estimator would cost.

    Attributes: `players`, `seconds`, and `table`, the last plan.
    """
    import ipywidgets as w

    box = w.VBox()
    box.players = w.IntSlider(players, min=2, max=most, description="players")
    box.seconds = w.BoundedFloatText(seconds_per_call, min=1e-6, max=3600, description="s a call")
    shown = w.HTML()

    def draw(_: Any = None) -> None:
        box.table = plan(box.players.value, box.seconds.value)
        shown.value = box.table.to_html(index=False, border=0, na_rep="")

    for control in (box.players, box.seconds):
        control.observe(draw, "value")
    draw()
    box.children = (box.players, box.seconds, shown)
    return box


def mute(found: Explanation, model: Any = "embedded") -> VBox:
    """Return a toggle for each player above what the model answers, now, to those that are on.

    Attributes: `words`, the toggles, and `told`, what is left to hear, the answer, its utility.

    Parameters
    ----------
    found : Explanation
        Its recording, players, masking and utility are used.
    model : str, AudioLM or Responses
        The one that was explained; `Responses` remember what it said.
    """
    import ipywidgets as w

    answers = _responses(model)
    assert found.segmentation.audio is not None
    whole = found.segmentation.audio.resample(answers.model.sample_rate)
    box = w.VBox()
    box.told = w.HTML()
    box.words = tuple(
        w.ToggleButton(True, description=f"{word} {signed(value)}", layout={"width": "auto"})
        for word, value in zip(found.players, found.values.tolist(), strict=True)
    )

    def draw(_: Any = None) -> None:
        present = np.array([word.value for word in box.words])
        for word in box.words:
            word.icon = "volume-up" if word.value else "volume-off"
        (left,) = mask(whole, found.spans, present[None], found.masking, found.fade)
        (said,) = answers([left])
        box.told.value = (
            f"{Audio(left, whole.sample_rate)._repr_html_()}<p role='status'>The model answers: "
            f"<b>{escape(said) or '(nothing)'}</b><br>{present.sum()} of {len(present)} players "
            f"heard{_worth(said, found)}</p>"
        )

    for word in box.words:
        word.observe(draw, "value")
    draw()
    box.children = (w.Box(box.words, layout={"flex_flow": "row wrap"}), box.told)
    return box


def upload(model: Any = "embedded") -> VBox:
    """Return a form: upload a recording, say or recognise what is said, press, see the values.

    Below the explanation its words can be muted, see `mute`.

    Attributes: `file`, `text`, `method`, `masking`, `run` are controls, `message` says what went
    wrong, `found` is the last `Explanation`, or None; `shown` is its page, `mute` its toggles.
    """
    import ipywidgets as w

    from ..masking import KINDS
    from ..shapley.estimate import METHODS

    box, answers = w.VBox(), None
    box.file = w.FileUpload(accept=".wav,.flac,.ogg,.mp3", description="recording")
    box.text = w.Text(placeholder="what is said; empty: ask the recogniser", description="text")
    box.method = w.Dropdown(options=["auto", *METHODS], description="method")
    box.masking = w.Dropdown(options=KINDS, description="masking")
    box.run = w.Button(description="Explain", button_style="primary")
    box.message, box.shown, box.found, box.mute = w.HTML(), w.HTML(), None, w.VBox()
    controls = (box.file, box.text, box.method, box.masking, box.run, box.message, box.shown)

    def explained(_: Any = None) -> None:
        nonlocal answers
        box.found, box.shown.value, box.children = None, "", controls
        if not box.file.value:
            box.message.value = "Choose a recording first."
            return
        box.run.disabled, box.message.value = True, "Working …"
        try:
            audio = _audio(bytes(box.file.value[0]["content"]))
            box.text.value = box.text.value.strip() or transcribe(audio)
            answers = answers or _responses(model)
            settings = {"method": box.method.value, "masking": box.masking.value}
            box.found = explain(audio, box.text.value, answers, **settings)
            box.mute = mute(box.found, answers)
            box.shown.value, box.message.value = box.found._repr_html_(), ""
            box.children = (*controls, box.mute)
        except (ValueError, OSError) as fault:
            box.message.value = escape(str(fault))
        finally:
            box.run.disabled = False

    def another(_: Any) -> None:
        box.text.value = ""  # what was said in the recording before

    box.file.observe(another, "value")
    box.run.on_click(explained)
    box.children = controls
    return box


def _responses(model: Any) -> Responses:
    if isinstance(model, Responses):
        return model
    return Responses(load_model(model) if isinstance(model, str) else model)


def _worth(said: str, found: Explanation) -> str:
    """What an answer is worth, where that can be told from the answer alone."""
    try:
        worth = utility.make(found.utility)([said], found.response)[0]
    except ValueError:
        return ""
    return f"; utility U(S) = {worth:.3f}"


def _audio(content: bytes) -> Audio:
    """Read what was uploaded."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "upload"
        file.write_bytes(content)
        try:
            return Audio.read(file)
        except ValueError as fault:
            raise ValueError(str(fault).replace(str(file), "the upload")) from fault
