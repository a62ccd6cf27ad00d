"""Kills, full disks, read-only folders, damage, traps: nothing is lost, and it is said what to do.

What other files test is not repeated: kills of a store and two processes on it (test_store), a
killed worker of a cluster (test_batch), archives with ways out of their folder (test_recorded).
The functions without a fixture are called by the page on what the project promises, too.
"""

import contextlib
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
import weakref
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from sgpa_core import Audio, Segment, Segmentation, instructions
from sgpa_core.companion import batch, runner
from sgpa_core.companion.cli import main
from sgpa_core.companion.pedigree import environment
from sgpa_core.companion.record import Record, read
from sgpa_core.store import Store

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
COUNT = 30
MODEL = SimpleNamespace(name="none")
EMBEDDED = ["--model", "embedded"]


def forked(work, *arguments, out=None, user=None, largest=None):
    """Run a function in a process of its own, which can be killed; return its id.

    `out` gets what it prints; `user` is who runs it, `largest` the bytes that a file may have.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads that are not used here
        child = os.fork()
    if child:
        return child
    status = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if out is not None:
            stream = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            sys.stdout = sys.stderr = os.fdopen(stream, "w", buffering=1, encoding="utf-8")
        if largest is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        if user is not None:
            os.setuid(user)
        status = work(*arguments) or 0
    except BaseException as fault:
        print(f"{type(fault).__name__}: {fault}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ended(child):
    """Wait for a process; return its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def until(child, happened):
    """Wait for something that a process does; it must not have ended before."""
    while not happened():
        gone = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        assert gone is None, f"the process ended by itself: {gone}"
        time.sleep(0.0005)


class Echo:
    """In place of an explanation: the text, back again."""

    def __init__(self, text):
        self.text = text

    def to_dict(self):
        words = self.text.split()
        return {
            "answer": self.text, "players": words, "values": [float(len(w)) for w in words],
            "baseline": 0.0, "evaluations": 1, "calls": 1, "seconds": 0.0,
        }  # fmt: skip


@contextlib.contextmanager
def quick(seconds=0.0, log=None):
    """Explanations that take a moment, and are noted in a file."""

    def explain(audio, text, model, **settings):
        if log is not None:
            with open(log, "a", encoding="utf-8") as stream:
                stream.write(text + "\n")
        time.sleep(seconds)
        return Echo(text)

    real, batch.explain = batch.explain, explain
    try:
        yield
    finally:
        batch.explain = real


def corpus(folder, count=COUNT):
    """A manifest of short recordings; return its path."""
    folder.mkdir()
    Audio(np.full(800, 0.1), 16_000).write(folder / "a.wav")
    rows = [{"audio": "a.wav", "text": f"so it is {k}", "id": f"u{k:05}"} for k in range(count)]
    pd.DataFrame(rows).to_csv(folder / "list.csv", index=False)
    return folder / "list.csv"


def results(out):
    """All results of a folder, whole and right, by id; without those that failed."""
    rows = Record(out / "results.jsonl").rows.values()
    done = {row["id"]: row for row in rows if row["status"] == "done"}
    for row in done.values():
        assert row["values"] == Echo(row["text"]).to_dict()["values"]
    return done


def lines(file):
    return len(file.read_text("utf-8").splitlines()) if file.exists() else 0


def killed_corpus(kills=8, seed=0, seconds=0.004):
    """Kill -9 a run over a corpus at random moments; count what was done, kept and done again."""
    rng, kept, landed = np.random.default_rng(seed), 0, 0
    environment()  # what it imports is there, so that each child has it
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        out, log = place / "out", place / "log"
        source = corpus(place / "corpus")
        with quick(seconds, log):
            for _ in range(kills):
                aim = lines(log) + rng.integers(1, 4)
                child = forked(explain_all, source, out)
                until(child, lambda aim=aim: lines(log) >= aim)
                time.sleep(rng.uniform(0, 2 * seconds))  # in the middle of what it does
                os.kill(child, signal.SIGKILL)
                landed += ended(child) == -signal.SIGKILL
                now = len(results(out))
                assert now >= kept, "a finished result is gone"
                kept = now
            table = batch.explain_many(source, out, MODEL)
        done = lines(log)
        assert (table["status"] == "done").all()
        assert done <= COUNT + landed, "more was lost than what was running"
        lost = COUNT - len(results(out))
    return {
        "kills": landed, "utterances": COUNT, "before the last run": kept, "computed": done,
        "lost": lost,
    }  # fmt: skip


