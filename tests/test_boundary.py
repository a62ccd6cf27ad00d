"""Boundary measures against cases worked out by hand, and the stored measurements of boundaries."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sgpa_core
from data.results.boundaries import baselines
from sgpa_core import Audio, boundary, refine, stats
from sgpa_core.companion import stored_boundaries

TIMES = st.lists(st.integers(0, 60).map(lambda k: k / 100), max_size=7)


def test_summary_of_known_errors():
    summary = boundary.summary([-120, -40, 0, 20, 60])
    assert (summary["n"], summary["median"], summary["bias"]) == (5, 40, 0)
    assert [summary[f"within {ms}"] for ms in (20, 50, 100)] == [40, 60, 80]
    assert summary["p90"] == pytest.approx(96)


@given(TIMES, TIMES, st.sampled_from([0.0, 0.01, 0.05]))
def test_hits_are_a_maximum_matching(true, estimated, tolerance):
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    expected = 0
    if true and estimated:
        near = np.abs(np.subtract.outer(true, estimated)) <= tolerance + 1e-9
        expected = (maximum_bipartite_matching(csr_matrix(near)) >= 0).sum()
    assert boundary.hits(true, estimated, tolerance) == expected


@pytest.mark.parametrize(
    ("counts", "f1", "r_value"),
    [
        ((7, 10, 10), 0.7, 1 - (0.3 + 0.3 / np.sqrt(2)) / 2),
        ((0, 10, 0), 0.0, 1 - np.sqrt(2) / 2),  # r1 = √2, r2 = 0
        ((10, 10, 30), 0.5, 1 - (2 + np.sqrt(2)) / 2),  # strewn: worse than none at all
    ],
)
def test_detection_by_hand(counts, f1, r_value):
    detection = boundary.detection(*counts)
    assert detection.f1 == pytest.approx(f1)
    assert detection.r_value == pytest.approx(r_value)


def test_energy_minima_are_the_planted_dips():
    samples = np.random.default_rng(0).normal(size=32000) * 0.2
    samples[:3200] = 0  # quiet before the speech is no boundary
    for dip in (8000, 15000, 24000):
        samples[dip - 300 : dip + 300] *= 0.05
    minima = baselines.energy_minima(refine.features(Audio(samples, 16000)), 3)
    np.testing.assert_allclose(minima, [0.5, 0.9375, 1.5], atol=0.012)
    look = refine.features(Audio(samples, 16000))
    assert baselines.loud(look)[0] == pytest.approx(0.2, abs=0.012)
    assert len(baselines.energy_minima(look, 40)) == 40  # closer together than asked for
    with pytest.raises(ValueError, match="5000 are wanted"):
        baselines.energy_minima(look, 5000)


def test_a_fade_takes_the_click_away(monkeypatch):
    tone = Audio(np.sin(2 * np.pi * 100 * np.arange(16000) / 16000), 16000)
    cuts = [0.3025, 0.5025]  # at the top of the wave
    hard, soft = (boundary.clicks(tone, cuts, fade) for fade in (0.0, 0.005))
    assert (hard > 1000 * soft).all()
    assert (soft > 0).all()
    assert (boundary.clicks(tone, [0.3]) < 0.1 * hard).all()  # where it crosses zero
    monkeypatch.setattr(boundary, "CLICK_SECONDS", 2 * boundary.CLICK_SECONDS)
    wider = [2 * boundary.clicks(tone, cuts, fade) for fade in (0.0, 0.005)]
    np.testing.assert_allclose(wider, [hard, soft], rtol=0.02)  # nothing lies outside the window


def test_what_is_heard_anyway_is_no_click():
    """A hiss or a high tone that a fade lets through belongs to the recording."""
    rng, times = np.random.default_rng(0), np.arange(32000) / 16000
    for samples in (rng.normal(size=32000) / 10, np.sin(2 * np.pi * 6000 * times)):
        for fade in (0.0, 0.005):
            assert (boundary.clicks(Audio(samples, 16000), [0.5, 1.5], fade) < 0.01).all()
    samples[7000:9000] = 0
    assert boundary.clicks(Audio(samples, 16000), [0.5]) < 1e-12


def test_intervals_draw_whole_recordings():
    rng = np.random.default_rng(1)
    alone = stats.bootstrap_groups(rng.normal(size=(100, 1)), np.mean)
    assert alone[1] - alone[0] == pytest.approx(4 / 10, rel=0.25)
    copies = [np.full(50, value) for value in rng.normal(size=100)]
    low, high = stats.bootstrap_groups(copies, np.mean)
    assert high - low > 0.8 * (alone[1] - alone[0])  # fifty copies tell no more than one


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: boundary.errors([0.1], [0.1, 0.2]), r"not \(2,\) for \(1,\)"),
        (lambda: boundary.errors([0.1], [np.nan]), "finite"),
        (lambda: boundary.summary([]), "errors_ms must be a list of at least 1"),
        (lambda: boundary.summary([1, np.inf]), "errors_ms must be finite, got inf at 1"),
        (lambda: boundary.hits([0.1], [0.1], -1), "tolerance must be a number from 0 to 10 s"),
        (lambda: boundary.hits([0.1], [np.inf]), "estimate must be finite, got inf at 0"),
        (lambda: boundary.detection(3, 2, 3), "3 hits of 2 true"),
        (lambda: boundary.detection(0, 0, 3), "cannot be"),
        (lambda: baselines.proportional([1, 0], 0, 1), "positive weights"),
        (lambda: baselines.proportional([1, 1], 1, 1), "start < end"),
        (lambda: boundary.clicks(Audio(np.ones(1600) * 0.1, 16000), [0.2]), "inside the 0.100 s"),
        (lambda: stats.bootstrap_groups([[]], np.mean), "needs values"),
        (
            lambda: baselines.energy_minima(refine.features(Audio(np.ones(1600), 16000)), -1),
            "count must be a whole number",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_pocketsphinx_keeps_the_words_of_the_transcript():
    pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    numbers = [r for r in sgpa_core.speech() if any(c.isdigit() for c in r.text)]
    near = []
    for recording in [numbers[0], *sgpa_core.speech()[:3]]:
        spans = baselines.pocketsphinx_spans(recording.audio, recording.text)
        assert spans.shape == recording.spans.shape
        near += list(np.abs(boundary.errors(recording.spans, spans))[1:-1].ravel())
    assert np.median(near) < 20
    assert baselines.pocketsphinx_spans(numbers[0].audio, "Grwxl the qqzz") is None


# --- stored ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(root):
    folder = root / "data/results/boundaries"
    table = pd.read_csv(folder / "errors.csv", dtype={"id": str})
    return table, pd.read_csv(folder / "sweeps.csv")


@pytest.fixture(scope="module")
def inner(root):
    """Boundaries between words of the project's recordings."""
    _, inner = stored_boundaries.read_errors(root / "data/results/boundaries/errors.csv")
    inner["ms"] = inner["ms"].abs()
    return inner[inner["set"].isin(["speech", "instructions"])]


