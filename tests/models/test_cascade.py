"""A recogniser and a language model in one, on tiny random weights of both."""

import numpy as np
import psutil
import pytest
import tiny_models
import torch

from sgpa_core import Answers, explain, speech
from sgpa_core.companion.cli import main
from sgpa_core.game import all_coalitions
from sgpa_core.models import Cascade, Whisper, assert_conforms, load_model
from sgpa_core.partition import uniform
from sgpa_core.speech_game import SpeechGame

RATE = 16000


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("cascade")
    return {
        "ear": tiny_models.whisper(root / "ear"),
        "polyglot": tiny_models.whisper(root / "polyglot", multilingual=True),
        "mouth": tiny_models.language_model(root / "mouth"),
        "silent": tiny_models.language_model(root / "silent", template=False),
        "chat": tiny_models.qwen2_audio(root / "chat"),
    }


@pytest.fixture(scope="module")
def name(folders):
    return f"{folders['ear']}+{folders['mouth']}"


@pytest.fixture(scope="module")
def model(name):
    return load_model(name, batch_size=3)


@pytest.fixture(scope="module")
def batch():
    return [r.audio.resample(RATE).samples for r in speech()[:6]]


@pytest.fixture(scope="module")
def heard(model, batch):
    return model.hear(batch, RATE)


@pytest.fixture
def written(model, monkeypatch):
    """Transcripts that the language model is given, a list for each call."""
    calls, write = [], model.write
    monkeypatch.setattr(model, "write", lambda items: calls.append(list(items)) or write(items))
    return calls


def prompt(model, text):
    turns = [{"role": "user", "content": text}]
    if model.prompt:
        turns.insert(0, {"role": "system", "content": model.prompt})
    return model.tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_tensors="pt", return_dict=False
    )


def test_two_names_make_one_model(model):
    assert isinstance(model, Cascade) and isinstance(model.recogniser, Whisper)
    assert (model.sample_rate, model.token_seconds) == (RATE, model.recogniser.token_seconds)
    assert model.max_new_tokens == 30 and model.prompt == "You are a helpful assistant."


def test_it_conforms(model):
    assert_conforms(model)


def test_what_a_model_hears_may_be_changed(model, batch, monkeypatch):
    monkeypatch.setattr(model, "hear", lambda batch, rate: ["other words"] * len(batch))
    assert model.respond(batch, RATE) == model.write(["other words"] * len(batch))


@pytest.mark.filterwarnings("ignore")  # of the checkpoint's sampling, which is switched off
def test_answers_are_greedy_whatever_the_checkpoint_says(model, folders, batch, heard):
    plain = type(model.model).from_pretrained(folders["mouth"])
    greedy = {"do_sample": False, "repetition_penalty": 1.0, "top_k": None}
    expected = []
    for text in heard:
        ids = prompt(model, text)
        new = plain.generate(ids, max_new_tokens=30, pad_token_id=2, **greedy)[0, ids.shape[1] :]
        expected.append(model.tokenizer.decode(new, skip_special_tokens=True))
    assert model.respond(batch, RATE) == expected
    assert len(set(expected)) > 3


def test_a_batch_answers_as_each_alone_in_any_split(model, batch, heard):
    answers = model.respond(batch, RATE)
    assert [model.respond([samples], RATE)[0] for samples in batch] == answers
    assert model.respond(batch[::-1], RATE) == answers[::-1]
    for size in (1, 2, 24):
        other = Cascade(model.model, model.tokenizer, model.recogniser, name="o", batch_size=size)
        assert other.write(heard) == answers


@pytest.mark.parametrize("text", ["lima is the capital of peru", "paris", ""])
@pytest.mark.parametrize("cut", [False, True])
def test_log_likelihood_is_that_of_the_models_own_loss(model, batch, heard, text, cut, monkeypatch):
    target = model.tokenizer.encode(text, add_special_tokens=False)
    if cut:
        monkeypatch.setattr(model, "max_new_tokens", len(target))
    assert model.is_cut(text) == cut
    target += [] if cut else [2]
    for transcript, value in zip(heard, model.log_likelihood(batch, text, RATE), strict=True):
        before = prompt(model, transcript)
        after = torch.tensor([target], dtype=torch.long)
        ids = torch.cat([before, after], dim=1)
        labels = torch.cat([torch.full_like(before, -100), after], dim=1)
        loss = model.model(ids, labels=labels).loss.item() if target else 0.0
        assert value == pytest.approx(-loss * len(target), abs=1e-3)


