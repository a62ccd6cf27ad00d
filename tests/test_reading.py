"""What an explanation says beyond a number for each word, against brute force over all orders."""

import html
import re
import sys
from collections import Counter
from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest
from oracle import Oracle

import sgpa_core
from sgpa_core import Answers, Partition, explain
from sgpa_core.answers import Interrupted
from sgpa_core.utility import spelled, tokens

RECORDING = sgpa_core.speech("awb-004")  # What's the capital of New Zealand?


def rule(heard):
    if {"capital", "zealand"} <= set(heard):
        return "The city of the country is Wellington" if "new" in heard else "The city is Sealand"
    return " ".join(heard) or "the of"


def leads(heard):
    return "it is the city" if "capital" in heard else f"no {' '.join(heard)}"


class Scorer(Oracle):
    """Tells how likely each word of a text is, too."""

    def word_log_likelihood(self, batch, text, sample_rate):
        heard = [set(self.listen(samples)) for samples in batch]
        share = [[len(word) * len(words) for word in text.split()] for words in heard]
        return -1.0 / (1.0 + np.array(share))

    def log_likelihood(self, batch, text, sample_rate):
        return self.word_log_likelihood(batch, text, sample_rate).sum(axis=1)


@pytest.fixture(scope="module")
def answers():
    return Answers(Oracle.of(RECORDING, rule))


@pytest.fixture(scope="module")
def explanation(answers):
    return explain(RECORDING.audio, RECORDING.text, answers, "exact", utility="f1")


def brute(coalitions, utilities):
    """Mean gains over all orders of the players."""
    worth = {tuple(np.flatnonzero(c)): u for c, u in zip(coalitions, utilities, strict=True)}
    n = coalitions.shape[1]
    values = np.zeros(n)
    orders = list(permutations(range(n)))
    for order in orders:
        for place, player in enumerate(order):
            with_it = tuple(sorted(order[: place + 1]))
            values[player] += worth[with_it] - worth[tuple(sorted(order[:place]))]
    return values / len(orders)


def test_each_word_of_the_answer_is_a_game_of_its_own(explanation):
    frame = explanation.answer_words()
    names = ["The", "city", "of", "the (2)", "country", "is", "Wellington"]
    assert list(frame.columns) == names and tuple(frame.index) == explanation.players
    bags = [tokens(answer) for answer in explanation.coalition_answers]
    counted = zip(names, tokens(explanation.answer), (1, 1, 1, 2, 1, 1, 1), strict=True)
    for name, word, count in counted:
        present = [float(bag.count(word) >= count) for bag in bags]
        np.testing.assert_allclose(frame[name], brute(explanation.coalitions, present), atol=1e-12)
    assert frame["Wellington"].tolist() == pytest.approx([0, 0, 1 / 3, 0, 1 / 3, 1 / 3])


def test_rows_and_columns_sum_to_what_they_should(explanation, answers):
    sampled = explain(RECORDING.audio, RECORDING.text, answers, "surrogate", 40, utility="f1")
    for found in (explanation, sampled):
        frame, sizes = found.answer_words(), found.coalitions.sum(axis=1)
        silent = tokens(found.coalition_answers[int(np.argmin(sizes))])
        gone = [1.0 - (name in ("The", "of") and name.lower() in silent) for name in frame]
        np.testing.assert_allclose(frame.sum(), gone, atol=1e-9)
        full = Counter(tokens(found.answer))
        kept = [(Counter(tokens(answer)) & full).total() for answer in found.coalition_answers]
        if found is explanation:
            np.testing.assert_allclose(frame.sum(axis=1), brute(found.coalitions, kept), atol=1e-9)
            assert not found.answer_words(stderr=True).to_numpy().any()
    errors = sampled.answer_words(stderr=True)
    misses = (sampled.answer_words() - explanation.answer_words()).abs()
    assert (errors.to_numpy() > 0).any() and (misses <= 3 * errors + 1e-9).to_numpy().mean() > 0.9


@pytest.mark.parametrize("method", ["permutation", "kernel", "cc", "cc-neyman", "surrogate"])
def test_any_estimators_answers_will_do(answers, explanation, method):
    calls = answers.calls
    found = explain(RECORDING.audio, RECORDING.text, answers, method, 50, seed=3, utility="f1")
    frame = found.answer_words()
    assert answers.calls == calls
    assert (frame - explanation.answer_words()).abs().to_numpy().mean() < 0.1
    np.testing.assert_allclose(frame["Wellington"].sum(), 1.0, atol=1e-9)


