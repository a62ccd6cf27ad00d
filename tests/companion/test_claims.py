"""The claim ledger: complete, well formed, and every status follows from the numbers."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import yaml

from sgpa_core.companion import claims, paper, recompute
from sgpa_core.companion.claims import (
    ARITHMETIC,
    DIFFERS,
    LOW_POWER,
    NOT_HERE,
    RECOMPUTED,
    SOURCES,
    STATUSES,
    Value,
    status,
)

NOT_CLAIMS = (  # settings and labels, and numbers that belong to another one's row
    "paper.",
    "method.",
    "problem.",
    "corpus.prompts",
    ".n",
    ".min",
    ".q1",
    ".median",
    ".q3",
    ".max",
    ".phase1",  # the rest of phase2
    ".significant",
    ".alpha",
    ".token_counts",
    ".per_token_count",
    ".stimuli",
    ".combined.t",
    "player_reduction.1",  # the upper end of "10 to 50"
)


def numbers(tree, path=""):
    if isinstance(tree, (dict, list)):
        for key, below in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from numbers(below, f"{path}.{key}".lstrip("."))
    elif not isinstance(tree, (str, bool)) or str(tree).startswith(("<", "0.")):
        yield path


def written():
    rows = yaml.safe_load((paper.PAPER / "claims.yaml").read_text("utf-8"))["claims"]
    return [group | row for group in rows for row in group["rows"]]


def test_every_published_number_has_a_row():
    printed = yaml.safe_load((paper.PAPER / "published.yaml").read_text("utf-8"))
    covered = {row["published"] for row in written() if isinstance(row["published"], str)}
    missing = [
        path
        for path in numbers(printed)
        if path not in covered
        and not path.startswith(tuple(part for part in NOT_CLAIMS if part.endswith(".")))
        and not f".{path}".endswith(tuple(NOT_CLAIMS))
        and ".token_counts." not in path
    ]
    assert missing == []


def test_rows_are_well_formed():
    rows = written()
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids) > 150
    for row in rows:
        assert row["status"] in STATUSES and row["source"] in SOURCES, row["id"]
        assert {"name", "version", "where", "formula"} <= set(row), row["id"]
        assert len(row.get("comment", "")) < 140, row["id"]
        assert row.get("recompute") is None or row["recompute"] in recompute.RECOMPUTE, row["id"]
        if row["status"] == DIFFERS:
            assert row["formula"], row["id"]
        if row.get("recompute") is None:
            assert row["status"] == NOT_HERE and row["comment"], row["id"]
        elif row["recompute"] in recompute.FROM_PRINTED:
            assert row["source"] == "paper's tables", row["id"]
        else:
            assert row["source"] in SOURCES[1:4], row["id"]
    names = [(row["version"], row["where"], row["name"]) for row in rows]
    assert len(set(names)) == len(names)


def test_counts_by_class_and_by_what_the_rows_rest_on():
    rows, counts = written(), claims.counts()
    assert list(counts.index) == list(STATUSES)
    assert counts["rows"].sum() == len(rows)
    for name in STATUSES:
        sources = [r["source"] or "nothing at hand" for r in rows if r["status"] == name]
        told = [part.split(" ", 1) for part in counts.loc[name, "resting on"].split(", ")]
        assert {source: int(n) for n, source in told} == Counter(sources), name
    assert (counts["rows"] > 0).all()  # the book has an example of every class


def test_stated_statuses_follow_from_the_stored_values():
    ledger = claims.ledger()
    for row in ledger.to_dict("records"):
        value = None
        if row["recompute"]:
            assert np.isfinite(row["stored"]), row["id"]
            n = None if pd.isna(row["n"]) else row["n"]
            value = Value(row["stored"], row["half_width"], n, row["stderr"])
        assert status(row, value) == row["status"], row["id"]


def test_without_the_recorded_data(monkeypatch, tmp_path):
    monkeypatch.delenv("SGPA_REFERENCE", raising=False)
    checked = claims.check(tmp_path / "none")
    assert checked["agrees"].all()
    counts = checked["origin"].value_counts()
    assert set(counts.index) == {"live", "stored", "none"}
    kinds = [*recompute.FROM_PRINTED, "law inverted"]
    alone = claims.ledger().set_index("id")["recompute"].isin(kinds)
    assert (checked.set_index("id")["origin"] == "live").equals(alone)


def test_with_a_part_of_the_recorded_data(reference, tmp_path):
    table = pd.read_csv(reference / "runs.csv")
    table[(table.voice == "male") & (table.row_index < 300)].to_csv(tmp_path / "runs.csv")
    checked = claims.check(tmp_path).set_index("id")
    assert checked["agrees"].all()
    assert checked.loc["revised.cost.sgpa.SM2S-1k.calls", "origin"] == "live"
    assert checked.loc["revised.cost.sgpa.SM2S-1k.calls", "n"] < 33
    assert checked.loc["revised.cost.native.SM2S-1k.calls", "origin"] == "stored"
    assert checked.loc["revised.cost.sgpa.SO2S-1k.calls", "origin"] == "stored"
    assert checked.loc["method.tokens_per_second", "origin"] == "stored"


def test_with_the_recorded_data(reference):
    checked = claims.check(reference)
    assert not (checked["origin"] == "stored").any()
    wrong = checked[~checked["agrees"]]
    assert wrong.empty, wrong.to_string()


def test_a_changed_value_or_status_is_found(monkeypatch, tmp_path):
    monkeypatch.delenv("SGPA_REFERENCE", raising=False)
    rows = {name: dict(row) for name, row in claims.entries().items() if "players" not in name}
    rows["v1.calls_ratio"]["published"] = 44
    rows["v1.time_ratio"]["status"] = RECOMPUTED
    rows["problem.years"]["args"] = ["2 ** 51"]
    monkeypatch.setattr(claims, "entries", lambda: rows)
    checked = claims.check(tmp_path / "none").set_index("id")["agrees"]
    assert sorted(checked[~checked].index) == ["problem.years", "v1.calls_ratio", "v1.time_ratio"]


def row(published, tolerance=0.5, of=10, recompute="mean"):
    return {"published": published, "tolerance": tolerance, "of": of, "recompute": recompute}


@pytest.mark.parametrize(
    ("published", "value", "expected"),
    [
        (43, Value(43.02), RECOMPUTED),
        (43, Value(39.8), DIFFERS),
        ("<0.01", Value(0.002), RECOMPUTED),
        ("<0.01", Value(0.01), DIFFERS),
        ("0.02", Value(0.4), RECOMPUTED),
        (True, Value(1.0), RECOMPUTED),
        (True, Value(0.0), DIFFERS),
        (43, Value(50, n=10, stderr=4), DIFFERS),  # all the data: the tolerance decides
        (43, Value(43.2, n=10, stderr=40), RECOMPUTED),
        (43, Value(48, n=4, stderr=3), RECOMPUTED),
        (43, Value(50, n=4, stderr=3), DIFFERS),
        (43, Value(90, n=4, stderr=11), DIFFERS),  # whatever the power
        (43, None, NOT_HERE),
    ],
)
def test_status(published, value, expected):
    assert status(row(published), value) == expected
    if expected in (RECOMPUTED, DIFFERS):  # of printed numbers alone
        printed = expected.replace(RECOMPUTED, ARITHMETIC)
        assert status(row(published, recompute="formula"), value) == printed


@pytest.mark.parametrize(
    ("published", "value", "low"),
    [
        (40, Value(42, n=4, stderr=5.0), False),  # a width of 20, half of the published value
        (40, Value(42, n=4, stderr=5.01), True),
        (-40, Value(-42, n=4, stderr=5.0), False),
        (-40, Value(-42, n=4, stderr=5.01), True),
        (40, Value(42, half_width=10), False),
        (40, Value(42, half_width=10.1), True),
        (40, Value(42, half_width=5, n=4, stderr=2.5), False),
        (40, Value(42, half_width=5, n=4, stderr=2.6), True),
        (0.05, Value(0.06, n=4, stderr=0.006), False),  # near 0 only what is very narrow
        (0.05, Value(0.06, n=4, stderr=0.007), True),
        (0.0, Value(0.0, n=4, stderr=0.001), True),
        (0.0, Value(0.0, n=4), False),
        (0.9, Value(0.1, n=4, stderr=0.41), True),  # far from 0, an interval with 0
    ],
)
def test_low_power(published, value, low):
    assert status(row(published, 0), value) == (LOW_POWER if low else RECOMPUTED)
    whole = row(published, 0, of=None)
    if not value.half_width:  # nothing is known to be a part
        assert status(whole, value) == (DIFFERS if value.value != published else RECOMPUTED)
    wide = 2 * value.half_width > abs(published) / 2
    inverted = status(row(published, 5, recompute="families"), Value(published, value.half_width))
    assert inverted == (LOW_POWER if wide else ARITHMETIC)


def test_an_agreeing_interval_with_0_has_low_power():
    for value in np.linspace(-2, 2, 41):
        for stderr in (0.01, 0.1, 0.5, 1.0):
            published = value + 1.9 * stderr
            if abs(value) <= 2 * stderr and published:
                assert status(row(published, 0), Value(value, n=4, stderr=stderr)) == LOW_POWER


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match=r"no claim 'v3'"):
        claims.recompute("v3")
    for path in ("v1.costs", "v1.cost.9", "v1.cost.x", "problem.frame_ms.x"):
        with pytest.raises(ValueError, match=r"no published number"):
            paper.published(path)
    with pytest.raises(FileNotFoundError, match=r"fetch recorded"):
        claims.recompute("revised.cost.sgpa.SM2S-1k.calls", tmp_path / "none")


def test_a_part_says_nothing_of_a_p():
    assert status(row("<0.01"), Value(0.001, n=4, stderr=np.inf)) == NOT_HERE
    assert status(row("<0.01"), Value(0.001, n=4)) == NOT_HERE
    assert status(row("0.01"), Value(0.2, n=4, stderr=np.inf)) == NOT_HERE
    assert status(row("<0.01"), Value(0.001, n=10, stderr=np.inf)) == RECOMPUTED
    assert status(row("<0.01"), Value(0.02, n=10, stderr=np.inf)) == DIFFERS
    assert status(row("0.01", 0.005), Value(0.012, n=10, stderr=np.inf)) == RECOMPUTED
    assert status(row("0.01", 0.005), Value(0.2, n=10, stderr=np.inf)) == DIFFERS


def test_formulas_of_printed_numbers():
    formula = recompute.RECOMPUTE["formula"]
    assert formula("v1.cost.3.calls / v1.cost.1.calls") == pytest.approx(2552.14 / 59.32)
    assert formula("100 * (1 - 0.25) ** 0.5") == pytest.approx(86.60254)
    with pytest.raises(ValueError, match=r"no published number"):
        formula("2 * v1.cost.9.calls")
    rows = claims.ledger().set_index("id")["stored"]
    for what, column in (("calls", "calls"), ("time", "seconds")):
        ratios = [
            formula(f"revised.cost.{i + 4}.{column} / revised.cost.{i}.{column}") for i in range(4)
        ]
        assert rows[f"revised.{what}_ratio.SO2S-500"] == pytest.approx(max(ratios))


def test_a_share_of_all_runs_has_a_standard_error():
    data, phase_2 = recompute.RecordedData(), recompute.RECOMPUTE["phase 2"]
    for steps, share, stderr in (([2] * 4, 100, 15.3), ([1] * 4, 0, 15.3), ([1, 2] * 48, 50, 5.0)):
        data.runs = pd.DataFrame({"regime": "raw", "condition": "a", "neyman_steps": steps})
        value = phase_2(data, "raw", "a")
        assert (value.value, value.n) == (share, len(steps))
        assert value.stderr == pytest.approx(stderr, abs=0.01)


def test_deletion_by_hand(tmp_path):
    lines = ["model,condition,sample_id,transcript,player,word,duration_sec,shapley_embedding,"]
    lines[0] += "deletion_drop_embedding"
    drops = {1: (0.1, 0.5, 0.3), 2: (0.2, 0.9, 0.4), 3: (0.3, 0.4, 0.2)}
    for sample, drop in drops.items():
        lines += [f"qwen,male,{sample},a b c,{i},w,0.1,{-(i == 1)},{d}" for i, d in enumerate(drop)]
    (tmp_path / "players.csv").write_text("\n".join(lines))
    less = np.array([0.5 - 0.2, 0.9 - 0.3, 0.4 - 0.25])
    data = recompute.RecordedData(tmp_path)
    deletion = recompute.RECOMPUTE["deletion"]
    value = deletion(data, "qwen", "male", "mean of the others")
    assert value.value == pytest.approx(less.mean() / less.std(ddof=1))
    assert value.n == 3
    one_other = deletion(data, "qwen", "male", "one other")
    assert 0 < one_other.value < value.value
    with pytest.raises(ValueError, match="hold 0 games"):
        deletion(data, "voxtral", "male", "one other")


def test_store(tmp_path, monkeypatch):
    rows = {name: claims.entries()[name] for name in ("v1.calls_ratio", "v1.corpus.tokens")}
    monkeypatch.setattr(claims, "entries", lambda: rows)
    monkeypatch.setattr(claims, "PAPER", tmp_path)
    checked = claims.store()
    assert checked == {"v1.calls_ratio": ARITHMETIC, "v1.corpus.tokens": NOT_HERE}
    kept = yaml.safe_load((tmp_path / "recomputed.yaml").read_text())
    assert kept["values"] == {"v1.calls_ratio": {"value": pytest.approx(43.0233, abs=1e-4)}}
    assert "python" in kept["made"]["versions"]
