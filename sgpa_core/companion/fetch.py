"""Download what the paper's authors published, for `recorded` to read."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["available", "find", "recorded"]

REPOSITORY = "https://github.com/Pawlo77/MLLM-Shap"
LEM = "experiments/interspeech/outputs/lem_runs"
FAITH = "experiments/faithfulness/outputs"
URL = REPOSITORY + "/archive/{commit}.zip"
LICENCE = "Apache-2.0 (prompts too); LibriSpeech recordings CC BY 4.0; speech by Google Chirp 3 HD"
COMMITS = {"runs": "2a16b94", "games": "aac182994723d6f2949a7811b331557e719e6558"}
"""Commits that `fetch` takes: recorded runs from branch main, games from feature/aaai."""

EXPECTED = {"runs": 440, "games": 1240}
"""Recorded runs and complete coalition tables in those commits."""

WANTED = {
    "runs": rf"{LEM}/rebuttal_[^/]+/[^/]+/(samples/[^/]+\.json|audio/.+_input_audio\.wav)",
    "games": rf"{FAITH}/(qwen_exact_shapley_\w+|voxtral/exact_shapley_\w+)/[^/]+\.csv",
}
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError)
ATTEMPTS, TIMEOUT = 3, 30
"""Tries of one download, and seconds to wait for the server."""

CHUNK = 1 << 13
"""Bytes written at once; a break loses less than this."""

MAX_BYTES = 4_000_000_000
"""An archive that would unpack to more than this is refused."""


def find(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of published material: `folder`, ``$SGPA_REFERENCE`` or what was fetched.

    Raises
    ------
    FileNotFoundError
        If there is none; the message says how to get it.
    """
    named = folder or os.environ.get("SGPA_REFERENCE")
    place = Path(named) if named else cache()
    if place.is_dir() and (named or any(place.glob("*/experiments"))):
        return place.resolve()
    raise FileNotFoundError(
        f"no published material in {place}: run 'python -m sgpa_core fetch recorded' (downloads "
        f"{REPOSITORY}), or set SGPA_REFERENCE to a folder that holds it"
    )


def available(folder: str | os.PathLike[str] | None = None) -> bool:
    """Tell whether `find` finds published material."""
    try:
        return bool(find(folder))
    except FileNotFoundError:
        return False


def cache() -> Path:
    """Return the place in the user's cache for what is fetched."""
    import pooch

    return Path(pooch.os_cache("sgpa-core")) / "recorded"


def recorded(
    folder: str | os.PathLike[str] | None = None,
    url: str = URL,
    sha256: Mapping[str, str] | None = None,
    say: Callable[[str], object] = print,
) -> Path:
    """Download the authors' published material and unpack what the readers of this module read.

    Two archives of the authors' repository at pinned commits, one for the runs and recordings, one
    for the games. A broken download is taken up where it ended (HTTP Range) if the server can. Each
    is checked by what it holds, the expected numbers of runs and games, before it is put in place:
    the host makes such archives on demand and promises no checksum; give `sha256` if you know one.

    Parameters
    ----------
    folder : path, optional
        Where to; by default the place in the user's cache where the readers look.
    url : str
        Address of an archive, with ``{commit}`` in it.
    sha256 : mapping, optional
        Known checksums of the archives "runs" and "games".
    say : callable
        Told what happens: licence and size first.

    Returns
    -------
    Path
        The folder, for `runs`, `games`, `players` and `audio`.

    Raises
    ------
    OSError
        If the server cannot be reached, refuses, or the download breaks off.
    ValueError
        If what came is no such archive, is unsafe to unpack, or does not hold what it should.
    """
    import pooch

    from .recorded import games, runs

    place = Path(folder) if folder else cache()
    place.mkdir(parents=True, exist_ok=True)
    say(f"Published material of the paper, {REPOSITORY}\nLicence: {LICENCE}")
    pooch.get_logger().setLevel("WARNING")
    for part, commit in COMMITS.items():
        target = place / f"{part}-{commit[:7]}"
        if target.is_dir():
            say(f"{part}: already in {target}")
            continue
        archive = Path(
            pooch.retrieve(
                url.format(commit=commit),
                known_hash=(sha256 or {}).get(part),
                fname=f"{target.name}.zip",
                path=place,
                downloader=_Resuming(part, say),
            )
        )
        try:
            with tempfile.TemporaryDirectory(dir=place) as scratch:
                unpacked = Path(scratch, part)
                _unpack(archive, unpacked, WANTED[part])
                found = len(runs(unpacked) if part == "runs" else games(unpacked))
                if found != EXPECTED[part]:
                    raise ValueError(f"it holds {found} {part} where {EXPECTED[part]} should be")
                unpacked.rename(target)
        except (ValueError, FileNotFoundError, RuntimeError, *BROKEN) as fault:
            archive.unlink()
            raise ValueError(f"the archive of {part} was refused and removed: {fault}") from fault
        archive.unlink()
        say(f"{part}: {found} found, in {target}")
    return place


