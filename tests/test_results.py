"""Stored results: whole, with a pedigree, and a slice of them recomputed gives the same."""

import importlib.util
import json
import sys

import numpy as np
import pandas as pd
import pytest

import sgpa_core
from sgpa_core import cost, recorded

FOLDERS = ("cost", "accuracy", "recorded")


def script(root, name):
    """Import data/results/NAME/make.py."""
    path = root / "data" / "results" / name / "make.py"
    spec = importlib.util.spec_from_file_location(f"make_{name}", path)
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


@pytest.fixture(scope="module")
def runs(root):
    lines = (root / "data/results/cost/runs.jsonl").read_text("utf-8").splitlines()
    return pd.DataFrame(map(json.loads, lines))


@pytest.mark.parametrize("name", FOLDERS)
def test_each_has_a_pedigree(root, name):
    told = json.loads((root / "data/results" / name / "pedigree.json").read_text("utf-8"))
    assert told["made_by"] == f"python data/results/{name}/make.py"
    assert {"seed", "date", "seconds", "packages", "machine"} <= set(told)
    if name != "recorded":
        assert told["model"] == sgpa_core.load_model().name, "made with other weights: make results"


def test_costs_are_of_the_same_utterances(root, runs):
    counts = runs.groupby(["voice", "regime"])["id"].nunique().unstack()
    assert (counts[["words", "native-80"]] >= 40).all().all()
    assert len(counts) == 2
    assert not runs.duplicated(["id", "regime"]).any()
    native = runs[runs["regime"] == "native-80"]
    expected = np.floor(native["duration"] / 0.08 + 0.5)
    assert (abs(native["players"] - expected) <= 1).all()  # the duration is stored rounded
    assert (runs["calls"] <= runs["evaluations"] + 1).all()
    made = cost.law(sorted(set(runs["players"]))).set_index("players")["evaluations"]
    share = runs["evaluations"] / made.loc[runs["players"]].to_numpy()
    assert (abs(share[runs["baseline"] < 1] - 1) < 0.25).mean() > 0.95


def test_a_slice_of_the_costs_is_what_it_was(root, runs):
    make = script(root, "cost")
    shortest = runs[runs["regime"] == "words"].sort_values(["players", "id"])
    for id in shortest.groupby("voice")["id"].first():
        before = runs[(runs["id"] == id) & (runs["regime"] == "words")].iloc[0]
        again = make.run(id, "words")
        for field in ("players", "evaluations", "distinct", "calls", "right"):
            assert again[field] == before[field], (id, field)
        np.testing.assert_allclose(again["values"], before["values"], atol=1e-4)


def test_a_slice_of_the_errors_is_what_it_was(root):
    errors = pd.read_csv(root / "data/results/accuracy/errors.csv")
    make = script(root, "accuracy")
    make.WORD_METHODS, make.WORD_BUDGETS = ("permutation", "cc-neyman-published"), (8, 12)
    recording = min(
        (r for r in sgpa_core.instructions() if r.voice == "slt" and len(r.words) == 4),
        key=lambda r: r.id,
    )
    keys = ["id", "kind", "method", "evaluations"]
    again = pd.DataFrame(make.of_words(recording.id)).set_index(keys)
    before = errors.set_index(keys).loc[again.index]
    np.testing.assert_allclose(again["error"], before["error"], atol=1e-3)
    frames = errors[errors["kind"] == "frames"]
    assert frames["id"].nunique() >= 4
    assert (frames.loc[frames["method"] == "reference", "error"] > 0).all()


@pytest.mark.reference
def test_recorded_summaries_are_what_the_runs_say(root, reference):
    folder = root / "data/results/recorded"
    runs = recorded.runs(reference)
    told = json.loads((folder / "pedigree.json").read_text("utf-8"))
    if told["runs"] != len(runs):
        pytest.skip(f"stored from {told['runs']} runs, {len(runs)} are here")
    now, before = cost.against_law(runs), pd.read_csv(folder / "law.csv")
    np.testing.assert_allclose(now["recorded"], before["recorded"], rtol=1e-6)
    np.testing.assert_allclose(now["counter"], before["counter"], rtol=1e-6)
    again, stored = cost.reductions(runs), pd.read_csv(folder / "reductions.csv")
    for column in ("ratio", "low", "high"):
        np.testing.assert_allclose(again[column], stored[column], rtol=1e-4)
