"""The explorers of the static pages compute what the package computes."""

import json
import pathlib

import pytest

import sgpa_core
from sgpa_core import refine
from sgpa_core.show import player

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.browser
def test_stage_3_in_the_browser_is_stage_3(browser, tmp_path):
    recording = sgpa_core.speech("slt-004")
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
    seen = set()
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
    assert seen == {True, False}
    assert not faults
    tab.screenshot(path=str(tmp_path / "stage3.png"))
    tab.close()
