"""Pictures: one style for the whole book, one function per stage.

Colours are Okabe and Ito's, which people with any common colour vision tell apart; what matters
is also told by line style or marker, so that figures survive a black-and-white printer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import refine
from ..ctc import Alignment, Emissions
from ..segments import Segmentation
from ..transcript import WILDCARD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..explanation import Explanation

COLOURS = {
    "blue": "#0072B2", "orange": "#E69F00", "green": "#009E73", "vermilion": "#D55E00",
    "purple": "#CC79A7", "sky": "#56B4E9", "grey": "#767676", "black": "#000000",
}  # fmt: skip
"""Okabe and Ito's colour-blind safe palette by name."""

WIDTH_INCHES = 7.5
_STYLE: Any = {
    "figure.figsize": (WIDTH_INCHES, 3.2),
    "figure.dpi": 110,
    "savefig.bbox": "tight",
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "image.cmap": "cividis",
    "figure.constrained_layout.use": True,
}


def style() -> None:
    """Make the book's style the default of matplotlib and seaborn in this session."""
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(_STYLE)
    mpl.rcParams["axes.prop_cycle"] = cycler(color=list(COLOURS.values()))


def spectrogram(segmentation: Segmentation, ax: Axes, highest_hz: float = 8000) -> None:
    """Draw the spectrogram of a recording: dB below its loudest point, 60 dB deep."""
    decibels, rate = spectrogram_db(segmentation)
    shown = decibels[: 1 + int(len(decibels) * min(1.0, 2 * highest_hz / rate))]
    ax.imshow(
        shown,
        origin="lower",
        aspect="auto",
        extent=(0, segmentation.duration, 0, min(highest_hz, rate / 2) / 1000),
        cmap="Greys",
        vmin=-60,
        vmax=0,
    )
    ax.set(ylabel="frequency (kHz)")
    ax.grid(False)


