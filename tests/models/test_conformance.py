"""The protocol, the conformance test and the loader, on models made up here."""

import json
import re

import numpy as np
import pytest
import tiny_models

from sgpa_core import Audio, AudioLM, instructions
from sgpa_core.models import assert_conforms, check_model, load_model
from sgpa_core.models.adapter import pieces, prepare, side_by_side
from sgpa_core.models.loading import ADAPTERS, digest


class Loudness:
    """A model that answers with a recording's loudness and length, and counts."""

    name, sample_rate, token_seconds = "loudness", 16000, 0.04

    def __init__(self):
        self.calls = 0

    def respond(self, batch, sample_rate):
        signals = prepare(batch, sample_rate, self.sample_rate)
        self.calls += len(signals)
        return [f"{np.abs(s).mean():.4f} in {len(s)}" for s in signals]

    def log_likelihood(self, batch, text, sample_rate):
        signals = prepare(batch, sample_rate, self.sample_rate)
        return np.array([-1.0 - np.abs(s).mean() * len(text) for s in signals])


def broken(**members):
    """Make a `Loudness` with some members replaced."""
    return type("Broken", (Loudness,), members)()


def right(self, batch, rate):
    return Loudness.respond(self, batch, rate)


def test_a_sound_model_passes_every_check():
    model = Loudness()
    report = check_model(model)
    assert report.ok and not report.failures and not report.notes
    assert [c.name for c in report.checks] == [
        "attributes",
        "answers",
        "determinism",
        "batch",
        "silence",
        "one sample",
        "10 ms",
        "empty batch",
        "sample rate",
        "arguments",
        "counter",
        "log_likelihood",
    ]
    assert repr(report).startswith("loudness: 12 of 12 checks passed\n  ok    attributes")
    assert report._repr_html_().count("✓") == 12
    assert isinstance(model, AudioLM)
    assert not isinstance(object(), AudioLM)
    assert_conforms(model)


def changing(self, batch, rate):
    self.turn = getattr(self, "turn", 0) + 1
    return [f"{a} {self.turn}" for a in right(self, batch, rate)]


def sorted_by_length(self, batch, rate):
    return right(self, sorted(batch, key=len), rate)


def padded_to_the_longest(self, batch, rate):
    longest = max(map(len, batch), default=0)
    return right(self, [np.pad(s, (0, longest - len(s))) for s in batch], rate)


def no_empty_batch(self, batch, rate):
    return right(self, [s[:9999] for s in np.stack([np.resize(s, 9999) for s in batch])], rate)


def needs_a_frame(self, batch, rate):
    if min(map(len, batch), default=999) < 160:
        raise RuntimeError("kernel size is greater than the input")
    return right(self, batch, rate)


def one_rate(self, batch, rate):
    assert rate == 16000, f"{rate} Hz is not 16000 Hz"
    return right(self, batch, rate)


def in_place(self, batch, rate):
    answers = right(self, batch, rate)
    for samples in batch:
        samples *= 0.9
    return answers


def uncounted(self, batch, rate):
    answers, self.calls = right(self, batch, rate), self.calls + 1
    self.calls -= len(batch)
    return answers


@pytest.mark.parametrize(
    ("check", "respond", "problem"),
    [
        ("answers", lambda self, b, r: right(self, b, r)[:-1], "3 answers to 4 recordings"),
        ("answers", lambda self, b, r: tuple(right(self, b, r)), "instead of a list of str"),
        ("answers", lambda self, b, r: None, "None instead of a list of str"),
        ("answers", lambda self, b, r: [None] * len(b), "None, None"),
        ("determinism", changing, "recording 0 was answered"),
        ("batch", sorted_by_length, "recording"),
        ("batch", padded_to_the_longest, "recording"),
        ("empty batch", no_empty_batch, "ValueError: need at least one array"),
        ("one sample", needs_a_frame, "RuntimeError: kernel size"),
        ("sample rate", one_rate, "AssertionError: 22050 Hz is not 16000 Hz"),
        ("arguments", in_place, "not what they were"),
        ("counter", uncounted, "calls grew by"),
    ],
)
def test_a_broken_promise_is_named(check, respond, problem):
    report = check_model(broken(respond=respond))
    failed = {c.name: c for c in report.failures}
    assert not report.ok
    assert check in failed, report
    assert problem in failed[check].problem
    assert failed[check].expected in repr(report) and f"FAIL  {check}" in repr(report)
    assert "✗" in report._repr_html_() and "<th>found</th>" in report._repr_html_()
    with pytest.raises(AssertionError, match=re.escape(problem)):
        assert_conforms(broken(respond=respond))


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"name": ""}, "name is '', not a word to store results under"),
        ({"name": 5}, "name is 5, not a word to store results under"),
        ({"sample_rate": 16000.0}, "from 1000 to 384000, got 16000.0"),
        ({"sample_rate": 16}, "from 1000 to 384000, got 16"),
        ({"token_seconds": 0}, "from 1e-06 to 10 s, got 0"),
        ({"token_seconds": None}, "from 1e-06 to 10 s, got None"),
    ],
)
def test_wrong_attributes_are_named(members, problem):
    report = check_model(broken(**members))
    assert report.failures[0].name == "attributes"
    assert report.failures[0].problem.endswith(problem)


