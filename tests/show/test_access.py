"""Everybody can use the players and explorers: by ear, by keyboard, in the dark, on paper."""

import json
import pathlib

import numpy as np
import pytest

import sgpa_core
from sgpa_core.show import player
from sgpa_core.show.mute import mute

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATIC = ROOT / "book" / "_static"
DARK = "<style>[data-theme=dark] body{background:#121212;color:#ced6dd;color-scheme:dark}</style>"
PHONE, DESKTOP = 390, 1280


@pytest.fixture(scope="module")
def parts():
    """What readers press, as on the pages of the book."""
    recording = sgpa_core.instructions("slt-019")
    explanation = sgpa_core.explain(recording.audio, recording.text, "embedded")
    table = explanation.table(recording.id)
    steps = np.arange(300)
    stage3 = {"hop": 0.004, "alpha": 0.8, "padding": 0.04, "silence": 0.5, "first": 0}
    stage3 |= {"energy": (1 + np.sin(steps / 9)).tolist(), "flux": (1 + np.cos(steps)).tolist()}
    stage3 |= {"left": [0.4, 0.8], "right": [0.44, 0.88], "truth": [0.41, 0.85]}
    points = {"prompts": 5, "methods": {"kernel": [[4, 0.3], [6, 0.1]]}}
    data = {"first": 3, "calls": {"exact": [8, 1e9], "kernel": [8, 48]}, "errors": {"3": points}}
    cost_page = (STATIC / "cost.html").read_text("utf-8").replace("DATA", json.dumps(data))
    return {
        "listen": player.listen(explanation.segmentation),
        "explained": player.explained(explanation),
        "mute": mute(table, recording.audio),
        "stage3": (STATIC / "stage3.html")
        .read_text("utf-8")
        .replace("DATA", json.dumps(stage3 | {"names": ["a | b", "b | c"]}), 1),
        "cost": cost_page,
    }


NAMES = ["listen", "explained", "mute", "stage3", "cost"]


