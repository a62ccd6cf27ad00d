"""A corpus: resumed, with failures told, the same on one process, several, or a cluster."""

import os
import shutil
import signal
import threading
import time

import numpy as np
import pandas as pd
import pytest

from sgpa_core import Audio, instructions
from sgpa_core.companion.batch import COLUMNS, explain_many, manifest
from sgpa_core.companion.cli import main
from sgpa_core.companion.record import Record
from sgpa_core.utility import f1

IDS = ("awb-001", "slt-001", "slt-010", "awb-021")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Four prompts, a file that is no sound, and one that is not there."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = []
    for id in IDS:
        recording = instructions(id)
        recording.audio.write(folder / f"{id}.wav")
        rows.append({"audio": f"{id}.wav", "text": recording.text, "id": ""})
    (folder / "bad.wav").write_bytes(b"no sound")
    rows.insert(1, {"audio": "bad.wav", "text": "so", "id": "bad"})
    rows.append({"audio": "gone.wav", "text": "so", "id": "gone"})
    pd.DataFrame(rows).to_csv(folder / "list.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def serial(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("serial")
    return explain_many(corpus / "list.csv", out, "embedded", method="exact"), out


def rows_of(out):
    """The rows of a folder's record, by id."""
    return {id: row for (id,), row in Record(out / "results.jsonl").rows.items()}


def test_each_utterance_ends_in_a_row(corpus, serial):
    table, out = serial
    assert tuple(table.columns) == COLUMNS
    assert table["id"].tolist() == ["awb-001", "bad", *IDS[1:], "gone"]
    assert table["status"].tolist() == ["done", "failed", "done", "done", "done", "failed"]
    reasons = table.set_index("id")["reason"]
    assert "is not audio that can be read" in reasons["bad"]
    assert "no such audio file" in reasons["gone"]
    row = rows_of(out)["awb-001"]
    assert row["answer"] == instructions("awb-001").answer
    assert sum(row["values"]) + row["baseline"] == pytest.approx(1)
    summary = pd.read_csv(out / "summary.csv")
    assert summary["id"].tolist() == table["id"].tolist()
    assert "is not audio" in (out / "report.html").read_text("utf-8")


def test_what_is_there_is_not_computed_again(corpus, serial, monkeypatch):
    table, out = serial
    before = (out / "results.jsonl").read_bytes()
    monkeypatch.setattr(
        "sgpa_core.companion.batch.explain", lambda *a, **k: pytest.fail("asked again")
    )
    again = explain_many(corpus / "list.csv", out, "embedded", method="exact")
    pd.testing.assert_frame_equal(again, table)
    after = (out / "results.jsonl").read_bytes()
    assert after.startswith(before) and after[len(before) :].count(b'"values"') == 0
    with pytest.raises(ValueError, match=r"method: 'exact' there, 'kernel' here"):
        explain_many(corpus / "list.csv", out, "embedded", method="kernel")


def test_a_changed_recording_or_a_damaged_result_is_computed_again(
    corpus, serial, monkeypatch, tmp_path
):
    out = shutil.copytree(serial[1], tmp_path / "out")
    asked = []

    def note(audio, text, *rest, **settings):
        asked.append(text)
        raise ValueError("not now")

    monkeypatch.setattr("sgpa_core.companion.batch.explain", note)
    rows = pd.read_csv(corpus / "list.csv", keep_default_na=False)
    rows["audio"] = [str(corpus / name) for name in rows["audio"]]
    rows.loc[rows["audio"].str.contains("slt-010"), "text"] = "another text"
    lines = (out / "results.jsonl").read_text("utf-8").splitlines(keepends=True)
    lines = [line[:50] + "\n" if '"id":"slt-001"' in line else line for line in lines]
    (out / "results.jsonl").write_text("".join(lines), "utf-8")
    table = explain_many(rows, out, "embedded", method="exact")
    assert sorted(asked) == sorted(["another text", instructions("slt-001").text])
    assert table.set_index("id").loc["slt-001", "reason"] == "ValueError: not now"


def test_an_interrupted_run_goes_on(corpus, tmp_path, monkeypatch):
    from sgpa_core.companion import batch

    real, done = batch.explain, []

    def stops(*rest, **settings):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(rest[1])
        return real(*rest, **settings)

    monkeypatch.setattr(batch, "explain", stops)
    with pytest.raises(KeyboardInterrupt):
        explain_many(corpus / "list.csv", tmp_path, "embedded", method="exact")
    states = pd.read_csv(tmp_path / "summary.csv")["status"].value_counts()
    assert states.to_dict() == {"open": 3, "done": 2, "failed": 1}
    monkeypatch.setattr(batch, "explain", real)
    table = explain_many(corpus / "list.csv", tmp_path, "embedded", method="exact")
    assert (table["status"] == "done").sum() == len(IDS)


def same(first, second):
    """Values of two runs, up to what another number of threads does to the last digits."""
    for id in IDS:
        a, b = rows_of(first)[id], rows_of(second)[id]
        assert a["answer"] == b["answer"]
        np.testing.assert_allclose(a["values"], b["values"], atol=1e-9)
    return True


@pytest.mark.slow
def test_several_processes_give_the_same(corpus, serial, tmp_path):
    table = explain_many(corpus / "list.csv", tmp_path, "embedded", method="exact", workers=2)
    assert table["status"].tolist() == serial[0]["status"].tolist()
    assert same(serial[1], tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the cluster's own, when its worker is killed
def test_a_cluster_gives_the_same_although_a_worker_is_killed(corpus, serial, tmp_path):
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        distributed.LocalCluster(**settings, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        killed = []

        def kill():
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                if any(row["status"] == "done" for row in rows_of(tmp_path).values()):
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])
                    return
                time.sleep(0.02)

        thread = threading.Thread(target=kill)
        thread.start()
        table = explain_many(
            corpus / "list.csv", tmp_path, "embedded", method="exact", client=client
        )
        thread.join()
    assert killed
    assert table["status"].tolist() == serial[0]["status"].tolist()
    assert same(serial[1], tmp_path)


def test_a_folder_is_a_manifest_too(tmp_path):
    for name in ("b", "a"):
        Audio(np.full(1600, 0.1), 16_000).write(tmp_path / f"{name}.wav")
    (tmp_path / "a.txt").write_text("\ufeffso it is\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("no sound")
    items = manifest(tmp_path)
    assert [(u.id, u.text) for u in items] == [("a", "so it is"), ("b", "")]
    table = explain_many(tmp_path, tmp_path / "out", "embedded")
    assert "no text" in table.set_index("id").loc["b", "reason"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"audio": "a.wav"}], "row 1 lacks text"),
        ([{"audio": "x/a.wav", "text": "a"}, {"audio": "a.flac", "text": "b"}], "occurs twice"),
        ([{"audio": "a.wav", "text": "a", "id": "../a"}], "no plain name"),
        ([], "names no recording"),
    ],
)
def test_an_ill_formed_manifest_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        manifest(pd.DataFrame(rows))


