"""The paper's concentration table on any folder of recorded runs, in both layouts."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from sgpa_core import concentration
from sgpa_core.companion import claims, concentration_tests, macro_trend, recorded
from sgpa_core.companion.cli import main

THEIRS = "experiments/interspeech/outputs/lem_runs/rebuttal_single_sentence_1k_{regime}/audio_{voice}_audio_{regime}_limited_neyman_lin3_0/samples/sample_{row:05}_result.json"  # noqa: E501
FLAT = "runs/1k_{voice}_{regime}/{row:05}.json"


def write(folder, layout, voices=("male", "female"), rows=6):
    """Write min-max scaled attributions of words and tokens; return them by voice, regime, row."""
    rng, made = np.random.default_rng(0), {}
    for voice in voices:
        for regime, n in (("sgpa", 6), ("raw", 25)):
            for row in range(rows):
                values = np.sort(rng.exponential(size=n + row % 3))
                values = (values - values[0]) / (values - values[0]).sum()
                made[voice, regime, row] = values
                content = {
                    "row_index": row,
                    "n_calls": 6,
                    "neyman_steps": 1,
                    "runtime_sec": 6.5,
                    "prompt_texts": ["Who is there?"],
                    "conversation": [[{"content_type": 1, "shap_values": list(values)}]],
                }
                file = folder / layout.format(voice=voice, regime=regime, row=row)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(content))
    return made


@pytest.mark.parametrize("layout", [FLAT, THEIRS], ids=["flat", "authors"])
def test_command(tmp_path, capsys, layout):
    made = write(tmp_path / "data", layout)
    (tmp_path / "data" / layout.format(voice="male", regime="sgpa", row=4)).unlink()
    broken = tmp_path / "data" / layout.format(voice="female", regime="raw", row=5)
    broken.write_text("{}")
    csv = tmp_path / "table.csv"
    assert main(["recorded", "stats", str(tmp_path / "data"), "--csv", str(csv)]) == 0
    text, table = capsys.readouterr().out, pd.read_csv(csv)
    assert "bonferroni over a family of 6 (per metric" in text
    assert "SM2S-1k: 1 raw runs without a partner (rows 4)" in text
    assert "left out: lacks row_index" in text
    assert table["mode"].tolist() == ["SM2S-1k"] * 4 + ["SM2F-1k"] * 4
    assert table["metric"].tolist() == ["Gini", "H/log n", "H/√n", "top-20 %"] * 2
    kept = {"male": [0, 1, 2, 3, 5], "female": [0, 1, 2, 3, 4]}
    for row, (voice, metric) in zip(
        table.itertuples(),
        [(voice, metric) for voice in kept for metric in ("Gini", "H/log n", "H/√n", "top-20 %")],
        strict=True,
    ):
        words, native = (
            concentration.measure(metric, [made[voice, regime, r] for r in kept[voice]])
            for regime in ("sgpa", "raw")
        )
        test = scipy_stats.ttest_rel(words, native)
        assert row.pairs == 5
        assert (row.sgpa, row.raw) == pytest.approx((words.mean(), native.mean()))
        assert row.d_z == pytest.approx(test.statistic / np.sqrt(5))
        assert row.p == pytest.approx(test.pvalue)
        assert row.corrected == pytest.approx(min(1, 6 * test.pvalue))
        assert row.significant == (row.p < 0.05 / 6)
        assert f"{row.d_z:.2f}" in text
        assert row.up_to == len(concentration_tests.families([row.p], [True]))
    assert "e-0" not in text and ("< .001" in text) == bool((table["p"] < 0.001).any())


def test_small_p_values_are_printed_as_such_and_kept_as_they_are(tmp_path, capsys):
    write(tmp_path, FLAT, rows=12)
    csv = tmp_path / "table.csv"
    assert main(["recorded", "stats", str(tmp_path), "--csv", str(csv)]) == 0
    runs = recorded.runs(tmp_path)
    table = concentration_tests.compare(runs)
    table.loc[:, "p"] = [0.0009, 0.001, 1e-300, 0.0, 0.0123, np.nan, 1.0, 0.05]
    rows = concentration_tests.report(runs, table).partition("corrected p")[2]
    assert rows.count("< .001") == 3 + (table["corrected"] < 0.001).sum()
    for p in ("0.0010", "0.0123", "1.0000", "0.0500", "–"):
        assert p in rows
    assert not pd.read_csv(csv)["p"].astype(str).str.contains("<").any()


def test_options(tmp_path, capsys):
    write(tmp_path, FLAT)
    words = ["recorded", "stats", str(tmp_path), "--condition", "SM2F-1k", "--divisor", "none"]
    assert main([*words, "--family", "all", "--correction", "holm"]) == 0
    text = capsys.readouterr().out
    assert "holm over a family of 3 (all tests listed)" in text
    assert "SM2S-1k  " not in text and "H/log n" not in text
    runs = recorded.runs(tmp_path)
    table = concentration_tests.compare(runs, "all", "holm", ["none"], ["SM2F-1k"])
    p = table["p"].sort_values()
    assert table["corrected"].min() == pytest.approx(min(1, 3 * p.iloc[0]))
    one = concentration_tests.compare(runs, 20, "bonferroni", ["log"])
    assert one["corrected"].to_numpy() == pytest.approx(np.minimum(1, 20 * one["p"]))
    by_metric = concentration_tests.compare(runs, "published", "holm", ["log"])
    gini = by_metric[by_metric["metric"] == "Gini"].sort_values("p")
    assert gini["corrected"].iloc[0] == pytest.approx(min(1, 6 * gini["p"].iloc[0]))
    assert gini["corrected"].iloc[1] >= min(1, 5 * gini["p"].iloc[1])


def test_one_pair_is_listed_and_not_tested(tmp_path, capsys):
    write(tmp_path, FLAT, voices=["male"], rows=1)
    assert main(["recorded", "stats", str(tmp_path)]) == 0
    assert "–" in capsys.readouterr().out
    table = concentration_tests.compare(recorded.runs(tmp_path))
    assert table["pairs"].tolist() == [1] * 4
    assert table["p"].isna().all() and not table["significant"].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--family", "paper"], "unknown family 'paper'; choose published, all or a number"),
        (["--family", "0"], "unknown family '0'"),
        (["--family", "2", "--correction", "holm"], "a family of 2 cannot hold the 8 tests"),
        (["--correction", "sidak"], "unknown correction 'sidak'"),
        (["--divisor", "n"], r"unknown divisor .n.; choose from log, sqrt, none"),
        (["--condition", "SM9"], "no condition 'SM9'; the runs have SM2F-1k, SM2S-1k"),
    ],
)
def test_bad_options(tmp_path, capsys, options, message):
    write(tmp_path, FLAT)
    assert main(["recorded", "stats", str(tmp_path), *options]) == 1
    assert re.search(message, capsys.readouterr().err)


def test_no_runs(tmp_path, capsys):
    assert main(["recorded", "stats", str(tmp_path)]) == 1
    assert "holds no recorded runs" in capsys.readouterr().err


@pytest.mark.reference
def test_the_reference_runs(reference):
    table = concentration_tests.compare(recorded.runs(reference)).set_index(["mode", "metric"])
    assert (table["pairs"] == 4).all()
    assert table.attrs["family"] == 28
    for mode in ("SM2S-1k", "SM2F-1k"):
        value = claims.recompute(f"revised.concentration.{mode}.gini", reference)
        assert table.loc[(mode, "Gini"), "d_z"] == pytest.approx(value.value)


def test_families_of_the_printed_verdicts():
    """Six tests cannot give all verdicts of the revised table; those of v1 they can."""
    families = {
        name: claims.recompute(f"{name}.concentration.family") for name in ("v1", "revised")
    }
    revised = families["revised"]
    low, high = (revised.value + side * revised.half_width for side in (-1, 1))
    assert (low, high) == (7, 37)
    assert low > 6 and high >= concentration_tests.family_size("published", 4, 0)
    assert families["v1"].value - families["v1"].half_width <= 6
    assert list(concentration_tests.families([0.01, 0.002], [False, True])) == list(range(5, 25))
    assert len(concentration_tests.families([0.001, 0.01], [False, True])) == 0  # no family can


@pytest.mark.reference
def test_the_stored_table_is_what_the_runs_say(root, reference):
    before = pd.read_csv(root / "data/results/recorded/concentration.csv")
    now = concentration_tests.compare(recorded.runs(reference))
    pd.testing.assert_frame_equal(now.round(6), before, check_dtype=False, rtol=1e-4)


def test_profiles_by_hand():
    early, late, flat = [4.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 4.0], [1.0, 1.0, 1.0]
    rows = [("SM2S-1k", "sgpa", i, np.array(early)) for i in range(3)]
    rows += [("SM2S-1k", "raw", i, np.array(late)) for i in range(3)]
    rows += [("SO2S-1k", regime, i, np.array(flat)) for regime in ("sgpa", "raw") for i in (7, 8)]
    rows += [("SO2S-500", "sgpa", 1, np.array(flat))]  # has no partner
    runs = pd.DataFrame(rows, columns=["condition", "regime", "row", "attribution"])
    table = macro_trend.recorded_profiles(runs).set_index("mode")
    assert list(table.index) == ["SM2S-1k", "SO2S-1k", "all"] and list(table["n"]) == [3, 2, 5]
    first = 4 / 6 + 1 / 3 / 6  # by a third of the way: the first quarter, and a third of the next
    assert table.loc["SM2S-1k", "x"] == pytest.approx(first)
    assert table.loc["SM2S-1k", "y"] == pytest.approx(1 / 3 / 6)
    assert table.loc["all", "difference"] == pytest.approx(3 / 5 * 4 / 6)
    with pytest.raises(ValueError, match="at least 2 matched pairs"):
        macro_trend.recorded_profiles(runs[runs["condition"] == "SO2S-500"])


@pytest.mark.reference
def test_the_stored_profiles_are_what_the_runs_say(root, reference):
    before = pd.read_csv(root / "data/results/recorded/profiles.csv")
    now = macro_trend.recorded_profiles(recorded.runs(reference))
    pd.testing.assert_frame_equal(now.round(6), before, check_dtype=False, rtol=1e-4)


def test_a_slice_of_the_stored_pieces_is_what_it_was(root, script):
    make, prompt = script("data/results/real/pieces.py"), "005"
    games = {
        key: {id: game for id, game in by_id.items() if game.prompt == prompt}
        for key, by_id in make.of_answerer()[0].items()
    }
    rows = pd.DataFrame(make.of_games(games), columns=["measure", "prompt", "value"])
    now = rows.groupby("measure")["value"].mean()
    stored = pd.read_csv(root / "data/results/real/pieces.csv", dtype={"prompt": str})
    stored = stored[(stored["model"] == "answerer") & (stored["prompt"] == prompt)]
    before = stored.set_index("measure")["value"]
    assert before[now.index].to_numpy() == pytest.approx(now.to_numpy(), abs=1e-5)
    words, equal = now["Gini of speech, words"], now["Gini of speech, equal"]
    assert before["Gini of speech, words − equal"] == pytest.approx(words - equal, abs=1e-5)
    assert now["pieces without speech, words"] == 0


def test_pieces_without_speech_are_left_out_by_hand(script):
    levels = script("data/results/real/pieces.py").levels
    spans = np.array([[0.0, 0.4], [0.4, 0.8], [0.8, 1.2], [1.2, 1.6]])
    words = np.array([[0.5, 0.8], [0.8, 1.2]])
    found = levels("equal", np.array([0.0, 3.0, -1.0, 0.0]), spans, words)
    assert found["pieces without speech, equal"] == 0.5
    assert found["mass without speech, equal"] == 0
    assert found["Gini of speech, equal"] == pytest.approx(0.25)
    assert found["unbiased Gini, equal"] == pytest.approx(0.625 * 4 / 3)
