"""Explanations: against a model whose rule is known, without weights, and under bad input."""

import json

import numpy as np
import pytest
from oracle import Oracle

import sgpa_core
from sgpa_core import Answers, explain, masking, partition
from sgpa_core.answers import Interrupted
from sgpa_core.shapley import estimate

RECORDING = sgpa_core.speech("awb-004")  # What's the capital of New Zealand?


def rule(heard):
    if {"capital", "new", "zealand"} <= set(heard):
        return "the capital is wellington"
    if "capital" in heard:
        return "the capital of which country"
    return f"what about {heard[-1]}" if heard else "i did not hear anything"


def decided(heard):
    return "yes it is" if {"capital", "zealand"} <= set(heard) else "sorry what"


@pytest.fixture
def oracle():
    return Oracle.of(RECORDING, rule)


def ask(model, **options):
    return explain(RECORDING.audio, RECORDING.text, model, **options)


def test_values_are_those_of_the_rule():
    found = ask(Oracle.of(RECORDING, decided))
    # U = 1 where both words are heard, else 0 (no word shared): half of it each, by symmetry
    np.testing.assert_allclose(found.values, [0, 0, 0.5, 0, 0, 0.5], atol=1e-12)
    assert found.answer == "yes it is"
    assert found.players == tuple(word.text for word in RECORDING.words)
    assert found.attribution.method == "exact"
    assert not found.stderr.any()


@pytest.mark.parametrize("utility", ["tfidf", "tfidf-corpus", "tf", "f1", "log-likelihood"])
@pytest.mark.parametrize("kind", ["words", "ctc", "uniform"])
def test_efficiency(oracle, utility, kind):
    found = ask(oracle, utility=utility, partition=kind)
    gain = found.utilities[found.coalitions.all(axis=1)] - found.attribution.baseline
    assert found.values.sum() == pytest.approx(gain[0], abs=1e-9)
    if utility != "log-likelihood":
        assert found.attribution.baseline + found.values.sum() == pytest.approx(1.0, abs=1e-9)


def test_every_model_call_is_counted(oracle):
    found = ask(oracle)
    assert found.calls == oracle.heard == 2**6
    assert found.evaluations == 2**6
    assert len(found.coalitions) == len(found.coalition_answers) == len(found.utilities) == 2**6


def test_answers_belong_to_coalitions(oracle):
    found = ask(oracle)
    names = [word.text.lower().strip("?.,") for word in RECORDING.words]
    for coalition, said in zip(found.coalitions, found.coalition_answers, strict=True):
        assert said == rule([n for n, heard in zip(names, coalition, strict=True) if heard])
    table = found.answers()
    assert list(table.columns) == ["players", "size", "answer", "utility"]
    assert table["utility"].is_monotonic_decreasing
    assert table["answer"][0] == found.answer


def test_nothing_is_asked_twice(oracle, tmp_path):
    ask(oracle, store=tmp_path / "answers.sqlite")
    paid = oracle.heard
    again = {"store": tmp_path / "answers.sqlite"}
    for change in (
        {"utility": "f1"},
        {"utility": "tfidf-corpus"},
        {"method": "permutation", "budget": 40},
        {"method": "surrogate", "budget": 20},
        {"partition": partition.words(ask(oracle, **again).segmentation).subset([2, 5])},
    ):
        assert ask(oracle, **again, **change).calls == 0, change
    assert oracle.heard == paid
    assert ask(oracle, **again, masking="cut").calls > 0


def test_a_subset_plays_while_the_others_are_always_heard(oracle):
    everyone = ask(oracle)
    some = ask(oracle, partition=everyone.partition.subset([2, 5]))
    assert some.players == ("capital", "Zealand?")
    assert some.attribution.baseline == pytest.approx(
        everyone.answers().set_index("players")["utility"]["What's the of New"]
    )


def test_answers_of_an_earlier_call_stand_for_the_model(oracle):
    answers = Answers(oracle)
    first = ask(answers)
    second = ask(answers, utility="f1")
    assert (first.calls, second.calls) == (64, 0)
    with pytest.raises(ValueError, match="give the store to Answers"):
        ask(answers, store="x.sqlite")