class _Resuming:
    """A downloader for pooch that takes up a broken download where it ended."""

    def __init__(self, part: str, say: Callable[[str], object]) -> None:
        self.part, self.say = part, say

    def __call__(self, url: str, output: str, _pooch: object) -> None:
        import requests

        fname = Path(output).parent / f"{self.part}.broken"
        host = urlsplit(url).netloc
        for attempt in range(ATTEMPTS):
            try:
                self._go_on(url, fname)
                shutil.move(fname, output)
                return
            except requests.exceptions.HTTPError as fault:
                raise OSError(f"{host} refused {url}: {fault}") from fault
            except requests.exceptions.RequestException as fault:
                got = fname.stat().st_size if fname.exists() else 0
                if got == 0 and isinstance(fault, requests.exceptions.ConnectionError):
                    raise OSError(
                        f"no network: {host} cannot be reached ({type(fault).__name__}); nothing "
                        "was downloaded, and the book shows its stored recomputations instead"
                    ) from fault
                if attempt == ATTEMPTS - 1:
                    raise OSError(
                        f"the download from {host} broke off after {got:,} bytes; what came is "
                        "kept: run the same command again to go on"
                    ) from fault

    def _go_on(self, url: str, file: Path) -> None:
        import requests

        version = file.with_suffix(".etag")
        got = file.stat().st_size if file.exists() and version.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if got:
            headers["Range"] = f"bytes={got}-"
            if known := version.read_text():
                headers["If-Range"] = known
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
            if reply.status_code == 416:  # nothing is left to come: start over, to be sure
                version.unlink()
                return self._go_on(url, file)
            reply.raise_for_status()
            resumed = reply.status_code == 206
            size = reply.headers.get("Content-Length")
            told = f"{int(size) / 1e6:,.1f} MB" if size else "size not told by the server"
            going = f", going on after {got / 1e6:,.1f} MB" if resumed else ""
            self.say(f"{self.part}: {told}{going}, from {url}")
            if not resumed:
                version.write_text(reply.headers.get("ETag", ""))
            with file.open("ab" if resumed else "wb") as stream:
                for chunk in reply.iter_content(CHUNK):
                    stream.write(chunk)
        version.unlink(missing_ok=True)
        return None


def _unpack(archive: Path, target: Path, wanted: str) -> None:
    """Unpack members below the archive's one folder that match; refuse unsafe archives whole."""
    if not zipfile.is_zipfile(archive):
        start = archive.read_bytes()[:40]
        raise ValueError(f"what came is no zip archive, it begins with {start!r}")
    target.mkdir(parents=True)
    with zipfile.ZipFile(archive) as pack:
        chosen = []
        for member in pack.infolist():
            parts = member.filename.split("/")
            link = stat.S_ISLNK(member.external_attr >> 16)
            if (
                link
                or ".." in parts
                or parts[0] == ""
                or "\\" in member.filename
                or ":" in parts[0]
            ):
                raise ValueError(f"unsafe member {member.filename!r}")
            if re.fullmatch(wanted, "/".join(parts[1:])) and not member.is_dir():
                chosen.append((member, target.joinpath(*parts[1:])))
        if (size := sum(member.file_size for member, _ in chosen)) > MAX_BYTES:
            raise ValueError(f"it would unpack to {size:,} bytes")
        for member, path in chosen:
            path.parent.mkdir(parents=True, exist_ok=True)
            with pack.open(member) as source, path.open("wb") as stream:
                shutil.copyfileobj(source, stream)
