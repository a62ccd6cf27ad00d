"""Make the environment that the book and its tests run in: ``python book/_tools/install.py VENV``.

Creates the virtual environment VENV where there is none, installs the package with what the book
and the tests need, and leaves a stamp named after the pins, so that a second call has nothing to
do. ``--key`` prints that name, a hash of every requirement, and does nothing else. Written for the
oldest Python a reader may have, so that a Python that is too old is told so in words.
"""

import hashlib
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = "book,test,shap,corpora,server,dask,dev"
OLDEST = (3, 11, 5)  # which the pins need
# A kernel would warn at each chapter that it talks to this machine without encryption.
KERNEL = 'get_config().IPKernelApp.log_level = "ERROR"\n'


def key():
    """Name of the environment: a hash of the requirements and of the Python that serves them."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    parts = [
        sorted(project["dependencies"]),
        sorted((extra, sorted(names)) for extra, names in project["optional-dependencies"].items()),
        CONSTRAINTS.read_text(encoding="utf-8"),
        EXTRAS,
        sys.version_info[:2],
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def install(venv):
    """Create and fill ``venv``, or only point it at this checkout where it is complete already."""
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print("creating the environment " + str(venv), flush=True)
        subprocess.check_call([sys.executable, "-m", "venv", str(venv)])
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    if not sys.stdout.isatty():
        pip.append("-qq")
    stamp = venv / (".sgpa-" + key())
    if not stamp.exists():
        print("installing the packages (several minutes the first time)", flush=True)
        target = "{}[{}]".format(ROOT, EXTRAS)
        subprocess.check_call([*pip, "-c", str(CONSTRAINTS), "-e", target])
    elif stamp.read_text(encoding="utf-8") != str(ROOT):
        subprocess.check_call([*pip, "--no-deps", "-e", str(ROOT)])
    settings = venv / "etc" / "ipython" / "ipython_kernel_config.py"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(KERNEL, encoding="utf-8")
    stamp.write_text(str(ROOT), encoding="utf-8")


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(
            "Python {} or newer is needed, this is {}: say make PYTHON=python3.12".format(
                ".".join(map(str, OLDEST)), sys.version.split()[0]
            )
        )
    if len(sys.argv) != 2:
        sys.exit("usage: install.py VENV | --key")
    if sys.argv[1] == "--key":
        print(key())
    else:
        install(pathlib.Path(sys.argv[1]).absolute())