def test_a_transcript_is_answered_once(model, written):
    audio = speech()[0].audio
    answers = Answers(model, batch_size=5)
    game = SpeechGame(audio, uniform(audio, 4), answers)
    game.table()
    asked = sorted(text for call in written for text in call)
    heard = game.heard(all_coalitions(4))
    assert answers.calls == len(heard) == 16
    assert asked == sorted(set(heard)) and len(asked) < 16


def test_a_store_has_the_answer_to_a_transcript_heard_in_another_sound(
    model, written, batch, tmp_path
):
    longer = np.pad(batch[0], (0, 500))
    first = Answers(model, tmp_path / "a.sqlite")
    expected, score = first([batch[0]]), first.log_likelihood([batch[0]], "lima")
    first.close()
    second = Answers(model, tmp_path / "a.sqlite")
    assert second([longer, batch[0]]) == expected * 2
    assert second.heard([longer]) == first.heard([batch[0]]) == written[0]
    assert second.log_likelihood([longer], "lima") == score
    assert second.calls == 2 and len(written) == 1


def test_equal_transcripts_are_one_row_of_a_batch(model, monkeypatch):
    rows, turns = [], model.turns
    monkeypatch.setattr(model, "turns", lambda items: rows.extend(items) or turns(items))
    answers = model.write(["lima", "peru", "lima", "lima"])
    assert answers[0] == answers[2] == answers[3] != answers[1]
    scores = model.score(["lima", "peru", "lima"], "paris")
    assert scores[0].tolist() == scores[2].tolist() != scores[1].tolist()
    assert sorted(rows) == ["lima", "lima", "peru", "peru"]


def test_what_was_heard_and_answered_before_a_fault_is_kept(model, batch, tmp_path, monkeypatch):
    write, calls = model.write, []

    def failing(items):
        calls.append(items)
        if len(calls) == 2:
            raise RuntimeError("out of memory")
        return write(items)

    monkeypatch.setattr(model, "write", failing)
    answers = Answers(model, tmp_path / "a.sqlite", batch_size=3)
    with pytest.raises(RuntimeError, match="out of memory"):
        answers(batch)
    answers.close()
    monkeypatch.setattr(model, "hear", lambda batch, rate: pytest.fail("it was heard before"))
    again = Answers(model, tmp_path / "a.sqlite")
    assert again(batch) == write(again.heard(batch))
    assert again.calls == 3 and calls[2] == calls[1]


def test_options_go_to_the_part_that_takes_them(folders, name, model, batch):
    both = load_model(
        f"{folders['polyglot']}+{folders['mouth']}", window=4, language="de", batch_size=2,
        max_new_tokens=3, prompt="", instruction="the capital",
    )  # fmt: skip
    ear = both.recogniser
    assert (ear.window, ear.language, ear.batch_size, both.batch_size) == (4, "de", 2, 2)
    assert (both.max_new_tokens, ear.max_new_tokens) == (3, 12)
    text = both.tokenizer.decode(both.turns(["lima"])["input_ids"][0])
    assert text == "<start> lima the capital <end> <start>"
    assert all(len(answer.split()) <= 3 for answer in both.respond(batch, RATE))
    queried = load_model(f"{name}?max_new_tokens=3&prompt=the+capital", batch_size=2)
    told = load_model(name, max_new_tokens=3, prompt="the capital")
    assert queried.name == told.name
    assert queried.respond(batch, RATE) == told.respond(batch, RATE) != model.respond(batch, RATE)


