"""Stage 2: the best path, checked against planted truth and an independent kernel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgpa_core import ctc, decompose
from sgpa_core.ctc import Emissions, forced_align, viterbi

VOCABULARY = ("_", "|", *"abcdefghijklmnopqrstuvwxyz", "'")


def planted(path: list[str], certainty: float = 0.9) -> Emissions:
    """Emissions in which the given symbols (one a frame) are the most probable."""
    probs = np.full((len(path), len(VOCABULARY)), (1 - certainty) / (len(VOCABULARY) - 1))
    probs[np.arange(len(path)), [VOCABULARY.index(symbol) for symbol in path]] = certainty
    return Emissions(np.log(probs).astype(np.float32), VOCABULARY, 0, 0.02)


def test_a_planted_path_comes_back():
    emissions = planted(list("__hh_e_ll__l_oo___"))
    alignment = forced_align(emissions, decompose("hello"))
    assert alignment.characters == "hello"
    np.testing.assert_allclose(alignment.starts, np.array([2, 5, 7, 11, 13]) * 0.02)
    np.testing.assert_allclose(alignment.ends, np.array([4, 6, 9, 12, 15]) * 0.02)
    np.testing.assert_allclose(alignment.confidences, 0.9, rtol=1e-5)
    assert alignment.path.tolist() == [
        -1,
        -1,
        0,
        0,
        -1,
        1,
        -1,
        2,
        2,
        -1,
        -1,
        3,
        -1,
        4,
        4,
        -1,
        -1,
        -1,
    ]
    np.testing.assert_allclose(alignment.gaps, np.array([[4, 5], [6, 7], [9, 11], [12, 13]]) * 0.02)
    assert alignment.margin == pytest.approx(0, abs=1e-6)


def test_delimiters_and_blanks_make_up_the_gap_between_words():
    alignment = forced_align(planted(list("_hi__||_yo_")), decompose("Hi, yo!"))
    assert alignment.characters == "hiyo"
    assert alignment.word_of.tolist() == [0, 0, 1, 1]
    assert alignment.word_edges.tolist() == [0, 2, 4]
    np.testing.assert_allclose(alignment.gaps[1], [3 * 0.02, 8 * 0.02])


def test_a_vocabulary_without_delimiter():
    emissions = planted(list("_hi____yo_"))
    columns = [i for i, symbol in enumerate(VOCABULARY) if symbol != "|"]
    bare = Emissions(
        emissions.log_probs[:, columns], tuple(VOCABULARY[i] for i in columns), 0, 0.02
    )
    alignment = forced_align(bare, decompose("Hi, yo!"))
    np.testing.assert_allclose(alignment.gaps[1], [3 * 0.02, 7 * 0.02])


def test_doubled_letters_need_a_blank_between_them():
    log_probs = np.log(np.array([[0.05, 0.95]] * 3, dtype=np.float32))
    assert viterbi(log_probs, np.array([1, 1])).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="2 frames, but 2 symbols need at least 3"):
        viterbi(log_probs[:2], np.array([1, 1]))


def test_one_frame_for_each_character():
    assert (
        viterbi(planted(list("abcabc")).log_probs, np.array([2, 3, 4] * 2)).tolist()
        == [2, 3, 4] * 2
    )


def random_problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = int(rng.integers(2, 12))
    targets = rng.integers(1, columns, rng.integers(1, 15))
    frames = len(targets) + int((targets[1:] == targets[:-1]).sum()) + int(rng.integers(0, 40))
    logits = rng.normal(size=(frames, columns)) * rng.uniform(0.1, 5)
    log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return log_probs.astype(np.float32), targets


@given(st.integers(0, 10**6))
def test_numpy_and_torchaudio_agree(seed):
    pytest.importorskip("torchaudio.functional", reason="torchaudio cannot be imported here")
    log_probs, targets = random_problem(seed)
    expected = ctc.viterbi_torchaudio(log_probs, targets, 0)
    np.testing.assert_array_equal(viterbi(log_probs, targets), expected)


@given(st.integers(0, 10**6))
def test_no_path_is_better(seed):
    """Brute force over all paths of a small problem."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(1, 3, rng.integers(1, 4))
    frames = len(targets) + int((targets[1:] == targets[:-1]).sum()) + int(rng.integers(0, 3))
    log_probs = np.log(rng.dirichlet(np.ones(3), frames))
    labels = viterbi(log_probs, targets)
    scores = {}
    for path in np.ndindex(*(3,) * frames):
        merged = [p for i, p in enumerate(path) if i == 0 or p != path[i - 1]]
        if [p for p in merged if p] == targets.tolist():
            scores[path] = log_probs[np.arange(frames), path].sum()
    assert scores[tuple(labels.tolist())] == pytest.approx(max(scores.values()))


