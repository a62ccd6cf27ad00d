"""Stored results: whole, with a pedigree, and a slice of them recomputed gives the same."""

import json

import numpy as np
import pandas as pd
import pytest

import sgpa_core
from sgpa_core import cost, faithfulness, masking, partition, speech_game, utility
from sgpa_core.companion import recorded, reduction

FOLDERS = ("cost", "accuracy", "recorded", "answers", "native", "likelihood", "speed")
REAL = {"assistant": "assistant@", "real": "assistant@", "tokens": "openai/whisper-tiny.en"}


@pytest.fixture(scope="module")
def runs(root):
    lines = (root / "data/results/cost/runs.jsonl").read_text("utf-8").splitlines()
    return pd.DataFrame(map(json.loads, lines))


@pytest.mark.parametrize("name", [*FOLDERS, *REAL])
def test_each_has_a_pedigree(root, name):
    pedigree = json.loads((root / "data/results" / name / "pedigree.json").read_text("utf-8"))
    assert pedigree["made_by"] == f"python data/results/{name}/make.py"
    assert {"seed", "date", "seconds", "packages", "machine"} <= set(pedigree)
    if name in REAL:
        assert pedigree["model"].startswith(REAL[name])
    elif name != "recorded":
        assert pedigree["model"] == sgpa_core.load_model("embedded").name, (
            "made with other weights: make results"
        )


def test_costs_are_of_the_same_utterances(root, runs):
    counts = runs.groupby(["voice", "regime"])["id"].nunique().unstack()
    assert (counts[["words", "native-80"]] >= 36).all().all()
    assert len(counts) == 2
    assert not runs.duplicated(["id", "regime"]).any()
    native = runs[runs["regime"] == "native-80"]
    expected = np.floor(native["duration"] / 0.08 + 0.5)
    assert (abs(native["players"] - expected) <= 1).all()  # the duration is stored rounded
    assert (runs["calls"] <= runs["evaluations"] + 1).all()
    made = cost.law(sorted(set(runs["players"]))).set_index("players")["evaluations"]
    share = runs["evaluations"] / made.loc[runs["players"]].to_numpy()
    assert (abs(share[runs["baseline"] < 1] - 1) < 0.25).mean() > 0.95


def test_a_slice_of_the_costs_is_what_it_was(script, runs):
    make = script("data/results/cost/make.py")
    shortest = runs[runs["regime"] == "words"].sort_values(["players", "id"])
    for id in shortest.groupby("voice")["id"].first():
        before = runs[(runs["id"] == id) & (runs["regime"] == "words")].iloc[0]
        again = make.run(id, "words")
        for field in ("players", "evaluations", "distinct", "calls", "right"):
            assert again[field] == before[field], (id, field)
        np.testing.assert_allclose(again["values"], before["values"], atol=1e-4)


def test_a_slice_of_the_errors_is_what_it_was(root, script):
    errors = pd.read_csv(root / "data/results/accuracy/errors.csv")
    make = script("data/results/accuracy/make.py")
    make.WORD_METHODS, make.WORD_BUDGETS = ("permutation", "cc-neyman-published"), (8, 12)
    recording = min(
        (r for r in sgpa_core.instructions() if r.voice == "slt" and len(r.words) == 4),
        key=lambda r: r.id,
    )
    keys = ["id", "kind", "method", "evaluations"]
    again = pd.DataFrame(make.of_words(recording.id)).set_index(keys)
    before = errors.set_index(keys).loc[again.index]
    np.testing.assert_allclose(again["error"], before["error"], atol=1e-3)
    frames = errors[errors["kind"] == "frames"]
    assert frames["id"].nunique() >= 4
    assert (frames.loc[frames["method"] == "reference", "error"] > 0).all()


@pytest.mark.reference
def test_recorded_summaries_are_what_the_runs_say(root, reference):
    folder = root / "data/results/recorded"
    runs = recorded.runs(reference)
    pedigree = json.loads((folder / "pedigree.json").read_text("utf-8"))
    if pedigree["runs"] != len(runs):
        pytest.skip(f"stored from {pedigree['runs']} runs, {len(runs)} are here")
    now, before = reduction.against_law(runs), pd.read_csv(folder / "law.csv")
    np.testing.assert_allclose(now["recorded"], before["recorded"], rtol=1e-6)
    np.testing.assert_allclose(now["counter"], before["counter"], rtol=1e-6)
    again, stored = reduction.reductions(runs), pd.read_csv(folder / "reductions.csv")
    for column in ("ratio", "low", "high"):
        np.testing.assert_allclose(again[column], stored[column], rtol=1e-4)


