"""The record of a long run: a file of JSON lines that is only ever appended to.

The settings come first, then a line for each call: its command, versions, machine and times. All
other lines are rows; of several rows with one key the last one counts. What a kill or a full disk
left unfinished is passed over. A file may also hold rows only.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..checks import differences
from .pedigree import environment

#: What a record is called in a folder of results.
FILE = "results.jsonl"

Row = dict[str, Any]


class Record:
    """Rows by key, on disk and in memory.

    Parameters
    ----------
    file : path
        Read if it is there.
    key : sequence of str
        The entries of a row that tell it from others.
    keep : callable, optional
        From a row to what is kept of it in memory; by default all.

    Attributes
    ----------
    head : dict
        settings, what else `begin` was given, and runs: the pedigree of each call.
    rows : dict of tuple to dict
        By key, in the order in which the keys first occur.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = Path(folder.name, FILE)
    >>> Record(file).append({"id": "x", "status": "failed"}, {"id": "x", "status": "done"})
    >>> Record(file).rows, folder.cleanup()
    ({('x',): {'id': 'x', 'status': 'done'}}, None)
    """

    def __init__(
        self, file: Path, key: Sequence[str] = ("id",), keep: Callable[[Row], Row] = dict
    ) -> None:
        self.file, self.key, self.keep = file, tuple(key), keep
        self.head: dict[str, Any] = {"runs": []}
        self.rows: dict[tuple[Any, ...], Row] = {}
        for line in read(file) if file.exists() else ():
            self._take(line)

    def begin(self, settings: Row, command: str, defaults: Row | None = None, **more: Any) -> None:
        """Write the settings, if they are not there, and where this call runs.

        Parameters
        ----------
        settings : dict
            What the rows depend on. Once a row is done, other ones are refused.
        command : str
            For the pedigree.
        defaults : dict, optional
            Settings that an earlier call need not have named.
        **more
            What else is to stand beside the settings.

        Raises
        ------
        ValueError
            If the file holds results of other settings (the difference is named), or no settings.
        OSError
            If the file cannot be written.
        """
        settings = json.loads(json.dumps(settings, default=_name))
        if "settings" not in self.head and self._foreign():
            raise ValueError(
                f"{self.file} is damaged or another program's (no line has the settings of its "
                "rows); it was left as it is: restore it, or choose another folder"
            )
        known = {**(defaults or {}), **self.head.get("settings", settings)}
        other = differences(settings, known)
        if other and any(row["status"] == "done" for row in self.rows.values()):
            raise ValueError(
                f"{self.file.parent} holds results of other settings ({other}): choose another "
                "folder"
            )
        packages, machine = environment()
        run = {"command": command, "began": _now(), "versions": packages, "machine": machine}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if other or "settings" not in self.head:
            self.append({"settings": settings, **more})
        self.append({"run": run})

    def append(self, *lines: Row) -> None:
        """Add rows, in one write.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        data = "\n".join(map(compact, lines)).encode("utf-8", "replace")
        try:
            with self.file.open("ab") as stream:
                if stream.tell():  # after what a kill may have left unfinished
                    data = b"\n" + data
                stream.write(data)
        except OSError as fault:
            raise OSError(
                f"cannot write {self.file} ({fault.strerror}); the rows before are kept: make "
                "room, or choose another place, and do the same again"
            ) from fault
        for line in lines:
            self._take(line)

    def end(self) -> None:
        """Note the time."""
        self.append({"ended": _now()})

    def _take(self, line: Row) -> None:
        if all(name in line for name in self.key):
            self.rows[tuple(line[name] for name in self.key)] = self.keep(line)
        elif "settings" in line:
            if line["settings"] != self.head.get("settings"):
                self.rows.clear()
            self.head |= line
        elif "run" in line:
            self.head["runs"].append(line["run"])
        elif "ended" in line and self.head["runs"]:
            self.head["runs"][-1] |= line

    def _foreign(self) -> bool:
        """Tell whether the file has anything but the beginning of a first line of settings."""
        content = self.file.read_bytes() if self.file.exists() else b""
        return content != b"" and not (content.startswith(b'{"settings":') and b"\n" not in content)


def compact(line: Row) -> str:
    """Return a line of a record as it is written."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def read(file: Path) -> Iterator[Row]:
    """Yield the lines of a record that are whole."""
    with file.open("rb") as stream:
        for text in stream:
            try:
                line = json.loads(text)
            except ValueError:  # a kill or a full disk left it unfinished
                continue
            if isinstance(line, dict):
                yield line


def _name(setting: Any) -> str:
    """Name a setting that is no JSON in a way that another process will repeat."""
    if hasattr(setting, "__qualname__"):
        return f"{setting.__module__}.{setting.__qualname__}"
    return str(getattr(setting, "name", setting))


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
