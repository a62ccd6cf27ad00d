"""Corpora: the hub's schemas, folders and tables of one's own, curation, and what is refused."""

import csv
import dataclasses
import io
import re
import shutil
from types import SimpleNamespace

import hub_copies
import numpy as np
import pandas as pd
import pytest
import soundfile

import sgpa_core
from sgpa_core import Audio
from sgpa_core.companion import hub
from sgpa_core.companion.batch import manifest
from sgpa_core.companion.corpora import Utterance, listed, load
from sgpa_core.companion.curation import ANCHORS, curate, looks_english, sentences

RECORDINGS = sgpa_core.speech()[:3]


def utterances(texts, voice="a", **more):
    return [Utterance(f"{i}-{voice}", text, voice, b"", **more) for i, text in enumerate(texts)]


@pytest.fixture
def folder(tmp_path):
    """Two voices, a transcript each."""
    for recording in RECORDINGS:
        place = tmp_path / ("ann" if recording is RECORDINGS[0] else "bob")
        place.mkdir(exist_ok=True)
        shutil.copy(recording.path, place)
        (place / f"{recording.path.stem}.txt").write_text(recording.text + "\n", "utf-8-sig")
    return tmp_path


# The hub's schemas


def test_voicebench(tmp_path):
    corpus = load("voicebench", copy=hub_copies.voicebench(RECORDINGS, tmp_path))
    assert [item.text for item in corpus.utterances] == [r.text for r in RECORDINGS]
    assert {item.voice for item in corpus.utterances} == {"original"}
    np.testing.assert_array_equal(corpus.utterances[1].audio.samples, RECORDINGS[1].audio.samples)
    assert str(tmp_path) in corpus.revision
    assert "3 utterances, 3 original" in corpus.summary()


@pytest.mark.parametrize("config", ["single_sentence__voice_bench", "single_sentence_1k"])
def test_the_authors_sets_have_voices_and_lists(tmp_path, config):
    copy = hub_copies.mllm_shap(RECORDINGS, tmp_path, config)
    corpus = load("mllm-shap", copy=copy)
    assert [item.voice for item in corpus.utterances] == ["original", "male"] * 3
    assert len({item.id for item in corpus.utterances}) == 6
    assert [item.tokens for item in corpus.utterances[::2]] == [len(r.words) for r in RECORDINGS]
    assert load("mllm-shap", copy=copy, voices=["male"], limit=1).utterances[0].voice == "male"
    with pytest.raises(
        ValueError, match=r"no voice 'female' in mllm-shap: there is original, male"
    ):
        load("mllm-shap", copy=copy, voices=["female"])


def test_librispeech_keeps_its_ids(tmp_path):
    corpus = load("librispeech", copy=hub_copies.librispeech(RECORDINGS, tmp_path))
    assert corpus.utterances[0].id == "1-2-0000"
    assert corpus.utterances[0].text == RECORDINGS[0].text.upper()


def test_several_sentences_are_joined_or_paired(tmp_path):
    sound = RECORDINGS[0].path.read_bytes()
    rows = [
        {"sentences": ["One is here.", "Two is there."], "audio__male": clips}
        for clips in ([sound], [sound, sound], [sound, sound, sound])
    ]
    hub_copies.write(rows, tmp_path, "multi_sentence__voice_bench", "test/0000.parquet")
    corpus = load("mllm-shap:multi_sentence__voice_bench", copy=tmp_path)
    texts = [item.text for item in corpus.utterances]
    assert texts == ["One is here. Two is there.", "One is here.", "Two is there."]
    [(place, reason)] = corpus.left_out
    assert place == "multi_sentence__voice_bench/test row 2, audio__male"
    assert reason == "2 sentences with 3 recordings"


