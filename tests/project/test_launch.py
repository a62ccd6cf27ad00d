"""Buttons that take a chapter elsewhere: a file to download, Binder, Colab."""

import json
import pathlib
import subprocess

import nbformat
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = "someone/companion"


@pytest.fixture(scope="module")
def launch(script):
    return script("book/_ext/launch.py")


@pytest.mark.parametrize(
    ("remote", "found"),
    [
        ("https://github.com/someone/companion.git", PLACE),
        ("git@github.com:someone/companion.git", PLACE),
        ("https://github.com/someone/companion/", PLACE),
        ("https://git.example.org/someone/companion", ""),
        (None, ""),
    ],
)
def test_the_address_is_the_one_of_the_remote(launch, monkeypatch, tmp_path, remote, found):
    monkeypatch.delenv("SGPA_REPOSITORY", raising=False)
    monkeypatch.setattr(launch, "ROOT", tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    if remote:
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
    assert launch.repository() == found


def test_the_address_can_be_told(launch, monkeypatch):
    monkeypatch.setenv("SGPA_REPOSITORY", PLACE)
    assert launch.repository() == PLACE
    monkeypatch.setenv("SGPA_REPOSITORY", "")
    assert launch.repository() == ""
    monkeypatch.setenv("SGPA_REPOSITORY", "no place at all")
    with pytest.raises(ValueError, match=r"'no place at all'; write owner/name"):
        launch.repository()


def test_buttons_lead_to_files_that_are_there(launch):
    alone = launch.buttons("adapt", lambda file: f"../{file}", "")
    assert [(button["text"], button["url"]) for button in alone] == [
        ("Notebook", "../notebooks/adapt.ipynb")
    ]
    three = {button["text"]: button["url"] for button in launch.buttons("adapt", str, PLACE)}
    assert three["Binder"].startswith(f"https://mybinder.org/v2/gh/{PLACE}/main?")
    assert (ROOT / three["Binder"].split("labpath=")[1]).is_file()
    assert (ROOT / "environment.yml").is_file()  # what Binder builds
    assert three["Colab"].endswith(f"/github/{PLACE}/blob/gh-pages/colab/adapt.ipynb")


def test_only_colab_s_copy_installs(launch):
    text = (ROOT / "notebooks/adapt.ipynb").read_text("utf-8")
    copied = launch.for_colab(text, PLACE)
    nbformat.validate(nbformat.reads(copied, as_version=4))
    first, *others = json.loads(copied)["cells"]
    assert others == json.loads(text)["cells"]
    source = "".join(first["source"])
    assert f"!git clone --quiet --depth 1 https://github.com/{PLACE} /content/companion" in source
    assert "!pip install" in source
    plain = "\n".join(
        line.replace("!", "pass  # ", 1) if line.strip().startswith("!") else line
        for line in source.splitlines()
    )
    compile(plain, "install", "exec")
