"""Answers: one model call a waveform, counted once, kept on disk, and checked."""

import numpy as np
import pytest

from sgpa_core import Answers
from sgpa_core.store import Store


class Model:
    """Answers with the number of samples; counts the recordings that it was given."""

    name, sample_rate, token_seconds = "counter", 16_000, 0.08

    def __init__(self, answer=lambda samples: f"{len(samples)} samples"):
        self.answer, self.heard, self.batches = answer, 0, []

    def respond(self, batch, sample_rate):
        self.heard += len(batch)
        self.batches.append(len(batch))
        return [self.answer(samples) for samples in batch]


def sounds(*lengths):
    return [np.full(length, 0.1, np.float32) for length in lengths]


def test_a_waveform_is_asked_for_once():
    model = Model()
    answers = Answers(model)
    assert answers(sounds(3, 4, 3)) == ["3 samples", "4 samples", "3 samples"]
    assert answers(sounds(4, 5)) == ["4 samples", "5 samples"]
    assert answers([]) == []
    assert answers.calls == model.heard == 3


def test_batches_are_bounded_and_order_is_kept():
    model = Model()
    lengths = list(range(1, 12))
    assert Answers(model, batch_size=4)(sounds(*lengths)) == [f"{n} samples" for n in lengths]
    assert model.batches == [3, 4, 4]


def test_a_store_spares_the_next_process_the_calls(tmp_path):
    first, second = Model(), Model()
    Answers(first, tmp_path / "a.sqlite")(sounds(3, 4))
    again = Answers(second, tmp_path / "a.sqlite")
    assert again(sounds(4, 5, 3)) == ["4 samples", "5 samples", "3 samples"]
    assert (first.heard, second.heard, again.calls) == (2, 1, 1)


def test_a_store_belongs_to_one_model(tmp_path):
    Answers(Model(), tmp_path / "a.sqlite")
    other = Model()
    other.name = "another"
    with pytest.raises(ValueError, match=r"belongs to another game.*counter"):
        Answers(other, tmp_path / "a.sqlite")


def test_what_was_answered_before_a_fault_is_kept(tmp_path):
    def fragile(samples):
        if len(samples) == 5:
            raise RuntimeError("out of memory")
        return "fine"

    model = Model(fragile)
    answers = Answers(model, tmp_path / "a.sqlite", batch_size=2)
    with pytest.raises(RuntimeError, match="out of memory"):
        answers(sounds(1, 2, 3, 5, 7))
    assert answers.calls == model.heard == 5  # the failed batch was paid for too
    calm = Model(lambda samples: "later")
    assert Answers(calm, tmp_path / "a.sqlite")(sounds(1, 2, 3, 5, 7)) == [
        "fine", "fine", "fine", "later", "later",
    ]  # fmt: skip


def test_answers_in_memory_can_be_written_afterwards(tmp_path):
    answers = Answers(Model())
    answers(sounds(3, 4))
    assert answers.keep(tmp_path / "late.sqlite") == 2
    other = Model()
    Answers(other, tmp_path / "late.sqlite")(sounds(3, 4))
    assert other.heard == 0


def test_scores_of_a_text_are_kept_apart_from_answers_and_other_texts(tmp_path):
    model = Model()
    model.log_likelihood = lambda batch, text, rate: -np.array([len(s) + len(text) for s in batch])
    answers = Answers(model, tmp_path / "a.sqlite")
    assert answers(sounds(3)) == ["3 samples"]
    assert answers.log_likelihood(sounds(3, 4), "so").tolist() == [-5.0, -6.0]
    assert answers.log_likelihood(sounds(3), "long text").tolist() == [-12.0]
    assert answers(sounds(3)) == ["3 samples"]
    assert answers.calls == 4


@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (lambda batch: ["a"] * (len(batch) - 1), "was given 3 recordings and returned 2 answers"),
        (lambda batch: None, "returned None, not a list of answers"),
        (lambda batch: "abc", "returned 'abc', not a list of answers"),
        (lambda batch: ["a", None, "c"], "answered None to recording 1 of 3"),
        (lambda batch: ["a", "b", b"c"], "answered b'c' to recording 2 of 3"),
    ],
)
def test_a_model_that_breaks_its_contract_is_named(respond, said):
    model = Model()
    model.respond = lambda batch, rate: respond(batch)
    answers = Answers(model)
    with pytest.raises(ValueError, match=f"counter {said}"):
        answers(sounds(1, 2, 3))
    with pytest.raises(ValueError, match="counter"):
        answers(sounds(1, 2, 3))  # nothing of it was remembered


@pytest.mark.parametrize("scores", [[-1.0], [-1.0, float("nan")], [[-1.0], [-2.0]], None])
def test_bad_scores_are_named(scores):
    model = Model()
    model.log_likelihood = lambda batch, text, rate: scores
    with pytest.raises(ValueError, match="log-likelihoods"):
        Answers(model).log_likelihood(sounds(1, 2), "so")


def test_bad_arguments():
    with pytest.raises(ValueError, match="gives no log-likelihood"):
        Answers(Model()).log_likelihood(sounds(1), "so")
    with pytest.raises(ValueError, match="no audio language model: it has no 'name'"):
        Answers(object())
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1, got 0"):
        Answers(Model(), batch_size=0)


def test_a_store_that_is_open_already_can_be_shared(tmp_path):
    with Store(tmp_path / "a.sqlite", {"mine": 1}) as store:
        Answers(Model(), store)(sounds(2))
        assert len(store) == 1


def test_scores_of_an_empty_text_are_no_answers():
    model = Model()
    model.log_likelihood = lambda batch, text, rate: [-1.0 for _ in batch]
    answers = Answers(model)
    assert answers.log_likelihood(sounds(3), "").tolist() == [-1.0]
    assert isinstance(answers(sounds(3))[0], str)
    assert answers.log_likelihood(sounds(3), "").tolist() == [-1.0]


def test_a_class_or_a_rate_that_is_none_is_named():
    with pytest.raises(ValueError, match="Model is a class: give one of its objects"):
        Answers(Model)
    model = Model()
    model.sample_rate = "16k"
    with pytest.raises(ValueError, match=r"sample_rate of counter must be .* got '16k'"):
        Answers(model)