def test_of_more_evaluations_than_the_surrogate_can_take_some_are_used(monkeypatch, answers):
    module = sys.modules["sgpa_core.shapley.interactions"]  # a function hides its name
    monkeypatch.setattr(module, "MAX_SURROGATE_EVALUATIONS", 30)
    found = explain(RECORDING.audio, RECORDING.text, answers, "kernel", 50, utility="f1")
    assert len(found.coalitions) == 50 and found.together()["stderr"].min() > 0
    np.testing.assert_allclose(found.answer_words()["Wellington"].sum(), 1.0, atol=1e-9)


def test_log_likelihoods_are_shared_out_over_the_words():
    model = Scorer.of(RECORDING, rule)
    found = explain(RECORDING.audio, RECORDING.text, model, "exact", utility="log-likelihood")
    frame = found.answer_words()
    assert list(frame.columns) == found.answer.split()
    np.testing.assert_allclose(frame.sum(axis=1), found.values, atol=1e-9)
    whole = Oracle.of(RECORDING, rule)  # gives sums alone
    found = explain(RECORDING.audio, RECORDING.text, whole, "exact", utility="log-likelihood")
    assert list(found.answer_words().columns) == ["(all words)"]
    np.testing.assert_allclose(found.answer_words()["(all words)"], found.values, atol=1e-9)


def test_towards_and_against_what_the_reader_names(answers):
    def towards(*texts, **options):
        named = dict(zip(("towards", "against"), texts, strict=False))
        return explain(RECORDING.audio, RECORDING.text, answers, "exact", **named, **options)

    found = towards("wellington")
    assert (found.utility, found.towards) == ("presence", "wellington")
    np.testing.assert_allclose(found.values, [0, 0, 1 / 3, 0, 1 / 3, 1 / 3], atol=1e-12)
    other, both = towards("Sealand"), towards("Wellington", "Sealand")
    np.testing.assert_allclose(both.values, found.values - other.values, atol=1e-12)
    assert towards("of the country").values.any()  # words in a row
    assert not towards("country the of").values.any()
    assert "worth 0" in towards("Paris").notes[-1]
    alike = towards("The city is Sealand", utility="f1")
    assert alike.attribution.baseline + alike.values.sum() < 1
    model = Scorer.of(RECORDING, rule)
    settings = {"utility": "log-likelihood", "method": "exact"}
    one, two, difference = (
        explain(RECORDING.audio, RECORDING.text, model, **settings, **texts)
        for texts in (
            {"towards": "Wellington"},
            {"towards": "Paris"},
            {"towards": "Wellington", "against": "Paris"},
        )
    )
    np.testing.assert_allclose(one.values - two.values, difference.values, atol=1e-12)
    assert list(one.answer_words().columns) == ["Wellington"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"towards": " !"}, "towards must be a text with a word in it, got ' !'"),
        ({"towards": 5}, "towards must be a text with a word in it, got 5"),
        ({"towards": "Lima", "against": "…"}, "against must be a text with a word in it, got '…'"),
        ({"against": "Lima"}, "against 'Lima' needs towards"),
    ],
)
def test_a_text_that_no_answer_can_have_is_refused(answers, texts, message):
    with pytest.raises(ValueError, match=message):
        explain(RECORDING.audio, RECORDING.text, answers, **texts)


@pytest.mark.parametrize(
    "answer",
    [
        "I ❤️ Wellington ☀️ yes!",
        "1️⃣ one",
        "首都是Wellington。",
        "½ cup",
        "می‌روم به خانه",
        "…",
        "",
        "<b>&",
    ],
)
def test_any_answer_is_shown_as_it_is_and_linked_by_its_words(answer):
    model = Oracle.of(RECORDING, lambda heard: answer if len(heard) > 3 else "no")
    found = explain(RECORDING.audio, RECORDING.text, model)
    shown = re.search(r'<b dir="auto">(.*?)</b>', found.to_html(), re.DOTALL)[1]
    assert html.unescape(re.sub("<[^>]+>", "", shown)) == (answer or "nothing")
    frame = found.answer_words()
    assert frame.shape == (6, len(tokens(answer))) and frame.columns.is_unique
    np.testing.assert_allclose(frame.sum(), np.ones(frame.shape[1]), atol=1e-9)


def test_repeated_words_of_a_likely_answer_are_told_apart():
    model = Scorer.of(RECORDING, lambda heard: "the cat the dog")
    found = explain(RECORDING.audio, RECORDING.text, model, utility="log-likelihood")
    assert list(found.answer_words().columns) == ["the", "cat", "the (2)", "dog"]


