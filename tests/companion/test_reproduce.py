"""The paper's protocol in one command: end to end, stopped and taken up, refused, tabulated."""

import hub_copies
import numpy as np
import pandas as pd
import pytest
from oracle import Oracle

import sgpa_core
from sgpa_core.companion.cli import main
from sgpa_core.companion.concentration_tests import paired
from sgpa_core.companion.record import Record
from sgpa_core.companion.reproduce import published_counter, reproduce
from sgpa_core.companion.study import Study

RECORDINGS = [r for r in sgpa_core.speech() if r.voice in ("awb", "slt") and len(r.words) == 6][:4]
QUIET = {"say": lambda text: None}


class Choir:
    """An oracle for each recording, told apart by their lengths; repeats the longer words."""

    name, sample_rate, token_seconds = "choir", 16_000, 0.25

    def __init__(self, recordings=RECORDINGS, stop_after=None, deaf_to=None):
        def rule(heard):
            return " ".join(["i", "heard", *(word for word in heard if len(word) > 3)])

        oracles = [Oracle.of(recording, rule) for recording in recordings]
        self.by_length = {len(oracle.full): oracle for oracle in oracles}
        assert len(self.by_length) == len(recordings)
        self.stop_after, self.deaf_to, self.heard = stop_after, deaf_to, 0

    def respond(self, batch, sample_rate):
        if self.stop_after is not None and self.heard >= self.stop_after:
            raise KeyboardInterrupt
        self.heard += len(batch)
        oracles = [self.by_length[len(samples)] for samples in batch]
        if self.deaf_to is not None and oracles[0] is list(self.by_length.values())[self.deaf_to]:
            raise RuntimeError("out of memory")
        return [o.respond([s], sample_rate)[0] for o, s in zip(oracles, batch, strict=True)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return hub_copies.voicebench(RECORDINGS, tmp_path_factory.mktemp("voicebench"))


@pytest.fixture(scope="module")
def study(copy, tmp_path_factory):
    """Two regimes over four utterances with VoiceBench's schema."""
    out = tmp_path_factory.mktemp("study")
    return reproduce(Choir(), "voicebench", out, copy=copy, **QUIET)


def record(folder):
    return Record(folder / "results.jsonl", ("id", "regime"))


def strip(rows):
    """Give what must be the same whenever it is run."""
    return [
        {name: value for name, value in row.items() if name not in ("seconds", "calls", "resumed")}
        for row in rows
    ]


def test_every_utterance_is_explained_in_both_regimes(study):
    assert [(row["id"], row["regime"]) for row in study.rows] == [
        (f"alpacaeval_full-{index:05d}", regime)
        for index in range(4)
        for regime in ("words", "native")
    ]
    for row, recording in zip(study.rows[::2], RECORDINGS, strict=True):
        assert row["status"] == "done"
        assert row["text"] == recording.text
        assert row["players"] == recording.text.split()
        assert row["distinct"] <= row["evaluations"]
        assert len(row["values"]) == len(row["players"])
        assert row["resumed"] is False
    for row, recording in zip(study.rows[1::2], RECORDINGS, strict=True):
        assert len(row["players"]) == pytest.approx(recording.audio.duration / 0.25, abs=0.51)
        assert len(row["players"]) > 6


def test_values_are_those_of_explain(study):
    recording = RECORDINGS[1]
    explanation = sgpa_core.explain(
        recording.audio, recording.text, Choir(), "cc-neyman-published", "3n^2", 0
    )
    np.testing.assert_array_equal(study.rows[2]["values"], explanation.values)
    assert study.rows[2]["evaluations"] == explanation.evaluations
    assert study.rows[2]["calls"] == explanation.calls


def test_calls_are_those_that_the_model_heard(copy, tmp_path):
    model = Choir()
    study = reproduce(model, "voicebench", tmp_path, copy=copy, regimes=["words"], **QUIET)
    assert sum(row["calls"] for row in study.rows) == model.heard


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [2, 5, 7, 12])
def test_the_counter_is_what_the_last_phase_asked(n, seed):
    from sgpa_core.game import FunctionGame
    from sgpa_core.shapley import estimate

    asked = []

    def worth(coalitions):
        return coalitions.sum(axis=1) ** 2.0 + coalitions[:, 0]

    class Counting(FunctionGame):
        def __call__(self, coalitions):
            asked.append(len(coalitions))
            return super().__call__(coalitions)

    attribution = estimate(Counting(n, worth), "cc-neyman-published", "3n^2", seed)
    phases = [count for count in asked if count > 1]  # one by one: the baseline
    assert published_counter(attribution) == phases[-1]
    assert attribution.evaluations == sum(phases)
    flat = estimate(FunctionGame(n, lambda c: np.zeros(len(c))), "cc-neyman-published", None, seed)
    assert published_counter(flat) == (0 if n > 5 else flat.evaluations)
    assert published_counter(estimate(Counting(n, worth), "exact")) is None


