"""The README tells the truth: what it names exists, and its example runs."""

import re

import pytest

import sgpa_core


def test_what_it_links_to_exists(root):
    text = (root / "README.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    assert all(link.startswith("https://") or (root / link).exists() for link in links)
    targets = re.findall(r"make (?:\w+=\S+ )?([a-z]+)", text)
    makefile = (root / "Makefile").read_text("utf-8")
    assert {"book", "test", "lab"} <= set(targets)
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.fixture
def examples(root, tmp_path, monkeypatch):
    """The README's two pieces of Python, in a folder of their own beside the data."""
    text = (root / "README.md").read_text("utf-8")
    (tmp_path / "data").symlink_to(root / "data")
    monkeypatch.chdir(tmp_path)
    aligning, explaining = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [compile(code, "README.md", "exec") for code in (aligning, explaining)]


def test_its_recording_is_aligned(examples, tmp_path, capsys):
    names: dict = {}
    exec(examples[0], names)
    spoken = names["text"].split()
    printed = capsys.readouterr().out
    assert all(word in printed for word in spoken)
    written = sgpa_core.Segmentation.read(tmp_path / "question.TextGrid")
    assert [word.text for word in written.words] == spoken


@pytest.mark.slow
@pytest.mark.usefixtures("open_weights")
def test_its_answer_is_explained(examples, tmp_path, capsys):
    names: dict = {}
    for code in examples:
        exec(code, names)
    printed = capsys.readouterr().out
    assert all(word in printed for word in names["text"].split())
    assert "Tokyo" in names["explanation"].answer and not names["explanation"].notes
    assert (tmp_path / "explained.html").stat().st_size > 10_000


def test_its_recording_is_the_one_it_says(root):
    text = (root / "README.md").read_text("utf-8")
    paths, said = re.findall(r"data/\S+\.\w{3,4}", text), re.findall(r'text ?= ?"(.*?)"', text)
    recording = sgpa_core.questions("af_bella-009")
    assert {root / path for path in paths} == {recording.path}
    assert set(said) == {recording.text} and len(said) == 2