def test_stored_boundaries_have_a_pedigree_and_are_complete(root, stored):
    pedigree = json.loads((root / "data/results/boundaries/pedigree.json").read_text("utf-8"))
    assert pedigree["made_by"] == "python data/results/boundaries/make.py"
    assert pedigree["model"] == sgpa_core.load_aligner().name
    counts = stored[0].groupby(["set", "method"])["id"].nunique().unstack()
    assert (counts.loc["questions"].drop("pocketsphinx") == 156).all()
    assert (counts.loc["people"].drop("pocketsphinx") == 80).all()
    known = counts.pop("pocketsphinx")  # the recordings whose words are in its dictionary
    assert (counts.loc["speech"] == 216).all()
    assert (counts.loc["instructions"] == 144).all()
    assert (known[["speech", "instructions"]] >= [200, 140]).all()
    assert counts.loc["fresh"].min() > 30  # texts, each in five voices
    assert not stored[0].duplicated(["set", "voice", "id", "method"]).any()


def test_a_slice_of_the_boundaries_is_what_it_was(script, stored):
    make = script("data/results/boundaries/make.py")
    chosen = {("speech", "slt-004"), ("speech", "espeak-023"), ("instructions", "awb-001")}
    again = pd.DataFrame([row for one in make.own(chosen) for row in make.rows(one)])
    before = stored[0].set_index(["set", "id", "method"])
    for row in again.to_dict("records"):
        same = before.loc[(row["set"], row["id"], row["method"])]
        assert (same["voice"], same["words"]) == (row["voice"], row["words"])
        for name in ("start_ms", "end_ms", "flux", "edge_flux", "click", "click_faded"):
            if isinstance(row.get(name), str):
                np.testing.assert_allclose(
                    np.fromstring(row[name], sep=" "),
                    np.fromstring(same[name], sep=" "),
                    rtol=0.02,
                    atol=0.11,
                )