def test_an_unreadable_row_is_counted_and_made_up_for(tmp_path):
    broken = {RECORDINGS[0].id: b"RIFF no sound", RECORDINGS[1].id: b""}
    hub_copies.voicebench(
        RECORDINGS, tmp_path, sound=lambda r: broken.get(r.id, r.path.read_bytes())
    )
    corpus = load("voicebench", copy=tmp_path, limit=1)
    assert [item.text for item in corpus.utterances] == [RECORDINGS[2].text]
    (first, unreadable), (second, empty) = corpus.left_out
    assert (first, second) == tuple(f"alpacaeval_full/test row {i}, audio" for i in (0, 1))
    assert "not audio that can be read" in unreadable
    assert empty == "no sound"
    assert "left out 1: no sound (alpacaeval_full/test row 1, audio)" in corpus.summary()


def test_wrong_columns_are_named(tmp_path):
    hub_copies.write([{"question": "x", "sound": b"y"}], tmp_path, "bbh", "test/0.parquet")
    with pytest.raises(ValueError, match="has the columns question, sound; needed are prompt, and"):
        load("voicebench:bbh", copy=tmp_path)


def test_a_copy_without_the_split_or_with_a_broken_file(tmp_path):
    hub_copies.voicebench(RECORDINGS, tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"is no copy of hlt-lab/voicebench: it has no sd-qa"
    ):
        load("voicebench:sd-qa/usa", copy=tmp_path)
    next(tmp_path.rglob("*.parquet")).write_bytes(b"no parquet")
    with pytest.raises(ValueError, match="hlt-lab/voicebench"):
        load("voicebench", copy=tmp_path)


@pytest.mark.parametrize("name", hub.CORPORA)
def test_the_hub_is_read_as_a_stream_at_the_pinned_commit(name, monkeypatch):
    import datasets

    asked = {}

    def load_dataset(repository, config, **options):
        asked.update(options, repository=repository, config=config)
        raise ConnectionError("Couldn't reach it on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(OSError, match="on the Hugging Face hub, which cannot be reached") as fault:
        load(name)
    assert "'speech', which comes with the project" in str(fault.value)
    pinned = hub.CORPORA[name]
    assert asked["repository"] == pinned["repository"]
    assert (asked["config"], asked["split"]) == (pinned["config"], "test")
    assert asked["streaming"] is True
    assert asked["revision"] == pinned["revision"]
    assert re.fullmatch("[0-9a-f]{40}", pinned["revision"])


def test_an_older_revision_has_the_older_name(tmp_path, monkeypatch):
    import datasets

    hub_copies.mllm_shap(RECORDINGS, tmp_path, "single_sentence_1k")
    files = {"test": str(tmp_path / "single_sentence_1k/test/0000.parquet")}
    real, asked = datasets.load_dataset, []

    def load_dataset(repository, config, revision, **options):
        asked.append(config)
        if config != "single_sentence_1k":
            raise ValueError(f"BuilderConfig {config!r} not found. Available: ['multi_turn']")
        return real("parquet", data_files=files, **options)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    corpus = load("mllm-shap")
    assert asked == ["single_sentence__voice_bench", "single_sentence_1k"]
    assert corpus.revision == hub.CORPORA["mllm-shap"]["revision"]
    assert len(corpus) == 6
    with pytest.raises(ValueError, match="BuilderConfig 'multi_lingual' not found"):
        load("mllm-shap:multi_lingual")


def test_a_branch_is_resolved_to_its_commit(tmp_path, monkeypatch):
    import datasets
    import huggingface_hub

    def dataset_info(self, repository, revision):
        return SimpleNamespace(sha=f"commit of {revision}")

    files = {"test": str(next(hub_copies.voicebench(RECORDINGS, tmp_path).rglob("*.parquet")))}
    real = datasets.load_dataset
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    monkeypatch.setattr(
        datasets,
        "load_dataset",
        lambda repository, config, revision, **options: real(
            "parquet", data_files=files, **options
        ),
    )
    assert load("voicebench", revision="main").revision == "commit of main"


def test_without_network_it_is_said():
    with pytest.raises(OSError, match="which cannot be reached"):  # HF_HUB_OFFLINE is set in tests
        load("librispeech")


def test_the_published_pin_is_the_paper_s():
    import yaml

    paper = yaml.safe_load((sgpa_core.files.DATA / "paper/published.yaml").read_text())["paper"]
    assert hub.CORPORA["mllm-shap"]["repository"] == paper["dataset"]
    assert hub.CORPORA["mllm-shap"]["revision"] == paper["dataset_revision"]


# Recordings of one's own


def test_a_folder(folder):
    corpus = load(str(folder))
    assert [(item.id, item.voice) for item in corpus.utterances] == [
        (f"{voice}/{recording.path.stem}", voice)
        for voice, recording in zip(("ann", "bob", "bob"), RECORDINGS, strict=True)
    ]
    assert [item.text for item in corpus.utterances] == [r.text for r in RECORDINGS]
    assert len(load(str(folder), limit=1)) == 2


def test_a_folder_with_gaps(folder):
    transcripts = sorted(folder.rglob("*.txt"))
    transcripts[0].unlink()
    transcripts[1].write_bytes(b"\xff\xfe\xff")
    (folder / "alone.txt").write_text("nobody says this")
    shutil.copy(transcripts[2].with_suffix(".flac"), transcripts[2].with_suffix(".wav"))
    corpus = load(str(folder))
    assert len(corpus) == 1
    reasons = dict(corpus.left_out)
    assert reasons["alone.txt"] == "a transcript without a recording beside it"
    assert len(reasons) == 4
    for part in ("no transcript beside it", "is no UTF-8 text", "already"):
        assert any(part in reason for reason in reasons.values())


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="nothing to explain in"):
        load(str(tmp_path))