def test_parts_of_a_sampled_word_sum_to_it_too(answers):
    found = explain(RECORDING.audio, RECORDING.text, answers, "surrogate", 6)
    parts = found.inside(answers, [2], 0.2, budget=10**9)
    assert parts["value"].sum() == pytest.approx(found.values[2], abs=1e-9)


def test_what_was_answered_inside_is_at_hand_after_a_stop(explanation):
    model = Oracle.of(RECORDING, rule).stop_at(3)
    with pytest.raises(Interrupted) as stop:
        explanation.inside(model, [2], 0.1, budget=300)
    assert stop.value.answers.calls > 48


def test_silence_can_be_enough(answers):
    found = explain(RECORDING.audio, RECORDING.text, answers, "exact", towards="Sealand")
    assert "Silence alone keeps it" in found.summary()
    flat = explain(RECORDING.audio, RECORDING.text, answers, towards="Paris")
    assert "no word matters" not in flat.to_html(None, flat.inside(answers))
    with pytest.raises(ValueError, match=r"inside is what .* returns with a model"):
        found.to_html(None, found.inside())


def test_pairs_are_read(explanation, answers):
    pairs = explanation.together()
    assert len(pairs) == 15 and pairs["interaction"].abs().is_monotonic_decreasing
    worth = dict(zip(map(tuple, explanation.coalitions), explanation.utilities, strict=True))
    for pair in pairs.itertuples():
        others = [k for k in range(6) if k not in (pair.first, pair.second)]
        index = 0.0
        for size in range(5):
            for chosen in combinations(others, size):
                first, second = (
                    [worth[tuple(np.isin(range(6), [*chosen, *more]))] for more in ends]
                    for ends in (([], [pair.first]), ([pair.second], [pair.first, pair.second]))
                )
                weight = factorial(size) * factorial(4 - size) / factorial(5)
                index += weight * (second[1] - second[0] - first[1] + first[0])
        assert index == pytest.approx(pair.interaction, abs=1e-12)
        sign = {1: "need each other", -1: "can stand in for each other", 0: ""}
        assert pair.reading == sign[np.sign(round(index, 9))]
    assert pairs["words"][0] == "capital + Zealand?"
    few = explain(RECORDING.audio, RECORDING.text, answers, "kernel", 20, utility="f1")
    assert (few.together()["stderr"] > 0).all()
    with pytest.raises(ValueError, match="was not evaluated"):
        few.game()(explanation.coalitions)


def test_the_smallest_sets(explanation, answers):
    sets = explanation.smallest()
    assert sets.loc["changes", "words"] in (("capital",), ("Zealand?",))
    assert sets.loc["keeps", "words"] == ("capital", "New", "Zealand?")
    assert sets["sure"].all() and sets.loc["keeps", "answer"] == explanation.answer
    assert sets.loc["keeps", "utility"] == 1
    half = explanation.smallest(0.1)
    assert half.loc["keeps", "words"] == ("capital", "Zealand?")  # The city is Sealand
    for share in (1.0, 0.6, 0.1):
        u, sizes = explanation.utilities, explanation.coalitions.sum(axis=1)
        limit = explanation.attribution.baseline * (1 - share) + share
        sets = explanation.smallest(share)
        assert len(sets.loc["keeps", "words"]) == sizes[u >= limit - 1e-9].min()
        assert len(sets.loc["changes", "words"]) == 6 - sizes[u < limit - 1e-9].max()
    few = explain(RECORDING.audio, RECORDING.text, answers, "kernel", 12, utility="f1")
    assert not few.smallest().loc["keeps", "sure"]
    assert few.smallest(model=answers).equals(explanation.smallest())
    pieces = explain(RECORDING.audio, RECORDING.text, answers, "kernel", 30, partition="characters")
    with pytest.raises(ValueError, match="number of words must be a whole number from 1 to 12"):
        pieces.smallest(model=answers)
    flat = explain(RECORDING.audio, RECORDING.text, answers, towards="Paris").smallest()
    assert list(flat.index) == ["keeps"] and flat.loc["keeps", "words"] == ()
    with pytest.raises(ValueError, match="share must be a number from 0 to 1, got 2"):
        explanation.smallest(2)


