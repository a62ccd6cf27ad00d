"""What the repository promises about itself: manifest, citation, layout, size of files."""

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
MANIFEST = yaml.safe_load((ROOT / "codecheck.yml").read_text("utf-8"))["manifest"]
LINES = 400


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_the_manifest_names_what_is_there_and_what_makes_it(entry):
    made_by = re.match(r"(make \w+|python \S+\.py)", entry["comment"])
    assert made_by, "begins with the command"
    if made_by[0].startswith("python"):
        assert (ROOT / made_by[0].split()[1]).is_file()
    else:
        target = made_by[0].split()[1]
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert entry["file"].startswith("_build/") or (ROOT / entry["file"]).stat().st_size


def test_every_stored_result_is_in_the_manifest():
    folders = {pathlib.Path(entry["file"]).parent.name for entry in MANIFEST}
    assert {make.parent.name for make in (ROOT / "data/results").glob("*/make.py")} <= folders


def test_the_citation_names_the_paper_and_this_version():
    import sgpa_core

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == sgpa_core.__version__
    assert "2603.02250" in citation["preferred-citation"]["url"]


@pytest.mark.parametrize("file", sorted((ROOT / "sgpa_core").rglob("*.py")), ids=lambda f: f.name)
def test_files_stay_small_enough_to_read(file):
    assert len(file.read_text("utf-8").splitlines()) <= LINES


def test_every_public_module_is_in_the_reference():
    pages = "".join(page.read_text("utf-8") for page in (ROOT / "book/api").glob("*.md"))
    inner = {"__init__", "__main__", "doctor", "files", "player", "runlog", "sampling", "cli"}
    for file in (ROOT / "sgpa_core").rglob("*.py"):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        if file.stem not in inner:
            assert f"automodule:: {name}\n" in pages, f"{name} is missing in book/api"
