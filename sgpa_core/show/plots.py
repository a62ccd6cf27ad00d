"""Pictures: one style for the whole book, one function per stage.

Colours are Okabe and Ito's, which people with any common colour vision tell apart. Line styles and
markers repeat what colours show, so that figures can be printed in black and white.
"""

from __future__ import annotations

from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Arc
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from ..audio import Audio
from ..checks import choice, whole
from ..ctc import Alignment, Emissions
from ..explanation import Explanation
from ..refine import features
from ..segments import Segmentation
from ..transcript import WILDCARD

if TYPE_CHECKING:
    import pandas as pd

#: Okabe and Ito's colour-blind safe palette by name.
COLOURS = {
    "blue": "#0072B2", "orange": "#E69F00", "green": "#009E73", "vermilion": "#D55E00",
    "purple": "#CC79A7", "sky": "#56B4E9", "grey": "#767676", "black": "#000000",
}  # fmt: skip

#: The colour of each estimator, the same on every page.
ESTIMATORS = {
    "exact": COLOURS["black"], "surrogate": COLOURS["blue"], "kernel": COLOURS["sky"],
    "permutation": COLOURS["green"], "cc": COLOURS["purple"], "cc-neyman": COLOURS["orange"],
    "cc-neyman-published": COLOURS["vermilion"],
}  # fmt: skip

#: How a spectrogram in dB is drawn.
GREYS: Any = {"cmap": "Greys", "vmin": -60, "vmax": 0, "origin": "lower"}

#: How a boundary is drawn, by the outcome of Stage 3.
BOUNDARIES: dict[str, Any] = {
    "refined": {"color": COLOURS["blue"], "linestyle": "-", "linewidth": 1.3},
    "fell back": {"color": COLOURS["vermilion"], "linestyle": "-.", "linewidth": 1.3},
    "gap midpoint": {"color": COLOURS["black"], "linestyle": ":", "linewidth": 1.0},
}

#: What follows a word in a picture, by its status.
MARKS = {"aligned": "", "interpolated": "*", "unalignable": "?"}

#: How a tag is written over its boundary: the line ends at the letters.
TAG: Any = {"fontsize": 8, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}}

#: Players whose labels are words.
NAMED = ("words", "ctc", "characters")

#: Seconds that are drawn on each side of the words whose inside is drawn.
MARGIN = 0.1

#: Letters of a sentence up to which it is written below its arcs in one line.
MOST_LETTERS = 60

#: Letters of a label beside a picture.
LONGEST = 20

#: Columns of a heat map up to which the numbers are written into it.
MOST_NUMBERS = 10

#: Of all pictures: their text can be read on a phone.
WIDTH_INCHES = 5.2


def style() -> None:
    """Make the book's style the default of matplotlib and seaborn in this session."""
    plt.style.use(Path(__file__).with_name("book.mplstyle"))
    plt.rcParams["axes.prop_cycle"] = plt.cycler(color=list(COLOURS.values()))


def spectrogram(audio: Audio, ax: Axes, highest_hz: float = 8000) -> None:
    """Draw the spectrogram of a recording: dB below its loudest point, 60 dB deep."""
    extent = (0, audio.duration, 0, min(highest_hz, audio.sample_rate / 2) / 1000)
    ax.imshow(spectrogram_db(audio, highest_hz), aspect="auto", extent=extent, **GREYS)
    ax.set(ylabel="frequency (kHz)")
    ax.grid(False)


