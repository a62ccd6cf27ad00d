"""Answers to the plan's questions, and the canonical numbers of the book."""

import re

import numpy as np
import pandas as pd
import pytest

from sgpa_core import stats
from sgpa_core.companion import findings


@pytest.fixture
def measured(monkeypatch):
    """Made-up measures of two models: a of the one, a and b of the other."""
    rows = [("assistant", "a", f"p{k}", 1.0 + 0.1 * (-1) ** k) for k in range(20)]
    rows += [("assistant", "b", f"p{k}", 0.5) for k in range(1, 20)]
    rows += [("answerer", "a", "p1", 3.0)]
    rows += [("assistant", "share", f"p{k}", float(k < 9)) for k in range(10)]
    table = pd.DataFrame(rows, columns=["model", "measure", "prompt", "value"])
    monkeypatch.setattr(findings, "measures", lambda: table)
    findings.estimate.cache_clear()
    yield table
    findings.estimate.cache_clear()


def question(**more):
    return findings.Question("0", "Is it so?", "a", "units", "nothing", **more)


def test_an_estimate_is_over_the_prompts_that_have_all_that_it_needs(measured):
    assert findings.estimate("a").n == 20
    ratio = findings.estimate("a", per="b")
    assert ratio.n == 19  # p0 has no b
    assert ratio.mean == pytest.approx(np.mean([0.9, *([1.1, 0.9] * 9)]) / 0.5)
    assert findings.estimate("a", "answerer") is None  # one prompt has no interval
    assert findings.text(findings.estimate("a", "answerer")) == "not measured"


def test_a_share_of_prompts_has_wilson_s_interval(measured):
    share = findings.estimate("share")
    z, p, n = 1.959964, 0.9, 10
    centre, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = [(centre + sign * half) / (1 + z**2 / n) for sign in (-1, 1)]
    assert (share.low, share.high) == pytest.approx(expected, abs=1e-6)
    assert (share.mean, share.n) == (0.9, 10)


@pytest.mark.parametrize(
    ("effect", "meaning"), [(0.5, "yes"), (0.99, "open"), (1.5, "no")]
)  # the mean is 1, its interval about ± 0.04
def test_the_interval_decides(measured, effect, meaning):
    estimate, told = question(effect=effect).answer()
    assert told == meaning
    assert estimate == findings.estimate("a")


@pytest.mark.parametrize(
    ("of", "meaning"), [(0.25, "more"), (1.5, "as many"), (8.0, "the opposite")]
)
def test_ratios_are_held_against_a_factor(measured, of, meaning):
    means = {"above": "more", "no effect": "as many"}
    ratio = question(per="b", factor=2.0, of=of, means=means)  # the ratio is about 2
    assert ratio.answer()[1] == meaning


def test_what_was_not_measured_is_named(measured):
    with pytest.raises(ValueError, match=r"nothing was measured of 'aa'; there is a"):
        findings.estimate("aa")
    with pytest.raises(ValueError, match=r"nothing was measured of 'gpt'"):
        findings.estimate("a", "gpt")


def test_every_question_of_the_plan_has_its_primary_measure(root):
    plan = (root / "data/results/PLAN.md").read_text("utf-8")
    asked = re.findall(r"^\| (\d+[bc]?) \|", plan, re.MULTILINE)
    assert asked == ["1", "1b", "2", "2b", "2c", "3", "4", "4b", "5", "6", "7"]
    assert set(asked) <= set(findings.questions())
    for entry in findings.questions().values():
        assert bool(entry.factor) != bool(entry.effect)
        assert entry.answer("answerer") or entry.id == "1b"  # the toy has no such run
        named = findings.MEANS | (entry.means or {})
        assert set(named) == set(findings.MEANS)
    table = findings.answers()
    assert len(table) == len(findings.questions())


def test_the_rules_of_the_plan_are_those_of_the_helper(root):
    """The margins of questions.yaml are those of PLAN.md."""
    plan = (root / "data/results/PLAN.md").read_text("utf-8")
    rows = [line.split("|")[2:-1] for line in plan.splitlines() if re.match(r"\| \d", line)]
    ids = re.findall(r"^\| (\d+[bc]?) \|", plan, re.MULTILINE)
    for id, cells in zip(ids, rows, strict=True):
        margin = re.search(r"0\.\d+|factor of (\d)", cells[-1])
        entry = findings.questions()[id]
        if entry.factor:
            assert entry.factor == float(margin[1])
        elif margin:
            assert entry.effect == float(margin[0]), id
        else:
            assert cells[-1].strip().startswith("0.05, as 2")


def test_canonical_numbers_have_values_and_patterns_that_find_them():
    numbers = findings.numbers()
    assert 25 <= len(numbers) <= 40
    assert numbers.index.is_unique
    for name, row in numbers.iterrows():
        assert row["text"], name
        if row["said"]:
            assert re.compile(row["said"]).groups == 1, name


def test_text_of_an_estimate():
    estimate = stats.Estimate(-1234.5, -2000.0, -1.25, 7)
    assert findings.text(estimate, 1) == "−1,234.5 (−2,000.0 to −1.2), n = 7"


def test_what_is_glued_is_plain(monkeypatch):
    """Numbers of numpy become Python's, and estimates and what is missing become text."""
    kept = {}
    monkeypatch.setattr("myst_nb.glue", lambda name, value, display: kept.update({name: value}))
    findings.glue("x", {"n_1": np.int64(3)}, of_all=stats.Estimate(0.5, -0.25, 1.0, 12), none=None)
    told = {"x-n_1": 3, "x-of-all": "0.50 (−0.25 to 1.00), n = 12", "x-none": "not measured"}
    assert kept == told and type(kept["x-n_1"]) is int