def test_what_cannot_be_shared_is_refused(corpus, tmp_path):
    with pytest.raises(ValueError, match="give the model's name"):
        explain_many(corpus / "list.csv", tmp_path, object(), workers=2)
    with pytest.raises(ValueError, match="workers must be a whole number"):
        explain_many(corpus / "list.csv", tmp_path, "embedded", workers=0)


def test_on_the_command_line(corpus, tmp_path, capsys):
    arguments = ["batch", str(corpus / "list.csv"), "--out", str(tmp_path), "--quiet"]
    arguments += ["--model", "embedded"]
    assert main([*arguments, "--method", "kernel", "--budget", "20"]) == 1
    captured = capsys.readouterr()
    assert "4 of 6 explained" in captured.out
    assert "bad: failed" in captured.err
    assert main([*arguments, "--method", "exact"]) == 1
    assert "other settings" in capsys.readouterr().err


def test_a_setting_that_explain_lacks_is_refused_at_once(corpus, tmp_path):
    with pytest.raises(ValueError, match=r"explain has no methd; it has method, budget"):
        explain_many(corpus / "list.csv", tmp_path / "out", "embedded", methd="exact")
    assert not (tmp_path / "out").exists()


def test_a_wrong_setting_can_be_mended_while_nothing_is_done(corpus, tmp_path):
    rows = pd.DataFrame([{"audio": str(corpus / "slt-010.wav"), "text": "so it is"}])
    table = explain_many(rows, tmp_path, "embedded", method="exat")
    assert table["status"].tolist() == ["failed"] and "exat" in table["reason"][0]
    assert explain_many(rows, tmp_path, "embedded", method="exact")["status"].tolist() == ["done"]
    with pytest.raises(ValueError, match="other settings"):
        explain_many(rows, tmp_path, "embedded", method="exat")