@forks
def test_kill_9_loses_the_running_utterance_at_most():
    counts = killed_corpus()
    assert counts["kills"] == 8 and counts["lost"] == 0
    assert 0 < counts["before the last run"] < COUNT


@forks
def test_kill_9_of_an_explanation_loses_one_batch(tmp_path, capsys):
    question = next(r for r in instructions() if len(r.text.split()) == 8)
    store = tmp_path / "answers.sqlite"
    command = ["explain", str(question.path), "--text", question.text, "--quiet", *EMBEDDED]
    command += ["--method", "exact", "--seed", "1"]
    assert main(command) == 0  # the models are loaded, so that the child has them
    expected = capsys.readouterr().out.splitlines()
    child = forked(main, [*command, "--store", str(store)], out=tmp_path / "printed")
    until(child, lambda: answers(store))
    os.kill(child, signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL
    kept = answers(store)
    assert 0 < kept < 256
    assert main([*command, "--store", str(store)]) == 0
    answer = capsys.readouterr().out.splitlines()
    assert answer[:-1] == expected[:-1]
    assert f"256 evaluations, {256 - kept} model calls" in answer[-1]


def answers(store):
    """Count what a store holds, while another process writes to it."""
    db = sqlite3.connect(f"file:{store}?mode=ro", uri=True) if store.exists() else None
    try:
        return db.execute("SELECT count(*) FROM entries").fetchone()[0] if db else 0
    except sqlite3.Error:  # no tables yet
        return 0
    finally:
        if db:
            db.close()


@forks
def test_ctrl_c_stops_a_corpus_in_words_and_the_same_command_goes_on(tmp_path, capsys):
    source, out = corpus(tmp_path / "corpus"), tmp_path / "out"
    command = ["batch", str(source), "--out", str(out), "--model", "none", "--quiet"]
    with quick(0.05):
        child = forked(with_model, command, out=tmp_path / "printed")
        until(child, lambda: len(results(out)) >= 3)
        os.kill(child, signal.SIGINT)
        assert ended(child) == 130
        printed = (tmp_path / "printed").read_text("utf-8")
        assert f"{out} keeps what is finished: the same command goes on" in printed
        assert "Traceback" not in printed
        states = pd.read_csv(out / "summary.csv")["status"].value_counts().to_dict()
        assert states == {"done": len(results(out)), "open": COUNT - len(results(out))}
    with quick():
        assert with_model(command) == 0
    assert f"{COUNT} of {COUNT} explained" in capsys.readouterr().out


def with_model(command):
    """The command line, with a model that needs no loading."""
    real, batch.worker_model = batch.worker_model, lambda name: MODEL
    try:
        return main(command)
    finally:
        batch.worker_model = real


def test_a_worker_that_dies_ends_in_words(tmp_path, monkeypatch):
    source, out = corpus(tmp_path / "corpus", 5), tmp_path / "out"

    class Pool:
        """Two results, then a worker is gone."""

        def __init__(self, *_):
            self.left = 2

        def submit(self, attempt, work, task):
            future, self.left = Future(), self.left - 1
            if self.left < 0:
                future.set_exception(BrokenProcessPool("a child was killed"))
            else:
                future.set_result(attempt(work, task))
            return future

        def shutdown(self, **_):
            pass

    monkeypatch.setattr(runner, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(batch, "worker_model", lambda name: MODEL)
    with quick(), pytest.raises(OSError, match=r"worker process died.*with fewer workers"):
        batch.explain_many(source, out, workers=2)
    assert 1 <= len(results(out)) <= 2
    assert len(pd.read_csv(out / "summary.csv")) == 5


def test_a_failure_of_any_kind_is_recorded_and_the_rest_goes_on(tmp_path):
    class Moody:
        """A model with a bug for one of three recordings."""

        name, sample_rate, token_seconds = "moody", 16_000, 0.08
        faults = iter([KeyError("logits"), MemoryError("9 GB")])

        def respond(self, recordings, rate):
            if (fault := next(self.faults, None)) is not None:
                raise fault
            return ["so"] * len(recordings)

    folder = tmp_path / "c"
    folder.mkdir()
    for name in "abc":
        Audio(np.random.default_rng(0).normal(0, 0.1, 8000), 16_000).write(folder / f"{name}.wav")
        (folder / f"{name}.txt").write_text("so")
    table = batch.explain_many(folder, tmp_path / "out", Moody(), method="exact")
    assert table["reason"].tolist()[:2] == ["KeyError: 'logits'", "MemoryError: 9 GB"]
    assert table["status"].tolist() == ["failed", "failed", "done"]


@forks
def test_two_processes_in_one_folder_both_end_right(tmp_path):
    source, out = corpus(tmp_path / "corpus"), tmp_path / "out"
    with quick(0.002):
        children = [
            forked(explain_all, source, out, out=tmp_path / f"printed{k}") for k in range(3)
        ]
        assert [ended(child) for child in children] == [0, 0, 0], [
            (tmp_path / f"printed{k}").read_text("utf-8") for k in range(3)
        ]
    assert len(results(out)) == COUNT
    assert (pd.read_csv(out / "summary.csv")["status"] == "done").all()
    assert not list(out.rglob(".*.part"))


def explain_all(source, out):
    batch.explain_many(source, out, MODEL)


# Disks and folders -------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(place, options):
    """A small disk of its own; skips where that is not allowed."""
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here (needs root); the stand-in was tested")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def again(place, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


SHORT = {k.to_bytes(4, "little"): f"answer {k}" for k in range(20)}
LONG = {k.to_bytes(4, "little"): "a long answer " * 100 for k in range(100, 700)}
WORDS = Segmentation((Segment("so", 0.0, 0.5, 1.0),), "so", 1.0)
MANY = Segmentation(tuple(Segment("so" * 50, k, k + 1.0, 1.0) for k in range(9000)), "so", 9000.0)


def fill_store(place):
    with Store(place / "s", "full") as store:
        store.put(SHORT)
        store.put(LONG)


def check_store(place, printed):
    assert f"the store '{place}/s' cannot be used" in printed and "make room" in printed, printed
    with Store(place / "s", "full") as store:
        assert store.get([*SHORT, *LONG]) == SHORT, "what was paid for is there, nothing half"


def go_on_store(place):
    with Store(place / "s", "full") as store:
        store.put(LONG)
        assert store.get([*SHORT, *LONG]) == {**SHORT, **LONG}


def fill_export(place):
    WORDS.write(place / "w.json")
    MANY.write(place / "w.json")


def check_export(place, printed):
    assert f"cannot write {place}/w.json" in printed and "make room" in printed, printed
    assert Segmentation.read(place / "w.json").words == WORDS.words
    assert os.listdir(place) == ["w.json"]


def go_on_export(place):
    assert len(Segmentation.read(MANY.write(place / "w.json"))) == 9000


def fill_corpus(place):
    with quick():
        batch.explain_many(place.parent / "corpus" / "list.csv", place / "out", MODEL)


def check_corpus(place, printed):
    assert f"cannot write {place}/out/" in printed and "do the same again" in printed, printed
    done = results(place / "out")
    assert 0 < len(done) < COUNT and not list(place.rglob(".*.part"))


def go_on_corpus(place):
    record, before = place / "out" / "results.jsonl", results(place / "out")
    content = record.read_bytes()
    fill_corpus(place)
    assert len(results(place / "out")) == COUNT
    assert record.read_bytes().startswith(content), "only ever added to"
    added = record.read_bytes()[len(content) :]
    assert not any(f'"id":"{id}"'.encode() in added for id in before), "computed again"


FULL = {
    "store": (fill_store, check_store, go_on_store),
    "export": (fill_export, check_export, go_on_export),
    "corpus": (fill_corpus, check_corpus, go_on_corpus),
}


@forks
@pytest.mark.parametrize("what", FULL)
@pytest.mark.parametrize("disk", ["tmpfs", "limit"])
def test_a_full_disk_loses_nothing(tmp_path, what, disk):
    fill, check, go_on = FULL[what]
    long_row(corpus(tmp_path / "corpus"))
    with contextlib.ExitStack() as stack:
        place, largest = tmp_path / "disk", 200_000
        place.mkdir()
        if disk == "tmpfs":
            stack.enter_context(mounted(place, "size=400k"))
            largest = None
        child = forked(fill, place, out=tmp_path / "printed", largest=largest)
        assert ended(child) == 70
        check(place, (tmp_path / "printed").read_text("utf-8"))
        if disk == "tmpfs":
            again(place, "size=50m")
        go_on(place)


def figures(seed=0):
    """Try some faults, outside of a test; return rows of fault, tried, survived, lost, said."""
    counts = killed_corpus(seed=seed)
    rows = [
        ("kill -9 of a run over a corpus", counts["kills"], counts["kills"], counts["lost"], "")
    ]
    for what, (fill, check, go_on) in FULL.items():
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            long_row(corpus(home / "corpus"))
            (home / "disk").mkdir()
            ended(forked(fill, home / "disk", out=home / "printed", largest=200_000))
            printed = (home / "printed").read_text("utf-8").strip()
            check(home / "disk", printed)
            go_on(home / "disk")
            rows.append((f"no room for a {what}", 1, 1, 0, printed.replace(folder, "")))
    return rows, counts


def long_row(source):
    """Make one utterance longer than the disk has room, or a file may be."""
    rows = pd.read_csv(source)
    rows.loc[COUNT // 2, "text"] = "word " * 24_000
    rows.to_csv(source, index=False)


@forks
@pytest.mark.parametrize("what", FULL)
@pytest.mark.parametrize("how", ["mode", "mount"])
def test_a_read_only_folder_is_named(what, how):
    fill, *_ = FULL[what]
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home.chmod(0o755)
        corpus(home / "corpus", 2)
        place, user = home / "place", None
        place.mkdir()
        if how == "mount":
            stack.enter_context(mounted(place, "size=1m"))
            again(place, "ro")
        else:
            place.chmod(0o555)
            user = 65534 if os.getuid() == 0 else None  # root may write everywhere
        (home / "printed").touch()
        assert ended(forked(fill, place, out=home / "printed", user=user)) == 70
        printed = (home / "printed").read_text("utf-8")
        assert (str(place) in printed and "OSError" in printed) or "PermissionError" in printed, (
            printed
        )
        assert os.listdir(place) == []


# Damage ------------------------------------------------------------------------------------------


def scramble_schema(db):
    db.execute("DROP TABLE entries")
    db.execute("CREATE TABLE entries (name TEXT)")


def scramble_fingerprint(db):
    db.execute("UPDATE meta SET value = 'no JSON'")


def scramble_value(db):
    db.execute("UPDATE entries SET value = replace(value, 'answer 7', 'answer 8')")


@pytest.mark.parametrize("scramble", [scramble_schema, scramble_fingerprint, scramble_value])
def test_a_damaged_store_is_named_and_left_alone(tmp_path, scramble):
    file = tmp_path / "answers.sqlite"
    with Store(file, {"model": "m"}) as store:
        store.put(SHORT)
    db = sqlite3.connect(file)
    scramble(db)
    db.commit()
    db.close()
    before = file.read_bytes()
    printed = r"answers\.sqlite' is damaged.*left as it is.*move it away"
    with pytest.raises(OSError, match=printed), Store(file, {"model": "m"}) as store:
        store.get(SHORT)
    assert file.read_bytes() == before


def test_a_page_that_lost_its_rows_is_damage(tmp_path):
    """A page that says it holds no rows would read as answers that nobody paid for."""
    file = tmp_path / "answers.sqlite"
    many = {number.to_bytes(4, "big"): "x" * 100 for number in range(2_000)}
    with Store(file, {"model": "m"}) as store:
        store.put(many)
    content = bytearray(file.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    leaf = [page for page in range(size, len(content), size) if content[page] == 10][-2]
    content[leaf + 3 : leaf + 5] = bytes(2)  # how many rows the page has
    file.write_bytes(content)
    with pytest.raises(OSError, match="is damaged"):
        Store(file, {"model": "m"})
    assert file.read_bytes() == content


def test_an_empty_file_is_a_new_store(tmp_path):
    (tmp_path / "s").touch()
    with Store(tmp_path / "s", "x") as store:
        store.put(SHORT)
        assert store.get(SHORT) == SHORT


@pytest.mark.parametrize("content", ["", "{", "null", "7", '"text"'])
def test_damaged_settings_of_a_corpus_are_named(tmp_path, content):
    source, out = corpus(tmp_path / "corpus", 1), tmp_path / "out"
    with quick():
        batch.explain_many(source, out, MODEL)
        record = out / "results.jsonl"
        rows = record.read_bytes().partition(b"\n")[2]
        record.write_bytes(content.encode() + b"\n" + rows)
        before = record.read_bytes()
        with pytest.raises(ValueError, match=r"results\.jsonl is damaged .* restore it"):
            batch.explain_many(source, out, MODEL)
        assert record.read_bytes() == before


def test_a_record_whose_first_line_a_full_disk_cut_off_is_begun_anew(tmp_path):
    source, out = corpus(tmp_path / "corpus", 2), tmp_path / "out"
    out.mkdir()
    (out / "results.jsonl").write_text('{"settings":{"model":"no')
    with quick():
        assert (batch.explain_many(source, out, MODEL)["status"] == "done").all()
        assert len(results(out)) == 2
        batch.explain_many(source, out, MODEL)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"status": "done"}', b"\xff\xfe\x00"])
def test_a_damaged_result_is_computed_again(tmp_path, content):
    source, out = corpus(tmp_path / "corpus", 2), tmp_path / "out"
    with quick():
        batch.explain_many(source, out, MODEL)
        record = out / "results.jsonl"
        lines = record.read_bytes().splitlines(keepends=True)
        lines = [content + b"\n" if b'"id":"u00001"' in line else line for line in lines]
        record.write_bytes(b"".join(lines))
        assert list(results(out)) == ["u00000"]
        assert (batch.explain_many(source, out, MODEL)["status"] == "done").all()
    assert len(results(out)) == 2


def test_what_a_kill_left_unfinished_costs_its_own_row_only(tmp_path):
    source, out = corpus(tmp_path / "corpus", 3), tmp_path / "out"
    with quick(log=tmp_path / "log"):
        batch.explain_many(source, out, MODEL)
        record = out / "results.jsonl"
        whole = [line for line in record.read_bytes().splitlines(True) if b'"ended"' not in line]
        record.write_bytes(b"".join(whole)[:-20])
        assert len(results(out)) == 2
        assert (batch.explain_many(source, out, MODEL)["status"] == "done").all()
    assert len(results(out)) == 3 and lines(tmp_path / "log") == 4
    assert sum("values" in line for line in read(record)) == 3


@pytest.mark.parametrize(
    ("content", "told"), [(b"caf\xe9", "the byte 0xe9"), (b'"' + b"x" * 200_000, "field larger")]
)
def test_a_manifest_that_is_no_csv_is_named(tmp_path, content, told):
    (tmp_path / "list.csv").write_bytes(b"audio,text\na.wav," + content)
    with pytest.raises(ValueError, match=rf"list\.csv: line 2: {told}"):
        batch.manifest(tmp_path / "list.csv")


def test_what_is_missing_in_a_table_is_not_read_as_a_word():
    rows = pd.DataFrame({"audio": ["a.wav", "b.wav"], "text": ["so", None], "id": [None, "b"]})
    with pytest.raises(ValueError, match="row 2 lacks text"):
        batch.manifest(rows)
    assert batch.manifest(rows[:1])[0].id == "a"


@pytest.mark.parametrize(
    "id", ["../up", "/abs", "a/b", "a\\b", "..", ".a", "a\x00b", "a\nb", "x" * 201]
)
def test_an_id_cannot_leave_its_folder(id):
    with pytest.raises(ValueError, match=r"row 1: the id .* is no plain name of a file"):
        batch.manifest(pd.DataFrame([{"audio": "a.wav", "text": "so", "id": id}]))


class Trap:
    """A pickle that leaves a mark when it is read."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("kind", ["aligner", "model", "encoder"])
def test_a_pickle_in_place_of_weights_is_never_opened(tmp_path, kind):
    import pickle

    import tiny_models

    from sgpa_core import load_aligner, load_model
    from sgpa_core.models.encoder import sentence_encoder

    folder, mark = tmp_path / kind, tmp_path / "sprung"
    if kind == "aligner":
        tiny_models.wav2vec2(folder)
    elif kind == "model":
        tiny_models.whisper(folder)
    else:
        from transformers import BertConfig, BertModel

        BertModel(
            BertConfig(
                vocab_size=8,
                hidden_size=8,
                num_hidden_layers=1,
                num_attention_heads=1,
                intermediate_size=8,
            )
        ).save_pretrained(folder)
        (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nso\n")
        (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    (folder / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "model.safetensors.bin", "model.pt"):
        (folder / name).write_bytes(pickle.dumps(Trap(mark)))
    load = {"aligner": load_aligner, "model": load_model, "encoder": sentence_encoder}[kind]
    with pytest.raises((ValueError, OSError), match="safetensors"):
        load(str(folder))
    assert not mark.exists()
    pickle.loads((folder / "model.pt").read_bytes())
    assert mark.exists(), "the trap works"


def test_values_are_told_before_a_file_that_cannot_be_written(tmp_path, capsys, monkeypatch):
    question = instructions("awb-045")
    monkeypatch.chdir(tmp_path)  # where the answers are kept
    command = ["explain", str(question.path), "--text", question.text, "--quiet", *EMBEDDED]
    assert main([*command, "--json", str(tmp_path)]) == 1  # a folder
    printed = capsys.readouterr()
    assert "8 evaluations" in printed.out
    assert f"cannot write {tmp_path}" in printed.err and "8 answers kept" in printed.err


def test_a_folder_that_is_not_there_is_told_before_the_model_is_asked(tmp_path, capsys):
    question = instructions("awb-045")
    command = ["explain", str(question.path), "--text", question.text, "--quiet", *EMBEDDED]
    assert main([*command, "--html", str(tmp_path / "nowhere" / "e.html")]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and f"no such folder: {tmp_path / 'nowhere'}" in printed.err


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("kind", ["aligner", "model", "encoder"])
def test_a_hub_out_of_reach_is_told_within_seconds(monkeypatch, kind, silent):
    """It takes the connection and says nothing, or there is nothing at all."""
    import socket

    from huggingface_hub import constants

    from sgpa_core import load_aligner, load_model
    from sgpa_core.models.encoder import sentence_encoder

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] if silent else 9
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        load = {"aligner": load_aligner, "model": load_model, "encoder": sentence_encoder}[kind]
        began = time.monotonic()
        with pytest.raises((ValueError, OSError), match="couldn't connect to"):
            load("no/such")
        assert time.monotonic() - began < 8  # where the machine is busy; else 5
        assert not constants.HF_HUB_OFFLINE


# A corpus of any size ----------------------------------------------------------------------------


class Threads:
    """What `explain_many` needs of a cluster, on threads."""

    def scheduler_info(self):
        return {"workers": {1: {}, 2: {}}}

    def get_executor(self, pure):
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(2)


@pytest.mark.parametrize("client", [None, Threads()])
def test_recordings_in_memory_are_few_whatever_the_corpus(tmp_path, monkeypatch, client):
    source, alive, most = corpus(tmp_path / "corpus", 1000), weakref.WeakSet(), []
    read = Audio.read.__func__

    def noted(cls, path):
        audio = read(cls, path)
        alive.add(audio)
        most.append(len(alive))
        return audio

    monkeypatch.setattr(Audio, "read", classmethod(noted))
    monkeypatch.setattr(batch, "worker_model", lambda name: MODEL)
    with quick():
        table = batch.explain_many(
            source, tmp_path / "out", "none" if client else MODEL, client=client
        )
    assert (table["status"] == "done").all() and len(most) == 1000
    assert max(most) <= (2 if client is None else 2 * runner.WINDOW + 2)


def test_the_time_left_is_told_by_answers_not_by_utterances(tmp_path, monkeypatch):
    """Nine short utterances and a long one; a tenth of the work is done after most of them."""
    from tqdm import auto

    texts = ["so it is"] * 8 + ["", "one two three four five six seven eight"]
    folder = tmp_path / "c"
    folder.mkdir()
    for k, text in enumerate(texts):
        Audio(np.full(800, 0.1), 16_000).write(folder / f"{k}.wav")
        (folder / f"{k}.txt").write_text(text)
    seen = []

    class Bar(auto.tqdm):
        def __init__(self, **settings):
            super().__init__(**settings | {"file": io.StringIO()})

        def set_postfix_str(self, text, refresh):
            seen.append((self.n, self.total))

        def close(self):
            seen.append((self.n, self.total))
            super().close()

    monkeypatch.setattr(batch, "tqdm", Bar)
    with quick():
        batch.explain_many(folder, tmp_path / "out", MODEL, method="exact", progress=True)
    assert seen[0] == (0, 8 * 8 + 1 + 256)
    assert seen[9] == (64, 64 + 256)  # the failed one costs nothing
    assert seen[-1] == (64 + 256, 64 + 256)