@pytest.mark.parametrize(
    ("likelihood", "problem"),
    [
        (lambda self, b, t, r: [-1.0] * len(b), "list instead of an array"),
        (lambda self, b, t, r: np.full((len(b), 1), -1.0), "(4, 1) instead of"),
        (lambda self, b, t, r: np.full(len(b), 0.5), "0.5"),
        (lambda self, b, t, r: np.full(len(b), np.nan), "nan"),
        (lambda self, b, t, r: -np.full(len(b), float(len(b))), "in a batch"),
    ],
)
def test_a_wrong_log_likelihood_is_named(likelihood, problem):
    report = check_model(broken(log_likelihood=likelihood))
    assert [c.name for c in report.failures] == ["log_likelihood"]
    assert problem in report.failures[0].problem


def test_what_is_no_model_is_said_to_be_none():
    report = check_model(object())
    assert [c.name for c in report.failures] == ["attributes", "respond"]


def test_a_model_that_answers_all_alike_is_noted():
    report = check_model(broken(respond=lambda self, b, r: ["yes" for _ in right(self, b, r)]))
    assert report.ok
    assert "a mixed-up order cannot be seen" in report.notes[0] and "note" in repr(report)


def test_own_probes_are_used_and_one_is_too_few():
    probes = [Audio(np.sin(np.arange(n)), 8000) for n in (800, 1600, 2400)]
    model = Loudness()
    assert check_model(model, probes).ok
    with pytest.raises(ValueError, match="two probes are needed at least"):
        check_model(model, probes[:1])


def test_prepare_resamples_pads_and_copies():
    given = np.full(8000, 0.5, np.float32)
    given.flags.writeable = False
    (got,) = prepare([given], 16000, 16000)
    assert got.flags.writeable and got.dtype == np.float32 and np.array_equal(got, given)
    assert [len(s) for s in prepare([given, given[:1]], 8000, 16000, 320)] == [16000, 320]
    assert prepare([], 8000, 16000) == []


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.zeros(5), r"say \[samples\]"),
        ([np.zeros((5, 2))], r"recording 0 .* shape \(5, 2\).* mono"),
        ([np.zeros(5), np.zeros(0)], "recording 1 .* empty"),
        ([np.array([0.0, np.nan])], "NaN"),
        ([np.zeros(32001)], r"lasts 2.00 s, but m hears at most 2 s"),
    ],
)
def test_prepare_refuses_what_a_model_cannot_hear(batch, message):
    with pytest.raises(ValueError, match=message):
        prepare(batch, 16000, 16000, longest=32000, name="m")


def test_pieces_cover_a_sequence():
    assert [list(p) for p in pieces(range(5), 2)] == [[0, 1], [2, 3], [4]]
    assert list(pieces([], 2)) == []


@pytest.fixture
def two_threads():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("count", "size", "cut"),
    [(48, 12, [12] * 4), (14, 12, [7, 7]), (25, 12, [7, 7, 7, 4]), (5, 12, [3, 2]), (1, 12, [1])],
)
def test_a_batch_is_cut_evenly_for_two_threads(two_threads, count, size, cut):
    results = side_by_side(list, range(count), size, "cpu")
    assert [len(piece) for piece in results] == cut
    assert [item for piece in results for item in piece] == list(range(count))


def test_threads_are_dealt_out_to_the_pieces_and_given_back(two_threads):
    import threading

    import torch

    together = threading.Barrier(2, timeout=30)  # passed only by two pieces at the same time

    def work(piece):
        together.wait()
        return torch.get_num_threads()

    assert side_by_side(work, "ab", 1, "cpu") == [1, 1]
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), later) == (2, [2])


def test_one_thread_or_another_device_takes_one_piece_after_another(two_threads):
    import threading

    import torch

    def work(piece):
        return threading.current_thread() is threading.main_thread() and len(piece)

    assert side_by_side(work, "abcde", 2, "meta") == [2, 2, 1]
    torch.set_num_threads(1)
    assert side_by_side(work, "abcde", 2, "cpu") == [2, 2, 1]


def test_a_fault_in_one_piece_is_raised(two_threads):
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda piece: 1 / piece[0], [1, 0, 1], 1, "cpu")


