"""Tables of all answers: the values of an explanation, kept on disk, nothing ill-formed."""

import dataclasses

import numpy as np
import pytest
from oracle import Oracle

from sgpa_core import Answers, Partition, SpeechGame, explain, instructions, partition, speech_game

RULE = " ".join


@pytest.fixture(scope="module")
def recording():
    return instructions("awb-001")


@pytest.fixture(scope="module")
def words(recording):
    spans = np.array([[word.start, word.end] for word in recording.words])
    return Partition("words", tuple(word.text for word in recording.words), spans)


@pytest.fixture
def model(recording, words):
    return Oracle(recording.text.split(), words.spans, recording.audio, RULE, share=0.9)


@pytest.fixture
def table(recording, words, model):
    return SpeechGame(recording.audio, words, model).table(recording.id, "awb")


def test_every_coalition_has_its_answer(recording, words, table):
    labels = np.array(words.labels)
    for mask in (0, 1, 5, 2**table.n - 1):
        heard = np.flatnonzero(mask >> np.arange(table.n) & 1)
        assert table.answer(heard) == " ".join(labels[heard])
    assert (table.n, table.full) == (len(labels), recording.text)
    assert (table.regime, table.voice, table.masking) == ("words", "awb", "silence")
    assert len(set(table.answers)) == len(table.answers) == 2**table.n


@pytest.mark.parametrize("utility", ["tfidf", "f1", "tf", "tfidf-corpus"])
def test_its_values_are_those_of_an_explanation(recording, words, model, table, utility):
    settings = {"partition": words, "utility": utility}
    found = explain(recording.audio, recording.text, model, "exact", **settings)
    np.testing.assert_allclose(table.values(utility), found.values, atol=1e-9)
    assert table.game(utility).full == pytest.approx(1)


def test_an_exact_explanation_holds_them(recording, words, model, table):
    found = explain(recording.audio, recording.text, model, "exact", partition=words)
    same = found.table(recording.id, "awb")
    assert [same.answers[k] for k in same.which] == [table.answers[k] for k in table.which]
    part = explain(recording.audio, recording.text, model, "kernel", 20, partition=words)
    with pytest.raises(ValueError, match="answers for 64 coalitions"):
        part.table()


def test_answers_are_asked_for_once(recording, words, model):
    answers = Answers(model)
    for _ in range(2):
        SpeechGame(recording.audio, words, answers).table()
    assert answers.calls == model.heard == 2 ** len(words)


def test_a_table_survives_the_disk(table, tmp_path):
    file = tmp_path / "tables.jsonl"
    file.write_text((table.to_json() + "\n") * 2, encoding="utf-8")
    again = speech_game.read_tables(file)
    assert len(again) == 2
    assert again[0].answers == table.answers
    np.testing.assert_array_equal(again[1].which, table.which)
    np.testing.assert_allclose(again[1].spans, table.spans, atol=5e-5)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("{", "line 2, holds no table"),
        ('{"id": "a"}', "line 2, holds no table"),
        ('"which":[0', "line 2, holds no table"),
    ],
)
def test_a_damaged_line_is_named(table, tmp_path, damage, message):
    line = table.to_json()
    bad = damage if damage[0] == "{" else line.replace(damage, '"which":[99999')
    (tmp_path / "t.jsonl").write_text(f"{line}\n{bad}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        speech_game.read_tables(tmp_path / "t.jsonl")


def test_what_does_not_fit_is_refused(recording):
    names = ("a", "", "words", "silence")
    with pytest.raises(ValueError, match="4 coalitions"):
        speech_game.AnswerTable(*names, ("x", "y"), [[0, 1], [1, 2]], ("so",), [0, 0, 0])
    with pytest.raises(ValueError, match="one of 1 answers"):
        speech_game.AnswerTable(*names, ("x",), [[0, 1]], ("so",), [0, 1])
    with pytest.raises(ValueError, match="the limit is 20 players"):
        SpeechGame(recording.audio, partition.uniform(recording.audio, 21), "embedded").table()


def test_odd_line_ends_in_answers_read_back(table, tmp_path):
    said = tuple(f"{answer}\u2028\x0b\x85so" for answer in table.answers)
    odd = dataclasses.replace(table, answers=said)
    file = tmp_path / "tables.jsonl"
    file.write_text(odd.to_json() + "\n" + table.to_json() + "\n", encoding="utf-8")
    assert [found.answers for found in speech_game.read_tables(file)] == [said, table.answers]
