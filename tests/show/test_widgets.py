"""Controls for notebooks, driven by their state."""

import numpy as np
import pytest

import sgpa_core
from sgpa_core import plan
from sgpa_core.models import recognise
from sgpa_core.show import widgets


def test_moving_the_sliders_moves_the_boundary():
    recording = sgpa_core.speech("slt-004")
    box = widgets.stage3(recording.audio, recording.text)
    assert box.boundary.options[0][0] == "What's | the"
    svg, status = box.children[-2:]
    seen = {(box.segmentation.boundaries.times[box.boundary.value], status.value)}
    before = svg.value
    assert before.startswith("<svg")
    box.alpha.value = 0.0
    box.padding_ms.value = 100
    box.silence.value = 1.5
    wanted = sgpa_core.align(
        recording.audio, recording.text, refine="sgpa", alpha=0.0, padding=0.1, silence=1.5
    ).boundaries
    assert box.segmentation.boundaries.times.tolist() == wanted.times.tolist()
    assert svg.value != before
    seen.add((box.segmentation.boundaries.times[box.boundary.value], status.value))
    assert len(seen) == 2
    box.boundary.value = box.boundary.options[2][1]
    assert f"{wanted.times[box.boundary.value]:.3f} s" in status.value


def test_the_cost_follows_the_players():
    box = widgets.cost(6, 0.5)
    assert box.table.equals(plan(6, 0.5))
    box.players.value = 38
    assert box.table.equals(plan(38, 0.5))
    box.seconds.value = 2.0
    assert box.table.equals(plan(38, 2.0))
    assert "<table" in box.children[-1].value


@pytest.fixture
def form():
    return widgets.upload("embedded")


def put(box, content):
    """Upload a file, as the browser would."""
    entry = {"name": "a.wav", "type": "audio/wav", "size": len(content), "last_modified": 0}
    box.file.set_state({"value": [entry | {"content": memoryview(content)}]})


class Listener:
    """A recogniser without weights, which knows what is said in slt-019."""

    name, sample_rate, token_seconds = "listener", 16_000, 0.04

    def respond(self, batch, sample_rate):
        samples = sgpa_core.instructions("slt-019").audio.samples
        assert [len(heard) for heard in batch] == [len(samples)]
        return [" which word is the opposite of slow"]


def test_an_upload_is_explained(form, tmp_path, monkeypatch):
    recording = sgpa_core.instructions("slt-019")
    recording.audio.write(tmp_path / "a.wav")
    put(form, (tmp_path / "a.wav").read_bytes())
    form.text.value = recording.text
    form.run.click()
    assert form.message.value == ""
    assert form.explanation.answer == recording.answer
    assert "opposite" in form.shown.value
    assert form.children[-1] is form.mute
    assert not form.run.disabled
    form.masking.value, form.method.value, form.text.value = "noise", "kernel", ""
    assert recognise.RECOGNISER == "openai/whisper-tiny.en"
    monkeypatch.setattr(recognise, "load_model", {recognise.RECOGNISER: Listener()}.get)
    form.run.click()
    assert (form.message.value, form.text.value) == ("", recording.text)  # recognised
    assert (form.explanation.masking, form.explanation.attribution.method) == ("noise", "kernel")


def test_muted_words_are_answered_live():
    recording = sgpa_core.instructions("slt-019")
    answers = sgpa_core.Answers(sgpa_core.load_model("embedded"))
    explanation = sgpa_core.explain(recording.audio, recording.text, answers)
    box = widgets.mute(explanation, answers)
    rows = list(map(tuple, explanation.coalitions.tolist()))
    answer_to = dict(zip(rows, explanation.coalition_answers, strict=True))
    utility_of = dict(zip(rows, explanation.utilities, strict=True))
    assert box.words[-1].description == "slow +0.38"
    assert f"<b>{explanation.answer}</b>" in box.status.value
    shown, calls = [box.status.value], answers.calls
    for muted in (4, 6, 0):
        box.words[muted].value = False
        present = tuple(word.value for word in box.words)
        assert f"<b>{answer_to[present]}</b>" in box.status.value
        line = f"{sum(present)} of 7 players heard; utility U(S) = {utility_of[present]:.3f}"
        assert line in box.status.value
        assert box.words[muted].icon == "volume-off"
        shown.append(box.status.value)
    assert len(set(shown)) == 4 and answers.calls == calls  # exact: all were known
    few = sgpa_core.explain(recording.audio, recording.text, "embedded", "kernel", 20)
    fresh = sgpa_core.Answers(sgpa_core.load_model("embedded"))
    box = widgets.mute(few, fresh)
    box.words[4].value = False
    assert f"<b>{answer_to[(True,) * 4 + (False, True, True)]}</b>" in box.status.value
    assert fresh.calls == 2  # asked just now


def test_utilities_of_ones_own_and_of_named_texts_are_told():
    recording = sgpa_core.instructions("awb-001")
    answers = sgpa_core.Answers.of("embedded")
    for settings in (
        {"utility": lambda answers, full: [len(a) for a in answers]},
        {"towards": "nairobi", "against": "kenya"},
    ):
        explanation = sgpa_core.explain(recording.audio, recording.text, answers, **settings)
        box = widgets.mute(explanation, answers)
        box.words[-1].value = False
        row = ~np.eye(len(explanation), dtype=bool)[-1]
        value = explanation.utilities[(explanation.coalitions == row).all(axis=1)][0]
        assert f"utility U(S) = {value:.3f}" in box.status.value


def test_what_goes_wrong_is_said_in_the_form(form):
    form.run.click()
    assert form.message.value == "Choose a recording first."
    put(form, b"<script>no audio</script>")
    form.text.value = "so"
    form.run.click()
    assert form.message.value.startswith("what was given, 25 bytes, is not audio that can be read")
    assert form.explanation is None and not form.run.disabled
