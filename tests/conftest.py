"""Settings and fixtures that all tests share."""

import importlib.util
import os
import pathlib
import shutil
import sys

# Before torch, transformers or matplotlib are imported, and for every process that a test starts.
for name, value in {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
}.items():
    os.environ.setdefault(name, value)

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "sgpa", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("sgpa")

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
FLAGS += ["--autoplay-policy=no-user-gesture-required"]


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """Root of the checkout."""
    return pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def script(root):
    """A function that imports a file which is in no package, by its path below the root."""

    def load(path: str):
        name = "_".join(pathlib.Path(path).with_suffix("").parts[-2:])
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, root / path)
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            before = list(sys.path)
            spec.loader.exec_module(module)
            sys.path[:] = before
        return sys.modules[name]

    return load


@pytest.fixture(scope="session")
def reference() -> pathlib.Path:
    """Folder of the reference data; tests that need it are skipped where there is none."""
    folder = os.environ.get("SGPA_REFERENCE")
    if not folder:
        pytest.skip("SGPA_REFERENCE does not say where the reference data is")
    return pathlib.Path(folder)


@pytest.fixture(scope="session")
def open_weights() -> None:
    """Skips what runs the open models where their weights were not fetched."""
    from sgpa_core.models import weights

    if missing := [name for name in weights.known() if not weights.fetched(name)]:
        pytest.skip(f"not here: {', '.join(missing)}; python -m sgpa_core fetch models gets them")


FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>"""


@pytest.fixture(scope="module")
def bare_fonts(tmp_path_factory):
    """Environment in which programs see no fonts but those that matplotlib brings (DejaVu)."""
    import matplotlib

    folder = tmp_path_factory.mktemp("fonts")
    fonts = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    config = folder / "fonts.conf"
    config.write_text(FONTS.format(fonts=fonts, cache=folder), encoding="utf-8")
    return dict(os.environ, FONTCONFIG_FILE=str(config))


@pytest.fixture(scope="module")  # its event loop would be in the way of other tests
def browser(bare_fonts):
    """Headless Chromium, with the same few fonts on every machine."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("no Chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable, args=FLAGS, env=bare_fonts)
        yield chromium
        chromium.close()
