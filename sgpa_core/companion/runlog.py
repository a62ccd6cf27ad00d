"""The file of a long run: rows written one by one, with the run's settings and pedigree."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..files import write_text
from ..store import _differences

PACKAGES = ("numpy", "scipy", "torch", "transformers", "datasets")


class RunLog:
    """results.json: what was asked for, where it ran, and one row for each explanation.

    Parameters
    ----------
    folder : Path
        Created where there is none.
    settings : dict
        What the rows depend on, JSON values only; a folder that was made with others is refused.
    left_out : dict
        What of the corpus is not explained.
    command : str
        For the pedigree.

    Raises
    ------
    ValueError
        If the folder holds the results of other settings, or the file is damaged.
    """

    def __init__(
        self, folder: Path, settings: dict[str, Any], left_out: dict[str, Any], command: str
    ) -> None:
        self.folder = folder
        self.file = folder / "results.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.content: dict[str, Any] = {
            "settings": settings,
            "left_out": left_out,
            "runs": [],
            "rows": {},
        }
        if self.file.exists():
            self.content = _read(self.file)
            theirs = self.content["settings"]
            if theirs != settings:
                differ = _differences(json.dumps(settings), json.dumps(theirs))
                raise ValueError(
                    f"{folder} holds the results of another command ({differ}): choose another "
                    "folder"
                )
        self.content["runs"].append(_pedigree(command))

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """Rows by key."""
        return self.content["rows"]

    def put(self, key: str, row: dict[str, Any]) -> None:
        """Set a row, on disk too."""
        self.rows[key] = row
        self._write()

    def end(self) -> None:
        """Note the time."""
        self.content["runs"][-1]["ended"] = _now()
        self._write()

    def _write(self) -> None:
        """Put the new file in the place of the old one in one step."""
        write_text(self.file, json.dumps(self.content, ensure_ascii=False, indent=1) + "\n")


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if missing := [name for name in ("settings", "runs", "rows") if name not in content]:
            raise ValueError(f"it has no {missing[0]!r}")
    except (ValueError, TypeError) as fault:
        raise ValueError(
            f"{file} is damaged or another program's ({fault}); it was left as it is: move it "
            "away, or choose another folder"
        ) from fault
    return content


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())


def _pedigree(command: str) -> dict[str, Any]:
    versions = {"python": platform.python_version(), "sgpa_core": __version__}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {_gpu()}"
    return {"command": command, "began": _now(), "versions": versions, "machine": machine}


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
