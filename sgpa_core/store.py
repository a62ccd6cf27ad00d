"""A store on disk: what was paid for once stays paid for, also after a kill."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

from .checks import differences

APPLICATION_ID = 0x53475041  # "SGPA" in ASCII: marks the SQLite file as a store
BUSY_TIMEOUT_S = 60.0  # how long one process waits for another one's transaction


def _canonical(fingerprint: str | Mapping[str, Any]) -> str:
    """Write a fingerprint so that equal fingerprints have equal text."""
    named = {"id": fingerprint} if isinstance(fingerprint, str) else fingerprint
    try:
        return json.dumps(dict(named), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "a store's fingerprint is a text or a mapping of names to JSON values, "
            f"got {fingerprint!r}"
        ) from error


def _summed(key: bytes, text: str) -> str:
    """Add a checksum to a value's JSON; SQLite itself has none for what it holds."""
    return f"{text}\t{crc32(key + text.encode()):08x}"  # JSON has no bare tab


class Store(AbstractContextManager["Store"]):
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
    >>> store.put({b"\\x03": 0.25, b"\\x07": {"answer": "It is blue."}})
    >>> store.get([b"\\x03", b"\\x07", b"\\x01"])
    {b'\\x03': 0.25, b'\\x07': {'answer': 'It is blue.'}}
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
        """Create the tables in a new file, or check that the file is a whole store of this game."""
        tables = self._run("SELECT name FROM sqlite_master WHERE type = 'table'")
        if tables and self._run("PRAGMA application_id")[0][0] != APPLICATION_ID:
            raise ValueError(
                f"{str(self.path)!r} is an SQLite file of another program (tables "
                f"{sorted(name for (name,) in tables)}): choose another path for the store"
            )
        if (problem := self._run("PRAGMA quick_check(1)")[0][0]) != "ok":
            raise self._damaged(problem)
        if tables:
            self._check_fingerprint()  # before anything is written
        self._run("PRAGMA journal_mode = WAL")
        self._run("PRAGMA synchronous = NORMAL")
        if tables:
            return
        with self._transaction():
            self._run(f"PRAGMA application_id = {APPLICATION_ID}")
            self._run("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value NOT NULL)")
            columns = "(key BLOB PRIMARY KEY, value NOT NULL) WITHOUT ROWID"
            self._run(f"CREATE TABLE IF NOT EXISTS entries {columns}")
            self._run("INSERT OR IGNORE INTO meta VALUES ('fingerprint', ?)", (self.fingerprint,))
        self._check_fingerprint()  # of another process, if it was quicker

    def _check_fingerprint(self) -> None:
        rows = self._run("SELECT value FROM meta WHERE name = 'fingerprint'")
        if rows != [(self.fingerprint,)]:
            try:
                other = differences(json.loads(self.fingerprint), json.loads(rows[0][0]))
            except (IndexError, TypeError, ValueError, AttributeError):
                raise self._damaged("its fingerprint cannot be read") from None
            raise ValueError(
                f"the store {str(self.path)!r} belongs to another game ({other}): "
                "choose another path"
            )

    def _damaged(self, reason: object) -> OSError:
        return OSError(
            f"the store {str(self.path)!r} is damaged or no store ({reason}); it was left as it "
            "is: move it away to start a new one, or try `sqlite3 FILE .recover`"
        )

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_ERROR":  # tables are not as they should be
                raise self._damaged(error) from error
            raise OSError(  # locked, read-only, disk full
                f"the store {str(self.path)!r} cannot be used: {error}; what it holds is kept: "
                "make it writable or make room, then do the same again"
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._damaged(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write all of it or nothing."""
        self._run("BEGIN IMMEDIATE")
        with self._db:  # rolls back what is not committed
            yield
            self._run("COMMIT")

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Any]:
        """Return the values of those `keys` that are stored; the others are left out."""
        values = {}
        for key in keys:
            for (value,) in self._run("SELECT value FROM entries WHERE key = ?", (key,)):
                values[key] = self._decode(key, value)
        return values

    def put(self, values: Mapping[bytes, Any]) -> None:
        """Write all `values` (floats, or anything that JSON can hold) in one transaction."""
        rows = [(key, _summed(key, json.dumps(value))) for key, value in values.items()]
        with self._transaction():
            for row in rows:
                self._run("INSERT OR IGNORE INTO entries VALUES (?, ?)", row)

    def _decode(self, key: bytes, value: Any) -> Any:
        text = str(value).partition("\t")[0]
        if value != _summed(key, text):
            raise self._damaged(f"the value of {key.hex()} does not fit its checksum")
        return json.loads(text)

    def __len__(self) -> int:
        return self._run("SELECT count(*) FROM entries")[0][0]

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._db.close()

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"


class Cache:
    """Values by key, each paid for once: computed in batches, remembered, kept in a store.

    Parameters
    ----------
    store : Store, optional
        Where values outlive the process.
    batch_size : int
        Most values that are computed at once, and so the most that an interruption loses.

    Attributes
    ----------
    known : dict of bytes to value
        All values that were asked for.
    calls : int
        Values that were really computed, failed batches included.

    Examples
    --------
    >>> cache, keys = Cache(), [b"a", b"b", b"a"]
    >>> cache.fill(cache.missing(keys), lambda rows: [10.0 * row for row in rows])
    >>> [cache.known[key] for key in keys], cache.calls
    ([20.0, 10.0, 20.0], 2)
    """

    def __init__(self, store: Store | None = None, batch_size: int = 64) -> None:
        self.store, self.batch_size = store, batch_size
        self.known: dict[bytes, Any] = {}
        self.calls = 0

    def missing(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the keys whose values neither memory nor the store has, with a row of each."""
        known = self.known
        new = {key: row for row, key in enumerate(keys) if key not in known}
        if self.store is not None and new:
            known.update(self.store.get(new))
            new = {key: row for key, row in new.items() if key not in known}
        return new

    def fill(
        self,
        missing: Mapping[bytes, int],
        compute: Callable[[list[int]], Sequence[Any]],
        report: Callable[[int], Any] = lambda count: None,
    ) -> None:
        """Compute what is missing, batch by batch; `report` hears of the size of each batch."""
        keys, rows = list(missing), list(missing.values())
        batches = -(-len(keys) // self.batch_size)
        for batch in range(batches):  # of about one size
            part = slice(batch * len(keys) // batches, (batch + 1) * len(keys) // batches)
            self.calls += len(keys[part])
            self.keep(zip(keys[part], compute(rows[part]), strict=True))
            report(len(keys[part]))

    def keep(self, values: Iterable[tuple[bytes, Any]]) -> None:
        """Remember values, on disk first."""
        new = dict(values)
        if self.store is not None and new:
            self.store.put(new)
        self.known.update(new)
