"""Download what the paper's authors published, for `recorded` to read."""

import os
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import requests
from pooch import file_hash
from requests.exceptions import HTTPError, RequestException

from .paper import FAITH, LEM, REPOSITORY, cache_folder
from .recorded import games, runs

URL = REPOSITORY + "/archive/{commit}.zip"
LICENCE = "Apache-2.0 (prompts too); LibriSpeech recordings CC BY 4.0; speech by Google Chirp 3 HD"
#: Commits that `fetch` takes: recorded runs from branch main, games from feature/aaai.
COMMITS = {"runs": "2a16b94", "games": "aac182994723d6f2949a7811b331557e719e6558"}

#: Recorded runs and complete coalition tables in those commits.
EXPECTED = {"runs": 440, "games": 1240}

WANTED = {
    "runs": rf"{LEM}/rebuttal_[^/]+/[^/]+/(samples/[^/]+\.json|audio/.+_input_audio\.wav)",
    "games": rf"{FAITH}/(qwen_exact_shapley_\w+|voxtral/exact_shapley_\w+)/[^/]+\.csv",
}
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError)
#: Tries of one download, and seconds to wait for the server.
ATTEMPTS, TIMEOUT = 3, 30

#: Bytes written at once; a break loses less than this.
CHUNK = 1 << 13

#: An archive that would unpack to more than this is refused.
MAX_BYTES = 4_000_000_000


def recorded(
    folder: str | os.PathLike[str] | None = None,
    url: str = URL,
    sha256: Mapping[str, str] | None = None,
    say: Callable[[str], object] = print,
) -> Path:
    """Download the authors' published material and unpack what the readers of `recorded` read.

    Two archives of the authors' repository at pinned commits, one for the runs and recordings, one
    for the games. A broken download goes on where it ended (HTTP Range) if the server can. Each is
    checked by what it holds, the expected numbers of runs and games, before it is put in place: the
    host makes such archives on demand and promises no checksum; give `sha256` if you know one.

    Parameters
    ----------
    folder : path, optional
        Where to; by default the place in the user's cache where the readers look.
    url : str
        Address of an archive, with ``{commit}`` in it.
    sha256 : mapping, optional
        Known checksums of the archives "runs" and "games".
    say : callable
        Gets each line about what happens: licence and size first.

    Returns
    -------
    Path
        The folder, for `recorded.runs`, `games`, `players` and `audio`.

    Raises
    ------
    OSError
        If the server cannot be reached, refuses, or the download breaks off.
    ValueError
        If what came is no such archive, is unsafe to unpack, or does not hold what it should.
    """
    place = Path(folder) if folder else cache_folder()
    place.mkdir(parents=True, exist_ok=True)
    say(f"Published material of the paper, {REPOSITORY}\nLicence: {LICENCE}")
    for part, commit in COMMITS.items():
        target = place / f"{part}-{commit[:7]}"
        if target.is_dir():
            say(f"{part}: already in {target}")
            continue
        archive = place / f"{target.name}.zip"
        if not archive.exists():
            _download(url.format(commit=commit), archive, part, say)
        try:
            count = _put_in_place(archive, target, part, (sha256 or {}).get(part))
        except (ValueError, FileNotFoundError, RuntimeError, *BROKEN) as fault:
            archive.unlink()
            raise ValueError(f"the archive of {part} was refused and removed: {fault}") from fault
        archive.unlink()
        say(f"{part}: {count} found, in {target}")
    return place


def _put_in_place(archive: Path, target: Path, part: str, sha256: str | None) -> int:
    """Check an archive, unpack it, and return how many runs or games it holds."""
    if sha256 and (actual := file_hash(str(archive))) != sha256:
        raise ValueError(f"its SHA256 is {actual}, not {sha256}")
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        _unpack(archive, Path(scratch), WANTED[part])
        count = len(runs(scratch) if part == "runs" else games(scratch))
        if count != EXPECTED[part]:
            raise ValueError(f"it holds {count} {part} where {EXPECTED[part]} should be")
        [folder] = Path(scratch).iterdir()
        folder.rename(target)
    return count


def _download(url: str, archive: Path, part: str, say: Callable[[str], object]) -> None:
    """Download an archive; a broken download goes on where it ended, in this call or the next."""
    file, host, size = archive.with_name(f"{part}.broken"), urlsplit(url).netloc, 0
    for _ in range(ATTEMPTS):
        try:
            _append(url, file, part, say)
            file.rename(archive)
            return
        except HTTPError as fault:
            raise OSError(f"{host} refused {url}: {fault}") from fault
        except RequestException as fault:
            reason, size = fault, file.stat().st_size if file.exists() else 0
            if not size:
                break
    told = f"no network: {host} cannot be reached ({type(reason).__name__}); nothing was "
    told += "downloaded, and the book shows its stored recomputations instead"
    if size:
        told = f"the download from {host} broke off after {size:,} bytes; what came is kept: run "
        told += "the same command again to go on"
    raise OSError(told) from reason


def _append(url: str, file: Path, part: str, say: Callable[[str], object]) -> None:
    """Fetch what is missing of a file; the ETag beside it says which version was begun."""
    version = file.with_suffix(".etag")
    size = file.stat().st_size if file.exists() and version.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if size:
        headers["Range"] = f"bytes={size}-"
        if etag := version.read_text():
            headers["If-Range"] = etag
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
        if reply.status_code == 416:  # nothing is left to come: start over, to be sure
            version.unlink()
            return _append(url, file, part, say)
        reply.raise_for_status()
        resumed = reply.status_code == 206
        length = int(reply.headers.get("Content-Length", 0))
        what = f"{length / 1e6:,.1f} MB" if length else "size not told by the server"
        going = f", going on after {size / 1e6:,.1f} MB" if resumed else ""
        say(f"{part}: {what}{going}, from {url}")
        if not resumed:
            version.write_text(reply.headers.get("ETag", ""))
        with file.open("ab" if resumed else "wb") as stream:
            for chunk in reply.iter_content(CHUNK):
                stream.write(chunk)
    version.unlink(missing_ok=True)
    return None


def _unpack(archive: Path, folder: Path, wanted: str) -> None:
    """Unpack members below the archive's one folder that match; refuse unsafe archives whole."""
    if not zipfile.is_zipfile(archive):
        start = archive.read_bytes()[:40]
        raise ValueError(f"what came is no zip archive, it begins with {start!r}")
    with zipfile.ZipFile(archive) as pack:
        for member in pack.infolist():
            parts = member.filename.split("/")
            unsafe = not parts[0] or ":" in parts[0] or ".." in parts or "\\" in member.filename
            if unsafe or stat.S_ISLNK(member.external_attr >> 16):
                raise ValueError(f"unsafe member {member.filename!r}")
        chosen = [m for m in pack.infolist() if re.fullmatch(f"[^/]+/{wanted}", m.filename)]
        if (size := sum(member.file_size for member in chosen)) > MAX_BYTES:
            raise ValueError(f"it would unpack to {size:,} bytes")
        pack.extractall(folder, chosen)