def table(path, rows, columns=("audio", "text", "id", "voice")):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return str(path)


def test_a_csv(folder):
    files = [str(p.relative_to(folder)) for p in sorted(folder.rglob("*.flac"))]
    rows = [
        (files[0], "How many?", "x", "cat"),
        (files[1], "How much?", "x", ""),
        (files[2], "  ", "y", ""),
        ("none.wav", "Not there.", "z", ""),
        (files[2], "...", "w", ""),
        ("", "Nothing", "v", ""),
        (files[2], "Last one.", "", ""),
    ]
    corpus = load(table(folder / "list.csv", rows))
    assert [(i.id, i.text, i.voice) for i in corpus.utterances] == [
        ("x", "How many?", "cat"),
        (files[2].removesuffix(".flac"), "Last one.", "own"),
    ]
    reasons = dict(corpus.left_out)
    assert reasons["list.csv line 3"] == "the id 'x' is that of list.csv line 2 already"
    assert reasons["list.csv line 4"] == "no text in the column text"
    assert "no such audio file" in reasons["list.csv line 5"]
    assert "no word" in reasons["list.csv line 6"]
    assert reasons["list.csv line 7"] == "no audio"


def test_a_csv_of_another_schema(tmp_path):
    path = table(tmp_path / "list.csv", [], ("file", "sentence"))
    with pytest.raises(
        ValueError, match=r"columns audio and text once; it reads \['file', 'sentence'\]"
    ):
        load(path)
    (tmp_path / "sound.csv").write_bytes(RECORDINGS[0].path.read_bytes())
    with pytest.raises(ValueError, match=r"sound\.csv: line \d+: the byte 0x"):
        load(str(tmp_path / "sound.csv"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "voicebank"}, "choose speech, instructions, questions, voicebench"),
        ({"limit": 0}, "limit must be a whole number of at least 1, got 0"),
        ({"revision": "main"}, "revision and copy are for voicebench, mllm-shap, librispeech"),
        (
            {"name": "voicebench", "revision": "x", "copy": "y"},
            "give a revision or a copy, not both",
        ),
        ({"voices": ["tom"]}, "no voice 'tom' in speech: there is slt"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        load(**options)


def test_the_digest_changes_with_any_sound_text_or_id(folder):
    first = load(str(folder)).digest
    assert load(str(folder)).digest == first
    transcript = next(folder.rglob("*.txt"))
    transcript.write_text("Something else.")
    second = load(str(folder)).digest
    recording = transcript.with_suffix(".flac")
    samples, rate = soundfile.read(recording)
    soundfile.write(recording, samples * 0.5, rate)
    assert len({first, second, load(str(folder)).digest}) == 3


def test_bytes_of_other_formats_and_channels():
    buffer = io.BytesIO()
    samples = np.stack([np.linspace(-0.5, 0.5, 8000)] * 2, axis=1)
    soundfile.write(buffer, samples, 8000, format="OGG")
    audio = Utterance("a", "b", "c", buffer.getvalue()).audio
    assert (audio.sample_rate, audio.duration) == (8000, 1.0)


# Curation

RULES = {
    "one sentence": "Stop here. Then go on walking.",
    "English": "Quelle est la capitale de la France ?",
    "no exact duplicate": "Name the capital of France.",
    "at least 4 words": "Name three colours",
    "at most 300 characters": "word " * 80,
    "no link or code": "https://example.org what is this page about",
    "at least 55% letters": "1 + 2 + 3 + 4 equals what",
    "at most 10 tokens": "one two three four five six seven eight nine ten eleven",
}


@pytest.mark.parametrize(("rule", "text"), RULES.items())
def test_each_rule_leaves_out_its_own(rule, text):
    curation = curate(utterances(["Name the capital of France.", text]))
    assert [item.text for item in curation.kept] == ["Name the capital of France."]
    assert {name for name, count in curation.counts.items() if count} == {rule}
    assert f"left out 1: {rule}" in curation.summary()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Is Dr. Smith at no. 5 in the U.S. today?", 1),
        ("He paid 3.50 dollars for it.", 1),
        ("WHAT DOES HE SAY", 1),
        ("Really? Yes!", 2),
        ('He said "Go." Then he left.', 2),
        ("First line\nsecond line", 2),
        ("...", 0),
    ],
)
def test_sentences(text, count):
    assert len(sentences(text)) == count


