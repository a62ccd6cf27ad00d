"""The command line, run as a user runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sgpa_core import Segmentation, instructions, speech
from sgpa_core.companion.cli import main


@pytest.fixture(scope="module")
def recording():
    return speech()[0]


def test_align_prints_a_table(recording, capsys):
    assert main(["align", str(recording.path), "--text", recording.text]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["text", "start", "end", "confidence", "status", "refined"]
    assert [line.split()[0] for line in printed[1:]] == [word.text for word in recording.words]


@pytest.mark.parametrize("ending", ["TextGrid", "json", "csv", "vtt"])
def test_align_writes_what_the_name_says(recording, tmp_path, capsys, ending):
    (tmp_path / "spoken.txt").write_text(recording.text + "\n", encoding="utf-8-sig")
    out = tmp_path / f"words.{ending}"
    command = ["align", str(recording.path), "--text-file", str(tmp_path / "spoken.txt")]
    assert main([*command, "--out", str(out), "--refine", "anchored", "--alpha", "0.6"]) == 0
    assert f"{len(recording.words)} words written to {out}" in capsys.readouterr().out
    assert [w.text for w in Segmentation.read(out).words] == [w.text for w in recording.words]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.wav", "--text", "hi"], "no such audio file: nothing.wav"),
        ([__file__, "--text", "hi"], "is not audio that can be read"),
        (["AUDIO", "--text", "..."], "no word to align"),
        (["AUDIO", "--text-file", "nothing.txt"], "No such file"),
        (["AUDIO", "--text", "hi", "--alpha", "2"], "alpha must be a number from 0 to 1, got 2.0"),
        (["AUDIO", "--text", "hi", "--refine", "x"], "unknown refinement 'x'"),
        (
            ["AUDIO", "--text", "hi", "--aligner", "no/such"],
            "cannot load a CTC model from 'no/such'",
        ),
        (["AUDIO", "--text", "hi", "--out", "x.doc"], "unknown format '.doc'"),
    ],
)
def test_errors_are_one_clear_line(recording, capsys, arguments, message):
    given = [str(recording.path) if argument == "AUDIO" else argument for argument in arguments]
    assert main(["align", *given]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_notes_go_to_stderr(recording, capsys):
    assert (
        main(["align", str(recording.path), "--text", "entirely different words altogether"]) == 0
    )
    assert "note: the transcript fits the recording badly" in capsys.readouterr().err


def test_doctor_says_that_all_works(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "Everything that the pipeline needs works" in printed
    assert "one alignment" in printed


def test_doctor_fails_and_says_why_if_the_model_is_gone(capsys, monkeypatch, tmp_path):
    from sgpa_core import files

    verify = files.verify
    gone = {"aligner": tmp_path}
    monkeypatch.setattr(files, "verify", lambda folder: verify(gone.get(folder.name, folder)))
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "MISSING embedded aligner" in printed
    assert "restore data/models/aligner" in printed


def test_wrong_usage_is_status_2(capsys):
    for arguments in ([], ["align"], ["align", "a.wav"], ["fly"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_runs_as_a_module_and_imports_nothing_heavy(recording, tmp_path):
    out = tmp_path / "words.json"
    command = [sys.executable, "-m", "sgpa_core", "align", str(recording.path)]
    done = subprocess.run(
        [*command, "--text", recording.text, "--out", str(out)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(json.loads(out.read_text())["words"]) == len(recording.words)
    heavy = "import sys, sgpa_core; print({'torch', 'pandas', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture(scope="module")
def question():
    return instructions("awb-045")


def test_explain_prints_answer_and_values(question, capsys, tmp_path):
    files = ["--json", str(tmp_path / "e.json"), "--html", str(tmp_path / "e.html")]
    command = ["explain", str(question.path), "--text", question.text, "--quiet", *files]
    assert main(command) == 0
    printed = capsys.readouterr().out.splitlines()
    written = json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))
    assert printed[0] == f"answer: {written['answer']}"
    assert printed[1].split() == ["player", "start", "end", "value", "stderr"]
    assert [line.split()[0] for line in printed[2:-1]] == question.text.split()
    assert "8 evaluations, 8 model calls" in printed[-1]
    assert (tmp_path / "e.html").read_text(encoding="utf-8").count("<button") == 3


def test_explain_takes_everything_from_its_store(question, capsys, tmp_path):
    command = ["explain", str(question.path), "--text", question.text, "--quiet"]
    command += ["--store", str(tmp_path / "answers.sqlite")]
    assert main(command) == 0
    assert main([*command, "--utility", "f1", "--method", "permutation", "--budget", "12"]) == 0
    assert ", 0 model calls" in capsys.readouterr().out


def test_ctrl_c_in_explain_says_where_the_answers_are(question, capsys, tmp_path, monkeypatch):
    from sgpa_core.models import Whisper

    respond = Whisper.respond
    counts = []

    def impatient(self, batch, rate):
        counts.append(len(batch))
        if len(counts) == 2:
            raise KeyboardInterrupt
        return respond(self, batch, rate)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Whisper, "respond", impatient)
    assert main(["explain", str(question.path), "--text", question.text, "--quiet"]) == 130
    printed = capsys.readouterr().err
    assert "1 answers kept in sgpa-answers.sqlite" in printed
    again = ["explain", str(question.path), "--text", question.text, "--quiet"]
    assert main([*again, "--store", "sgpa-answers.sqlite"]) == 0
    assert "8 evaluations, 7 model calls" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "no/such"], "no/such"),
        (["--partition", "phones"], "unknown partition 'phones'"),
        (["--masking", "mute"], "unknown masking 'mute'"),
        (["--utility", "bleu"], "unknown utility 'bleu'"),
        (["--budget", "many"], "a budget is a positive whole number"),
        (["--store", "nowhere/answers.sqlite"], "no folder 'nowhere'"),
    ],
)
def test_explain_names_bad_options(question, capsys, arguments, message):
    command = ["explain", str(question.path), "--text", question.text, "--quiet"]
    assert main([*command, *arguments]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("there", ["of another model", "damaged"])
def test_ctrl_c_keeps_answers_whatever_lies_in_their_place(
    question, capsys, tmp_path, monkeypatch, there
):
    from sgpa_core.models import Whisper
    from sgpa_core.store import Store

    def impatient(self, batch, rate):
        if len(batch) > 1:
            raise KeyboardInterrupt
        return ["so"]

    monkeypatch.chdir(tmp_path)
    if there == "damaged":
        (tmp_path / "sgpa-answers.sqlite").write_bytes(b"no store" * 100)
    else:
        Store(tmp_path / "sgpa-answers.sqlite", {"holds": "something else"}).close()
    monkeypatch.setattr(Whisper, "respond", impatient)
    assert main(["explain", str(question.path), "--text", question.text, "--quiet"]) == 130
    printed = capsys.readouterr().err
    kept = re.search(r"1 answers kept in (\S+/sgpa-\S+/sgpa-answers.sqlite)", printed)
    assert Path(kept[1]).stat().st_size
