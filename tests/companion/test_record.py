"""Records and their runner: appended to, read back, completed in order, failures told."""

import json
import time

import pytest

from sgpa_core.companion.record import Record, read
from sgpa_core.companion.runner import run

KEY = ("id", "seed")


@pytest.fixture
def complete(script):
    return script("data/results/common.py").complete


def cube(id, seed):
    if id == "bad":
        raise ValueError("no such utterance")
    time.sleep(0.02 * (seed == 0))
    return {"id": id, "seed": seed, "value": len(id) ** 3}


def test_rows_are_completed_in_the_order_of_the_tasks_whatever_is_there(complete, tmp_path):
    file = tmp_path / "values.jsonl"
    stored = {"id": "bb", "seed": 1, "value": "as stored"}
    file.write_text(json.dumps(stored) + '\n{"id": "aaa", "se', "utf-8")
    tasks = [("aaa", 0), ("bb", 1), ("c", 0)]
    rows = complete(file, KEY, cube, tasks, 1)
    assert [(row["id"], row["value"]) for row in rows] == [
        ("aaa", 27),
        ("bb", "as stored"),
        ("c", 1),
    ]
    assert list(read(file)) == rows
    content = file.read_bytes()
    assert content.endswith(b"}\n") and content.count(b"\n") == 3
    complete(file, KEY, cube, tasks, 1)
    assert file.read_bytes() == content


@pytest.mark.slow
def test_several_processes_complete_the_same_rows(complete, tmp_path):
    tasks = [("a" * n, n % 2) for n in range(1, 9)]
    rows = complete(tmp_path / "two.jsonl", KEY, cube, tasks, 2)
    assert rows == complete(tmp_path / "one.jsonl", KEY, cube, tasks, 1)
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "one.jsonl").read_bytes()


def test_a_task_that_fails_is_named_after_all_others(complete, tmp_path):
    file = tmp_path / "values.jsonl"
    with pytest.raises(ValueError, match="bad, 0: ValueError: no such utterance"):
        complete(file, KEY, cube, [("bad", 0), ("b", 1)], 1)
    assert [row["id"] for row in read(file)] == ["b"]


def test_tasks_are_taken_when_they_are_needed():
    taken = []
    outcomes = run(lambda n: 10 // n, ((taken.append(n) or n,) for n in (2, 0, 5)))
    assert next(outcomes) == ((2,), 5, "") and taken == [2]
    (_, result, reason), last = outcomes
    assert result is None and reason.startswith("ZeroDivisionError") and last[1] == 2


def test_the_last_row_of_a_key_counts_and_odd_line_ends_are_text(tmp_path):
    record = Record(tmp_path / "r.jsonl", ("id",))
    record.begin({"seed": 1, "kind": dict}, "a command")
    for n in range(3):
        record.append({"id": "a", "n": n, "status": "done", "text": "one\u2028two\x85three"})
    record.end()
    again = Record(tmp_path / "r.jsonl", ("id",))
    assert again.rows == record.rows == {("a",): record.rows[("a",)]}
    assert again.rows[("a",)]["n"] == 2
    assert again.head == record.head and again.head["settings"]["kind"] == "builtins.dict"
    assert set(again.head["runs"][0]) == {"command", "began", "versions", "machine", "ended"}


def test_other_settings_are_refused_once_a_row_is_done(tmp_path):
    file = tmp_path / "r.jsonl"
    record = Record(file)
    record.begin({"seed": 1}, "a")
    record.append({"id": "x", "status": "failed"})
    Record(file).begin({"seed": 2}, "b")
    mended = Record(file)
    assert mended.head["settings"] == {"seed": 2} and mended.rows == {}
    mended.append({"id": "x", "status": "done"})
    before = file.read_bytes()
    with pytest.raises(ValueError, match=r"other settings \(seed: 2 there, 1 here\)"):
        Record(file).begin({"seed": 1}, "c")
    assert file.read_bytes() == before
    Record(file).begin({"seed": 2, "new": "by default"}, "d", {"new": "by default"})


def test_another_program_s_file_is_left_as_it_is(tmp_path):
    file = tmp_path / "results.jsonl"
    file.write_text('{"epoch": 1}\n')
    with pytest.raises(ValueError, match="is damaged or another program's"):
        Record(file).begin({"seed": 1}, "a")
    assert file.read_text() == '{"epoch": 1}\n'