def test_ctrl_c_keeps_what_was_computed(oracle):
    answers = Answers(oracle.stop_at(3), batch_size=10)
    with pytest.raises(Interrupted) as stop:
        ask(answers)
    assert stop.value.answers is answers
    before = oracle.heard
    assert before == sum(oracle.begun[:2]) < 64
    found = ask(stop.value.answers)
    assert found.calls == oracle.heard - before == 64 - before


@pytest.mark.parametrize("fault", [RuntimeError, TimeoutError, SystemExit, StopIteration])
def test_any_error_carries_what_was_answered(oracle, tmp_path, fault):
    respond, given = oracle.respond, []

    def failing(batch, rate):
        given.append(len(batch))
        if len(given) == 2:
            raise fault("out of credit")
        return respond(batch, rate)

    oracle.respond = failing
    with pytest.raises(fault, match="out of credit") as stop:
        ask(oracle, store=tmp_path / "answers.sqlite")
    assert "answers" in stop.value.__notes__[0]
    found = ask(stop.value.answers)  # its store is closed; it goes on in memory
    assert found.calls == 64 - given[0]
    oracle.respond = respond
    assert ask(oracle, store=tmp_path / "answers.sqlite").calls == 64 - given[0]


def test_one_pair_of_orders_has_no_standard_error_and_says_so(oracle):
    found = ask(oracle, method="permutation", budget=12)
    assert found.stderr is None
    assert any("one pair of orders has no standard error" in note for note in found.notes)
    more = ask(oracle, method="permutation", budget=32)
    assert more.stderr is not None and not any("pair of orders" in note for note in more.notes)


@pytest.mark.parametrize(("utility", "noted"), [("tfidf", True), ("f1", True), (own := len, False)])
def test_characters_as_tokens_are_noted(utility, noted):
    model = Oracle.of(RECORDING, lambda heard: "里斯本" if "capital" in heard else "里")
    utility = (lambda answers, full: [len(a) for a in answers]) if utility is own else utility
    found = ask(model, utility=utility)
    assert any("characters are compared" in note for note in found.notes) == noted
    if noted:
        assert found.attribution.baseline > 0  # 里 is in both


@pytest.mark.parametrize("method", ["auto", "kernel", "permutation", "cc", "cc-neyman"])
def test_sampling_gives_the_same_for_the_same_seed(oracle, method):
    one, other = (ask(oracle, method=method, budget=30, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.values, other.values)
    assert one.attribution.seed == 5
    assert one.attribution.distinct <= 30


def test_it_is_the_estimators_value_of_the_game_of_masked_audio(oracle):
    found = ask(oracle)
    audio = found.segmentation.audio.resample(16_000)

    def worth(coalitions):
        heard = masking.mask(audio, found.spans, coalitions)
        return sgpa_core.utility.tfidf(oracle.respond(heard, 16_000), found.answer)

    expected = estimate(sgpa_core.Game(6, worth), "exact")
    np.testing.assert_allclose(found.values, expected.values, atol=1e-12)


def test_the_authors_vectoriser_sees_all_answers_of_the_game(oracle):
    found = ask(oracle, utility="tfidf-corpus")
    fitted = sgpa_core.utility.corpus(found.coalition_answers)
    np.testing.assert_allclose(found.utilities, fitted(found.coalition_answers, found.answer))
    assert not np.allclose(found.values, ask(oracle).values)


def test_an_empty_answer_is_explained():
    mute = ask(Oracle.of(RECORDING, lambda heard: "" if "capital" in heard else "pardon me"))
    assert mute.answer == ""
    # worth 1 with "capital" (empty like the full answer), 0 without it
    np.testing.assert_allclose(mute.values, [0, 0, 1, 0, 0, 0], atol=1e-12)
    assert any("has no word" in note for note in mute.notes)
    assert "<i>nothing</i>" in mute._repr_html_()
    mute.plot()


def test_a_constant_game_is_flat_and_says_so():
    flat = ask(Oracle.of(RECORDING, lambda heard: "always the same"))
    assert not flat.values.any()
    assert any("all values are 0 (true of this game)" in note for note in flat.notes)
    assert "most by" not in repr(flat)
    assert "true of this game" in flat._repr_html_()


def test_a_model_that_fails_in_the_middle_is_not_hidden(oracle):
    def broken(batch, rate):
        raise RuntimeError("CUDA out of memory")

    oracle.respond = broken
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        ask(oracle)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"partition": "phones"}, "unknown partition 'phones'"),
        ({"masking": "mute"}, "unknown masking 'mute'; choose from silence"),
        ({"fade": 0.2}, r"fade must be a number from 0 to 0.05 s, got 0.2"),
        ({"utility": "bleu"}, "unknown utility 'bleu'"),
        ({"method": "magic"}, "method must be one of"),
        ({"budget": 0}, "budget"),
        ({"refine": "x"}, "unknown refinement 'x'"),
    ],
)
def test_bad_options_are_told_before_the_model_is_asked(oracle, options, said):
    with pytest.raises(ValueError, match=said):
        ask(oracle, **options)
    assert oracle.heard <= 1