@pytest.fixture
def show(browser, parts, tmp_path):
    """Open a part on a page of its own; what its script complains of fails the test."""
    tabs, faults = [], []

    def opened(name, theme="light", width=DESKTOP):
        whole = player.page(f"<main><h1>{name}</h1>{parts[name]}<a href='#'>end</a></main>", name)
        whole = whole.replace("<html", f"<html data-theme={theme}", 1).replace("</head>", DARK, 1)
        (tmp_path / f"{name}.html").write_text(whole, "utf-8")
        tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        tab.goto((tmp_path / f"{name}.html").as_uri())
        tabs.append(tab)
        return tab

    yield opened
    for tab in tabs:
        tab.close()
    assert not faults


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing(show, name, theme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = show(name, theme, width)
    violations = axe.run(tab, options={"preload": False}).response["violations"]
    assert not [(v["impact"], v["id"], [n["html"][:99] for n in v["nodes"]]) for v in violations]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


FOCUS = """() => {
  const on = document.activeElement, look = getComputedStyle(on);
  return [on.tagName, on.textContent.trim().slice(0, 30),
          look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0];
}"""


@pytest.mark.browser
@pytest.mark.parametrize("name", NAMES)
def test_every_control_is_reached_and_left_with_the_keyboard(show, name):
    tab = show(name)
    controls = tab.locator("main :is(button, select, input)").count()
    assert controls
    reached = []
    for _ in range(3 * controls + 12):  # the browser's own audio controls take stops, too
        tab.keyboard.press("Tab")
        tag, text, visible = tab.evaluate(FOCUS)
        if tag in ("BUTTON", "SELECT", "INPUT", "A"):
            assert visible, f"no focus to be seen on {tag} {text}"
            reached.append(tag)
        if tag == "A":
            break
    assert reached[-1] == "A", "caught before the end"
    assert len(reached) - 1 == controls


@pytest.mark.browser
def test_words_say_themselves_and_their_values(show):
    tab = show("explained")
    words = tab.get_by_role("list", name="words: press one to hear it").get_by_role("button")
    assert words.count() == 7
    assert tab.get_by_role("button", name="slow , value +0.38", exact=True).count() == 1
    assert tab.locator("audio").get_attribute("aria-label").endswith("opposite of slow")
    assert tab.locator("img").get_attribute("alt").startswith("Spectrogram of: which word")
    tab = show("listen")
    assert tab.get_by_role("button", name="slow", exact=True).count() == 1


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_light_up_while_they_play(show, theme):
    tab = show("explained", theme, PHONE)
    word = tab.get_by_role("listitem").get_by_role("button", name="opposite")
    colour = word.evaluate("e => e.style.backgroundColor")
    word.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelector('.sgpa .on')", timeout=15_000)
    assert word.evaluate("e => e.classList.contains('on')")
    ring = word.evaluate("e => getComputedStyle(e).boxShadow")
    assert ring.startswith("rgb(86, 180, 233)" if theme == "dark" else "rgb(0, 114, 178)")
    lit = tab.evaluate("(e => [e.hidden, e.style.backgroundColor, e.style.width])"
                       "(document.querySelector('.sgpa-lit'))")  # fmt: skip
    start, end = (float(word.get_attribute(f"data-{edge}")) for edge in ("start", "end"))
    total = float(tab.locator("[data-duration]").get_attribute("data-duration"))
    assert lit[:2] == [False, colour]
    assert float(lit[2].strip("%")) == pytest.approx(100 * (end - start) / total, rel=1e-3)
    tab.wait_for_function("document.querySelector('.sgpa audio').paused", timeout=15_000)
    assert tab.locator(".sgpa .on").count() == 0
    assert tab.locator(".sgpa-lit").is_hidden()


@pytest.mark.browser
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_pointing_at_a_word_shows_what_made_it(show, width):
    tab = show("explained", width=width)
    words, spoken = (tab.locator(f"button[data-{name}]") for name in ("from", "start"))
    status = tab.locator("[data-show=from]")
    assert status.get_attribute("role") == "status"
    shades = "all => all.map(e => e.style.backgroundColor)"
    hint, before = status.text_content(), spoken.evaluate_all(shades)
    values = [json.loads(word.get_attribute("data-from")) for word in words.all()]
    words.first.hover()
    most = int(np.argmax(values[0]))
    name = spoken.nth(most).text_content().partition(",")[0]
    assert status.text_content().startswith(f"“{words.first.text_content()}” is there thanks to")
    assert f"{name} +{values[0][most]:.2f}" in status.text_content()
    coloured = [bool(colour) for colour in spoken.evaluate_all(shades)]
    assert coloured == [abs(value) > 0.02 for value in values[0]]
    tab.locator("h1").hover()
    assert (status.text_content(), spoken.evaluate_all(shades)) == (hint, before)
    words.first.click()  # stays, for those who cannot point
    tab.locator("h1").hover()
    tab.locator("a").focus()
    assert "is there thanks to" in status.text_content()
    spoken.nth(most).focus()  # by the keyboard, and the other way round
    assert status.text_content().startswith(f"“{name}” brings")
    assert any(words.evaluate_all(shades)) and spoken.evaluate_all(shades) == before


@pytest.mark.browser
def test_a_muted_word_is_told_and_the_answer_with_it(show):
    tab = show("mute", width=PHONE)
    word = tab.get_by_role("button", name="mute slow , value +0.38", pressed=False)
    status = tab.get_by_role("status")
    before = status.inner_text()
    word.focus()
    tab.keyboard.press("Space")
    pressed = tab.get_by_role("button", name="mute slow , value +0.38", pressed=True)
    assert pressed.count() == 1
    assert status.inner_text() != before and "6 of 7 words heard" in status.inner_text()
    assert "line-through" in pressed.evaluate("e => getComputedStyle(e).textDecoration")
    tab.keyboard.press("Enter")
    assert status.inner_text() == before


@pytest.mark.browser
def test_sliders_say_what_is_shown_and_arrows_move_them(show):
    tab = show("stage3", "dark", PHONE)
    status = tab.locator("[role=status]")
    before = status.inner_text()
    padding = tab.get_by_role("slider", name="padding")
    assert padding.get_attribute("aria-valuetext") == "40 ms"
    padding.focus()
    for _ in range(9):
        tab.keyboard.press("ArrowRight")
    assert padding.get_attribute("aria-valuetext") == "85 ms"
    tab.get_by_label("boundary between").select_option("1")
    assert status.inner_text() != before
    tab.get_by_role("slider", name="silence threshold").fill("0")
    assert "stays at the midpoint" in status.inner_text()
    tab = show("cost")
    players = tab.get_by_role("slider", name="players")
    players.focus()
    tab.keyboard.press("ArrowLeft")
    assert players.get_attribute("aria-valuetext") == "3 players"
    status = tab.locator("[role=status]").inner_text()
    assert status.startswith("3 players: 8 s for exact values")
    assert "at most 10 %: kernel, 6 calls, 6 s (" in status and "5 prompts" in status
    tab.keyboard.press("ArrowRight")
    assert tab.get_by_role("row", name="exact").inner_text().split()[:2] == ["exact", "1.0e+9"]
    duration = tab.get_by_role("slider", name="one model call takes")
    duration.fill("0")
    assert duration.get_attribute("aria-valuetext") == "1 ms a call"
    error = tab.get_by_role("slider", name="mean error allowed")
    error.fill("0")
    assert error.get_attribute("aria-valuetext") == "a mean error of 2 %"


@pytest.mark.browser
def test_on_paper_there_is_nothing_to_press(show):
    tab = show("explained")
    tab.emulate_media(media="print")
    assert not tab.locator("audio").is_visible()
    assert "Press" not in tab.locator(".sgpa").first.inner_text()
    assert tab.get_by_text("slow", exact=False).first.is_visible()
    assert tab.get_by_text("+0.38").is_visible()
    tab = show("mute")
    tab.get_by_role("button", name="mute slow").click()
    tab.emulate_media(media="print")
    assert not tab.get_by_text("Hear what is left").is_visible()
    assert tab.get_by_text("6 of 7 words heard").is_visible()
    for name, state in (("stage3", "Boundary at"), ("cost", "4 players")):
        tab = show(name)
        if name == "cost":
            tab.get_by_role("slider", name="players").fill("4")
        tab.emulate_media(media="print")
        assert tab.locator("input:visible").count() == 0
        assert tab.get_by_text(state).first.is_visible()


THEME = """<style>div,figure{width:200px;overflow:auto} figure{margin:0}</style>
<button class="search-button-field" aria-label="Search"><span>Search</span> <kbd>K</kbd></button>
<details><summary aria-label="Toggle hidden content">Show code</summary>x</details>
<div role="list" class="citation-list"><a id="a"></a><p role="doc-biblioentry">b</p></div>
<figure id="wide"><p style="width:900px">far</p></figure><figure id="narrow"><p>near</p></figure>
<table class="dataframe"><thead style="text-align:right">
<tr><th></th><th>word</th><th>value</th><th>range</th></tr></thead>
<tbody><tr><th>0</th><td>so</td><td>-1.5e-03</td><td>1.5 (-2 to 3)</td></tr>
<tr><th>1</th><td>2</td><td>NaN</td><td>2 to 3</td></tr></tbody></table>
"""


@pytest.mark.browser
def test_what_the_theme_leaves_undone_is_done(browser, tmp_path):
    style, script = ((STATIC / f"book.{kind}").as_uri() for kind in ("css", "js"))
    page = tmp_path / "theme.html"
    head = f"<link rel=stylesheet href='{style}'><script src='{script}'></script>"
    page.write_text(player.page(f"{head}<main class=bd-article>{THEME}</main>", "x"), "utf-8")
    tab, faults = browser.new_page(viewport={"width": PHONE, "height": 700}), []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(page.as_uri())
    assert tab.locator("[aria-label], [role]").count() == 0
    assert tab.locator("#wide").get_attribute("tabindex") == "0"
    assert tab.locator("#narrow").get_attribute("tabindex") is None
    assert tab.locator("thead th").count() == 3 and tab.locator("thead td").count() == 1
    sides = "[...document.querySelectorAll('tr')].map(r => [...r.cells].map(c => "
    sides += "getComputedStyle(c).textAlign))"
    head, *body = tab.evaluate(sides)
    assert head == ["left", "left", "right", "right"]
    assert [row[1:] for row in body] == [["left", "right", "right"]] * 2
    assert not faults
    tab.close()
