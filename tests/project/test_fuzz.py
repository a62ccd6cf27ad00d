"""Whatever comes in: a right result or a refusal in words, never a crash, never a lost word.

`PROPERTIES` holds what is tried, `attempt` runs it; the page on what the project promises calls it
too. A refusal is one of `DOCUMENTED`, and raised by the package itself: an exception that escapes
from NumPy or a codec counts as a crash, whatever its type.
"""

import csv
import html.parser
import io
import json
import math
import os
import re
import tempfile
import traceback
import unicodedata
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sgpa_core
from sgpa_core import Audio, Segment, Segmentation, ctc, masking, partition
from sgpa_core.companion import batch
from sgpa_core.companion.record import Record
from sgpa_core.game import TableGame
from sgpa_core.shapley.estimate import NAMES as METHODS
from sgpa_core.shapley.estimate import estimate
from sgpa_core.store import Store
from sgpa_core.utility import spelled

DOCUMENTED = (ValueError, OSError)
"""All that a user has to expect."""

RATES = (8000, 11025, 16000, 22050, 44100, 48000)
ODD_RATES = (1000, 1001, 384_000, 0, -1, 440.5, math.nan, math.inf, None, "16k", True, 1j, 10**30)
DTYPES = ("float32", "float64", "int16", "int32", "uint8", "int8", "uint16", "int64", "float16")
ODD_DTYPES = ("uint64", "uint32", "bool", "complex128", "object", "U3", "longdouble")
LENGTHS = (0, 1, 2, 3, 63, 65, 255, 257, 399, 400, 401, 719, 720)
SIGNALS = {
    "noise": lambda n, rng: rng.normal(0, 0.2, n).clip(-1, 1),
    "speech-like": lambda n, rng: rng.normal(0, 0.2, n) * (np.sin(np.arange(n) / 700) > 0),
    "tone": lambda n, rng: 0.5 * np.sin(np.arange(n) * rng.uniform(0, 1)),
    "silence": lambda n, rng: np.zeros(n),
    "constant": lambda n, rng: np.full(n, rng.uniform(-1, 1)),
    "clipped": lambda n, rng: np.sign(rng.normal(size=n)),
    "one click": lambda n, rng: np.eye(1, n, n // 2)[0],
    "very quiet": lambda n, rng: rng.normal(0, 1e-30, n),
    "over full scale": lambda n, rng: rng.normal(0, 0.7, n),
    "integers as floats": lambda n, rng: rng.normal(0, 9000, n),
    "NaN": lambda n, rng: np.where(rng.random(n) < 0.1, np.nan, 0.1),
    "infinite": lambda n, rng: np.where(rng.random(n) < 0.1, rng.choice([-np.inf, np.inf]), 0.1),
}  # fmt: skip
SOUND = ("noise", "speech-like", "tone", "constant", "clipped", "one click", "very quiet")
SEEDS = st.integers(0, 2**32)


@st.composite
def arrays(draw):
    """Samples of every kind, length, type and shape."""
    rng = np.random.default_rng(draw(SEEDS))
    length = draw(rarely(4, (*LENGTHS, int(rng.integers(300_000))), (int(rng.integers(9000)),)))
    channels = draw(st.sampled_from([None, None, None, 1, 2, 3, 8, 9]))
    wave = SIGNALS[draw(st.sampled_from(sorted(SIGNALS)))]
    samples = np.array([wave(length, rng) for _ in range(channels or 1)])
    dtype = np.dtype(draw(st.sampled_from(DTYPES * 3 + ODD_DTYPES)))
    with np.errstate(all="ignore"):
        if dtype.kind in "iu":
            samples = np.nan_to_num(samples.clip(-1, 1), nan=0.0) * np.iinfo(dtype).max * 0.99
        samples = samples.astype(dtype)
    if channels is None:
        return samples[0]
    samples = samples if draw(st.booleans()) else samples.T
    return samples[None] if draw(st.integers(0, 30)) == 0 else samples


@st.composite
def recordings(draw, longest=1.0):
    """An `Audio` with something in it, mostly short."""
    rate = draw(mostly(RATES, (1000, 384_000)))
    rng = np.random.default_rng(draw(SEEDS))
    odd = (*LENGTHS[1:], int(35 * longest * rate))
    length = draw(mostly((int(rate * rng.uniform(0.2, longest)),), odd))
    return Audio(SIGNALS[draw(mostly(SOUND, ("silence",)))](min(length, 10**6), rng), rate)


NASTY = (
    "hello", "What's", "10,000", "$3.50", "7:30pm", "1/0", "9" * 20, "-0", "1e999", "½", "٣٤",
    "北京", "Привет", "שלום", "مرحبا", "e\u0301\u0302", "\u0301", "👩\u200d👩\u200d👧", "ﷺ", "ß",
    "İ", "ŉ", "ǅ", "ⅷ", "²", "㋿", "<b>bold</b>", "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>', "&lt;", "</textarea>", "'quoted'", '"', '""', "a,b", ";",
    "=1+1", "@SUM(A1)", "a\x00b", "\x1b[31m", "\u202eabc", "\ufeff", "\u200b", "x" * 200, "..",
    "http://a.b/c?d=e&f", "...", "—", "*", "|", "{ID}", "{0}", "%s", "\\n", "-->", "WEBVTT",
    "NaN", "null",
)  # fmt: skip
SPACES = (" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u2028", "\x0b", "\x1c", "\x85")
SURROGATE = st.characters(categories=["Cs"])


@st.composite
def texts(draw, longest=6):
    """Transcripts that nobody would dictate, and some that they would."""
    odd = ["", " ", "\n\t", "so " * 300, "1" * 400, 5, b"so", "so \udcff", "\ud800"]
    word = st.sampled_from(["so", "it", "is", "a", "I"]) | st.sampled_from(NASTY)
    tokens = draw(st.lists(word | st.text(max_size=9), min_size=1, max_size=longest))
    return draw(rarely(20, odd, st.sampled_from((" ", *SPACES)).map(lambda s: s.join(tokens))))


def shares(low=0.0, high=1.0):
    """A setting: in range, but once in thirty no sensible number at all."""
    return rarely(30, (-0.1, math.nan, math.inf, None, "0.5", 1e300), st.floats(low, high))


def rarely(odds, odd, usual):
    """One of `usual`, but once in `odds` one of `odd`; `usual` is a strategy or values."""
    usual = usual if isinstance(usual, st.SearchStrategy) else st.sampled_from(usual)
    return st.sampled_from(range(odds)).flatmap(lambda k: usual if k else st.sampled_from(odd))


def mostly(usual, odd):
    return rarely(12, odd, usual)


# What every result has to keep -------------------------------------------------------------------


def check_words(words, text):
    """No word of the text is lost, doubled, moved or spelled otherwise; markup is no word."""
    plain = re.sub(r"(\[(?=[^\[\]]*[^\W_])[^\[\]]*\])", r" \1 ", re.sub("</?b>", "", text))
    tokens, spoken = plain.replace("&lt;", "<").split(), iter(words)
    expected = next(spoken, None)
    for token in tokens:
        if token == expected:
            expected = next(spoken, None)
        else:
            kinds = {unicodedata.category(c) for c in unicodedata.normalize("NFKC", token)}
            assert not kinds & {"Lu", "Ll", "Lt", "Lo", "Nd", "Nl"}, f"{token!r} is lost"
    assert expected is None, f"{expected!r} is not in the text, or twice"


def check_segmentation(found, text, duration):
    check_words([word.text for word in found.words], text)
    assert found.duration == duration
    assert np.isfinite(found.spans).all()
    assert found.spans[0, 0] >= 0 and found.spans[-1, 1] <= duration + 1e-9, found.spans
    assert all(word.start < word.end for word in found.spoken)
    assert all(one.end <= other.start for one, other in pairwise(found.words))
    assert all(0 <= word.confidence <= 1 for word in found.words)
    assert "(" in repr(found)


class Tags(html.parser.HTMLParser):
    """Counts elements and attributes, and keeps what is read."""

    def __init__(self, source):
        super().__init__()
        self.found, self.told = Counter(), ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found[tag, tuple(name for name, _ in attributes)] += 1

    def handle_data(self, data):
        self.told += data


# What is tried -----------------------------------------------------------------------------------


def arrays_become_audio(samples, rate):
    audio = Audio(samples, rate)
    assert audio.samples.dtype == np.float32 and audio.samples.ndim == 1
    assert len(audio.samples) in samples.shape and not audio.samples.flags.writeable
    assert np.isfinite(audio.samples).all() and np.abs(audio.samples).max() <= 2
    for other in (8000, 16000):
        heard = audio.resample(other)
        assert abs(heard.duration - audio.duration) <= 1 / other + 1 / rate
    assert soundfile.read(io.BytesIO(_decoded(audio)))[1] == audio.sample_rate


def _decoded(audio):
    import base64

    return base64.b64decode(audio.data_uri().partition(",")[2])


FORMATS = (
    ("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"),
    ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16"),
)  # fmt: skip


@cache
def whole(kind, subtype, channels):
    """A sound file of 0.2 s."""
    stream = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.1, (3200, channels))
    soundfile.write(stream, noise, 16000, subtype, format=kind)
    return stream.getvalue()