def spectrogram_db(segmentation: Segmentation) -> tuple[np.ndarray, int]:
    """Give the log-magnitude spectrogram in dB (frequencies × frames) and the sample rate."""
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    audio = _audio(segmentation)
    transform = ShortTimeFFT(hann(400, sym=False), hop=80, fs=audio.sample_rate, mfft=512)
    magnitude = np.abs(transform.stft(audio.samples, p0=0, p1=-(-len(audio.samples) // 80)))
    return 20 * np.log10(
        np.maximum(magnitude / max(magnitude.max(), 1e-9), 1e-6)
    ), audio.sample_rate


def segmentation(segmentation: Segmentation, title: str | None = None) -> Figure:
    """Draw a segmentation: waveform and spectrogram, words, boundaries before and after Stage 3.

    Solid lines are boundaries at an accepted minimum, dash-dotted ones fell back; dotted lines
    are the gaps' midpoints, where Stage 2 alone would cut.
    """
    import matplotlib.pyplot as plt

    audio = _audio(segmentation)
    figure, (top, bottom) = plt.subplots(
        2, 1, sharex=True, figsize=(WIDTH_INCHES, 3.8), height_ratios=(1, 1.2), layout="constrained"
    )
    times = np.arange(len(audio.samples)) / audio.sample_rate
    top.plot(times, audio.samples, color=COLOURS["grey"], linewidth=0.4, rasterized=True)
    peak = 1.05 * max(float(np.abs(audio.samples).max()), 1e-6)
    top.set(ylabel="amplitude", ylim=(-peak, peak), xlim=(0, segmentation.duration))
    spectrogram(segmentation, bottom)
    bottom.set(xlabel="time (s)")
    for index, word in enumerate(segmentation.words):
        top.axvspan(
            word.start, word.end, color=COLOURS["sky"], alpha=0.12 + 0.13 * (index % 2), lw=0
        )
        mark = "" if word.status == "aligned" else "*" if word.status == "interpolated" else "?"
        top.annotate(
            _drawable(word.text) + mark,
            ((word.start + word.end) / 2, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="left" if len(segmentation) > 12 else "center",
            va="bottom",
            rotation=35 if len(segmentation) > 7 else 0,
            annotation_clip=False,
        )
    for time, anchor, accepted in word_boundaries(segmentation):
        for ax in (top, bottom):
            ax.axvline(
                time,
                color=COLOURS["blue" if accepted else "vermilion"],
                linestyle="-" if accepted else "-.",
                linewidth=1.3,
            )
            ax.axvline(anchor, color=COLOURS["black"], linestyle=":", linewidth=1.0)
    if segmentation.boundaries is not None:
        _legend(
            figure,
            {
                "refined": ("blue", "-"),
                "fell back": ("vermilion", "-."),
                "gap midpoint": ("black", ":"),
            },
        )
    if title:
        figure.suptitle(title)
    return figure


def word_boundaries(segmentation: Segmentation) -> list[tuple[float, float, bool]]:
    """Give the boundaries of words: time, anchor before Stage 3 (seconds), accepted or not."""
    found, alignment = segmentation.boundaries, segmentation.alignment
    if found is None or alignment is None:
        times = sorted({t for word in segmentation.words for t in (word.start, word.end)})
        return [(time, time, True) for time in times]
    changes = np.flatnonzero(np.diff(alignment.word_of, prepend=-1, append=-1))
    return [
        (float(found.times[i]), float(found.anchors[i]), bool(found.refined[i])) for i in changes
    ]


def emissions(
    emissions: Emissions, alignment: Alignment | None = None, ax: Axes | None = None
) -> Axes:
    """Draw P(symbol | frame) with the best path on it; frames without a mark are blank."""
    import matplotlib.pyplot as plt

    if ax is None:
        ax = plt.subplots(figsize=(WIDTH_INCHES, 4.2), layout="constrained")[1]
    used = set(alignment.transcript.characters) if alignment else set(emissions.vocabulary)
    rows = [c for c, s in enumerate(emissions.vocabulary) if s in used or c == emissions.blank]
    rows.sort(key=lambda column: (column == emissions.blank, emissions.vocabulary[column]))
    end = float(emissions.seconds(len(emissions)))
    image = ax.imshow(
        np.exp(emissions.log_probs[:, rows].T),
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        vmin=0,
        vmax=1,
        extent=(emissions.offset_seconds, end, -0.5, len(rows) - 0.5),
    )
    names = ["blank" if c == emissions.blank else emissions.vocabulary[c] for c in rows]
    ax.set_yticks(range(len(rows)), names)
    ax.set(xlabel="time (s)", ylabel="symbol")
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label="P(symbol | frame)", pad=0.01)
    if alignment is not None:
        on = np.flatnonzero(alignment.path >= 0)
        symbols = [alignment.transcript.characters[i] for i in alignment.path[on]]
        kept = [k for k, symbol in enumerate(symbols) if symbol != WILDCARD and symbol in names]
        ax.plot(
            np.asarray(emissions.seconds(on[kept] + 0.5)),
            [names.index(symbols[k]) for k in kept],
            linestyle="none",
            marker="s",
            markersize=3.5,
            markerfacecolor="none",
            markeredgecolor=COLOURS["vermilion"],
            label="best path",
        )
        ax.legend(loc="upper left", bbox_to_anchor=(0, 1.09), borderaxespad=0)
    return ax


def refinement(segmentation: Segmentation, boundary: int, ax: Axes | None = None) -> Axes:
    """Draw the search at one character boundary: energy, flux, cost, window, gap and outcome.

    Parameters
    ----------
    segmentation : Segmentation
        With its boundaries, that is not read from a file.
    boundary : int
        0 is the first edge, N the last one, ``i`` lies between characters ``i - 1`` and ``i``.
    ax : matplotlib Axes, optional
    """
    import matplotlib.pyplot as plt

    found, alignment = segmentation.boundaries, segmentation.alignment
    if found is None or alignment is None:
        raise ValueError(
            "this segmentation was read from a file: its boundaries' search is not in it"
        )
    if not 0 <= boundary < len(found.times):
        raise ValueError(f"boundary must be 0 to {len(found.times) - 1}, not {boundary}")
    if ax is None:
        ax = plt.subplots(layout="constrained")[1]
    low, high = found.windows[boundary]
    features = refine.features(_audio(segmentation))
    inside = (features.times >= low - 1e-6) & (features.times <= high + 1e-6)
    energy, flux = (_unit(values[inside]) for values in (features.energy, features.flux))
    cost = segmentation.alpha * energy + (1 - segmentation.alpha) * flux
    times = 1000 * features.times[inside]
    ax.plot(times, energy, color=COLOURS["orange"], linestyle="--", label="energy E")
    ax.plot(times, flux, color=COLOURS["green"], linestyle=":", label="flux SF")
    ax.plot(
        times, cost, color=COLOURS["blue"], linewidth=2, label=f"cost, α = {segmentation.alpha:g}"
    )
    if 0 < boundary < len(alignment.characters):
        gap = 1000 * alignment.gaps[boundary - 1]
        ax.axvspan(*gap, color=COLOURS["sky"], alpha=0.25, lw=0, label="gap [t_L, t_R]")
    ax.axvline(1000 * found.anchors[boundary], color="black", linestyle=":", label="midpoint")
    accepted = found.refined[boundary]
    ax.axvline(
        1000 * found.times[boundary],
        color=COLOURS["blue" if accepted else "vermilion"],
        linestyle="-" if accepted else "-.",
        label="boundary" + ("" if accepted else " (fell back)"),
    )
    left = alignment.characters[boundary - 1] if boundary else "start"
    right = alignment.characters[boundary] if boundary < len(alignment.characters) else "end"
    ax.set(xlabel="time (ms)", ylabel="scaled to the window", title=f"{left} | {right}")
    ax.set(xlim=(1000 * low, 1000 * high), ylim=(-0.05, 1.08))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def explanation(explanation: Explanation, title: str | None = None) -> Figure:
    """Draw an explanation: spectrogram and players above, a bar per player below, in its place.

    A bar is as wide as its player is long. Blue bars speak for the answer, vermilion hatched ones
    against it; whiskers are one standard error.
    """
    import matplotlib.pyplot as plt

    assert explanation.segmentation.audio is not None
    shown = explanation.partition.show(explanation.segmentation.audio)
    figure, (top, bottom) = plt.subplots(
        2, 1, sharex=True, figsize=(WIDTH_INCHES, 4.2), height_ratios=(1, 1.3), layout="constrained"
    )
    spectrogram(shown, top)
    for edge in np.unique(explanation.spans):
        top.axvline(edge, color=COLOURS["blue"], linewidth=1.0)
    starts, widths = explanation.spans[:, 0], np.diff(explanation.spans, axis=1)[:, 0]
    values = explanation.values
    bars = bottom.bar(starts, values, widths, align="edge", edgecolor="white", linewidth=0.8)
    for bar, value in zip(bars, values, strict=True):
        bar.set_facecolor(COLOURS["blue" if value >= 0 else "vermilion"])
        bar.set_hatch("" if value >= 0 else "///")
    stderr = explanation.stderr
    if stderr is not None and stderr.any():
        bottom.errorbar(
            starts + widths / 2, values, stderr, fmt="none", ecolor="black", elinewidth=1, capsize=2
        )
    bottom.axhline(0, color="black", linewidth=0.8)
    if explanation.partition.kind in ("words", "ctc", "characters"):
        for label, start, width in zip(explanation.players, starts, widths, strict=True):
            bottom.annotate(
                _drawable(label),
                (start + width / 2, 1.0),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="top",
                rotation=0 if len(explanation) <= 8 else 90,
            )
        bottom.margins(y=0.18)
    bottom.set(xlabel="time (s)", ylabel=f"Shapley value ({explanation.utility})")
    bottom.set(xlim=(0, shown.duration))
    answer = _drawable(explanation.response) or "(nothing)"
    figure.suptitle(title or f"answer: {answer}", x=0.02, ha="left", fontsize=11)
    return figure


def _drawable(text: str) -> str:
    """A word as matplotlib can draw it: characters that its font lacks become boxes."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(c if ord(c) in known else "□" for c in text).replace("$", r"\$")


def _unit(values: np.ndarray) -> np.ndarray:
    span = values.max() - values.min()
    return (values - values.min()) / (span if span > 0 else 1.0)


def _audio(segmentation: Segmentation):  # type: ignore[no-untyped-def]
    if segmentation.audio is None:
        raise ValueError("this segmentation was read from a file and has no audio to draw")
    return segmentation.audio


def _legend(figure: Figure, entries: dict[str, tuple[str, Any]]) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=COLOURS[c], linestyle=s) for c, s in entries.values()]
    figure.legend(lines, list(entries), loc="outside lower right", ncols=len(entries), fontsize=9)
