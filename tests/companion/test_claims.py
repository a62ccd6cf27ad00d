"""The claim ledger: complete, well formed, and every status follows from the numbers."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from sgpa_core.companion import claims, paper, recompute
from sgpa_core.companion.claims import DIFFERS, HOLDS, NOT_HERE, Value, status

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
        assert row["status"] in (HOLDS, DIFFERS, NOT_HERE), row["id"]
        assert {"version", "where", "formula", "source"} <= set(row), row["id"]
        assert len(row.get("comment", "")) < 140, row["id"]
        assert row.get("recompute") is None or row["recompute"] in recompute.RECOMPUTE, row["id"]
        if row["status"] == DIFFERS:
            assert row["formula"], row["id"]
        if row.get("recompute") is None:
            assert row["status"] == NOT_HERE and row["comment"], row["id"]


def test_stated_statuses_follow_from_the_stored_values():
    ledger = claims.ledger()
    for row in ledger.to_dict("records"):
        value = None
        if row["recompute"]:
            assert np.isfinite(row["stored"]), row["id"]
            parts = [0 if pd.isna(row[k]) else row[k] for k in ("half_width", "n", "stderr")]
            value = Value(row["stored"], parts[0], parts[1] or None, parts[2])
        assert status(row, value) == row["status"], row["id"]


def test_without_the_recorded_data(monkeypatch, tmp_path):
    monkeypatch.delenv("SGPA_REFERENCE", raising=False)
    checked = claims.check(tmp_path / "none")
    assert checked["agrees"].all()
    counts = checked["origin"].value_counts()
    assert set(counts.index) == {"live", "stored", "none"}
    from_tables = (
        claims.ledger()
        .set_index("id")["source"]
        .isin(["arithmetic", "published table", "simulation", "embedded answerer"])
    )
    assert (checked.set_index("id")["origin"] == "live").equals(from_tables)


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
    rows["v1.time_ratio"]["status"] = DIFFERS
    rows["problem.years"]["args"] = [51, 1]
    monkeypatch.setattr(claims, "entries", lambda: rows)
    checked = claims.check(tmp_path / "none").set_index("id")["agrees"]
    assert sorted(checked[~checked].index) == ["problem.years", "v1.calls_ratio", "v1.time_ratio"]


@pytest.mark.parametrize(
    ("published", "value", "expected"),
    [
        (43, Value(43.02), HOLDS),
        (43, Value(39.8), DIFFERS),
        ("<0.01", Value(0.002), HOLDS),
        ("<0.01", Value(0.01), DIFFERS),
        ("0.02", Value(0.4), HOLDS),
        (43, Value(30, half_width=12.6), HOLDS),
        (43, Value(30, half_width=12.4), DIFFERS),
        (43, Value(50, n=4, stderr=4), HOLDS),
        (43, Value(50, n=4, stderr=3), DIFFERS),
        (43, Value(50, n=10, stderr=4), DIFFERS),
        (43, Value(50, n=4, stderr=11), NOT_HERE),
        (43, Value(90, n=4, stderr=11), DIFFERS),
        (43, None, NOT_HERE),
    ],
)
def test_status(published, value, expected):
    row = {"published": published, "tolerance": 0.5, "of": 10}
    assert status(row, value) == expected


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match=r"no claim 'v3'"):
        claims.recompute("v3")
    for path in ("v1.costs", "v1.cost.9", "v1.cost.x", "problem.frame_ms.x"):
        with pytest.raises(ValueError, match=r"no published number"):
            paper.published(path)
    with pytest.raises(FileNotFoundError, match=r"fetch recorded"):
        claims.recompute("revised.cost.sgpa.SM2S-1k.calls", tmp_path / "none")


def test_a_part_says_nothing_of_a_p_below_a_bound():
    row = {"published": "<0.01", "tolerance": 0.005, "of": 10}
    assert status(row, Value(0.001, n=4, stderr=1.0)) == NOT_HERE
    assert status(row, Value(0.001, n=10)) == HOLDS
    assert status(row, Value(0.02, n=10)) == DIFFERS


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


def test_embedded_claims_by_hand(root):
    lines = (root / "data" / "results" / "cost" / "runs.jsonl").read_text("utf-8").splitlines()
    runs = [json.loads(line) for line in lines]
    words, native = (
        {run["id"]: run for run in runs if run["voice"] == "slt" and run["regime"] == regime}
        for regime in ("words", "native-80")
    )
    both = sorted(words.keys() & native)
    spent = [sum(of[id]["evaluations"] for id in both) for of in (native, words)]
    data = recompute.EmbeddedData()
    data.runs = data.runs[data.runs["condition"] == "slt"]
    ratio = recompute.RECOMPUTE["ratio of means"](data, "evaluations")
    assert ratio.value == pytest.approx(spent[0] / spent[1])
    assert ratio.n == len(both) and 0 < ratio.stderr < ratio.value / 5
    longer = np.mean([words[id]["players"] > 5 for id in both])
    share = recompute.RECOMPUTE["phase 2"](data, "sgpa", "slt").value
    assert share == pytest.approx(100 * longer)
    tops = []
    for id in both:
        sizes = [np.sort(np.abs(of[id]["values"]))[::-1] for of in (words, native)]
        tops.append([size[: int(np.ceil(0.2 * len(size)))].sum() / size.sum() for size in sizes])
    less = np.diff(tops)[:, 0] * -1
    effect = recompute.RECOMPUTE["concentration"](data, "slt", "top-20 %", "d_z", "absolute").value
    assert effect == pytest.approx(less.mean() / less.std(ddof=1))


def test_store(tmp_path, monkeypatch):
    rows = {name: claims.entries()[name] for name in ("v1.calls_ratio", "v1.corpus.tokens")}
    monkeypatch.setattr(claims, "entries", lambda: rows)
    monkeypatch.setattr(claims, "PAPER", tmp_path)
    checked = claims.store()
    assert checked == {"v1.calls_ratio": HOLDS, "v1.corpus.tokens": NOT_HERE}
    kept = yaml.safe_load((tmp_path / "recomputed.yaml").read_text())
    assert kept["values"] == {"v1.calls_ratio": {"value": pytest.approx(43.0233, abs=1e-4)}}
    assert "python" in kept["made"]["versions"]