@st.composite
def files(draw):
    """A sound file after an accident: cut, flipped bits, zeros, noise, something before it."""
    content = bytearray(whole(*draw(st.sampled_from(FORMATS)), draw(st.sampled_from([1, 2]))))
    rng = np.random.default_rng(draw(SEEDS))
    accident = draw(
        st.sampled_from(["cut", "header", "bits", "zeros", "noise", "insert", "before"])
    )
    place = int(rng.integers(draw(st.sampled_from([60, len(content), len(content)]))))
    if accident == "cut":
        del content[place:]
    elif accident == "header":
        content[place % 48] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
    elif accident == "bits":
        for bit in rng.integers(0, len(content), 20):
            content[bit] ^= 1 << rng.integers(8)
    elif accident == "zeros":
        content[place : place + 100] = bytes(len(content[place : place + 100]))
    elif accident == "noise":
        content[place : place + 100] = rng.bytes(len(content[place : place + 100]))
    elif accident == "insert":
        content[place:place] = rng.bytes(30)
    else:
        content[:0] = draw(st.binary(max_size=40))
    return bytes(content)


def damaged_files_are_read_or_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sound.wav")
        path.write_bytes(content)
        audio = Audio.read(path)
    assert np.isfinite(audio.samples).all()
    assert audio.duration < 60, "longer than its bytes can hold"


