"""What the repository promises about itself: manifest, citation, layout."""

import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANIFEST = yaml.safe_load((ROOT / "codecheck.yml").read_text("utf-8"))["manifest"]


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
