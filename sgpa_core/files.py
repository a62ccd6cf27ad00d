"""Files: where the project's data are, and files that are written whole or checked by sums."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
#: The folder ``data``: inside an installed package, or beside the package in a checkout.
DATA = _PACKAGE / "_data" if (_PACKAGE / "_data").is_dir() else _PACKAGE.parent / "data"


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a file to write to, which then takes the place of `path` in one step.

    A kill, a full disk or an exception leaves `path` unchanged. Only a kill leaves the other file
    behind; its name begins with a dot and ends in ``.part``.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    OSError
        If the file cannot be written; the message names it and says why.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no such folder: {path.parent}")
    part = path.with_name(f".{path.name[:40]}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as fault:
        raise OSError(
            f"cannot write {path} ({fault.strerror or fault}); what was there before is unchanged: "
            "make room, or choose another place, and do the same again"
        ) from fault
    finally:
        with suppress(OSError):  # not there, or the place is read-only
            part.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text in UTF-8, whole or not at all; see :func:`replacing`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(folder + "/a.txt", "so")
    ...     os.listdir(folder)
    ['a.txt']
    """
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def reading_weights(local: bool = True) -> Iterator[None]:
    """Set transformers up to read a model: no progress bars for local files, a quick look for hubs.

    Files of the hub are asked for only where it shows a sign within 4 s: transformers would try
    six times for each of them. Otherwise those are read that were fetched before.
    """
    from huggingface_hub import constants, get_session
    from transformers.utils import logging

    hidden, offline = local and logging.is_progress_bar_enabled(), constants.HF_HUB_OFFLINE
    if not local:
        sign = ThreadPoolExecutor(1).submit(get_session().head, constants.ENDPOINT, timeout=3)
        constants.HF_HUB_OFFLINE = bool(wait([sign], 4).not_done or sign.exception())
    if hidden:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline
        if hidden:
            logging.enable_progress_bar()


def verify(folder: Path) -> None:
    """Check the files of a folder against its SHA256SUMS.

    Raises
    ------
    ValueError
        If a file is missing or differs; the message names it.
    """
    listing = folder / "SHA256SUMS"
    if not listing.is_file():
        raise ValueError(f"{folder} has no SHA256SUMS; is the checkout complete?")
    for line in listing.read_text().splitlines():
        expected, _, name = line.partition("  ")
        path = folder / name.strip().lstrip("*")
        if not path.is_file():
            raise ValueError(f"{path} is missing; is the checkout complete?")
        if (digest := hashlib.sha256(path.read_bytes()).hexdigest()) != expected:
            raise ValueError(f"{path} has SHA-256 {digest}, but SHA256SUMS says {expected}")