@pytest.mark.reference
def test_a_slice_of_the_estimators_errors_is_what_it_was(root, script, reference):
    make, games = script("data/results/recorded/make.py"), recorded.games(reference)
    keys = ["method", "budget"]
    stored = pd.read_csv(root / "data/results/recorded/estimators.csv").set_index(keys)
    if stored["games"].max() != (games["players"] == make.PLAYERS).sum():
        pytest.skip("stored from other games")
    make.METHODS, make.BUDGETS = ("cc-neyman-published", "surrogate"), (26,)
    again = make.estimators(games).set_index(keys)
    for column in ("error", "low", "high", "inside"):
        np.testing.assert_allclose(again[column], stored.loc[again.index, column], rtol=1e-4)


@pytest.fixture(scope="module")
def tables(root):
    collected = speech_game.read_tables(root / "data/results/answers/tables.jsonl")
    return {(table.id, table.regime, table.masking): table for table in collected}


def test_every_planned_table_is_there(script, tables):
    make = script("data/results/answers/make.py")
    assert set(tables) == set(make.tasks())
    for voice in make.VOICES:
        counts = {key[1:] for key, table in tables.items() if table.voice == voice}
        assert counts == set(make.ORDER)
    assert all(
        table.n == len(sgpa_core.instructions(key[0]).words) for key, table in tables.items()
    )


@pytest.mark.parametrize("regime", ["words", "ctc", "random-1", "shift-40", "jitter-80"])
def test_a_slice_of_the_answers_is_what_it_was(script, tables, regime):
    make = script("data/results/answers/make.py")
    few = sorted((t.n, key) for key, t in tables.items() if t.regime == regime and t.n >= 3)
    for _, (id, _, masking_kind) in few[:2]:
        again, stored = make.table(id, regime, masking_kind), tables[id, regime, masking_kind]
        np.testing.assert_allclose(again.spans, stored.spans, atol=1e-4)
        pairs = zip(again.which, stored.which, strict=True)
        same = np.mean([again.answers[a] == stored.answers[b] for a, b in pairs])
        assert same > 0.97  # another processor may decide a close call otherwise


def test_moved_boundaries_moved_as_far_as_they_say(tables):
    for (id, regime, _), table in tables.items():
        if regime.startswith(("shift", "jitter")):
            true = tables[id, "truth", "silence"].spans
            moved = 1000 * (table.spans[1:, 0] - true[1:, 0])
            far = abs(int(regime.removeprefix("shift").removeprefix("jitter-")))
            assert (abs(moved) <= far + 0.2).all()
            assert table.spans[0, 0] == true[0, 0] and table.spans[-1, 1] == true[-1, 1]


def test_native_values_are_efficient_and_their_curves_what_they_were(root, script):
    make = script("data/results/native/make.py")
    lines = (root / "data/results/native/values.jsonl").read_text("utf-8").splitlines()
    runs = pd.DataFrame(map(json.loads, lines))
    first = runs[runs["seed"] == make.SEED]
    assert (first.groupby("voice")["id"].nunique() >= 36).all()
    assert len(runs) - len(first) >= 9
    total = runs["values"].map(sum) + runs["baseline"]
    np.testing.assert_allclose(total, 1, atol=1e-3)
    stored = first.sort_values(["players", "id"]).iloc[0]
    recording, model = sgpa_core.instructions(stored["id"]), sgpa_core.load_model("embedded")
    frames = partition.native(recording.audio, make.FRAME_SECONDS)
    steps = np.ones((len(frames) + 1, len(frames)), bool)
    for step, frame in enumerate(np.argsort(-np.array(stored["values"]), kind="stable"), 1):
        steps[step:, frame] = False
    heard = masking.mask(recording.audio.resample(model.sample_rate), frames.spans, steps)
    texts = sgpa_core.Answers(model)(heard)
    np.testing.assert_allclose(utility.tfidf(texts, texts[0]), stored["deletion"], atol=1e-4)
    on_words = faithfulness.onto(stored["values"], frames.spans, stored["spans"])
    np.testing.assert_allclose(on_words, stored["word_values"], atol=1e-3)


def test_a_slice_of_the_likelihoods_is_what_it_was(root):
    file = root / "data/results/likelihood/values.jsonl"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(lines) == len({line["id"] for line in lines}) >= 80
    for line in sorted(lines, key=lambda line: len(line["utilities"]))[:2]:
        recording = sgpa_core.instructions(line["id"])
        explanation = sgpa_core.explain(
            recording.audio,
            recording.text,
            "embedded",
            "exact",
            utility="log-likelihood",
            refine="sgpa",
        )
        order = np.argsort(explanation.coalitions @ (1 << np.arange(len(explanation))))
        assert explanation.answer == line["answer"]
        np.testing.assert_allclose(explanation.utilities[order], line["utilities"], atol=2e-3)