def test_english_is_english():
    texts = {recording.text for recording in sgpa_core.speech()} | set(ANCHORS)
    assert [text for text in texts if not looks_english(text)] == []
    assert [text for text in ANCHORS if len(sentences(text)) != 1] == []


@pytest.mark.parametrize(
    "text",
    ["Wie heißt die Hauptstadt von Peru?", "¿Cuál es la capital?", "Что это такое", "こんにちは"],
)
def test_other_languages_are_not(text):
    assert not looks_english(text)


def test_tokens_of_the_corpus_or_a_tokeniser_come_before_words():
    texts = ["one two three four five six seven eight nine ten eleven"]
    assert curate(utterances(texts)).notes[-1] == "words were counted in place of LFM2's tokens"
    curation = curate(utterances(texts, tokens=9))
    assert len(curation.kept) == 1
    assert len(curation.notes) == 1
    (long,) = utterances(["Name the capital of France."])
    assert not curate([dataclasses.replace(long, tokens=11)]).kept


def test_a_draw_is_even_over_token_counts_seeded_and_keeps_voices_together():
    texts = [" ".join(["word"] * size + [f"w{i}"]) for size in range(3, 8) for i in range(12)]
    items = utterances(texts, "m") + utterances(texts, "f")
    curation = curate(items, limit=20, seed=1)
    sizes = [len(item.text.split()) for item in curation.kept]
    assert np.bincount(sizes)[4:].tolist() == [8] * 5  # 4 texts in 2 voices for each of 5 counts
    assert [i.id for i in curation.kept] == [i.id for i in curate(items, 20, 1).kept]
    assert [i.id for i in curation.kept] != [i.id for i in curate(items, 20, 2).kept]
    few = [*texts[:3], *texts[12:]]
    assert (
        len(curate(utterances(few), limit=30).kept) == 30
    )  # where a count has too few, others fill up
    assert len(curate(utterances(few), limit=1000).kept) == len(few)


def test_rules_by_embedding():
    """Texts are points on a circle; the anchors lie at angle 0."""
    texts = [f"Please name the number {name}." for name in "abcdefghij"]
    angles = dict(zip(texts, np.deg2rad([0, 10, 50, 52, 90, 120, 150, 160, 170, 175]), strict=True))

    def encoder(batch):
        return np.array([[np.cos(angles.get(t, 0)), np.sin(angles.get(t, 0))] for t in batch])

    curation = curate(utterances(texts), encoder=encoder, anchors=["x"])
    assert curation.counts["not in the bottom 20 % by anchors"] == 2
    letters = [t[-2] for t in (item.text for item in curation.kept)]
    assert letters == ["a", "c", "e", "f", "g"]  # cos 23° = 0.92: b is near a, d near c, h near g
    assert curation.counts["no near duplicate (cosine 0.92)"] == 3
    assert not any("encoder" in note for note in curation.notes)


