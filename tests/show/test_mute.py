"""Words are muted on the page, and the answer is the one that the model gave to what is left."""

import re

import numpy as np
import pytest

from sgpa_core import Audio, instructions
from sgpa_core.show import player
from sgpa_core.show.mute import MAX_PLAYERS, mute
from sgpa_core.speech_game import AnswerTable


@pytest.fixture(scope="module")
def recording():
    return instructions("awb-001")


@pytest.fixture(scope="module")
def table(recording):
    """Five of six words are fillers: only "kenya" decides, and "capital" helps."""
    spans = np.array([[word.start, word.end] for word in recording.words])
    masks = np.arange(64)
    which = np.where(masks >> 5 & 1, np.where(masks >> 3 & 1, 2, 1), 0)
    answers = ("", "kenya", "nairobi </script> kenya")
    labels = tuple(word.text for word in recording.words)
    return AnswerTable("awb-001", "awb", "words", "silence", labels, spans, answers, which)


def test_the_page_holds_all_answers_and_escapes_them(table, recording):
    made = mute(table, recording.audio)
    assert made.count("<li>") == 6
    assert made.count("</script>") == 1
    assert "nairobi \\u003c/script> kenya" in made
    assert re.search(r"mute </span>kenya<small><span [^>]+>, value </span>\+0\.\d\d</small>", made)
    assert mute(table, recording.audio).split('id="')[1] != made.split('id="')[1]


def test_what_cannot_be_played_is_refused(table, recording):
    noise = AnswerTable(**{**vars(table), "masking": "noise"})
    with pytest.raises(ValueError, match="plays silence in place of words, not 'noise'"):
        mute(noise, recording.audio)
    with pytest.raises(ValueError, match=r"the recording at 0\.100 s"):
        mute(table, Audio(np.full(1600, 0.1), 16_000))
    n = MAX_PLAYERS + 1
    spans = np.arange(n)[:, None] / 100 + [0, 0.01]
    many = AnswerTable("a", "", "words", "silence", ("x",) * n, spans, ("",), [0] * 2**n)
    with pytest.raises(ValueError, match="13 players"):
        mute(many, recording.audio)


@pytest.mark.browser
def test_in_a_browser(browser, table, recording, tmp_path):
    page = tmp_path / "mute.html"
    page.write_text(player.page(mute(table, recording.audio, "f1"), "mute"), encoding="utf-8")
    tab = browser.new_page(viewport={"width": 390, "height": 700})
    faults = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(page.as_uri())
    answer, utility = (tab.locator(f"[data-show={name}]") for name in ("answer", "utility"))
    assert answer.inner_text() == "nairobi </script> kenya"
    assert utility.inner_text() == "6 of 6 words heard; utility U(S) = 1.000"
    capital, kenya = tab.locator("li button").nth(3), tab.locator("li button").nth(5)
    capital.click()
    assert answer.inner_text() == "kenya"
    assert "utility U(S) = 0.500" in utility.inner_text()  # 2 · 1 · 1/3 over 1 + 1/3
    kenya.press("Enter")  # by keyboard
    assert kenya.get_attribute("aria-pressed") == "true"
    assert answer.inner_text() == "(nothing)"
    tab.get_by_text("All words").click()
    assert answer.inner_text() == "nairobi </script> kenya"
    play, heard = tab.locator("[data-do=play]"), "document.querySelector('.sgpa-mute')"
    counts = []
    for press in (None, capital, tab.get_by_text("No word")):
        if press:
            press.click()
        tab.evaluate(f"delete {heard}.dataset.heard")
        play.click()
        tab.wait_for_function(f"{heard}.dataset.heard")
        counts.append(int(tab.evaluate(f"{heard}.dataset.heard")))
        assert play.inner_text() == "■ Stop"
        play.click()
        assert play.inner_text() == "▶ Hear what is left"
    assert counts[0] > counts[1] > counts[2] >= 0
    muted = (counts[0] - counts[1]) / counts[0]
    first, last = table.spans[3]
    samples = recording.audio.samples
    rate = recording.audio.sample_rate
    inside = np.count_nonzero(samples[round(first * rate) : round(last * rate)])
    assert muted == pytest.approx(inside / np.count_nonzero(samples), rel=0.1)
    assert not faults
    tab.screenshot(path=str(tmp_path / "mute.png"))
    tab.close()