CONTAINERS = (
    *FORMATS, ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "DOUBLE"), ("WAV", "ULAW"),
    ("WAV", "MS_ADPCM"), ("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("W64", "FLOAT"),
    ("AIFF", "FLOAT"), ("AIFF", "PCM_24"), ("AU", "PCM_16"), ("AU", "ALAW"), ("CAF", "PCM_16"),
    ("CAF", "ALAC_16"), ("NIST", "PCM_16"), ("VOC", "PCM_16"), ("IRCAM", "FLOAT"),
)  # fmt: skip
FINE = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAC_16")
JUNK = (
    b"", b"\0" * 4000, b"<!doctype html><p>not found", b"\0\0\0\x1cftypM4A \0\0\2\0isomiso2",
    b"\x1aE\xdf\xa3 webm", b"#!AMR\n\x3c", b"RIFF\x24\0\0\0WAVEfmt ", b"ID3\4\0\0\0\0\0\0",
    b"OggS\0\2", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    b"\0\5\x16\7\0\2\0\0Mac OS X",
)  # fmt: skip


def containers_hold_the_same_sound(form, rate, channels, decibels, offset, ending, junk):
    """Any container, level from -60 dB to full scale, offset, number of channels and name."""
    seconds = np.arange(rate) / rate
    tone = 10 ** (decibels / 20) * np.sin(2 * np.pi * 200 * seconds) * (seconds > 0.3)
    wave = (tone * (1 - abs(offset)) + offset).clip(-1, 1)
    stream = io.BytesIO()
    kind, subtype = form
    rate = 16000 if subtype in ("OPUS", "MPEG_LAYER_III", "VORBIS") else rate
    soundfile.write(stream, np.stack([wave] * channels, 1), rate, subtype, format=kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"sound{ending}")
        path.write_bytes(stream.getvalue() if junk is None else junk)
        for source in (path, path.read_bytes()):
            audio = Audio.read(source)
            assert junk is None and audio.sample_rate in (rate, 48000), "no sound at all"
            assert abs(audio.duration * audio.sample_rate / len(wave) - 1) < 0.2 or kind == "OGG"
            if subtype in FINE:
                apart = np.abs(audio.samples - wave[: len(audio.samples)])
                assert len(audio.samples) == len(wave) and apart.max() < 1e-4