def test_cost_beside_the_paper(study):
    table = study.cost()
    words, native = table[table["source"] == "measured, choir"].to_dict("records")
    rows = pd.DataFrame(study.rows).groupby("regime")
    for name in ("counter", "evaluations", "distinct", "seconds"):
        means = rows[name].mean()
        assert (words[name], native[name]) == pytest.approx((means["words"], means["native"]))
    assert words["n"] == native["n"] == native["timed"] == 4
    assert words["players"] == 6
    assert native["counter ratio"] == pytest.approx(native["counter"] / words["counter"])
    assert native["seconds ratio"] == pytest.approx(native["seconds"] / words["seconds"])
    printed = table[table["source"] == "paper, v1"].set_index(["condition", "regime"])
    assert printed.loc[("SF2S", "native"), "counter ratio"] == pytest.approx(43.02, abs=0.005)
    assert printed.loc[("SM2S", "native"), "seconds ratio"] == pytest.approx(25.1, abs=0.05)
    revised = table[table["source"] == "paper, revised"].set_index(["condition", "regime"])
    assert revised.loc[("SO2S-1k", "native"), "counter ratio"] == pytest.approx(79.2, abs=0.05)


def test_concentration_beside_the_paper(study):
    from scipy.stats import ttest_rel

    table = study.concentration()
    row = table[(table["source"] == "measured, choir") & (table["metric"] == "Gini")].iloc[0]

    def gini(values):
        s = np.abs(values) / np.abs(values).sum()
        return np.abs(s[:, None] - s).sum() / 2 / len(s)

    words, native = ([gini(r["values"]) for r in study.rows[start::2]] for start in (0, 1))
    test = ttest_rel(words, native)
    assert (row["words"], row["other"]) == pytest.approx((np.mean(words), np.mean(native)))
    assert (row["t"], row["p"]) == pytest.approx((test.statistic, test.pvalue))
    assert row["d_z"] == pytest.approx(test.statistic / np.sqrt(4))
    assert row["pairs"] == 4
    assert set(table["metric"]) >= {"H/√n", "H/log n", "top-20 %", "entropy"}
    printed = table[table["source"] == "paper, revised"].set_index(["condition", "metric"])
    assert printed.loc[("SM2S-1k", "entropy"), "d_z"] == -1.61


def test_pairs_that_lack_one_are_counted():
    test = paired(np.array([0.1, np.nan]), np.array([0.2, 0.3]))
    assert (test["pairs"], test["left out"]) == (1, 1)
    assert "p" not in test
    assert "d_z" not in paired(np.ones(3), np.zeros(3))  # no spread, no test
    assert paired(np.empty(0), np.empty(0)) == {"pairs": 0, "left out": 0}


def test_what_is_written(study):
    report = (study.folder / "report.md").read_text("utf-8")
    assert "8 of 8 explanations done, 0 failed" in report
    assert "| measured, choir | original | words | 4 | 6 |" in report
    assert "| paper, v1 | SF2S | native |" in report
    assert "e-0" not in report.partition("## Concentration")[2].partition("## Where")[0]
    for name, table in (("cost", study.cost()), ("concentration", study.concentration())):
        assert list(pd.read_csv(study.folder / f"{name}.csv").columns) == list(table.columns)
    written = record(study.folder)
    assert list(written.rows.values()) == study.rows
    [run] = written.head["runs"]
    assert {"command", "began", "ended", "versions", "machine"} <= set(run)
    assert written.head["settings"]["model"] == "choir"
    assert written.head["settings"]["curated"] is True
    assert "copy in" in written.head["settings"]["revision"]


@pytest.mark.parametrize("after", [0, 30, 250])
def test_stopped_and_taken_up(study, copy, tmp_path, after):
    heard = []
    with pytest.raises(KeyboardInterrupt):
        reproduce(Choir(stop_after=after), "voicebench", tmp_path, copy=copy, say=heard.append)
    assert "the same command goes on" in heard[-1]
    [*_, last] = record(tmp_path).rows.values()
    assert last["status"] == "begun"
    model = Choir()
    again = reproduce(model, "voicebench", tmp_path, copy=copy, **QUIET)
    assert strip(again.rows) == strip(study.rows)
    assert [row["resumed"] for row in again.rows].count(True) == 1
    assert len(again.record["runs"]) == 2
    assert model.heard <= sum(row["calls"] for row in study.rows) - after
    timed = again.cost().query("source == 'measured, choir'")["timed"].sum()
    assert timed == 7
    assert reproduce(model, "voicebench", tmp_path, copy=copy, **QUIET).rows == again.rows


def test_one_failure_does_not_stop_the_rest(copy, tmp_path):
    study = reproduce(
        Choir(deaf_to=1), "voicebench", tmp_path, copy=copy, regimes=["words"], **QUIET
    )
    assert [row["status"] for row in study.rows] == ["done", "failed", "done", "done"]
    assert study.rows[1]["reason"] == "RuntimeError: out of memory"
    report = study.report()
    assert "1 failed" in report
    assert "- alpacaeval_full-00001, words: RuntimeError: out of memory" in report
    again = reproduce(Choir(), "voicebench", tmp_path, copy=copy, regimes=["words"], **QUIET)
    assert [row["status"] for row in again.rows] == ["done"] * 4


