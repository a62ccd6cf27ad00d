"""The README tells the truth: what it names exists, and its example runs."""

import re

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


def test_its_example_runs(root, tmp_path, monkeypatch, capsys):
    text = (root / "README.md").read_text("utf-8")
    example, explaining = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    spoken = re.search(r'align\(audio, "(.*?)"\)', example).group(1)
    recording = next(r for r in sgpa_core.speech() if r.text == spoken)
    recording.audio.write(tmp_path / "question.wav")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(example, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert all(word in printed for word in spoken.split())
    written = sgpa_core.Segmentation.read(tmp_path / "question.TextGrid")
    assert [word.text for word in written.words] == spoken.split()
    exec(compile(explaining, "README.md", "exec"), names)
    said = re.search(r'# "(.*?)"', explaining).group(1)
    assert names["recording"].text == said
    printed = capsys.readouterr().out
    assert all(word in printed for word in said.split())
    assert (tmp_path / "explained.html").stat().st_size > 10_000
