"""A store on disk: what was paid for once stays paid for, also after a kill."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

__all__ = ["Store"]

APPLICATION_ID = 0x53475041  # "SGPA" in ASCII: marks the SQLite file as ours
BUSY_TIMEOUT_S = 60.0  # how long one process waits for another one's transaction
KEYS_PER_QUERY = 500  # SQLite allows 999 parameters in a statement


def _canonical(fingerprint: str | Mapping[str, Any]) -> str:
    """Write a fingerprint so that equal fingerprints have equal text."""
    if isinstance(fingerprint, str):
        fingerprint = {"id": fingerprint}
    if not isinstance(fingerprint, Mapping) or not fingerprint:
        raise ValueError(
            f"a store's fingerprint is a text or a mapping of names to values, got {fingerprint!r}"
        )
    try:
        return json.dumps(dict(fingerprint), sort_keys=True)
    except TypeError as error:
        raise ValueError(f"a fingerprint holds JSON values only: {error}") from error


def _differences(ours: str, theirs: str) -> str:
    """Name the fields in which two fingerprints differ."""
    mine, other = json.loads(ours), json.loads(theirs)
    fields = sorted(k for k in {*mine, *other} if mine.get(k) != other.get(k))
    return "; ".join(f"{k}: {other.get(k)!r} there, {mine.get(k)!r} here" for k in fields)


def _encode(key: bytes, value: Any) -> str:
    """Write a value as JSON with a checksum; SQLite itself has none for what it holds."""
    return _summed(key, json.dumps(float(value) if isinstance(value, np.floating) else value))


def _summed(key: bytes, text: str) -> str:
    return f"{text}\t{crc32(key + text.encode()):08x}"  # JSON has no bare tab


class Store:
    """Keys and values in one SQLite file, safe against kills and against a second process.

    Every `put` is one transaction in write-ahead mode: after a kill the file holds every finished
    `put` and nothing of an unfinished one. The first value written for a key stays.
    Each value has a checksum: one that was damaged on the disk is refused, never returned.

    Parameters
    ----------
    path : str or Path
        File to open or to create; its folder must exist.
    fingerprint : str or mapping
        What the values belong to (audio, partition, model, utility, masking …), JSON values only.

    Raises
    ------
    ValueError
        If the file holds values of another game, or is an SQLite file of another program.
    OSError
        If the file cannot be opened or is damaged. A damaged file is never changed or deleted.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = Store(folder.name + "/values.sqlite", {"audio": "a1", "utility": "tfidf"})
    >>> store.put({b"\\x03": 0.25, b"\\x07": {"response": "It is blue."}})
    >>> store.get([b"\\x03", b"\\x07", b"\\x01"])
    {b'\\x03': 0.25, b'\\x07': {'response': 'It is blue.'}}
    >>> store.close(), folder.cleanup()
    (None, None)
    """

    def __init__(self, path: str | Path, fingerprint: str | Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.fingerprint = _canonical(fingerprint)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"no folder {str(self.path.parent)!r} for the store {self.path.name!r}: create it"
            )
        try:
            self._db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        except sqlite3.Error as error:
            raise OSError(f"cannot open the store {str(self.path)!r}: {error}") from error
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        """Create the tables in a new file, or check that the file is ours, whole, of this game."""
        listed = self._run("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {row[0] for row in listed}
        found = self._run("PRAGMA application_id")[0][0]
        if tables and found != APPLICATION_ID:
            raise ValueError(
                f"{str(self.path)!r} is an SQLite file of another program (tables "
                f"{sorted(tables)}): choose another path for the store"
            )
        problem = self._run("PRAGMA quick_check(1)")[0][0]
        if problem != "ok":
            raise self._damaged(problem)
        if tables:
            self._check_fingerprint()  # before anything is written
        self._run("PRAGMA journal_mode = WAL")
        self._run("PRAGMA synchronous = NORMAL")
        if tables:
            return
        self._run("BEGIN IMMEDIATE")
        try:
            self._run(f"PRAGMA application_id = {APPLICATION_ID}")
            self._run("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value NOT NULL)")
            self._run(
                "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value NOT NULL) "
                "WITHOUT ROWID"
            )
            self._run("INSERT OR IGNORE INTO meta VALUES ('fingerprint', ?)", (self.fingerprint,))
            self._run("COMMIT")
        except BaseException:
            self._undo()
            raise
        self._check_fingerprint()  # of another process, if it was quicker

    def _check_fingerprint(self) -> None:
        theirs = self._run("SELECT value FROM meta WHERE name = 'fingerprint'")
        if theirs != [(self.fingerprint,)]:
            try:
                differences = _differences(self.fingerprint, theirs[0][0])
            except (IndexError, TypeError, ValueError, AttributeError):
                raise self._damaged("its fingerprint cannot be read") from None
            raise ValueError(
                f"the store {str(self.path)!r} belongs to another game ({differences}): "
                "choose another path"
            )

    def _damaged(self, reason: object) -> OSError:
        return OSError(
            f"the store {str(self.path)!r} is damaged or no store ({reason}); it was left as it "
            "is: move it away to start a new one, or try `sqlite3 FILE .recover`"
        )

    def _unusable(self, error: object) -> OSError:
        return OSError(
            f"the store {str(self.path)!r} cannot be used: {error}; what it holds is kept: make it "
            "writable or make room, then do the same again"
        )

    def _run(self, statement: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, tuple(values)).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_ERROR":  # tables are not as they should be
                raise self._damaged(error) from error
            raise self._unusable(error) from error  # locked, read-only, disk full
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._damaged(error) from error

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            self._db.rollback()

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Any]:
        """Return the values of those `keys` that are stored; the others are left out."""
        keys = list(keys)
        found: dict[bytes, Any] = {}
        for start in range(0, len(keys), KEYS_PER_QUERY):
            chunk = keys[start : start + KEYS_PER_QUERY]
            marks = ",".join("?" * len(chunk))
            rows = self._run(f"SELECT key, value FROM entries WHERE key IN ({marks})", chunk)
            found.update((key, self._decode(key, value)) for key, value in rows)
        return {key: found[key] for key in keys if key in found}

    def put(self, values: Mapping[bytes, Any]) -> None:
        """Write all `values` (floats, or anything that JSON can hold) in one transaction."""
        rows = [(key, _encode(key, value)) for key, value in values.items()]
        self._run("BEGIN IMMEDIATE")
        try:
            self._db.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            raise self._unusable(error) from error
        except BaseException:
            self._undo()
            raise

    def _decode(self, key: bytes, value: Any) -> Any:
        text = str(value).partition("\t")[0]
        if value != _summed(key, text):
            raise self._damaged(f"the value of {key.hex()} does not fit its checksum")
        return json.loads(text)

    def __len__(self) -> int:
        return self._run("SELECT count(*) FROM entries")[0][0]

    def __iter__(self) -> Iterator[bytes]:
        return (row[0] for row in self._run("SELECT key FROM entries"))

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"
