"""Controls for notebooks: move Stage 3's settings, plan a cost, explain an upload, live.

They need a kernel. The pages of the book show explorers that need none in their place.
"""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from .audio import Audio
from .explanation import explain
from .pipeline import align
from .planner import plan
from .plots import refinement
from .recognise import transcribe
from .refine import ALPHA, PADDING_SECONDS, SILENCE_RATIO

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
        shown.value = svg[svg.index("<svg") :]
        cuts = box.found.boundaries
        assert cuts is not None
        kind = "refined" if cuts.refined[box.boundary.value] else "fell back to the midpoint"
        told.value = f"Boundary at {cuts.times[box.boundary.value]:.3f} s, {kind}."

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


def upload(model: Any = "embedded") -> VBox:
    """Return a form: upload a recording, say or recognise what is said, press, see the values.

    Attributes: `file`, `text`, `method`, `masking`, `run` are controls, `message` says what went
    wrong, `found` is the last `Explanation`, or None.
    """
    import ipywidgets as w

    from .masking import KINDS
    from .shapley.estimate import METHODS

    box = w.VBox()
    box.file = w.FileUpload(accept=".wav,.flac,.ogg,.mp3", description="recording")
    box.text = w.Text(placeholder="what is said; empty: ask the recogniser", description="text")
    box.method = w.Dropdown(options=["auto", *METHODS], description="method")
    box.masking = w.Dropdown(options=KINDS, description="masking")
    box.run = w.Button(description="Explain", button_style="primary")
    box.message, shown, box.found = w.HTML(), w.HTML(), None

    def explained(_: Any = None) -> None:
        box.found, shown.value = None, ""
        if not box.file.value:
            box.message.value = "Choose a recording first."
            return
        box.run.disabled, box.message.value = True, "Working …"
        try:
            audio = _audio(bytes(box.file.value[0]["content"]))
            box.text.value = box.text.value.strip() or transcribe(audio)
            settings = {"method": box.method.value, "masking": box.masking.value}
            box.found = explain(audio, box.text.value, model, **settings)
            shown.value, box.message.value = box.found._repr_html_(), ""
        except (ValueError, OSError) as fault:
            from html import escape

            box.message.value = escape(str(fault))
        finally:
            box.run.disabled = False

    box.run.on_click(explained)
    box.children = (box.file, box.text, box.method, box.masking, box.run, box.message, shown)
    return box


def _audio(content: bytes) -> Audio:
    """Read what was uploaded."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "upload"
        file.write_bytes(content)
        try:
            return Audio.read(file)
        except ValueError as fault:
            raise ValueError(str(fault).replace(str(file), "the upload")) from fault