def test_the_name_changes_with_whatever_could_change_answers(folders, name, model):
    options = [{"window": 4}, {"max_new_tokens": 3}, {"prompt": ""}, {"instruction": "paris"}]
    names = {model.name, *(load_model(name, **option).name for option in options)}
    others = (f"{folders['polyglot']}+{folders['mouth']}", f"{folders['ear']}+{folders['mouth']}")
    names |= {load_model(other).name for other in others}  # the last one is the model itself
    assert len(names) == len(options) + 2


@pytest.mark.parametrize(
    ("named", "options", "message"),
    [
        ("ear+mouth", {"windows": 4}, "unknown option 'windows'; this model takes max_new_tokens, "
         "prompt, instruction, window, language"),
        ("ear+mouth", {"language": "de"}, "has no language 'de'; it knows one only"),
        ("ear+mouth", {"max_new_tokens": 0}, "max_new_tokens must be"),
        ("ear+silent", {}, "has no chat template; name one that was trained to chat"),
        ("mouth", {}, r"it writes, but it does not hear.*\.en\+/.*mouth"),
        ("chat+mouth", {}, "answers: before the . comes a recogniser"),
        ("embedded+chat", {}, "is a qwen2_audio: after the . comes a language model that chats"),
        ("mouth+mouth", {}, "it writes, but it does not hear"),
        ("ear+ear", {}, "is a whisper: after the . comes a language model"),
        ("ear+nothing", {}, "there is no model 'nothing'"),
        ("ear+", {}, r"there is no model '.*ear\+'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(folders, named, options, message):
    parts = [str(folders.get(part, part)) for part in named.split("+")]
    with pytest.raises(ValueError, match=message):
        load_model("+".join(parts), **options)


def test_a_model_larger_than_the_memory_is_refused(name, monkeypatch):
    memory = psutil.virtual_memory()._replace(available=50_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(ValueError, match=r"mouth needs .* GB of memory as float32, but 0\.0 GB"):
        load_model(name)


def test_an_explanation_shows_what_was_heard(model, heard, batch):
    recording = speech()[0]
    explanation = explain(recording.audio, recording.text, model)
    assert explanation.heard == heard[0] and explanation.to_dict()["heard"] == heard[0]
    whole = explanation.coalitions.all(axis=1).argmax()
    assert len(explanation.coalition_heard) == len(explanation.coalitions) == 32
    assert explanation.coalition_heard[whole] == heard[0]
    assert explanation.coalition_answers[whole] == explanation.answer == model.write(heard[:1])[0]
    rows = explanation.answers()
    pairs = set(zip(rows.heard, rows.answer, strict=True))
    assert len(pairs) == rows.heard.nunique() < 32
    assert any(f"the model heard {heard[0]!r}, which is not" in note for note in explanation.notes)
    scored = explain(recording.audio, recording.text, model, utility="log-likelihood")
    assert scored.coalition_heard == explanation.coalition_heard
    said = explain(recording.audio, heard[0], model, "kernel", 20)
    assert not any("the model heard" in note for note in said.notes)


def test_a_cut_answer_is_noted(name):
    recording = speech()[0]
    notes = explain(recording.audio, recording.text, load_model(name, max_new_tokens=2)).notes
    assert "the answer was cut at 2 tokens (max_new_tokens)" in notes


def test_the_command_line_takes_options_and_says_what_was_heard(name, heard, capsys):
    recording = speech()[0]
    command = ["explain", str(recording.path), "--text", recording.text, "--model", name]
    assert main([*command, "--option", "max_new_tokens=1", "--option", "prompt=", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert f"heard: {heard[0]}\nanswer: " in printed.out
    answer = load_model(name, max_new_tokens=1, prompt="").write(heard[:1])[0]
    assert f"answer: {answer}\n" in printed.out and "cut at 1 tokens" in printed.err


def test_the_page_of_an_explanation_has_what_was_heard(model, heard):
    recording = speech()[0]
    page = explain(recording.audio, recording.text, model, "kernel", 20).to_html()
    assert f"Heard: <b>{heard[0]}</b>" in page


def test_an_option_given_twice_is_the_keywords(name):
    assert load_model(f"{name}?max_new_tokens=3&window=4", max_new_tokens=5).max_new_tokens == 5
