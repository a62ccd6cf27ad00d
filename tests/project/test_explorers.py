"""The explorers of the static pages compute what the package computes, and find what it holds."""

import itertools
import json
import math
import pathlib
import re

import jupytext
import pandas as pd
import pytest
from IPython.display import HTML

import sgpa_core
from sgpa_core import refine
from sgpa_core.companion import claims
from sgpa_core.show import player

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.browser
def test_stage_3_in_the_browser_is_stage_3(browser, tmp_path):
    chapter = (ROOT / "book/stage3-refine.md").read_text("utf-8")
    recording = sgpa_core.questions(re.search(r'sgpa.questions\("(.+?)"\)', chapter)[1])
    segmentation = sgpa_core.align(recording.audio, recording.text)
    features, alignment = refine.features(recording.audio), segmentation.alignment
    at_words = alignment.word_edges[1:-1]
    content = {
        "hop": features.hop_seconds,
        "energy": features.energy.tolist(),
        "flux": features.flux.tolist(),
        "left": alignment.ends[at_words - 1].tolist(),
        "right": alignment.starts[at_words].tolist(),
        "names": [str(k) for k in at_words],
        "truth": None,
        "alpha": 0.8,
        "padding": 0.04,
        "silence": 0.5,
        "first": 0,
    }
    made = (ROOT / "book/_static/stage3.html").read_text("utf-8")
    page = tmp_path / "stage3.html"
    page.write_text(player.page(made.replace("DATA", json.dumps(content), 1), "x"), "utf-8")
    tab, faults = browser.new_page(), []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(page.as_uri())
    settings = [(0.8, 40, 0.5), (0.0, 40, 1.5), (1.0, 120, 0.3), (0.5, 0, 1.0), (0.35, 75, 0.8)]
    settings += [(0.0, 40, 0.5), (1.0, 40, 0.5)]  # as the page opens, but for α
    seen, by_alpha = set(), {}
    for alpha, padding, silence in settings:
        wanted = refine.boundaries(
            features,
            alignment.starts,
            alignment.ends,
            "sgpa",
            alpha,
            padding / 1000,
            silence=silence,
        )
        for place, boundary in enumerate(at_words):
            time, refined = tab.evaluate(
                """([place, alpha, padding, silence]) => {
                  const box = document.getElementById("stage3-explorer");
                  const controls = [...box.querySelectorAll("select, input")];
                  [place, alpha, padding, silence].forEach((v, i) => { controls[i].value = v; });
                  controls[0].dispatchEvent(new Event("input"));
                  return [+box.dataset.time, box.dataset.refined === "true"];
                }""",
                [place, alpha, padding, silence],
            )
            assert time == pytest.approx(wanted.times[boundary], abs=1e-9)
            assert refined == wanted.refined[boundary]
            seen.add(refined)
            by_alpha.setdefault((padding, silence), {}).setdefault(place, []).append(time)
    assert seen == {True, False}
    moved = [max(times) - min(times) for times in by_alpha[40, 0.5].values()]
    assert sum(way > 0.02 for way in moved) >= 3, "α moves boundaries of the page's recording"
    assert not faults
    tab.screenshot(path=str(tmp_path / "stage3.png"))
    tab.close()