def test_the_fallback_serves_where_torchaudio_does_not_import(monkeypatch):
    emissions, transcript = planted(list("_hi_")), decompose("hi")
    assert ctc.default_backend() in ("torchaudio", "numpy")
    monkeypatch.setitem(__import__("sys").modules, "torchaudio.functional", None)
    assert ctc.default_backend() == "numpy"
    assert forced_align(emissions, transcript).path.tolist() == [-1, 0, 1, -1]


def test_a_wildcard_leaves_its_neighbours_alone():
    """What the wildcard replaces may be long or have peaks of its own: the others do not move."""
    emissions = planted(list("_goo__||_b_e_i_j_ii_n_g_||_nn_oww_"))
    spelled = forced_align(emissions, decompose("go beijing now"))
    wild = forced_align(emissions, decompose("go 北京 now"))
    assert wild.characters == "go*now"
    for word in (0, 2):
        np.testing.assert_allclose(
            wild.starts[wild.word_of == word], spelled.starts[spelled.word_of == word]
        )
        np.testing.assert_allclose(
            wild.ends[wild.word_of == word], spelled.ends[spelled.word_of == word]
        )
    assert wild.starts[2] == pytest.approx(spelled.starts[spelled.word_of == 1][0])
    assert wild.ends[2] == pytest.approx(spelled.ends[spelled.word_of == 1][-1])
    assert wild.confidences[2] > 0.5


def test_a_wildcard_with_nothing_to_say_takes_one_silent_frame():
    alignment = forced_align(planted(list("__go____now__")), decompose("go 😀 now"))
    assert alignment.confidences[2] < 0.5
    assert alignment.ends[2] - alignment.starts[2] == pytest.approx(0.02)


def test_the_margin_tells_a_wrong_transcript():
    emissions = planted(list("_hh_e_ll__l_oo___"))
    right, wrong = (forced_align(emissions, decompose(t)) for t in ("hello", "quick"))
    assert right.margin > -0.01
    assert wrong.margin < -0.5
    assert wrong.confidences.mean() < 0.1


def test_too_short_for_the_text():
    with pytest.raises(ValueError, match="too short for the text: 4 frames, but 11 symbols"):
        forced_align(planted(list("_hi_")), decompose("hello there"))


def test_characters_outside_the_vocabulary():
    with pytest.raises(ValueError, match="not in the vocabulary"):
        forced_align(planted(list("_hi_")), decompose("hé", "hé"))


def test_unknown_backend():
    with pytest.raises(ValueError, match="unknown Viterbi backend 'gpu'"):
        forced_align(planted(list("_hi_")), decompose("hi"), backend="gpu")


@pytest.mark.parametrize("targets", [[], [0], [99], [-1], [[1]]])
def test_senseless_targets(targets):
    with pytest.raises(ValueError, match="target"):
        viterbi(planted(list("_hi_")).log_probs, np.array(targets, dtype=int))


def test_emissions_are_checked():
    with pytest.raises(ValueError, match="one column per symbol"):
        Emissions(np.zeros((3, 2)), ("a",), 0, 0.02)
    with pytest.raises(ValueError, match="blank"):
        Emissions(np.zeros((3, 2)), ("a", "b"), 2, 0.02)