def test_sweeps_hold_the_defaults_at_what_the_recordings_say(stored, inner):
    at_default = stored[1].query("setting == 'alpha' and value == 0.8")
    for row in at_default.itertuples():
        own = inner[inner["method"] == row.method]
        raw = inner[inner["method"] == "left-edge"]
        assert row.ms == pytest.approx(own["ms"].median(), abs=0.1)
        assert row.flux == pytest.approx(own["flux"].mean() / raw["flux"].mean(), abs=2e-3)
        assert row.ms_change == row.flux_change == 0
        assert row.flux_low < row.flux < row.flux_high
    alphas = stored[1].query("setting == 'alpha' and method == 'sgpa'")
    for measure in ("ms", "flux", "click"):  # no α differs by more than the intervals are wide
        widest = (alphas[f"{measure}_high"] - alphas[f"{measure}_low"]).max()
        assert np.ptp(alphas[measure]) < widest


def test_the_default_is_as_quiet_as_sgpa_and_as_true_as_the_midpoint(root):
    """On people within half a millisecond; also where nothing was chosen, on unheard voices."""
    _, inner = stored_boundaries.read_errors(root / "data/results/boundaries/errors.csv")
    inner["ms"] = inner["ms"].abs()
    own = inner[inner["set"].isin(["speech", "instructions"])]
    for name in ("people", "questions"):
        part = inner[inner["set"] == name]
        error = part.groupby("method")["ms"].median()
        flux = part.groupby("method")["flux"].mean()
        assert error[refine.DEFAULT] <= error["none"] + 0.5
        assert error[refine.DEFAULT] <= error["sgpa"]
        assert flux[refine.DEFAULT] <= flux["sgpa"] < flux["none"]
    for part in (own, own[own["held_out"]]):
        error = part.groupby("method")["ms"].median()
        flux = part.groupby("method")["flux"].mean()
        assert error[refine.DEFAULT] < error["sgpa"] < error["left-edge"]
        assert flux[refine.DEFAULT] <= flux["sgpa"] < flux["none"]


def test_words_lost_alone_are_counted_for_every_way_to_cut(root):
    lost = pd.read_csv(root / "data/results/boundaries/lost.csv")
    counts = lost.groupby(["set", "method"])[["lost", "words"]].sum()
    for name in ("people", "questions"):
        share = (counts["lost"] / counts["words"]).loc[name]
        assert counts.loc[name]["words"].min() > 200
        assert (lost["lost"] <= lost["words"]).all()
        assert share[refine.DEFAULT] < share["uniform"] - 0.1


def test_the_summary_says_what_the_tables_and_the_canonical_numbers_say(root, script):
    folder = root / "data/results/boundaries"
    summary, stored = script(folder / "summary.py"), pd.read_csv(folder / "summary.csv")
    stored = stored.set_index("name")
    again = summary.estimates(summary.recordings(), "librispeech")
    for row in [*again, *summary.ranges(stored)]:
        same = stored.loc[row["name"]]
        assert same["text"] == row["text"]
        assert same["value"] == pytest.approx(row["value"], rel=1e-3, abs=1e-3)
    _, inner = stored_boundaries.read_errors(folder / "errors.csv")
    for method in ("none", "sgpa", "anchored"):
        rows = inner.query("set == 'people' and method == @method").dropna(subset="ms")
        groups = [ms.abs().to_numpy() for _, ms in rows.groupby("recording")["ms"]]
        told = [rows["ms"].abs().median(), *stats.bootstrap_groups(groups, np.median), len(rows)]
        row = stored.loc[f"people-{method}-error", ["value", "low", "high", "n"]]
        assert row.tolist() == pytest.approx(told, abs=1e-3)
    for kind in ("people", "natural", "synthetic"):  # faded, the worst clicks less than the best
        of = stored[stored["kind"] == kind].pivot(index="method", columns="measure", values="value")
        assert of["faded"].max() < of["click"].min() / 10


def test_retranscription_hears_whole_words_and_loses_cut_ones(open_weights):
    """With the true spans most words of a slow list are heard; shifted by half a second, none."""
    recording = sgpa_core.questions("af_bella-009")
    recogniser = sgpa_core.load_model("openai/whisper-tiny.en")
    words = [word.text for word in recording.words]
    whole = boundary.retranscribe(recording.audio, recording.spans, words, recogniser)
    assert list(whole.columns) == ["word", "heard", "lost"]
    assert whole["word"].tolist() == words
    moved = np.clip(recording.spans + 0.3, 0, recording.audio.duration)
    shifted = boundary.retranscribe(recording.audio, moved, words, recogniser)
    assert whole["lost"].sum() < shifted["lost"].sum()
    with pytest.raises(ValueError, match="one word per span: 2 of them, not 1"):
        boundary.retranscribe(recording.audio, recording.spans[:2], words[:1], recogniser)