def test_the_parts_of_a_word_sum_to_it(explanation, answers):
    plan = explanation.inside()
    assert list(plan["word"]) == ["New"] or len(plan) > 0
    calls = answers.calls
    parts = explanation.inside(answers, parts=0.08, budget=10**9, progress=True)
    assert answers.calls > calls
    for player, own in parts.groupby("player"):
        assert own["value"].sum() == pytest.approx(explanation.values[player], abs=1e-9)
        assert (own["start"].iloc[0], own["end"].iloc[-1]) == tuple(explanation.spans[player])
        assert not own["stderr"].any()
    drawn = explanation.inside(answers, [2, "New"], budget=200)
    assert list(drawn["part"]) == [*"capital", *"new"]
    for player, own in drawn.groupby("player"):
        assert own["value"].sum() == pytest.approx(explanation.values[player], abs=1e-9)
    counts = explanation.inside(words=[2, "New"], budget=200)
    assert list(counts["parts"]) == [7, 3] and (counts["evaluations"] <= 200).all()


def test_a_word_of_an_oracle_is_heard_by_its_halves(answers, explanation):
    """The oracle hears a word of which half is left: of two equal halves either one is enough."""
    parts = explanation.inside(answers, ["Zealand?"], parts=0.2, budget=10**9)
    half = explanation.values[5] / 2
    assert parts["value"].tolist() == pytest.approx([half, half])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"words": ["New", "nobody"]}, "unknown player 'nobody'; choose from What's, the, capital"),
        ({"parts": "phones"}, "parts .* must be a number from 0.01 to 10, got 'phones'"),
        ({"budget": 3}, "one pair of orders takes"),
    ],
)
def test_bad_requests_are_told_before_the_model_is_asked(explanation, settings, message):
    with pytest.raises(ValueError, match=message):
        explanation.inside(**settings)


def test_another_model_and_other_players_are_refused(explanation, answers):
    other = Oracle.of(RECORDING, lambda heard: "something else")
    with pytest.raises(ValueError, match="answers 'something else': give the same model"):
        explanation.inside(other)
    other = Oracle.of(RECORDING, rule)
    other.name = "another"
    with pytest.raises(ValueError, match=r"oracle answered .*, but another answers"):
        explanation.inside(other)
    pieces = explain(RECORDING.audio, RECORDING.text, answers, partition="uniform")
    assert pieces.inside(words=[0])["parts"][0] > 1  # the characters whose middles lie in it
    silent = Partition("mine", ("before", "after"), [[0.0, 0.01], [0.01, 1.8]])
    mine = explain(RECORDING.audio, RECORDING.text, answers, partition=silent)
    with pytest.raises(ValueError, match="'before' has no character: give seconds"):
        mine.inside(words=["before"])
    assert pieces.inside(answers, [0], 0.1, budget=20)["value"].sum() == pytest.approx(
        pieces.values[0]
    )


def test_the_summary_says_what_the_numbers_say(explanation, answers):
    text = explanation.summary()
    top = explanation.players[int(np.argmax(explanation.values))]
    assert f"“{RECORDING.text}” oracle answered “{explanation.answer}”" in text
    assert f"“{top}” (+{explanation.values.max():.2f})" in text
    assert "“capital” and “Zealand?” lead together" in text
    assert "“capital”, “New” and “Zealand?” alone keep it" in text
    towards = explain(RECORDING.audio, RECORDING.text, answers, towards="Wellington").summary()
    assert "(here towards “Wellington”)" in towards and "lead together" in towards
    leading = Answers(Oracle.of(RECORDING, leads))
    exact = explain(RECORDING.audio, RECORDING.text, leading).summary()
    assert "“capital” leads by" in exact and "exactly, over all 64 coalitions" in exact
    assert "“capital” alone keeps it" in exact
    few = explain(RECORDING.audio, RECORDING.text, leading, "kernel", 30).summary()
    assert "than the error of that lead (95 %: ±" in few and "“capital” alone keeps it" in few
    flat = explain(RECORDING.audio, RECORDING.text, answers, towards="Paris").summary()
    assert "No word changes what is measured (presence)" in flat
    model = Scorer.of(RECORDING, rule)
    likely = explain(RECORDING.audio, RECORDING.text, model, utility="log-likelihood").summary()
    assert "less than 50% of that is left" in likely


def test_words_of_an_answer_as_it_spells_them():
    for text in ("It's RED.", "里斯本 Lisboa", "", "…", "49.75 km²", "co\u00adop — yes"):
        pieces = spelled(text)
        assert [token for *_, token in pieces] == tokens(text)
    assert "".join(gap + word for gap, word, _ in spelled("It's RED.")) == "It's RED"