def test_what_comes_with_the_project():
    assert len(load().utterances) == len(sgpa_core.speech())
    assert load("instructions", limit=1).utterances


# Tables and folders of other programs

SPOKEN = ["So, it is.", 'He said "no".', "caf\u00e9; bar | x", "line one\rline two\n"]


def saved(folder, separator=",", line="\r\n", encoding="utf-8", head=("audio", "text"), prefix=""):
    """A manifest as a spreadsheet saves it."""
    stream = io.StringIO()
    quoting = csv.QUOTE_MINIMAL if line == "\r\n" else csv.QUOTE_ALL
    rows = csv.writer(stream, delimiter=separator, lineterminator=line, quoting=quoting)
    rows.writerow(head)
    for k, text in enumerate(SPOKEN):
        rows.writerow([f"{k}.wav", text] + [""] * (len(head) - 2))
    (folder / "list.csv").write_bytes((prefix + stream.getvalue()).encode(encoding))
    return folder / "list.csv"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_dialects_of_spreadsheets(tmp_path, separator, line, encoding):
    items = list(listed(saved(tmp_path, separator, line, encoding)))
    assert [item.text for item in items] == SPOKEN
    assert [item.id for item in items] == list("0123")
    assert items[0].source == tmp_path / "0.wav"


@pytest.mark.parametrize(
    ("options", "prefix"),
    [
        ({"head": ("Audio", " TEXT ", "Id", "speaker")}, ""),
        ({"head": ("audio", "text", "", "")}, ""),
        ({"separator": ";"}, "sep=;\r\n"),
    ],
)
def test_heads_of_spreadsheets(tmp_path, options, prefix):
    items = list(listed(saved(tmp_path, prefix=prefix, **options)))
    assert [item.text for item in items] == SPOKEN
    assert items[-1].place == f"list.csv line {5 + bool(prefix)}"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("audio,text\na.wav,so, it is\n", r"list\.csv: line 2: 3 cells for the 2 columns"),
        ("audio;text\n\n\na.wav;so; it\n", r"line 4: 3 cells .*a text with ';' in it must be"),
        ("audio,text,\na.wav,so, it is\n", "line 2: 3 cells for the 2 columns"),
        ("text,audio\nso, it is,a.wav\n", "line 2: 3 cells"),
        ("audio,text,id\na.wav,so it is, now\n", r"list\.csv line 2: the id ' now' begins with a"),
        ('audio,text\na.wav,"so, it is\nb.wav,no\n', "line 2: unexpected end of data; is a quote"),
        ('audio,text\na.wav,"so" it is\n', "line 2: ',' expected after '\"'"),
        ("audio,text\na.wav,so\rit is\n", "line 2: new-line character seen in unquoted field"),
        ("file,sentence\na.wav,so\n", r"audio and text once; it reads \['file', 'sentence'\]"),
        ("audio,sentence\na.wav,so\n", r"text once; it reads \['audio', 'sentence'\]"),
        ("audio,text,Text\na.wav,so,so\n", r"text once; it reads \['audio', 'text', 'text'\]"),
        ("a.wav,so it is\n", r"first line must name .* reads \['a.wav', 'so it is'\]"),
        ("", r"first line must name the columns audio and text.* reads \[\]"),
        ("audio,text\na.wav,caf\udce9\n", "line 2: the byte 0xe9 is no text in UTF-8"),
        ("PK\x03\x04", "a spreadsheet or binary; save it as text: CSV in UTF-8"),
        ("audio,text\n,so\n", r"list\.csv line 2: no file in the column audio"),
        ("audio,text,id\na.wav,so,b/c\n", r"list\.csv line 2: the id 'b/c' .* in a column id"),
    ],
)
def test_tables_that_are_refused_say_where(tmp_path, content, told):
    (tmp_path / "list.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=told) as fault:
        manifest(tmp_path / "list.csv")
    assert "\n" not in str(fault.value)


def test_empty_rows_are_none_and_places_are_lines_of_the_file(tmp_path):
    text = 'audio,text,id\n,,\n\na.wav,"one\ntwo",007\n , ,\nb.wav,three\n'
    (tmp_path / "list.csv").write_text(text)
    items = manifest(tmp_path / "list.csv")
    assert [(item.id, item.text, item.place) for item in items] == [
        ("007", "one\ntwo", "list.csv line 4"),
        ("b", "three", "list.csv line 7"),
    ]


def test_numbers_of_a_table_are_ids_and_texts():
    rows = pd.DataFrame({"audio": ["a.wav", "b.wav"], "text": [10, 20.0], "id": [1, None]})
    assert [(item.id, item.text) for item in manifest(rows)] == [("1", "10"), ("b", "20")]
    with pytest.raises(ValueError, match="row 1 lacks text; it has audio, sentence"):
        manifest(pd.DataFrame({"audio": ["a.wav"], "sentence": ["so"]}))


def test_hidden_files_and_those_of_the_system_are_skipped(folder):
    expected = [item.id for item in load(str(folder)).utterances]
    for name in ("._a.wav", "ann/._a.txt", ".DS_Store", "Thumbs.db", "__MACOSX/ann/._a.flac"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(b"\0\5\x16\7")
    (folder / ".cache").mkdir()
    shutil.copy(RECORDINGS[0].path, folder / ".cache")
    corpus = load(str(folder))
    assert [item.id for item in corpus.utterances] == expected
    assert corpus.left_out == ()


KINDS = {"wav": "WAV", "WAVE": "WAV", "flac": "FLAC", "oga": "OGG", "aiff": "AIFF", "AIF": "AIFF"}
KINDS |= {"au": "AU", "snd": "AU", "caf": "CAF", "w64": "W64", "rf64": "RF64", "sph": "NIST"}
KINDS |= {"voc": "VOC", "sf": "IRCAM", "opus": "OGG", "mp3": "MP3"}


@pytest.mark.parametrize(("ending", "kind"), KINDS.items())
def test_a_folder_has_every_format_that_can_be_read(tmp_path, ending, kind):
    samples = np.random.default_rng(0).normal(0, 0.1, 16000)
    subtype = "OPUS" if ending == "opus" else None
    soundfile.write(tmp_path / f"a.{ending}", samples, 16000, subtype, format=kind)
    (tmp_path / "a.TXT").write_text("so it is", "utf-16")
    (item,) = load(str(tmp_path)).utterances
    assert (item.id, item.text) == ("a", "so it is")
    assert item.audio.duration == pytest.approx(1, abs=0.1)


def test_what_cannot_be_read_is_named_with_what_to_do(tmp_path):
    Audio(np.full(1600, 0.1), 16000).write(tmp_path / "a.wav")
    for name in ("a.m4a", "b.M4A", "c.webm", "d.mp4", "e.amr", "f.xyz", "notes.md"):
        (tmp_path / name).write_bytes(b"no sound")
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text("so")
    for items in (manifest(tmp_path), list(listed(tmp_path))):
        assert [item.place for item in items] == ["a.wav", "b.M4A", "c.webm", "d.mp4", "e.amr"]
        assert not items[0].fault  # and a.m4a was converted to it
        assert items[1].fault == ".m4a cannot be read; convert it: ffmpeg -i b.M4A b.wav"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.wav", "a.flac"], r"the id 'a' occurs twice; rename the file"),
        (["b\\c.wav"], r"no plain name of a file of at most 200 bytes; rename the file"),
        ([], r"names no recording \(files such as a\.wav, with a\.txt beside; no subfolders\)"),
    ],
)
def test_advice_fits_a_folder(tmp_path, names, told):
    for name in names:
        (tmp_path / name).write_bytes(b"no sound")
    with pytest.raises(ValueError, match=told) as fault:
        manifest(tmp_path)
    assert "column" not in str(fault.value)
