"""Pictures and the player: every word is in them, strange text does no harm."""

import html.parser
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from tiny_models import wav2vec2

from sgpa_core import Audio, align, load_aligner
from sgpa_core.ctc import forced_align
from sgpa_core.show import plots

TEXT = "It's $10 for <script>alert(1)</script> 北京 & \"tea\" 'now'"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_aligner(str(wav2vec2(tmp_path_factory.mktemp("tiny"))))


@pytest.fixture(scope="module")
def segmentation(model):
    rng = np.random.default_rng(0)
    loud = np.repeat(rng.uniform(0, 0.3, 30), 1600)
    return align(Audio(rng.uniform(-1, 1, 48000) * loud, 16000), TEXT, model, "sgpa")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_a_segmentation_shows_every_word_and_boundary(segmentation):
    figure = segmentation.plot(title="one utterance")
    figure.canvas.draw()
    top, bottom = figure.axes
    labels = [text.get_text() for text in top.texts]
    assert len(labels) == len(segmentation.words)
    assert labels[0] == "It's"
    assert bottom.get_xlabel() == "time (s)"
    drawn = {round(line.get_xdata()[0], 6) for line in bottom.lines}
    assert drawn >= {round(word.start, 6) for word in segmentation.words}


def test_word_boundaries_are_the_words_edges(segmentation):
    times = [time for time, _, _ in plots.word_boundaries(segmentation)]
    assert times == [segmentation.words[0].start, *(word.end for word in segmentation.words)]


def test_emissions_show_the_best_path_as_a_diagonal(segmentation, model):
    emissions, alignment = model.emissions(segmentation.audio), segmentation.alignment
    ax = plots.emissions(emissions, alignment)
    ax.figure.canvas.draw()
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert rows == [*alignment.transcript.characters, "blank"]
    assert ax.get_ylim() == (len(rows) - 0.5, -0.5)
    spoken = np.flatnonzero(alignment.path >= 0)
    times, places = ax.lines[0].get_data()
    assert places.tolist() == alignment.path[spoken].tolist()
    assert (np.diff(places) >= 0).all()
    assert times == pytest.approx(emissions.seconds(spoken + 0.5))
    shown = np.asarray(ax.collections[0].get_array())
    assert shown[-1] == pytest.approx(np.exp(emissions.log_probs[:, emissions.blank]))
    assert shown[rows.index("*")] == pytest.approx(1 - shown[-1])


def test_emissions_leave_out_what_the_model_cannot_emit(segmentation, model):
    whole = model.emissions(segmentation.audio)
    kept = [k for k, symbol in enumerate(whole.vocabulary) if symbol != "|"]
    vocabulary = tuple(whole.vocabulary[k] for k in kept)
    emissions = replace(
        whole, log_probs=whole.log_probs[:, kept], vocabulary=vocabulary,
        blank=kept.index(whole.blank))  # fmt: skip
    alignment = forced_align(emissions, segmentation.alignment.transcript)
    ax = plots.emissions(emissions, alignment)
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert rows == [*alignment.transcript.characters.replace("|", ""), "blank"]
    drawn = [rows[place] for place in ax.lines[0].get_ydata()]
    path = alignment.path[alignment.path >= 0]
    assert drawn == [alignment.transcript.characters[k] for k in path]
    ax = plots.emissions(emissions)
    assert len(ax.get_yticklabels()) == len(vocabulary) and ax.get_ylabel() == "symbol"


def test_refinement_shows_the_search(segmentation):
    for boundary in (0, 3, len(segmentation.boundaries.times) - 1):
        ax = plots.refinement(segmentation, boundary)
        ax.figure.canvas.draw()
        cost = ax.lines[2].get_ydata()
        assert cost.min() >= 0
        minimum = ax.lines[2].get_xdata()[np.argmin(cost)] / 1000
        assert minimum == pytest.approx(segmentation.boundaries.minima[boundary])
        assert ax.lines[3].get_xdata() / 1000 == pytest.approx(minimum)
        refined = segmentation.boundaries.refined[boundary]
        assert ax.get_title().endswith(": refined" if refined else ": fell back")
    for boundary in (-1, 10**6):
        with pytest.raises(ValueError, match="boundary must be a whole number from 0 to"):
            plots.refinement(segmentation, boundary)
    with pytest.raises(ValueError, match="unknown refinement to draw 'anchored'; choose from sgpa"):
        plots.refinement(replace(segmentation, method="anchored"), 3)


def test_the_style_is_one_for_all():
    with plt.rc_context():
        plots.style()
        assert plt.rcParams["axes.prop_cycle"].by_key()["color"][0] == plots.COLOURS["blue"]


class Page(html.parser.HTMLParser):
    """Collects the buttons, the audio and the text of the player."""

    def __init__(self):
        super().__init__()
        self.tags, self.buttons = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "button":
            self.buttons.append(dict(attributes))


def test_the_player_has_a_button_for_every_word_and_escapes_the_text(segmentation):
    page = Page()
    source = segmentation._repr_html_()
    page.feed(source)
    assert page.tags.count("audio") == page.tags.count("img") == page.tags.count("script") == 1
    assert "<script>alert" not in source
    for word, button in zip(segmentation.words, page.buttons, strict=True):
        assert f">{html.escape(word.text)}</button>" in source
        assert float(button["data-start"]) == pytest.approx(word.start, abs=1e-4)
        assert float(button["data-end"]) == pytest.approx(word.end, abs=1e-4)
        assert button["class"] == word.status
    assert not re.search(r"""(?:src|href)=["']?https?:""", source)
    assert len(source) < 400_000


def test_two_players_on_a_page_do_not_meddle(segmentation):
    first, second = (
        re.search('id="([^"]+)"', segmentation._repr_html_()).group(1) for _ in range(2)
    )
    assert first != second