def test_if_all_fail_there_is_still_a_report(copy, tmp_path):
    class Mute(Choir):
        def respond(self, batch, sample_rate):
            return None

    study = reproduce(Mute(), "voicebench", tmp_path, copy=copy, **QUIET)
    assert {row["status"] for row in study.rows} == {"failed"}
    assert "0 of 8 explanations done, 8 failed" in study.report()


def test_another_command_s_folder_is_refused(study, copy):
    with pytest.raises(ValueError, match=r"other settings \(seed: 0 there, 1 here\)"):
        reproduce(Choir(), "voicebench", study.folder, copy=copy, seed=1, **QUIET)
    with pytest.raises(ValueError, match="utterances: 4 there, 2 here"):
        reproduce(Choir(), "voicebench", study.folder, copy=copy, limit=2, **QUIET)


def test_a_damaged_folder_is_left_as_it_is(copy, tmp_path):
    name, text = "results.jsonl", '{"settings": \n{}\n'
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match="is damaged or another program's"):
        reproduce(Choir(), "voicebench", tmp_path, copy=copy, **QUIET)
    assert (tmp_path / name).read_text() == text
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regimes": ["words", "phones"]}, "unknown regime 'phones'; choose from words"),
        ({"regimes": []}, "one or more different ones"),
        ({"regimes": ["words", "words"]}, "one or more different ones"),
        ({"method": "guess"}, "unknown method 'guess'; choose from exact"),
        ({"budget": "lots"}, "a budget is a positive whole number"),
        ({"seed": None}, "seed must be a whole number of at least 0, got None"),
        ({"utility": "rouge"}, "unknown utility 'rouge'"),
        ({"masking": "beep"}, "unknown masking 'beep'"),
        ({"corpus": "nothing"}, "no corpus 'nothing'"),
        ({"corpus": "speech", "voices": ["tom"]}, "no voice 'tom'"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_asked(options, message, tmp_path):
    model = Choir()
    with pytest.raises(ValueError, match=message):
        reproduce(model, out=tmp_path / "out", **{"corpus": "speech", **options}, **QUIET)
    assert model.heard == 0
    assert not (tmp_path / "out").exists()


def test_curation_that_leaves_nothing(tmp_path):
    rows = [{"prompt": "Hi.", "audio": {"bytes": RECORDINGS[0].path.read_bytes(), "path": "a.wav"}}]
    hub_copies.write(rows, tmp_path, "alpacaeval_full", "test-0.parquet", ["audio"])
    heard = []
    with pytest.raises(ValueError, match="curation left nothing of 'voicebench' to explain"):
        reproduce(Choir(), "voicebench", tmp_path / "out", copy=tmp_path, say=heard.append)
    assert "left out 1: at least 4 words" in heard[0]


def command_line(*arguments):
    return main(["reproduce", *map(str, arguments)])


def test_the_command_line_with_the_embedded_model(tmp_path, capsys):
    """The authors' schema, the embedded answerer, words and its own frames of 40 ms."""
    recordings = sorted(sgpa_core.instructions(), key=lambda r: r.audio.duration)[:2]
    copy = hub_copies.mllm_shap(recordings, tmp_path / "copy")
    arguments = ["--corpus", "mllm-shap", "--copy", copy, "--voices", "male", "--budget", "2n"]
    arguments += ["--out", tmp_path / "out", "--quiet"]
    assert command_line(*arguments) == 0
    printed = capsys.readouterr().out
    assert "2 utterances, 2 male" in printed
    assert "4 of 4 explanations done" in printed
    assert "| paper, revised | SO2S-1k | native |" in printed
    written = record(tmp_path / "out")
    study = Study(list(written.rows.values()), written.head, tmp_path / "out")
    assert study.source.startswith("measured, embedded@")
    for row, recording in zip(study.rows[::2], recordings, strict=True):
        assert row["players"] == recording.text.split()
        assert row["answer"]
    for row, recording in zip(study.rows[1::2], recordings, strict=True):
        assert len(row["players"]) == pytest.approx(recording.audio.duration / 0.04, abs=1)
        assert row["evaluations"] >= 2 * len(row["players"])
    command = written.head["runs"][0]["command"]
    assert command.startswith("python -m sgpa_core reproduce --model embedded --corpus mllm-shap ")
    assert "--voices male" in command


def test_the_exit_status_tells_of_failures(tmp_path, monkeypatch):
    monkeypatch.setattr("sgpa_core.models.load_model", lambda name: Choir(deaf_to=0))
    copy = hub_copies.voicebench(RECORDINGS, tmp_path)
    options = ("--corpus", "voicebench", "--copy", copy, "--out", tmp_path / "out", "--quiet")
    assert command_line(*options, "--regimes", "words", "--no-curated") == 1
    [run] = record(tmp_path / "out").head["runs"]
    assert run["command"].endswith(f"--no-curated --copy {copy} --out {tmp_path / 'out'} --quiet")