def words_are_conserved(audio, text, refine, alpha, padding, edge, silence):
    found = sgpa_core.align(
        audio, text, None, refine, alpha, padding=padding, edge=edge, silence=silence
    )
    check_segmentation(found, text, audio.duration)
    for kind in partition.KINDS:
        players = partition.make_partition(kind, found, token_seconds=0.08)
        heard = masking.mask(audio, players.spans, np.eye(len(players), dtype=bool)[:3])
        assert all(len(one) == len(audio.samples) for one in heard), kind


def both_viterbis_agree(frames, text, seed):
    """Emissions of any sharpness, impossible symbols included."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.choice([0.1, 3, 300]), (frames, 29)).astype(np.float32)
    highest = logits.max(axis=1, keepdims=True)
    log_probs = logits - highest - np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
    symbols = ("_", "|", *"abcdefghijklmnopqrstuvwxyz'")
    emissions = ctc.Emissions(log_probs, symbols, 0, 0.02)
    transcript = sgpa_core.decompose(text)
    one, other = (ctc.forced_align(emissions, transcript, name) for name in ("numpy", "torchaudio"))
    if not np.array_equal(one.path, other.path):
        # torchaudio bounds its search; with a symbol twice in a row it misses, once in thousands
        # of cases, the best path, which NumPy's search finds
        columns = [symbols.index(c) for c in transcript.characters] + [0]
        ours, theirs = (log_probs[range(frames), np.take(columns, a.path)] for a in (one, other))
        assert any(a == b for a, b in pairwise(columns))
        assert ours.sum(dtype=float) > theirs.sum(dtype=float)
    assert (one.starts < one.ends).all() and (one.ends[:-1] <= one.starts[1:]).all()
    assert one.margin <= 1e-6
    assert set(one.word_of) == {i for i, word in enumerate(transcript.words) if word.spoken}


def exports_give_back_the_words(text, seed):
    words = sgpa_core.decompose(text).words
    edges = np.cumsum(np.random.default_rng(seed).uniform(0.002, 0.4, len(words) + 1))
    rows = zip(words, edges, edges[1:], strict=False)
    segments = tuple(
        Segment(word.text, float(a), float(b), 0.5, "aligned", bool(a > 0.2)) for word, a, b in rows
    )
    found = Segmentation(segments, text, float(edges[-1]) + 0.1)
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("TextGrid", "json", "csv", "vtt"):
            back = Segmentation.read(found.write(Path(folder, f"words.{ending}")))
            assert [w.text for w in back.words] == [w.text for w in segments], ending
            assert np.abs(back.spans - found.spans).max() <= 0.00051, ending
        json.loads(Path(folder, "words.json").read_text("utf-8"))
        with Path(folder, "words.csv").open(encoding="utf-8", newline="") as stream:
            assert len(list(csv.reader(stream))) == len(segments) + 1
    shown = Tags(found._repr_html_())
    assert not {tag for tag, _ in shown.found} - {"table", "thead", "tbody", "tr", "th", "td"}


def altered(content, accident, rng):
    """A text after an accident to one of its lines, cells or letters."""
    lines = content.splitlines(keepends=True)
    place = int(rng.integers(len(lines)))
    letter = int(rng.integers(len(content)))
    if accident == "line lost":
        del lines[place]
    elif accident == "line twice":
        lines.insert(place, lines[place])
    elif accident == "lines swapped":
        other = int(rng.integers(len(lines)))
        lines[place], lines[other] = lines[other], lines[place]
    elif accident == "cut":
        return content[:letter]
    elif accident == "separator":
        return (
            content[:letter]
            + rng.choice([",", ";", "\t", '"', "\n", "-->", "<", "\0"])
            + content[letter:]
        )
    elif accident == "letter":
        return content[:letter] + chr(rng.integers(1, 0xD7FF)) + content[letter + 1 :]
    elif accident == "quotes lost":
        return content.replace('"', "")
    elif accident == "number":
        lines[place] = re.sub(
            r"\d+", str(rng.choice(["", "-1", "1e9", "x", "٣", "9" * 400])), lines[place], count=1
        )
    return "".join(lines)


ACCIDENTS = ("line lost", "line twice", "lines swapped", "cut", "separator", "letter", "number")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-7", "utf-32")


def segmentations_of_others_are_read_or_refused(ending, texts, accident, encoding, line, seed):
    """Saved by another program, edited by hand, damaged."""
    rng = np.random.default_rng(seed)
    words = [word for text in texts for word in text.split()] or ["so"]
    edges = np.cumsum(rng.uniform(0.01, 0.4, len(words) + 1))
    segments = [
        Segment(word, float(a), float(b), 0.5, "aligned", bool(rng.random() < 0.5))
        for word, a, b in zip(words, edges, edges[1:], strict=False)
    ]
    whole = Segmentation(tuple(segments), " ".join(words), float(edges[-1]))
    with tempfile.TemporaryDirectory() as folder:
        path = whole.write(Path(folder, f"a.{'vtt' if ending == 'srt' else ending}"))
        content = path.read_text("utf-8")
        if ending == "srt":
            content = re.sub(r"(\d\d)\.(\d{3})", r"\1,\2", content.partition("\n\n")[2])
        content = altered(content, accident, rng) if accident else content
        path = path.with_suffix(f".{ending}")
        path.write_bytes(content.replace("\n", line).encode(encoding, "replace"))
        try:
            found = Segmentation.read(path)
        except ValueError as fault:
            assert str(fault).startswith(f"{path}: ") and "\n" not in str(fault)
            assert accident or encoding in ("cp1252", "utf-7", "utf-32"), fault
            raise
    assert len(found.spans) == len(found) and np.isfinite(found.spans).all()
    assert (found.spans[:, 0] <= found.spans[:, 1]).all()
    if not accident and encoding.startswith(("utf-8", "utf-16")):
        assert [w.text for w in found.words] == words
        assert [w.refined for w in found.words] == [w.refined for w in segments]


HEADS = (["audio", "text"], ["id", "Text ", "AUDIO"], ["audio", "note", "text", "", ""])


def tables_of_others_are_read_or_refused(rows, separator, line, encoding, head, accident, seed):
    """A manifest from a spreadsheet, a database or an editor."""
    stream, rng = io.StringIO(), np.random.default_rng(seed)
    writer = csv.writer(stream, delimiter=separator, lineterminator=line, quoting=csv.QUOTE_ALL)
    writer.writerow(head)
    texts = [" ".join(text.split()) or "so" for text in rows]
    for k, text in enumerate(texts):
        cells = {"audio": f"{k}.wav", "text": text, "id": f"u{k}"}
        writer.writerow([cells.get(name.strip().lower(), "") for name in head])
        writer.writerow([""] * len(head))
    content = altered(stream.getvalue(), accident, rng) if accident else stream.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "list.csv")
        path.write_bytes(content.encode(encoding, "replace"))
        try:
            items = batch.manifest(path)
        except ValueError as fault:
            assert str(path) in str(fault) or "list.csv line" in str(fault)
            assert "\n" not in str(fault)
            assert accident or encoding not in ENCODINGS[:5] or head not in HEADS or not rows, fault
            raise
    assert len({item.id for item in items}) == len(items)
    assert all(item.place.startswith("list.csv line ") for item in items)
    if accident in (None, "quotes lost") and encoding in ENCODINGS[:5]:
        bare = [text.replace('"', "") if accident else text for text in texts]
        assert [item.text for item in items] == bare, "a text is cut"


class Parrot:
    """Answers with what it hears, in words that need escaping; some answers are odd."""

    name, sample_rate, token_seconds = "parrot", 16_000, 0.08

    def __init__(self, answers):
        self.answers = answers

    def respond(self, recordings, sample_rate):
        loud = [int(1e3 * np.abs(samples).sum()) for samples in recordings]
        return [f"{self.answers[k % len(self.answers)]} {k % 7}" for k in loud]


ANSWERS = st.lists(
    st.sampled_from(NASTY) | st.text(max_size=8) | st.text(SURROGATE), min_size=1, max_size=4
)
BUDGETS = ("2n", "3n^2", "2^n", None, 8, 4, 40, 1, 0, -3, "n!", "", 2.5, True, "9" * 30)


def values_are_finite_and_complete(
    audio, text, answers, method, budget, seed, kind, mask, fade, utility
):
    found = sgpa_core.explain(
        audio, text, Parrot(answers), method, budget, seed,
        partition=kind, masking=mask, fade=fade, utility=utility,
    )  # fmt: skip
    check_segmentation(found.segmentation, text, audio.duration)
    assert len(found.players) == len(found.values) == len(found.spans)
    assert np.isfinite(found.values).all() and np.isfinite(found.utilities).all()
    assert found.stderr is None or (np.isfinite(found.stderr) & (found.stderr >= 0)).all()
    gain = found.attribution.baseline + found.values.sum()
    worth = found.utilities[found.coalitions.all(axis=1)]
    if found.attribution.method in ("exact", "kernel", "surrogate", "permutation"):
        assert abs(gain - worth[0]) < 1e-9 * max(1, np.abs(found.utilities).max())
    assert found.evaluations >= found.attribution.distinct >= 2
    told = json.loads(found.to_json())
    assert told["players"] == list(found.players) and len(told["values"]) == len(found)
    assert len(found.to_frame()) == len(found) and len(found.answers()) == len(found.utilities)
    with tempfile.TemporaryDirectory() as folder:
        found.to_json(Path(folder, "e.json"))
        page = found.to_html(Path(folder, "e.html"))
    shown = Tags(page)
    assert shown.found["script", ()] == 2 and shown.found["img", ("src",)] == 0
    buttons = sum(n for (tag, _), n in shown.found.items() if tag == "button")
    linked = [word for _, word, _ in spelled(found.answer) if word and found.coalition_answers]
    assert buttons == len(found) + len(linked)
    sums = found.answer_words().sum().to_numpy()
    assert np.isfinite(sums).all() and (sums >= -1e-9).all() and (sums <= 1 + 1e-9).all()
    assert found.summary()


ROWS = st.fixed_dictionaries(
    {
        "audio": rarely(6, ["gone.wav", "../up.wav", "", ".", "a\x00.wav", "/"], ["a.wav"]),
        "text": rarely(20, ["\ud800", ""], st.sampled_from(NASTY) | st.text(max_size=9)),
    },
    optional={
        "id": rarely(
            20,
            ["..", ".", "../a", "/a", "a/b", "a\\b", "a\x00b", "x" * 300, "a\nb", ".a", "\ud800"],
            st.sampled_from(["", "A", "C:a", "settings.json", "é", "~", "-rf", " ", "con", "<b>"])
            | st.text(st.characters(categories=["L", "M", "N", "P", "S"]), max_size=9),
        ),
    },
)  # fmt: skip


def a_corpus_stays_in_its_folder(rows):
    with tempfile.TemporaryDirectory() as place:
        home, out = Path(place, "corpus"), Path(place, "out")
        home.mkdir()
        Audio(np.full(800, 0.1), 16000).write(home / "a.wav")
        for row in rows:
            row["audio"] = os.path.join(home, row["audio"]) if row["audio"] else ""
        entries = batch.manifest(pd.DataFrame(rows, dtype=object))
        table = batch.explain_many(
            pd.DataFrame(rows, dtype=object), out, Parrot(["<i>so</i>", "\ud800"]), budget=8
        )
        assert sorted(os.listdir(place)) == ["corpus", "out"] and os.listdir(home) == ["a.wav"]
        assert sorted(os.listdir(out)) == ["report.html", "results.jsonl", "summary.csv"]
        assert [id for (id,) in Record(out / "results.jsonl").rows] == [e.id for e in entries]
        assert table["id"].tolist() == [entry.id for entry in entries]
        assert table["status"].isin(["done", "failed"]).all()
        assert (table["reason"].notna() == (table["status"] == "failed")).all()
        assert len(pd.read_csv(out / "summary.csv", keep_default_na=False)) == len(entries)
        page = Tags((out / "report.html").read_text("utf-8"))
        assert not {tag for tag, _ in page.found} & {"script", "img", "b", "i"}


@cache
def stored():
    """Bytes of a store with 200 answers, and the answers."""
    answers = {i.to_bytes(16, "little"): f"answer {i} " * 9 for i in range(200)}
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder, "s"), "fuzz") as store:
            store.put(answers)
        return Path(folder, "s").read_bytes(), answers


def a_damaged_store_is_refused_or_right(accident, place, seed):
    content, answers = stored()
    content, rng, at = (
        bytearray(content),
        np.random.default_rng(seed),
        int(place * len(stored()[0])),
    )
    if accident == "cut":
        del content[at:]
    elif accident == "page":
        at = at // 4096 * 4096
        content[at : at + 4096] = rng.bytes(len(content[at : at + 4096]))
    elif accident == "other":
        content[:] = rng.bytes(at % 9000)
    else:  # the first page holds the header and the schema
        for spot in rng.integers(0, 4096, 8):
            content[spot] = rng.integers(256)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "s")
        path.write_bytes(content)
        try:
            with Store(path, "fuzz") as store:
                found = store.get(answers)
                assert all(answers[key] == value for key, value in found.items())
                store.put({b"new": "one"})
                assert store.get([b"new"]) == {b"new": "one"}
        except DOCUMENTED as fault:
            assert str(path) in str(fault)
            raise


REFINE = mostly(("sgpa", "anchored", "none", "left-edge"), ("best", "", None))
PROPERTIES = {
    arrays_become_audio: (
        500, {"samples": arrays(), "rate": mostly(RATES, ODD_RATES)},
    ),
    damaged_files_are_read_or_refused: (500, {"content": files()}),
    words_are_conserved: (
        400,
        {
            "audio": recordings(), "text": texts(), "refine": REFINE, "alpha": shares(),
            "padding": shares(0, 0.3), "edge": shares(0, 0.3), "silence": shares(0, 2),
        },
    ),
    containers_hold_the_same_sound: (
        400,
        {
            "form": st.sampled_from(CONTAINERS), "rate": st.sampled_from(RATES[:4]),
            "channels": st.sampled_from([1, 1, 2]), "decibels": st.floats(-60, 0),
            "offset": rarely(4, [0.05, -0.3], [0.0]),
            "ending": st.sampled_from([".wav", ".mp3", ".ogg", ".m4a", "", ".txt"]),
            "junk": rarely(5, JUNK, [None]),
        },
    ),
    segmentations_of_others_are_read_or_refused: (
        500,
        {
            "ending": st.sampled_from(["TextGrid", "csv", "vtt", "srt", "json"]),
            "texts": st.lists(
                st.sampled_from([w for w in NASTY if w.isprintable()]) | st.text(max_size=5),
                max_size=5,
            ),
            "accident": st.sampled_from([None, *ACCIDENTS]),
            "encoding": mostly(ENCODINGS[:5], ENCODINGS[5:]),
            "line": st.sampled_from(["\n", "\r\n", "\r"]), "seed": SEEDS,
        },
    ),
    tables_of_others_are_read_or_refused: (
        400,
        {
            "rows": st.lists(st.sampled_from(NASTY) | st.text(max_size=9), max_size=4),
            "separator": st.sampled_from([",", ";", "\t", "|"]),
            "line": st.sampled_from(["\n", "\r\n", "\r"]),
            "encoding": mostly(ENCODINGS[:5], ENCODINGS[5:]),
            "head": mostly(
                HEADS, (["path", "sentence"], ["audio", "text", "text"], ["audio"], []),
            ),
            "accident": st.sampled_from([None, "quotes lost", *ACCIDENTS]), "seed": SEEDS,
        },
    ),
    both_viterbis_agree: (200, {"frames": st.integers(0, 120), "text": texts(3), "seed": SEEDS}),
    exports_give_back_the_words: (250, {"text": texts(12), "seed": SEEDS}),
    values_are_finite_and_complete: (
        200,
        {
            "audio": recordings(0.6), "text": texts(4), "answers": ANSWERS,
            "method": mostly(METHODS, ("best", None)), "budget": mostly(BUDGETS[:7], BUDGETS[7:]),
            "seed": mostly(range(99), (None, -1, 2**70, "x")),
            "kind": mostly(("words",), partition.KINDS),
            "mask": mostly(masking.KINDS, ("beep", None)), "fade": shares(0, 0.05),
            "utility": mostly(("tfidf", "tfidf-corpus", "tf", "f1"), ("bleu", None)),
        },
    ),
    a_corpus_stays_in_its_folder: (120, {"rows": st.lists(ROWS, max_size=4)}),
    a_damaged_store_is_refused_or_right: (
        250,
        {
            "accident": st.sampled_from(["cut", "page", "other", "header"]),
            "place": st.floats(0, 1), "seed": SEEDS,
        },
    ),
}  # fmt: skip
"""Each property: how many cases, and what it is tried on."""


def attempt(check, cases=None, seed=None):
    """Try one property; return how many cases were accepted and refused, and the refusals' words.

    The same cases in every run, unless there is a seed.
    """
    count, given_what = PROPERTIES[check]
    found, told = Counter(), {}

    def case(**what):
        try:
            check(**what)
        except DOCUMENTED as fault:
            last = traceback.extract_tb(fault.__traceback__)[-1]
            assert Path(last.filename).is_relative_to(Path(sgpa_core.__file__).parent), (
                f"{type(fault).__name__} from {last.filename}, not from the package: {fault}"
            )
            assert str(fault).strip()
            found["refused"] += 1
            told.setdefault(f"{Path(last.filename).stem}:{last.lineno}", str(fault))
        else:
            found["accepted"] += 1

    import hypothesis

    run = settings(
        max_examples=cases or count, deadline=None, derandomize=seed is None, database=None,
        suppress_health_check=list(HealthCheck),
    )(given(**given_what)(case))  # fmt: skip
    (run if seed is None else hypothesis.seed(seed)(run))()
    return found, told


@pytest.mark.parametrize("check", PROPERTIES, ids=lambda check: check.__name__)
def test_fuzz(check):
    found, _ = attempt(check)
    assert found.total() >= PROPERTIES[check][0]
    assert min(found["accepted"], found["refused"]) >= 0.1 * found.total(), found


def sound(content):
    """Read a file with this content."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sound.wav")
        path.write_bytes(content)
        return Audio.read(path)


