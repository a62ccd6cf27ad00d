"""The store: whole after kills, shared by processes, refusing what does not belong."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from sgpa_core.game import FunctionGame, all_coalitions
from sgpa_core.store import Store

FINGERPRINT = {"audio": "a1", "partition": "words", "model": "m", "utility": "tfidf"}

WORKER = """
import sys, time
import numpy as np
from sgpa_core.game import FunctionGame, all_coalitions

path, log, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])

def utility(coalitions):
    with open(log, "a") as file:
        file.write("x" * len(coalitions))
    time.sleep(seconds)
    return np.sin(coalitions @ np.arange(1.0, coalitions.shape[1] + 1))

game = FunctionGame(8, utility, batch_size=4, store=path, fingerprint={"game": "sine"})
print("ready", flush=True)
values = game(all_coalitions(8))
print(values.sum().hex(), game.calls)
"""


def sine(coalitions):
    return np.sin(coalitions @ np.arange(1.0, coalitions.shape[1] + 1))


def worker(path, log, seconds=0.004):
    command = [sys.executable, "-c", WORKER, str(path), str(log), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_values_come_back_exactly(tmp_path):
    values = {bytes([i]): float(v) for i, v in enumerate(np.random.default_rng(0).normal(size=50))}
    with Store(tmp_path / "s.sqlite", FINGERPRINT) as store:
        store.put(values)
        store.put({b"\xff": {"response": "It is 42.", "seconds": 1.5}})
    with Store(tmp_path / "s.sqlite", FINGERPRINT) as store:
        assert store.get(values) == values
        assert store.get([b"\xff"]) == {b"\xff": {"response": "It is 42.", "seconds": 1.5}}
        assert store.get([b"unknown"]) == {}
        assert len(store) == 51


def test_many_keys_and_first_value_stays(tmp_path):
    keys = [i.to_bytes(2, "little") for i in range(2000)]
    with Store(tmp_path / "s.sqlite", "many") as store:
        store.put(dict.fromkeys(keys, 1.0))
        store.put({keys[0]: 2.0})
        assert store.get(keys) == dict.fromkeys(keys, 1.0)


def test_a_second_run_calls_nothing(tmp_path):
    first = FunctionGame(6, sine, store=tmp_path / "g", fingerprint=FINGERPRINT)
    values = first(all_coalitions(6))
    second = FunctionGame(6, sine, store=tmp_path / "g", fingerprint=FINGERPRINT, budget=0)
    assert np.array_equal(second(all_coalitions(6)), values)
    assert (second.asked, second.distinct, second.calls) == (64, 64, 0)


def test_foreign_store_is_refused_and_named(tmp_path):
    path = tmp_path / "g"
    FunctionGame(4, sine, store=path, fingerprint=FINGERPRINT).full  # noqa: B018
    with pytest.raises(ValueError, match=r"another game.*utility: 'tfidf' there, 'embedding' here"):
        FunctionGame(4, sine, store=path, fingerprint={**FINGERPRINT, "utility": "embedding"})
    with Store(path, FINGERPRINT) as store:
        assert len(store) == 1


def test_store_of_other_programs_and_damage(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE notes (text)")
    db.close()
    with pytest.raises(ValueError, match=r"another program.*notes"):
        Store(other, "x")

    text = tmp_path / "text.sqlite"
    text.write_text("no database at all, only some text " * 40)
    before = text.read_bytes()
    with pytest.raises(OSError, match="damaged or no store"):
        Store(text, "x")
    assert text.read_bytes() == before

    with Store(tmp_path / "cut.sqlite", "x") as store:
        store.put({i.to_bytes(4, "little"): float(i) for i in range(5000)})
    cut = tmp_path / "cut.sqlite"
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2 + 100])
    with pytest.raises(OSError, match="damaged"):
        Store(cut, "x")
    assert cut.stat().st_size == len(whole) // 2 + 100

    scrambled = bytearray(whole)
    scrambled[4096 * 3 : 4096 * 6] = os.urandom(4096 * 3)
    cut.write_bytes(scrambled)
    with pytest.raises(OSError, match="damaged"):
        Store(cut, "x").get([i.to_bytes(4, "little") for i in range(5000)])


def test_bad_arguments(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        Store(tmp_path / "missing" / "g", "x")
    with pytest.raises(OSError, match="cannot"):
        Store(tmp_path, "x")
    with pytest.raises(ValueError, match="fingerprint"):
        Store(tmp_path / "g", 7)
    with pytest.raises(ValueError, match="JSON"):
        Store(tmp_path / "g", {"audio": object()})
    with pytest.raises(ValueError, match="needs a fingerprint"):
        FunctionGame(3, sine, store=tmp_path / "g")


def test_finite_part_of_a_bad_batch_is_kept(tmp_path):
    def utility(coalitions):
        return np.where(coalitions.all(axis=1), np.nan, 1.0)

    game = FunctionGame(2, utility, store=tmp_path / "g", fingerprint="nan")
    with pytest.raises(ValueError, match=r"nan for the coalition \{0, 1\} \(mask 3\)"):
        game(all_coalitions(2))
    assert len(game.store) == 3


def test_two_processes_share_a_store(tmp_path):
    path = tmp_path / "shared"
    runs = [worker(path, tmp_path / f"log{i}", 0.002) for i in range(2)]
    outputs = [run.communicate(timeout=60)[0].splitlines() for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    expected = sine(all_coalitions(8)).sum().hex()
    assert [output[1].split()[0] for output in outputs] == [expected] * 2
    with Store(path, {"game": "sine"}) as store:
        assert len(store) == 256


def test_survives_kill_at_any_moment(tmp_path):
    """20 kills in a row: nothing is lost but the batch that was on its way."""
    path, log = tmp_path / "killed", tmp_path / "log"
    rng = np.random.default_rng(0)
    kills = 0
    while kills < 20:
        run = worker(path, log)
        if kills % 4:  # every fourth kill falls into start-up, store creation included
            run.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.02))
        else:
            time.sleep(rng.uniform(0.05, 0.25))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        kills += 1
        with Store(path, {"game": "sine"}) as store:  # whole after every kill
            kept = len(store)
        called = log.stat().st_size if log.exists() else 0
        assert kept % 4 == 0
        assert called - kept <= 4 * kills  # at most one batch was lost in each kill
    run = worker(path, log, 0.0)
    output = run.communicate(timeout=60)[0].splitlines()[1]
    total, calls = output.split()
    assert total == sine(all_coalitions(8)).sum().hex()
    assert int(calls) == 256 - kept


def test_the_quicker_of_two_processes_decides_whose_store_it_is(tmp_path, monkeypatch):
    """Both found no file; the other wrote its fingerprint before this one could."""
    file, connect = tmp_path / "s.sqlite", sqlite3.connect

    class Slow(sqlite3.Connection):
        def execute(self, statement, *values):
            if statement == "BEGIN IMMEDIATE":
                monkeypatch.setattr(sqlite3, "connect", connect)
                Store(file, "the other game").close()
            return super().execute(statement, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Slow))
    with pytest.raises(ValueError, match="belongs to another game"):
        Store(file, "this game")
