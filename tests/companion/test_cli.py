"""The command line, run as a user runs it."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sgpa_core import Answers, Segmentation, instructions, speech
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
        (["nothing.wav"], "no such audio file: nothing.wav"),
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
    twice = ["align", "a.wav", "--text", "so", "--text-file", "so.txt"]
    for arguments in ([], ["align"], twice, ["fly"]):
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


@pytest.fixture
def by_fives(monkeypatch):
    """Models are asked for five answers at once, not for 48."""
    monkeypatch.setattr(Answers.__init__, "__defaults__", (None, 5))


def asking(question):
    """Explain what the small answerer says."""
    command = ["explain", str(question.path), "--text", question.text]
    return [*command, "--model", "embedded", "--quiet"]


def test_explain_prints_answer_and_values(question, capsys, tmp_path):
    files = ["--json", str(tmp_path / "e.json"), "--html", str(tmp_path / "e.html")]
    command = [*asking(question), *files]
    assert main(command) == 0
    printed = capsys.readouterr().out.splitlines()
    written = json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))
    assert printed[0] == f"answer: {written['answer']}"
    assert printed[1].split() == ["player", "start", "end", "value", "stderr"]
    assert [line.split()[0] for line in printed[2:-2]] == question.text.split()
    assert printed[-2].startswith(f"To “{question.text}” embedded answered “{written['answer']}”")
    assert "8 evaluations, 8 model calls" in printed[-1]
    page = (tmp_path / "e.html").read_text(encoding="utf-8")
    assert page.count("<button") == 3 + len(written["answer"].split())
    assert page.count("<img") == 3  # spectrogram, heat map, arcs


def test_explain_says_what_made_what_and_looks_inside(question, capsys, tmp_path):
    page = tmp_path / "e.html"
    more = ["--answer-words", "--inside", "0.15", "--inside-budget", "30", "--html", str(page)]
    assert main([*asking(question), *more]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    words = [line.split()[0] for line in lines if line.split()[:1] == lines[0].split()[-1:]]
    assert words  # the last word of the answer has a row
    assert "inside " in printed.err and "evaluations, " in printed.err
    head = next(k for k, line in enumerate(lines) if line.split()[:2] == ["word", "part"])
    assert len(lines) > head + 2
    assert page.read_text("utf-8").count("<img") == 4


def test_explain_a_text_that_the_reader_names(question, capsys):
    assert main([*asking(question), "--towards", "no such words", "--against", "nor these"]) == 0
    printed = capsys.readouterr()
    assert "worth 0 in all 8 coalitions" in printed.err and "towards “no such words”" in printed.out
    assert main([*asking(question), "--against", "nor these"]) == 1
    assert "against 'nor these' needs towards" in capsys.readouterr().err
    assert main([*asking(question), "--towards", "no such words", "--inside", "0.1"]) == 0
    assert "no word matters" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*asking(question), "--inside", "0.001"])
    assert "argument --inside: invalid parts value: '0.001'" in capsys.readouterr().err


def test_explain_takes_everything_from_its_store(question, capsys, tmp_path):
    command = asking(question)
    command += ["--store", str(tmp_path / "answers.sqlite")]
    assert main(command) == 0
    assert main([*command, "--utility", "f1", "--method", "permutation", "--budget", "12"]) == 0
    assert ", 0 model calls" in capsys.readouterr().out


@pytest.mark.usefixtures("by_fives")
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
    assert main(asking(question)) == 130
    printed = capsys.readouterr().err
    assert "5 answers kept in sgpa-answers.sqlite" in printed
    again = asking(question)
    assert main([*again, "--store", "sgpa-answers.sqlite"]) == 0
    assert "8 evaluations, 3 model calls" in capsys.readouterr().out


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
    command = asking(question)
    assert main([*command, *arguments]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.usefixtures("by_fives")
@pytest.mark.parametrize("there", ["of another model", "damaged"])
def test_ctrl_c_keeps_answers_whatever_lies_in_their_place(
    question, capsys, tmp_path, monkeypatch, there
):
    from sgpa_core.models import Whisper
    from sgpa_core.store import Store

    batches = iter([["so"] * 5])

    def impatient(self, batch, rate):
        if (answers := next(batches, None)) is None:
            raise KeyboardInterrupt
        return answers

    monkeypatch.chdir(tmp_path)
    if there == "damaged":
        (tmp_path / "sgpa-answers.sqlite").write_bytes(b"no store" * 100)
    else:
        Store(tmp_path / "sgpa-answers.sqlite", {"holds": "something else"}).close()
    monkeypatch.setattr(Whisper, "respond", impatient)
    assert main(asking(question)) == 130
    printed = capsys.readouterr().err
    kept = re.search(r"5 answers kept in (\S+/sgpa-\S+/sgpa-answers.sqlite)", printed)
    assert Path(kept[1]).stat().st_size


@pytest.mark.usefixtures("by_fives")
@pytest.mark.parametrize(
    "fault", [ValueError, ConnectionError, RuntimeError, MemoryError, KeyError]
)
def test_any_error_of_a_model_keeps_the_answers(question, capsys, tmp_path, monkeypatch, fault):
    from sgpa_core.models import Whisper

    respond = Whisper.respond

    asked = []

    def refusing(self, batch, rate):
        asked.append(len(batch))
        if len(asked) == 2:
            raised = fault("no credit left")
            raised.given = {0: "so \ud83d", 2: "no"}  # two answers came before it
            raise raised
        return respond(self, batch, rate)

    command = asking(question)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Whisper, "respond", refusing)
        if fault is KeyError:  # a mistake in a program keeps its traceback
            with pytest.raises(KeyError, match="no credit"):
                main(command)
        else:
            assert main(command) == 1
            assert "no credit left" in capsys.readouterr().err
    assert main([*command, "--store", "sgpa-answers.sqlite"]) == 0
    assert "8 evaluations, 1 model calls" in capsys.readouterr().out


def test_an_error_before_the_first_answer_leaves_no_file(question, capsys, tmp_path, monkeypatch):
    from sgpa_core.models import Whisper

    def refusing(self, batch, rate):
        raise ValueError("no such key")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Whisper, "respond", refusing)
    assert main(asking(question)) == 1
    assert "kept" not in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def polyglot(monkeypatch):
    from sgpa_core.models import Whisper

    monkeypatch.setattr(
        Whisper, "respond", lambda self, batch, rate: ["里斯本 → 😀" for _ in batch]
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "shift_jis", "utf-8"])
def test_any_console_shows_what_it_can(question, tmp_path, monkeypatch, polyglot, encoding):
    page, data = tmp_path / "e.html", tmp_path / "e.json"
    command = asking(question)
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    assert main([*command, "--json", str(data), "--html", str(page)]) == 0
    printed = out.buffer.getvalue().decode(encoding)
    expected = "里斯本 → 😀".encode(encoding, "backslashreplace").decode(encoding)
    assert printed.startswith(f"answer: {expected}\n")
    assert "里斯本" in page.read_text("utf-8")
    written = json.loads(data.read_text("utf-8"))
    assert written["answer"] == "里斯本 → 😀"
    assert any("script without spaces" in note for note in written["notes"])


@pytest.mark.parametrize(
    "command",
    [["doctor"], ["explain", "--help"], ["align", "AUDIO", "--text", "привет"], ["plan", "--help"]],
)
def test_every_command_prints_on_a_console_without_letters(recording, monkeypatch, command):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    given = [str(recording.path) if argument == "AUDIO" else argument for argument in command]
    try:
        assert main(given) == 0
    except SystemExit as stopped:
        assert stopped.code == 0
    assert out.buffer.getvalue()


class Broken(io.StringIO):
    """A closed pipe, or a full disk."""

    fault: OSError

    def flush(self):
        raise self.fault


@pytest.mark.parametrize(
    ("fault", "status"), [(BrokenPipeError(32, "pipe"), 141), (OSError(28, "full"), 1)]
)
def test_an_output_that_cannot_be_written_costs_no_answer(
    question, capsys, tmp_path, monkeypatch, fault, status
):
    out = Broken()
    out.fault = fault
    monkeypatch.chdir(tmp_path)
    command = asking(question)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert main(command) == status
    printed = capsys.readouterr().err
    assert "8 answers kept in sgpa-answers.sqlite" in printed
    assert ("full" in printed) == (status == 1)
    assert main([*command, "--store", "sgpa-answers.sqlite"]) == 0
    assert ", 0 model calls" in capsys.readouterr().out


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full disk")
@pytest.mark.parametrize(
    ("after", "status"), [("> /dev/full", 1), ("| true", 141), ("2>&1 | true", 141), (">&-", 0)]
)
def test_a_process_ends_without_a_traceback(after, status, tmp_path):
    shell = f"sleep 0; '{sys.executable}' -m sgpa_core plan --players 12 {after}; "
    done = subprocess.run(
        ["bash", "-c", shell + "exit ${PIPESTATUS[0]}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_a_file_that_cannot_be_written_costs_neither_the_other_nor_the_answers(
    question, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    command = asking(question)
    assert main([*command, "--json", "folder", "--html", "e.html"]) == 1
    printed = capsys.readouterr()
    assert "cannot write folder" in printed.err and "8 answers kept" in printed.err
    assert "8 evaluations" in printed.out and (tmp_path / "e.html").stat().st_size