def encoded(samples, rate=16000, kind="WAV", subtype="FLOAT"):
    stream = io.BytesIO()
    soundfile.write(stream, np.array(samples), rate, subtype, format=kind)
    return stream.getvalue()


STEREO = [[np.inf, 0.1], [-np.inf, 0.1]]
FOUND = [
    (lambda: Audio([0.1], math.inf), "from 1000 to 384000 Hz, got inf"),
    (lambda: Audio([0.1], 16000j), "must be a number from 1000 to 384000 Hz, got 16000j"),
    (lambda: Audio([0.1], 16000.5), "must be a whole number of Hz, got 16000.5"),
    (lambda: Audio(STEREO, 16000), "2 NaN or infinite samples, the first at index 0, 0"),
    (lambda: sound(encoded([0.1, np.nan])), r"sound\.wav: audio has 1 NaN"),
    (lambda: sound(encoded(STEREO)), r"sound\.wav: audio has .* NaN or infinite"),
    (lambda: sound(encoded(np.zeros((3, 9)))), r"sound\.wav: audio has 9 channels, at most 8"),
    (lambda: sgpa_core.decompose("caf\udce9"), "'.udce9' at 3 is half a character"),
    (lambda: masking.mask(Audio([0.1], 8000), [[0, 1e-4]], [[True]], fade=None), "got None"),
    (lambda: estimate(TableGame([0, 1, 1, 2]), "kernel", seed=-1), "seed must be .* got -1"),
    (lambda: batch.manifest(pd.DataFrame([{"audio": "", "text": "so"}])), "no file in the column"),
]