@pytest.mark.browser
def test_the_cost_explorer_weighs_calls_by_error(browser, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks")
    cells = jupytext.read(ROOT / "book/cost.md").cells
    (cell,) = (c.source for c in cells if c.cell_type == "code" and "cost.html" in c.source)
    names = {"pd": pd, "sgpa": sgpa_core, "json": json, "HTML": HTML, "Path": pathlib.Path}
    exec(cell, names)
    page = tmp_path / "cost.html"
    page.write_text(player.page(names["page"], "x"), "utf-8")
    tab, faults = browser.new_page(viewport={"width": 390, "height": 900}), []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(page.as_uri())
    errors = pd.read_csv(ROOT / "data/results/real/errors.csv", dtype={"prompt": str})
    prompts = errors.groupby("players")["prompt"].nunique()
    known = prompts[prompts >= 3].index.tolist()
    assert known
    players, error = (tab.get_by_label(name) for name in ("players", "mean error allowed"))
    assert [players.get_attribute(name) for name in ("min", "max", "step")] == ["2", "60", "1"]
    allowed = enumerate((0.02, 0.05, 0.1, 0.2, 0.3, 0.5))
    for n, (place, most) in itertools.product([2, *known, 38, 60], allowed):
        players.fill(str(n))
        error.fill(str(place))
        plan = sgpa_core.plan(n).set_index("method")["calls"]
        rows = tab.locator("#cost-sliders tbody tr").all_inner_texts()
        rows = [[cell.split("\n")[0] for cell in row.split("\t")] for row in rows]
        assert [method for method, _, _ in rows] == plan.index.tolist()
        for method, calls, needed in rows:
            assert float(calls.replace(",", "")) == pytest.approx(plan[method], rel=0.05, abs=0.6)
            if method == "exact":
                assert needed == calls
            else:
                assert needed == (asked(errors, n, method, most) if n in known else "not known")
        status = tab.locator("#cost-sliders p").inner_text()
        least = tab.locator("#cost-sliders tr.least th").all_inner_texts()
        assert ("No error was measured for" in status) == (n not in known)
        assert len(least) == (n in known) and all(f": {method}, " in status for method in least)
    assert not faults
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.close()


def asked(errors, n, method, most):
    """What the explorer is to say: the calls from which on the mean error is small enough."""
    rows = errors[(errors["players"] == n) & (errors["method"] == method)]
    means = rows.groupby("evaluations")[["calls", "error"]].mean().round(4)
    enough = [k for k in range(len(means)) if (means["error"].iloc[k:] <= most).all()]
    return str(int(means["calls"].iloc[enough[0]] + 0.5)) if enough else "not reached"


@pytest.fixture
def ledger(browser, tmp_path, monkeypatch):
    """The ledger's explorer with the rows that its page makes, of stored values."""
    monkeypatch.chdir(ROOT / "notebooks")
    cells = jupytext.read(ROOT / "book/ledger.md").cells
    (cell,) = (c.source for c in cells if c.cell_type == "code" and "ledger.html" in c.source)
    table = claims.ledger()
    stored = table.set_index("id").rename(columns={"stored": "value"}).assign(origin="stored")
    names = {"ledger": table, "checked": stored, "json": json, "math": math, "pd": pd}
    names |= {"HTML": HTML, "Path": pathlib.Path}
    exec(cell, names)
    made = (ROOT / "book/_static/ledger.html").read_text("utf-8")
    page = tmp_path / "ledger.html"
    page.write_text(player.page(made.replace("ROWS", names["table"], 1), "x"), "utf-8")
    tab, faults = browser.new_page(viewport={"width": 390, "height": 900}), []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(page.as_uri())
    yield tab
    assert not faults
    tab.close()


def shown(tab):
    """Ids of the rows in view."""
    rows = tab.locator("#ledger details").evaluate_all("all => all.map(e => e.textContent)")
    return [text.split("id")[-1] for text in rows]


@pytest.mark.browser
@pytest.mark.parametrize("headline", ["43x", "43×", "43 X", "43", " calls 43x  headline"])
def test_the_ledger_finds_the_headline(ledger, headline):
    ledger.get_by_label("search the ledger").fill(headline)
    assert shown(ledger)[0] == "v1.calls_ratio"
    assert len(shown(ledger)) < 15


@pytest.mark.browser
def test_the_ledger_finds_ids_places_values_formulas_and_comments(ledger):
    search = ledger.get_by_label("search the ledger")
    for text, id in (
        ("later.deletion.qwen.original.one", "later.deletion.qwen.original.one_other"),
        ("recorded calls NATIVE sf2s", "v1.cost.native.SF2S.calls"),
        ("α search 1,232", "revised.alpha.utterances"),
        ("1232", "revised.alpha.utterances"),
        ("-1.37", "v1.concentration.SM2S.entropy"),
        ("−1.37", "v1.concentration.SM2S.entropy"),
        ("1819.88 / 66.08", "v1.time_ratio"),
        ("notebook counts 44 runs", "v1.runs.SF2S.native"),
    ):
        search.fill(text)
        assert shown(ledger) == [id], text
    search.fill("no such number")
    assert shown(ledger) == []
    assert ledger.locator("#ledger output").inner_text().startswith("0 of")


@pytest.mark.browser
def test_the_ledger_counts_its_classes_and_is_worked_by_keys(ledger):
    wide = "document.documentElement.scrollWidth > innerWidth"
    counts, buttons = claims.counts()["rows"], ledger.locator("#ledger button")
    assert [int(text) for text in buttons.locator("b").all_inner_texts()] == counts.to_list()
    assert not ledger.evaluate(wide)
    ledger.get_by_label("search the ledger").focus()
    ledger.keyboard.type("43x")
    assert sum(int(text) for text in buttons.locator("b").all_inner_texts()) == len(shown(ledger))
    differing = buttons.nth(claims.STATUSES.index(claims.DIFFERS))
    differing.focus()
    ledger.keyboard.press("Enter")
    assert differing.get_attribute("aria-pressed") == "false"
    assert shown(ledger) == ["v1.calls_ratio"]
    ledger.locator("#ledger summary").focus()
    ledger.keyboard.press("Enter")
    detail = ledger.locator("#ledger dl").inner_text()
    assert "2552.14 / 59.32" in detail and "v1.calls_ratio" in detail
    assert not ledger.evaluate(wide)
