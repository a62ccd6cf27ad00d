"""The box that says where a page comes from."""

import hashlib
import json
import subprocess
import sys

import pytest

from sgpa_core.companion.pedigree import digest, pedigree, write_pedigree
from sgpa_core.files import DATA


def test_a_digest_is_that_of_sha256sum(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"what")
    assert digest(file) == hashlib.sha256(b"what").hexdigest()[:8]


def test_a_folder_changes_with_content_and_with_names(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a").write_text("1")
    before = digest(tmp_path / "x")
    assert digest(tmp_path / "x") == before
    (tmp_path / "x/a").write_text("2")
    other = digest(tmp_path / "x")
    (tmp_path / "x/a").rename(tmp_path / "x/b")
    assert len({before, other, digest(tmp_path / "x")}) == 3


def test_the_box_names_what_was_read_and_escapes(tmp_path):
    (tmp_path / "<b>.csv").write_text("1")
    box = pedigree(tmp_path / "<b>.csv", seed=None)
    assert "&lt;b&gt;.csv" in box._repr_html_() and "<b>.csv" not in box._repr_html_()
    assert "torch " in box.facts["packages"]
    assert "seed" in repr(box) and box.facts["seed"] == "none"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no .*nothing\.csv"):
        pedigree(tmp_path / "nothing.csv")


def test_seconds_count_from_the_import_of_the_package():
    code = "import sgpa_core, time; time.sleep(1.6); print(sgpa_core.pedigree().facts['seconds'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 2 <= int(done.stdout) < 60


def test_a_stored_result_names_its_script_its_settings_and_the_machine(monkeypatch, tmp_path):
    monkeypatch.setattr("sgpa_core.companion.pedigree.DATA", tmp_path / "data")
    folder = tmp_path / "data" / "results" / "cost"
    folder.mkdir(parents=True)
    write_pedigree(folder, 7, model="m", asked=3)
    content = json.loads((folder / "pedigree.json").read_text("utf-8"))
    assert content["made_by"] == "python data/results/cost/make.py"
    assert (content["seed"], content["model"], content["asked"]) == (7, "m", 3)
    assert {"python", "sgpa_core", "numpy", "torch"} <= set(content["packages"])
    assert "cores" in content["machine"] and content["cpu_seconds"] > 0


def test_the_stored_results_have_these_entries():
    content = json.loads((DATA / "results/cost/pedigree.json").read_text("utf-8"))
    assert {"made_by", "seed", "date", "seconds", "cpu_seconds", "packages", "machine"} <= set(
        content
    )