def test_a_utility_of_ones_own(oracle):
    def same(answers, full):
        return np.array([float(answer == full) for answer in answers])

    found = ask(oracle, utility=same)
    np.testing.assert_allclose(found.values, [0, 0, 1 / 3, 0, 1 / 3, 1 / 3], atol=1e-12)
    assert found.utility == "same"


def test_exports(oracle, tmp_path):
    found = ask(oracle)
    told = json.loads(found.to_json(tmp_path / "e.json"))
    assert told == json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))
    assert told["values"] == found.values.tolist()
    assert (told["model"], told["masking"], told["calls"]) == ("oracle", "silence", 64)
    frame = found.to_frame()
    assert list(frame.columns) == ["player", "start", "end", "value", "stderr"]
    page = found.to_html(tmp_path / "e.html")
    assert page.startswith("<!doctype html>")
    assert page.count("data-start=") == 6
    assert 'src="data:audio/flac' in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_players_of_any_kind_are_drawn(oracle):
    for kind in ("native", "characters"):
        found = ask(oracle, partition=kind, budget=60)
        assert found._repr_html_().count("data-start=") == len(found)
        figure = found.plot()
        assert len(figure.axes[1].patches) == len(found)


@pytest.mark.slow
def test_on_40_prompts_of_an_unheard_voice_the_values_find_the_deciding_words():
    prompts = [r for r in sgpa_core.instructions() if r.voice == "awb" and r.held_out]
    prompts = sorted(prompts, key=lambda r: (len(r.words), r.id))[:40]
    right, hits = 0, 0
    for recording in prompts:
        found = explain(recording.audio, recording.text, "embedded", method="exact")
        assert found.attribution.baseline + found.values.sum() == pytest.approx(1, abs=1e-9)
        assert found.calls <= 2 ** len(recording.words) + 1
        if found.answer == recording.answer:
            right += 1
            hits += int(np.abs(found.values).argmax()) in recording.rationale
    assert len(prompts) == 40
    assert right >= 0.8 * 40
    assert hits >= 0.85 * right


def test_what_a_sample_has_not_seen_is_not_said():
    """Two of 64 coalitions differ from the others; a small sample cannot know."""
    rare = {("capital",), ("what",)}
    model = Oracle.of(RECORDING, lambda heard: "rare" if tuple(heard) in rare else "the same")
    part = ask(model, method="permutation", budget=12)
    assert not part.values.any()
    assert any("(others were not asked)" in note for note in part.notes)
    assert not any("(" in note for note in ask(model, method="exact").notes)


def test_a_store_is_one_file_when_the_explanation_is_there(oracle, tmp_path):
    ask(oracle, store=tmp_path / "answers.sqlite")
    assert [file.name for file in tmp_path.iterdir()] == ["answers.sqlite"]
    asked = oracle.heard
    ask(oracle, store=str(tmp_path / "answers.sqlite"))
    assert oracle.heard == asked