def test_own_settings_have_the_same_name_in_every_process(corpus, tmp_path):
    rows = pd.DataFrame([{"audio": str(corpus / "slt-010.wav"), "text": "so it is"}])
    explain_many(rows, tmp_path, "embedded", method="exact", utility=f1)
    settings = Record(tmp_path / "results.jsonl").head["settings"]
    assert settings["utility"] == "sgpa_core.utility.f1"


def test_a_text_in_a_wrong_encoding_stops_nobody(tmp_path):
    for name, text in (("a", b"so it is"), ("b", "caf\xe9".encode("latin-1"))):
        instructions("slt-010").audio.write(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.txt").write_bytes(text)
    table = explain_many(tmp_path, tmp_path / "out", "embedded", method="exact")
    assert table["status"].tolist() == ["done", "failed"]
    assert "b.txt is no UTF-8 text" in table["reason"][1]


def test_the_summary_of_an_interrupted_run_tells_no_old_values(corpus, tmp_path, monkeypatch):
    rows = pd.DataFrame([{"audio": str(corpus / "slt-010.wav"), "text": "so it is"}])
    explain_many(rows, tmp_path, "embedded", method="exact")

    def stops(*rest, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("sgpa_core.companion.batch.explain", stops)
    with pytest.raises(KeyboardInterrupt):
        explain_many(rows.assign(text="so it was"), tmp_path, "embedded", method="exact")
    assert pd.read_csv(tmp_path / "summary.csv")["status"].tolist() == ["open"]


def test_defaults_that_are_spelled_out_are_no_other_settings(corpus, tmp_path):
    rows = pd.DataFrame([{"audio": str(corpus / "slt-010.wav"), "text": "so it is"}])
    explain_many(rows, tmp_path, "embedded", method="exact")
    again = explain_many(
        rows, tmp_path, "embedded", method="exact", seed=0, aligner="embedded", alpha=0.8
    )
    assert again["status"].tolist() == ["done"]
    with pytest.raises(ValueError, match="other settings"):
        explain_many(rows, tmp_path, "embedded", method="exact", alpha=0.5)
    with pytest.raises(ValueError, match="other settings"):
        explain_many(rows, tmp_path, "embedded", method="exact", seed=None)


def test_notes_are_in_the_summary_and_on_the_command_line(tmp_path, capsys):
    recording = instructions("slt-010")
    recording.audio.write(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text("nothing that anybody would have said there at all")
    command = ["batch", str(tmp_path), "--out", str(tmp_path / "out"), "--quiet"]
    assert main([*command, "--model", "embedded"]) == 0
    assert "a: note: the transcript fits the recording badly" in capsys.readouterr().err
    assert "fits the recording badly" in pd.read_csv(tmp_path / "out" / "summary.csv")["notes"][0]
    assert "fits the recording badly" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_a_record_says_what_was_asked_for_and_where_it_ran(serial):
    head = Record(serial[1] / "results.jsonl").head
    assert head["settings"]["model"] == "embedded" and head["settings"]["method"] == "exact"
    assert {"command", "began", "ended", "versions", "machine"} <= set(head["runs"][0])
