"""Settings and fixtures that all tests share."""

import os
import pathlib

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


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """Root of the checkout."""
    return pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def reference() -> pathlib.Path:
    """Folder of the reference data; tests that need it are skipped where there is none."""
    folder = os.environ.get("SGPA_REFERENCE")
    if not folder:
        pytest.skip("SGPA_REFERENCE does not say where the reference data is")
    return pathlib.Path(folder)