@pytest.mark.usefixtures("open_weights")
def test_words_of_transcripts_rest_on_themselves_as_stored(root, script):
    rows = pd.read_json(root / "data/results/tokens/words.jsonl", lines=True)
    assert set(rows["set"]) == {"natural voices", "people, read", "people, asking"}
    assert not rows.duplicated(["set", "id"]).any()
    make = script("data/results/tokens/make.py")
    own = rows[rows["set"] == "natural voices"].sort_values(["players", "id"])
    assert sorted(own["id"]) == sorted(id for name, id in make.recordings() if id in set(own["id"]))
    again = make.run("natural voices", own["id"].iloc[0])
    before = own.iloc[0].to_dict()
    assert again["words"] == [pytest.approx(word, abs=1e-3) for word in before.pop("words")]
    assert {name: again[name] for name in before} == before


@pytest.fixture(scope="module")
def real(root):
    lines = (root / "data/results/real/tables.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_assistant_s_tables_are_those_of_the_plan(script, real):
    make = script("data/results/real/make.py")
    keys = [(line["id"], line["regime"], line["masking"]) for line in real]
    assert len(set(keys)) == len(keys)
    others = {key for key in keys if key[0].startswith(("1k", "500"))}  # where they are at hand
    assert set(keys) | others == set(make.tasks()) | others
    for line in real:
        assert len(line["which"]) == 2 ** len(line["spans"])
        assert ("answers" in line) == line["prompt"].startswith("question")  # no texts of others


def test_a_slice_of_the_assistant_s_tables_is_what_it_was(script, real):
    make = script("data/results/real/make.py")
    before = min((t for t in real if "answers" in t), key=lambda t: (len(t["which"]), t["id"]))
    make.answers_of_model = lambda: sgpa_core.Answers(sgpa_core.load_model("assistant"))
    again = make.row(before["id"], before["regime"], before["masking"])
    for name in ("answers", "which", "heard", "spans"):
        assert again[name] == before[name], name
    if "log_likelihood" in before:
        assert again["log_likelihood"] == pytest.approx(before["log_likelihood"], abs=0.02)


def test_a_slice_of_the_measures_is_what_the_tables_say(root, script):
    """All that rests on words alone, of the prompts of a few recordings."""
    stored = pd.read_csv(root / "data/results/real/measures.csv", dtype={"prompt": str})
    make = script("data/results/real/measures.py")
    for model, (games, _) in (("assistant", make.of_assistant()), ("answerer", make.of_answerer())):
        chosen = sorted({g.prompt for g in games["words", "silence"].values()})[:4]
        few = {
            key: {id: game for id, game in by_id.items() if game.prompt in chosen}
            for key, by_id in games.items()
        }
        rows = pd.DataFrame(
            [*make.measured_orders(few), *make.measured_ranks(few)],
            columns=["measure", "prompt", "value"],
        ).dropna()
        again = rows.groupby(["measure", "prompt"])["value"].mean()
        before = stored[stored["model"] == model].set_index(["measure", "prompt"])["value"]
        assert len(again) > 40
        pd.testing.assert_series_equal(again, before.reindex(again.index), atol=1e-5)


def test_a_slice_of_the_assistant_s_errors_is_what_the_tables_say(root, script, real):
    stored = pd.read_csv(root / "data/results/real/errors.csv")
    make = script("data/results/real/errors.py")
    fields = speech_game.AnswerTable.__dataclass_fields__
    own = stored["prompt"].str.startswith("question")
    chosen = stored.loc[own & (stored["players"] == 5), "prompt"].min()
    rows = []
    for line in real:
        if (line["prompt"], line["regime"], line["masking"]) == (chosen, "words", "silence"):
            table = speech_game.AnswerTable(**{name: line[name] for name in fields})
            utilities = {"tfidf": table.utilities("tfidf")}
            rows += make.errors(make.Game(chosen, "", table.spans, 0.0, np.zeros(5), utilities))
    again = pd.DataFrame(rows, columns=make.COLUMNS[1:]).groupby(make.COLUMNS[1:4]).mean()
    before = stored[stored["prompt"] == chosen].set_index(make.COLUMNS[1:4])
    pd.testing.assert_series_equal(again["calls"], before["calls"], atol=0.06)
    pd.testing.assert_series_equal(again["error"], before["error"], atol=1e-3)