def spectrogram_db(audio: Audio, highest_hz: float = 8000) -> np.ndarray:
    """Give the log-magnitude spectrogram up to a frequency in dB, (frequencies, frames)."""

    transform = ShortTimeFFT(hann(400, sym=False), hop=80, fs=audio.sample_rate, mfft=512)
    magnitude = np.abs(transform.stft(audio.samples, p0=0, p1=-(-len(audio.samples) // 80)))
    decibels = 20 * np.log10(np.maximum(magnitude / max(magnitude.max(), 1e-9), 1e-6))
    return decibels[: 1 + int(len(decibels) * min(1.0, 2 * highest_hz / audio.sample_rate))]


def segmentation(segmentation: Segmentation, title: str | None = None) -> Figure:
    """Draw a segmentation: waveform and spectrogram, words, boundaries before and after Stage 3.

    Solid lines are boundaries at an accepted minimum, dash-dotted ones fell back; dotted lines
    are the gaps' midpoints, where Stage 2 alone would cut.
    """
    audio = _audio(segmentation)
    figure, (top, bottom) = _panels(4.2, 1.2)
    times = np.arange(len(audio.samples)) / audio.sample_rate
    top.plot(times, audio.samples, color=COLOURS["grey"], linewidth=0.4, rasterized=True)
    peak = 1.05 * max(float(np.abs(audio.samples).max()), 1e-6)
    top.set(ylabel="amplitude", ylim=(-peak, peak), xlim=(0, audio.duration))
    spectrogram(audio, bottom)
    bottom.set(xlabel="time (s)")
    for index, word in enumerate(segmentation.spoken):
        shade = 0.12 + 0.13 * (index % 2)
        top.axvspan(word.start, word.end, color=COLOURS["sky"], alpha=shade, lw=0)
        place = {"xytext": (0, 4), "textcoords": "offset points", "annotation_clip": False}
        place |= {"ha": "left", "rotation": 35}
        middle = (word.start + word.end) / 2
        _label(top, word.text + MARKS[word.status], middle, 1.0, va="bottom", **place)
    silent = (word for word in segmentation.words if word.start == word.end)  # tags
    for time, tags in groupby(silent, lambda word: word.start):
        _label(top, " ".join(tag.text for tag in tags), time, 0.06, rotation=90, **TAG)
    drawn = {}
    for time, anchor, accepted in word_boundaries(segmentation):
        for name, at in (("refined" if accepted else "fell back", time), ("gap midpoint", anchor)):
            top.axvline(at, **BOUNDARIES[name])
            drawn[name] = bottom.axvline(at, **BOUNDARIES[name])
    if segmentation.boundaries is not None:
        figure.legend([*drawn.values()], [*drawn], loc="outside lower right", ncols=3, fontsize=9)
    if title:
        figure.suptitle(title)
    return figure


def word_boundaries(segmentation: Segmentation) -> list[tuple[float, float, bool]]:
    """Give the boundaries of words: time, anchor before Stage 3 (seconds), accepted or not."""
    boundaries, alignment = segmentation.boundaries, segmentation.alignment
    if boundaries is None or alignment is None:
        return [(time, time, True) for time in np.unique(segmentation.spans).tolist()]
    columns = (boundaries.times, boundaries.anchors, boundaries.refined)
    return list(zip(*(values[alignment.word_edges].tolist() for values in columns), strict=True))


def emissions(
    emissions: Emissions, alignment: Alignment | None = None, ax: Axes | None = None
) -> Axes:
    """Draw P(symbol | frame) with the best path on it; frames without a mark are blank.

    With an alignment there is a row for each character of the transcript, from the first at the
    top to the last, so that the path is a diagonal; without one, a row for each symbol.
    """
    ax = ax or plt.subplots(figsize=(WIDTH_INCHES, 5.6), layout="constrained")[1]
    heard = dict(zip(emissions.vocabulary, np.exp(emissions.log_probs.T), strict=True))
    blank = heard.pop(emissions.vocabulary[emissions.blank])
    symbols = alignment.transcript.characters if alignment else [*heard]
    heard[WILDCARD] = 1 - blank
    rows = {place: symbol for place, symbol in enumerate(symbols) if symbol in heard}
    times = emissions.seconds(np.arange(len(emissions) + 1))
    edges = np.arange(len(rows) + 2) - 0.5
    shown = [*(heard[symbol] for symbol in rows.values()), blank]
    image = ax.pcolormesh(times, edges, shown, vmin=0, vmax=1, cmap="Greys", rasterized=True)
    ax.set_yticks(range(len(shown)), [*rows.values(), "blank"], fontsize=9)
    ax.set(xlabel="time (s)", ylabel="character" if alignment else "symbol")
    ax.invert_yaxis()
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, label="P(symbol | frame)", pad=0.01, aspect=40)
    if alignment is not None:
        on = np.flatnonzero(alignment.path >= 0)
        places = np.searchsorted([*rows], alignment.path[on])
        look: Any = {"ms": 4.5, "mfc": "none", "mec": COLOURS["purple"], "mew": 1.3}
        ax.plot(np.asarray(emissions.seconds(on + 0.5)), places, "s", label="best path", **look)
        ax.legend(loc="upper right")
    return ax


def refinement(segmentation: Segmentation, boundary: int, ax: Axes | None = None) -> Axes:
    """Draw the paper's search at one boundary: energy, flux, cost, window, gap and outcome.

    A dot marks the least cost. The boundary is there, or at the edge of the gap if the dot lies
    outside the gap, or at the midpoint if the dot is not quiet.

    Parameters
    ----------
    segmentation : Segmentation
        By ``refine="sgpa"``, with its boundaries, that is not read from a file.
    boundary : int
        0 is the first edge, N the last one, ``i`` lies between characters ``i - 1`` and ``i``.
    ax : matplotlib Axes, optional
    """

    cuts, alignment, alpha = segmentation.boundaries, segmentation.alignment, segmentation.alpha
    if cuts is None or alignment is None:
        raise ValueError("this segmentation was read from a file, without its boundaries' search")
    choice(segmentation.method, ("sgpa",), "refinement to draw")
    whole(boundary, "boundary", 0, len(cuts.times) - 1)
    ax = ax or plt.subplots(layout="constrained")[1]
    low, high = cuts.windows[boundary]
    shown = features(_audio(segmentation))
    inside = (shown.times >= low - 1e-6) & (shown.times <= high + 1e-6)
    energy, flux = (_unit(values[inside]) for values in (shown.energy, shown.flux))
    cost, times = alpha * energy + (1 - alpha) * flux, 1000 * shown.times[inside]
    ax.plot(times, energy, color=COLOURS["grey"], linestyle="--", label="energy E")
    ax.plot(times, flux, color=COLOURS["grey"], linestyle=":", label="flux SF")
    ax.plot(times, cost, color=COLOURS["blue"], linewidth=2, label=f"cost, α = {alpha:g}")
    ax.plot(times[cost.argmin()], cost.min(), "o", color=COLOURS["blue"], label="least cost")
    edges = ["start", *alignment.characters, "end"]
    if 0 < boundary < len(alignment.characters):
        gap = 1000 * alignment.gaps[boundary - 1]
        ax.axvspan(*gap, color=COLOURS["sky"], alpha=0.25, lw=0, label="gap [t_L, t_R]")
    ax.axvline(1000 * cuts.anchors[boundary], color="black", linestyle=":", label="midpoint")
    outcome = "refined" if cuts.refined[boundary] else "fell back"
    ax.axvline(1000 * cuts.times[boundary], **BOUNDARIES[outcome], label="boundary")
    ax.set(xlabel="time (ms)", xlim=(1000 * low, 1000 * high), ylim=(-0.05, 1.08))
    ax.set(ylabel="scaled to the window")
    ax.set_title(f"{edges[boundary]} | {edges[boundary + 1]}: {outcome}")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=3, fontsize=9)
    return ax


def explanation(
    explanation: Explanation, title: str | None = None, inside: pd.DataFrame | None = None
) -> Figure:
    """Draw an explanation: spectrogram and players above, a bar per player below, in its place.

    A bar is as wide as its player is long. Blue bars speak for the answer, vermilion hatched ones
    against it; whiskers are one standard error. With `inside`, of
    `Explanation.inside`, the bars are the parts of words, and only those words are
    drawn.
    """
    audio, bars = _audio(explanation.segmentation), explanation.to_frame()
    named, limits = explanation.partition.kind in NAMED, [0, audio.duration]
    if inside is not None and "part" not in inside:
        raise ValueError("inside is what Explanation.inside returns with a model, not the plan")
    if inside is not None:
        bars, named = inside.assign(player=inside["part"]), True
        limits = [bars["start"].min() - MARGIN, bars["end"].max() + MARGIN]
    values, starts = bars["value"].to_numpy(), bars["start"].to_numpy()
    widths, edges = bars["end"] - bars["start"], np.unique(bars[["start", "end"]])
    figure, (top, bottom) = _panels(4.2, 1.3)
    spectrogram(audio, top)
    for edge in edges:
        top.axvline(edge, color=COLOURS["blue"], linewidth=1.0)
    look: Any = {"color": [COLOURS["blue" if value >= 0 else "vermilion"] for value in values]}
    look |= {"hatch": ["" if value >= 0 else "///" for value in values], "edgecolor": "white"}
    bottom.bar(starts, values, widths, align="edge", linewidth=0.8, **look)
    stderr, middles = bars["stderr"].to_numpy(dtype=float), starts + widths / 2
    if np.nansum(stderr):
        bottom.errorbar(
            middles, values, stderr, fmt="none", ecolor="black", elinewidth=1, capsize=2
        )
    bottom.axhline(0, color="black", linewidth=0.8)
    if named:
        turned = 0 if max(map(len, bars["player"])) == 1 or len(bars) <= 8 else 90
        for label, middle in zip(bars["player"], middles, strict=True):
            _label(bottom, label, middle, 1.0, va="top", rotation=turned)
        bottom.margins(y=0.18)
    bottom.set(xlabel="time (s)", ylabel=f"Shapley value ({explanation.utility})", xlim=limits)
    answer = _short(explanation.answer, 80) or "(nothing)"
    figure.suptitle(title or f"answer: {answer}", x=0.02, ha="left", fontsize=11)
    return figure


def answer_words(explanation: Explanation) -> Figure:
    """Draw what each spoken word is worth for each word of the answer, as a heat map."""
    from seaborn import heatmap  # slow to import

    frame = explanation.answer_words().T.round(2) + 0.0
    frame.index, frame.columns = map(_short, frame.index), map(_short, frame.columns)
    size = (WIDTH_INCHES, 1.4 + 0.26 * len(frame))
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    colours = LinearSegmentedColormap.from_list("", [COLOURS["vermilion"], "w", COLOURS["blue"]])
    reach = max(1e-9, float(frame.abs().to_numpy().max()))
    unit = "log-likelihood, nats" if not explanation.coalition_answers else "presence"
    look: Any = {"cmap": colours, "vmin": -reach, "vmax": reach, "linewidths": 0.5}
    look |= {"annot": len(frame.columns) <= MOST_NUMBERS, "fmt": ".2f", "annot_kws": {"size": 9}}
    heatmap(frame, ax=ax, cbar_kws={"label": f"Shapley value ({unit})"}, **look)
    ax.set(xlabel="spoken word", ylabel="word of the answer")
    ax.tick_params(axis="y", rotation=0)
    widest = max((len(a + b) / 2 + 1 for a, b in pairwise(frame.columns)), default=0)
    ax.tick_params(axis="x", rotation=90 if widest * frame.shape[1] > MOST_LETTERS / 2 else 0)
    return figure


def together(explanation: Explanation, most: int = 6) -> Figure:
    """Draw the strongest interactions of spoken words as arcs over the sentence.

    Blue, solid: the two need each other; vermilion, dashed: one can stand in for the other. The
    wider an arc, the stronger. Only those that are surely not 0.
    """
    pairs, words = explanation.together(), explanation.players
    pairs = pairs[pairs["reading"] != ""].head(most)
    places = np.cumsum([0, *(len(_short(a) + _short(b)) / 2 + 2 for a, b in pairwise(words))])
    figure, ax = plt.subplots(figsize=(WIDTH_INCHES, 2.6), layout="constrained")
    strongest = pairs["interaction"].abs().max()
    for pair in pairs.itertuples():
        left, right = places[[pair.first, pair.second]]
        positive = pair.interaction > 0
        look: Any = {"color": COLOURS["blue" if positive else "vermilion"], "fill": False}
        look |= {"linestyle": "-" if positive else "--"}
        look |= {"linewidth": 0.8 + 3 * abs(pair.interaction) / strongest}
        height = 2 * (pair.second - pair.first)
        ax.add_patch(Arc(((left + right) / 2, 0.3), right - left, height, theta2=180, **look))
        number = {"ha": "center", "va": "bottom", "fontsize": 9, "color": look["color"]}
        number["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        ax.text((left + right) / 2, 0.32 + height / 2, signed(pair.interaction), **number)
    highest = (pairs["second"] - pairs["first"]).max() if len(pairs) else 1
    ax.set(xlim=(-4, places[-1] + 4), ylim=(0.2, highest + 1), yticks=[])
    ax.set_xticks(places, map(_short, words), rotation=90 if places[-1] > MOST_LETTERS else 0)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(False)
    ax.set_title("blue: need each other; vermilion: stand in for each other", fontsize=9)
    return figure


def signed(value: float) -> str:
    """Give a value as it stands below a word or at an arc.

    >>> signed(-0.126), signed(0.0)
    ('−0.13', '+0.00')
    """
    return f"{value:+.2f}".replace("-", "−")


def _panels(height: float, ratio: float) -> tuple[Figure, Any]:
    """Make a figure of two axes, one above the other; the lower is `ratio` times as high."""
    look: Any = {"figsize": (WIDTH_INCHES, height), "height_ratios": (1, ratio)}
    return plt.subplots(2, 1, sharex=True, layout="constrained", **look)


def _label(ax: Axes, text: str, time: float, height: float, **look: Any) -> None:
    """Write at a time and at a part of the height."""
    place = {"xycoords": ("data", "axes fraction"), "ha": "center"} | look
    ax.annotate(_drawable(text), (time, height), **place)


def _drawable(text: str) -> str:
    """Replace characters that matplotlib's font lacks by boxes."""
    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(c if ord(c) in known else "□" for c in text).replace("$", r"\$")


def _short(label: str, most: int = LONGEST) -> str:
    """Cut a label that would leave no room for the picture."""
    return _drawable(label if len(label) <= most else f"{label[: most - 1]}…")


def _unit(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / (np.ptp(values) or 1.0)


def _audio(segmentation: Segmentation) -> Audio:
    if segmentation.audio is None:
        raise ValueError("this segmentation was read from a file and has no audio to draw")
    return segmentation.audio