# --- load_model -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "  ", None, 5])
def test_a_name_that_is_none_is_refused_with_the_choices(name):
    with pytest.raises(ValueError, match=r'"assistant", "embedded", a folder, a hub id, .* server'):
        load_model(name)


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "4"])
def test_a_batch_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="batch_size must be a whole number"):
        load_model("embedded", batch_size=size)


def test_an_unknown_name_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"no model 'nobody/nothing'.*whisper, qwen2_audio"):
        load_model("nobody/nothing")
    with pytest.raises(ValueError, match="no model 'no such folder'"):
        load_model("no such folder")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no config\.json"):
        load_model(tmp_path)
    config = tmp_path / "config.json"
    for text in ("{", "[]"):
        config.write_text(text)
        with pytest.raises(ValueError, match=r"is no model's config\.json"):
            load_model(tmp_path)
    config.write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(ValueError, match="'vit'; there are adapters for whisper, qwen2_audio"):
        load_model(tmp_path)


@pytest.mark.parametrize("kind", ["whisper", "qwen2_audio", "voxtral"])
def test_a_folder_without_weights_is_refused(tmp_path, kind):
    assert kind in ADAPTERS
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(ValueError, match=f"cannot load the {kind} '.*no file named model"):
        load_model(tmp_path)


def test_pickled_weights_are_refused(tmp_path):
    import torch

    folder = tiny_models.whisper(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match="safetensors"):
        load_model(folder)


def test_the_name_changes_with_weights_and_decoding(tmp_path):
    folder = tiny_models.whisper(tmp_path / "model")
    model = load_model(folder)
    assert re.fullmatch(r"model@[0-9a-f]{8}", model.name)
    assert load_model(folder).name == model.name
    assert load_model(folder, dtype="float32", language=None).name == model.name
    names = {
        model.name,
        load_model(folder, max_new_tokens=3).name,
        load_model(folder, dtype="bfloat16").name,
    }
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-3] ^= 1
    weights.write_bytes(data)
    assert len(names | {load_model(folder).name}) == 4
    assert load_model(folder, batch_size=2).name == load_model(folder).name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be a whole number of at least 1, got 0"),
        ({"max_new_tokens": 2.5}, "max_new_tokens must be .* got 2.5"),
        ({"dtype": "float99"}, "unknown dtype 'float99'; choose from float32, bfloat16, float16"),
        ({"device": "abacus"}, "cannot load the whisper .* on abacus"),
        ({"prompt": "Hello"}, "unknown option 'prompt'; this model takes max_new_tokens, language"),
    ],
)
def test_an_option_that_cannot_be_is_refused(tmp_path, options, message):
    folder = tiny_models.whisper(tmp_path / "model")
    with pytest.raises(ValueError, match=message):
        load_model(folder, **options)


def test_the_embedded_model_is_itself():
    model = load_model("embedded")
    assert re.fullmatch(r"embedded@[0-9a-f]{8}", model.name)
    assert load_model("embedded") is model
    assert (model.sample_rate, model.token_seconds, model.window_seconds) == (16000, 0.04, 6)
    assert_conforms(model)
    assert not check_model(model).notes


def test_the_embedded_model_answers_the_question_that_it_hears():
    model = load_model("embedded")
    recording = next(r for r in instructions() if r.intent == "capital" and r.held_out)
    (answer,) = model.respond([recording.audio.samples], recording.audio.sample_rate)
    assert answer.startswith("the capital of")
    right, wrong = (
        float(model.log_likelihood([recording.audio.samples], text, recording.audio.sample_rate)[0])
        for text in (answer, "the elephant has four legs")
    )
    assert wrong < right <= 0


def test_a_damaged_embedded_model_is_refused(tmp_path, monkeypatch):
    import shutil

    from sgpa_core.models import loading

    folder = tmp_path / "answerer"
    shutil.copytree(loading.EMBEDDED, folder)
    monkeypatch.setattr(loading, "EMBEDDED", folder)
    assert load_model("embedded", max_new_tokens=3).max_new_tokens == 3
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.seek(-4, 2)
        stream.write(b"\x00\x01\x02\x03")
    with pytest.raises(ValueError, match="SHA256SUMS says"):
        load_model("embedded", max_new_tokens=3)


def test_large_weights_are_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr("sgpa_core.models.loading.HASHED_WHOLE", 1000)
    monkeypatch.setattr("sgpa_core.models.loading.SAMPLE_BYTES", 16)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(bytes(100_000))
    before = digest(tmp_path)
    weights.write_bytes(bytes(100_001))
    longer = digest(tmp_path)
    weights.write_bytes(bytes(99_999) + b"\x01")
    assert len({before, longer, digest(tmp_path)}) == 3