@pytest.mark.parametrize(("call", "told"), FOUND)
def test_what_was_found_once_is_refused_in_words(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_a_file_with_more_channels_than_samples_is_read_the_right_way():
    audio = sound(encoded([[0.2, 0.4, 0.6]]))
    np.testing.assert_allclose(audio.samples, [0.4], atol=1e-6)
    assert audio.notes == ("3 channels mixed down to mono",)


def test_a_header_that_promises_too_much_is_not_believed():
    content = bytearray(encoded(np.full(3200, 0.1), kind="FLAC", subtype="PCM_16"))
    content[21] |= 0x0F  # STREAMINFO's number of samples, 36 bits
    content[22:26] = b"\xff" * 4
    audio = sound(bytes(content))  # without 256 GB of memory
    assert audio.notes[0] == f"cut short: 3200 of {2**36 - 1} samples are there"
    whole = encoded(np.random.default_rng(0).normal(0, 0.1, 16000), 16000, "MP3", "MPEG_LAYER_III")
    audio = sound(whole[: len(whole) // 2])
    assert audio.notes == (f"cut short: {len(audio.samples)} of 16000 samples are there",)


def test_a_carriage_return_stays_in_its_cell():
    a_corpus_stays_in_its_folder([{"audio": "a.wav", "text": "so\rit"}])


def test_an_answer_of_half_characters_is_kept():
    found = sgpa_core.explain(sgpa_core.instructions()[0].audio, "so", Parrot(["so \ud800"]))
    assert found.answer.startswith("so \ufffd")
    json.loads(found.to_json())


def test_three_thousand_cases():
    assert sum(count for count, _ in PROPERTIES.values()) >= 3000
