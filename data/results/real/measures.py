"""Measure what PLAN.md asks, prompt by prompt: ``make results-assistant``, at its end.

The assistant's games (tables.jsonl, frames.jsonl) and the small answerer's (`answers`, `native`,
`cost`, `likelihood`), by the same functions. One row of measures.csv for each model, measure and
prompt: voices, cuttings, seeds and maskings of a prompt are averaged first. profiles.csv has mean
profiles over time. Takes some minutes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from prompts import recordings

import sgpa_core as sgpa
from sgpa_core import faithfulness, partition, profile
from sgpa_core.concentration import measure
from sgpa_core.game import unpack
from sgpa_core.pipeline import LOW_MARGIN
from sgpa_core.shapley.estimate import estimate
from sgpa_core.shapley.exact import shapley_of_table
from sgpa_core.shapley.interactions import shapley
from sgpa_core.speech_game import DIGITS, AnswerTable

RESULTS = HERE.parent
HEARD, FLAT, SEEDS, FRAME_SECONDS = 0.5, 1e-12, range(5), 0.08
PUBLISHED, BUDGET = "cc-neyman-published", "3n^2"
SHARES = {"n^2/16": 1 / 16, "n^2/8": 1 / 8, "n^2/4": 1 / 4, "n^2/2": 1 / 2, "n^2": 1}
"""Budgets at which our estimator is read on frames."""
PIECES = {"equal": "uniform", "random": "random", "CTC": "ctc"}
METRICS = {"Gini": "Gini", "entropy": "H/log n", "top fifth": "top-20 %"}
Row = tuple[str, str, float]
"""A measure, a prompt, a value."""


class Game(NamedTuple):
    """What is known of a recording that was cut and masked in one way."""

    prompt: str
    voice: str
    spans: np.ndarray
    seconds: float
    loudness: np.ndarray
    utilities: dict[str, np.ndarray]

    def values(self, utility: str = "tfidf") -> np.ndarray:
        """Return the exact values, without the rounding errors that break ties."""
        return shapley_of_table(self.utilities[utility]).round(DIGITS)


Games = dict[tuple[str, str], dict[str, Game]]
"""By regime and masking, by recording."""


class Frames(NamedTuple):
    """What is known of a recording under native frames, beside the same of its words."""

    prompt: str
    spans: np.ndarray
    seconds: float
    words: np.ndarray  # spans of the words
    exact: np.ndarray  # values of the words
    values: np.ndarray  # of frames, the best there are
    published: np.ndarray  # of frames, by the published estimator
    of_words: list  # attributions of the words by the published estimator, one a seed
    evaluations: int  # of the published estimator on frames
    curve: dict[str, tuple[int, np.ndarray]]  # ours at fractions: evaluations, values
    doubted: np.ndarray  # of frames, independent of the curve
    id: str


def of_assistant() -> tuple[Games, list[str]]:
    """Return the assistant's games, and why some are left out."""
    games: Games = {}
    left_out = []
    for line in map(json.loads, (HERE / "tables.jsonl").read_text("utf-8").splitlines()):
        key, id, spans = (line["regime"], line["masking"]), line["id"], np.array(line["spans"])
        if line["margin"] < LOW_MARGIN or line["heard_rightly"] < HEARD:
            doubt = "alignment" if line["margin"] < LOW_MARGIN else "heard wrongly"
            left_out.append(f"{doubt}: {id}, {', '.join(key)}")
            continue
        if "answers" in line:
            fields = {name: line[name] for name in AnswerTable.__dataclass_fields__}
            table, audio = AnswerTable(**fields), sgpa.Audio.read(recordings()[id].path)
            utilities = {name: table.utilities(name) for name in ("tfidf", "f1")}
            about = audio.duration, faithfulness.loudness(audio, spans)
            if "log_likelihood" in line:
                utilities["log-likelihood"] = scaled(line["log_likelihood"])
        else:
            utilities = {name: np.array(line[name]) for name in ("tfidf", "f1")}
            about = line["seconds"], np.array(line["loudness"])
        game = Game(line["prompt"], line["voice"], spans, *about, utilities)
        games.setdefault(key, {})[id] = game
    return games, left_out


def of_answerer() -> tuple[Games, list[str]]:
    """Return the small answerer's games; its words are those of the paper's rule."""
    nats = (RESULTS / "likelihood/values.jsonl").read_text("utf-8").splitlines()
    nats = {line["id"]: np.array(line["utilities"]) for line in map(json.loads, nats)}
    audio = {r.id: r.audio for r in sgpa.instructions()}
    games: Games = {}
    for table in sgpa.speech_game.read_tables(RESULTS / "answers/tables.jsonl"):
        key, id = (table.regime, table.masking), table.id
        utilities = {name: table.utilities(name) for name in ("tfidf", "f1")}
        if key == ("words", "silence") and id in nats:
            utilities["log-likelihood"] = scaled(nats[id])
        about = audio[id].duration, faithfulness.loudness(audio[id], table.spans)
        games.setdefault(key, {})[id] = Game(id[-3:], table.voice, table.spans, *about, utilities)
    return games, []


def scaled(nats: list[float]) -> np.ndarray:
    """Let log-likelihoods run from 0, nobody heard, to 1, all heard."""
    return (np.array(nats) - nats[0]) / (nats[-1] - nats[0])


def frames_of_assistant(games: Games, kind: str) -> list[Frames]:
    """Return what is known of frames: of the transcripts, or of the answers."""
    rows: dict[str, dict] = {}
    for line in map(json.loads, (HERE / "frames.jsonl").read_text("utf-8").splitlines()):
        if line["kind"] == kind:
            rows.setdefault(line["id"], {})[line["regime"], line["method"]] = line
    found = []
    for id, runs in tqdm(rows.items(), desc=f"frames, {kind}"):
        if len(runs) < 3 or id not in games["words", "silence"]:
            continue
        theirs, ours = runs["frames", PUBLISHED], runs["frames", "surrogate"]
        n, words = theirs["players"], games["words", "silence"][id]
        asked = [unpack([bytes.fromhex(c) for c in r["coalitions"]], n) for r in (theirs, ours)]
        known = sgpa.Game.of(asked[1], np.array(ours["utilities"]))
        curve = {
            name: (value.evaluations, value.values)
            for name, share in SHARES.items()
            for value in [estimate(known, "surrogate", max(2 * n, round(share * n * n)), 0)]
        }
        both, where = np.unique(np.concatenate(asked), axis=0, return_index=True)
        utilities = np.concatenate([theirs["utilities"], ours["utilities"]])[where]
        best = shapley(both, utilities[:, None])[0][:, 0]
        independent = shapley(asked[0], np.array(theirs["utilities"])[:, None])[0][:, 0]
        table = words if kind == "answer" else transcript_game(id, words)
        of_words = [
            estimate(sgpa.TableGame(table.utilities["tfidf"]), PUBLISHED, BUDGET, seed)
            for seed in SEEDS
        ]
        spans = partition.native(sgpa.Audio.read(recordings()[id].path), FRAME_SECONDS).spans
        about = words.prompt, spans, words.seconds, words.spans, table.values(), best
        theirs = np.array(theirs["values"]), of_words, theirs["evaluations"]
        found.append(Frames(*about, *theirs, curve, independent, id))
    return found


def transcript_game(id: str, words: Game) -> Game:
    """Return the game of what Whisper hears, from the transcripts in the assistant's table."""
    for line in map(json.loads, (HERE / "tables.jsonl").read_text("utf-8").splitlines()):
        if (line["id"], line["regime"], line["masking"]) == (id, "words", "silence"):
            heard = [line["heard"][k] for k in line["heard_by"]]
            utilities = np.asarray(sgpa.utility.tfidf(heard, heard[-1]), dtype=float)
            return words._replace(utilities={"tfidf": utilities})
    raise ValueError(f"no table of {id}")


def frames_of_answerer(games: Games) -> list[Frames]:
    """Return the same of the small answerer; its best values are the mean of their seeds."""
    native = pd.read_json(RESULTS / "native/values.jsonl", lines=True).groupby("id")
    cost = pd.read_json(RESULTS / "cost/runs.jsonl", lines=True).set_index(["id", "regime"])
    audio = {r.id: r.audio for r in sgpa.instructions()}
    found = []
    for id, runs in native:
        if id not in games["words", "silence"] or (id, "native-80") not in cost.index:
            continue
        words, theirs = games["words", "silence"][id], cost.loc[id, "native-80"]
        of_words = [
            estimate(sgpa.TableGame(words.utilities["tfidf"]), PUBLISHED, BUDGET, seed)
            for seed in SEEDS
        ]
        best = np.mean(list(runs["values"]), axis=0)
        spans = partition.native(audio[id], FRAME_SECONDS).spans
        about = words.prompt, spans, words.seconds, words.spans, words.values(), best
        theirs = np.array(theirs["values"]), of_words, theirs["evaluations"]
        found.append(Frames(*about, *theirs, {}, best, id))
    return found


def measured_frames(frames: list[Frames]) -> Iterator[Row]:
    """Questions 1, 1b, 2 and 3: words against native frames."""
    for f in frames:
        evaluations = np.mean([run.evaluations for run in f.of_words])
        for name, count in (("frames", f.evaluations), ("words", evaluations)):
            yield f"evaluations, {name}", f.prompt, count
        yield "players, frames", f.prompt, len(f.spans)
        yield "players, words", f.prompt, len(f.words)
        yield from errors(f, float(evaluations))
        published = f.of_words[0].values
        for name, metric in METRICS.items():
            level = {k: measure(metric, [v])[0] for k, v in (("w", f.exact), ("f", f.values))}
            yield f"{name}, words", f.prompt, level["w"]
            yield f"{name}, frames", f.prompt, level["f"]
            yield f"{name}, words − frames", f.prompt, level["w"] - level["f"]
            both = measure(metric, [published])[0] - measure(metric, [f.published])[0]
            yield f"{name}, words − frames, both as published", f.prompt, both
    yield from measured_profiles(frames)


def curves_of(f: Frames, form: str = "absolute") -> list[np.ndarray]:
    """Return the cumulative profiles over time, of words and of frames."""
    both = (f.exact, f.words), (f.values, f.spans)
    return [profile.cumulative(values, spans, f.seconds, form) for values, spans in both]


def measured_profiles(frames: list[Frames]) -> Iterator[Row]:
    """Question 3: early mass, centre, and the area between the profiles of words and frames."""
    drawn = [(f.prompt, *curves_of(f)) for f in frames]
    for f, (prompt, words, of_frames) in zip(frames, drawn, strict=True):
        early, centre = profile.early_mass([words, of_frames]), profile.centre([words, of_frames])
        yield "early mass, words", prompt, early[0]
        yield "early mass, frames", prompt, early[1]
        yield "early mass, words − frames", prompt, early[0] - early[1]
        signed = profile.early_mass(curves_of(f, "signed"))
        yield "early mass, words − frames, signed", prompt, signed[0] - signed[1]
        yield "centre, words − frames", prompt, centre[0] - centre[1]
        yield "profiles, area between", prompt, np.abs(words - of_frames).mean()
        others = [np.abs(words - theirs).mean() for p, _, theirs in drawn if p != prompt]
        yield "profiles, area between, another prompt", prompt, np.mean(others or [np.nan])


def mean_profiles(games: Games | None, frames: list[Frames]) -> Iterator[tuple]:
    """Mean profiles over prompts with bands; of all words as long as there are no frames."""
    drawn = [(f.prompt, curves_of(f)) for f in frames]
    if games is not None and not drawn:
        drawn = [
            (game.prompt, [profile.cumulative(game.values(), game.spans, game.seconds)])
            for game in games["words", "silence"].values()
        ]
    for k, regime in enumerate(("words", "frames")):
        by_prompt: dict[str, list[np.ndarray]] = {}
        for prompt, curves in drawn:
            if k < len(curves) and np.isfinite(curves).all():
                by_prompt.setdefault(prompt, []).append(curves[k])
        if len(by_prompt) > 1:
            band = profile.band([np.mean(curves, axis=0) for curves in by_prompt.values()])
            for row in zip(profile.GRID, band.mean, band.low, band.high, strict=True):
                yield regime, band.n, *np.round(row, 4)


def errors(f: Frames, evaluations: float) -> Iterator[Row]:
    """Question 1b: what words and frames are wrong by, and what frames need for the words' error.

    Frames are summed inside words. Our estimator is held against the values that the published
    one's evaluations give, and that one against ours: no error is measured by its own evaluations.
    """
    inside = {name: faithfulness.onto(v, f.spans, f.words) for name, v in f._asdict().items()
              if name in ("values", "published", "doubted")}  # fmt: skip
    target = np.mean([faithfulness.relative_change(f.exact, run.values) for run in f.of_words])
    yield "error, words, published", f.prompt, target
    ours = faithfulness.onto(f.curve["n^2"][1], f.spans, f.words) if f.curve else inside["values"]
    yield (
        "error, frames, published",
        f.prompt,
        faithfulness.relative_change(ours, inside["published"]),
    )
    if not f.curve:
        return
    asked, error = [], []
    for name, (count, values) in f.curve.items():
        moved = faithfulness.relative_change(
            inside["doubted"], faithfulness.onto(values, f.spans, f.words)
        )
        yield f"error, frames, surrogate at {name}", f.prompt, moved
        asked.append(count)
        error.append(moved)
    below = np.flatnonzero(np.array(error) <= target)
    yield "frames reach the words' error", f.prompt, float(below.size > 0)
    yield (
        "evaluations, frames, for the words' error",
        f.prompt,
        asked[below[0] if below.size else -1],
    )
    yield "evaluations, words, for that error", f.prompt, evaluations


def measured_pieces(games: Games, frames: list[Frames]) -> Iterator[Row]:
    """Questions 2b, 2c and 3: as many pieces as words, cut in other ways."""
    of_frames = {f.id: f for f in frames}
    drawn: dict[tuple[str, str], list[Game]] = {}
    for (regime, masking), by_id in games.items():
        name = next((name for name, begins in PIECES.items() if regime.startswith(begins)), "")
        if masking == "silence" and name:
            for id, game in by_id.items():
                drawn.setdefault((id, name), []).append(game)
    for id, words in games["words", "silence"].items():
        cut = {name: drawn[id, name] for name in PIECES if (id, name) in drawn} | {"words": [words]}
        if len(cut) < 1 + len(PIECES) or any(flat(game) for each in cut.values() for game in each):
            continue
        f = of_frames.get(id)
        for name, metric in METRICS.items():
            level = {
                k: measure(metric, [g.values() for g in each]).mean() for k, each in cut.items()
            }
            yield from (
                (f"{name}, {k}, of pieces", words.prompt, value) for k, value in level.items()
            )
            for k in PIECES:
                yield f"{name}, words − {k}", words.prompt, level["words"] - level[k]
            yield f"{name}, random − equal", words.prompt, level["random"] - level["equal"]
            if f is not None:
                of_f = measure(metric, [f.values])[0]
                yield f"{name}, equal − frames", words.prompt, level["equal"] - of_f
        early = {k: np.mean([early_mass(game) for game in each]) for k, each in cut.items()}
        for k in PIECES:
            yield f"early mass, {k} − words", words.prompt, early[k] - early["words"]
        if f is not None:
            of_f = float(profile.early_mass(curves_of(f)[1]))
            for k in cut:
                yield f"early mass, {k} − frames, of pieces", words.prompt, early[k] - of_f


def early_mass(game: Game) -> float:
    """Return the share of Σ|φ| in the first third of the recording."""
    return float(profile.early_mass(profile.cumulative(game.values(), game.spans, game.seconds)))


def flat(game: Game) -> bool:
    """Whether all utilities are the same."""
    return bool(np.ptp(game.utilities["tfidf"]) <= FLAT)


def measured_orders(games: Games) -> Iterator[Row]:
    """Questions 4 and 4b: deletion by the values, by duration and by loudness."""
    for game in games["words", "silence"].values():
        if not flat(game):
            yield from faithful(game, game.values(), "")
            table = sgpa.TableGame(game.utilities["tfidf"])
            drops = faithfulness.drops(table)
            top, others = faithfulness.top_against_others(game.values(), drops)
            yield "drop, top − others", game.prompt, top - others
            nothing = faithfulness.infidelity(table, np.zeros(table.n))
            if nothing:
                wrong = faithfulness.infidelity(table, game.values())
                yield "infidelity, of that of zeros", game.prompt, wrong / nothing
    for tested, by in permutations(("silence", "noise", "cut"), 2):
        for id, game in games.get(("words", tested), {}).items():
            other = games.get(("words", by), {}).get(id)
            if other is not None and not flat(game) and not flat(other):
                yield from faithful(game, other.values(), ", another mask")


def faithful(game: Game, values: np.ndarray, suffix: str) -> Iterator[Row]:
    """Skill of values and of two baselines in a game."""
    table = sgpa.TableGame(game.utilities["tfidf"])
    scores = {"values": values, "duration": np.diff(game.spans)[:, 0], "loudness": game.loudness}
    for kind in faithfulness.KINDS:
        skill = {name: faithfulness.skill(table, score, kind) for name, score in scores.items()}
        for name, value in skill.items():
            yield f"{kind} skill, {name}{suffix}", game.prompt, value
        for name in ("duration", "loudness"):
            yield (
                f"{kind} skill, values − {name}{suffix}",
                game.prompt,
                skill["values"] - skill[name],
            )


def measured_pointing() -> Iterator[Row]:
    """Values of the small answerer on the words that decide, which are known; its right answers.

    Values of pieces and frames are handed to the true words that they overlap.
    """
    spoken = {r.id: r for r in sgpa.instructions()}
    tables = sgpa.speech_game.read_tables(RESULTS / "answers/tables.jsonl")
    ways = ("words", "midpoint", "truth", "ctc", "uniform", "random")
    tables = [t for t in tables if t.masking == "silence" and t.regime.split("-")[0] in ways]
    right = {t.id for t in tables if t.regime == "words" and t.full == spoken[t.id].answer}
    rows = [(t.id, t.regime.split("-")[0], t.values(), t.spans) for t in tables]
    native = pd.read_json(RESULTS / "native/values.jsonl", lines=True).groupby("id")["values"]
    for id, runs in native:
        spans = partition.native(spoken[id].audio, FRAME_SECONDS).spans
        rows.append((id, "frames", np.mean(list(runs), axis=0), spans))
    rows += [(id, "duration", np.diff(spoken[id].spans)[:, 0], None) for id in right]
    for id, name, values, spans in rows:
        decide, words = list(spoken[id].rationale), spoken[id].spans
        if id in right:
            if name in ("uniform", "random", "frames"):
                values = faithfulness.onto(values, spans, words)
            hit, _ = faithfulness.precision_recall(values, decide, 1)
            yield f"pointing, {name}", id[-3:], hit
            yield "pointing, chance", id[-3:], len(decide) / len(words)
            if name != "duration":
                share = np.abs(values)[decide].sum() / np.abs(values).sum()
                yield f"share on deciding words, {name}", id[-3:], share


def measured_ranks(games: Games) -> Iterator[Row]:
    """Questions 5 to 7: how alike values are when something else is not; voices are the ceiling."""
    words, by_prompt = games["words", "silence"], {}
    for game in words.values():
        by_prompt.setdefault(game.prompt, []).append(game)
    ceiling = {}
    for prompt, voices in by_prompt.items():
        pairs = [(a.values(), b.values()) for a, b in permutations(voices, 2)]
        pairs = [pair for pair in pairs if len(pair[0]) == len(pair[1])]
        found = [row for a, b in pairs for row in alike("two voices", prompt, a, b)]
        yield from found
        ranks = [value for name, _, value in found if name.startswith("ρ") and np.isfinite(value)]
        if ranks:
            ceiling[prompt] = float(np.mean(ranks))
    others = {"noise": [("words", "noise")], "cut out": [("words", "cut")]}
    base = "truth" if ("truth", "silence") in games else "words"
    others["midpoints"] = [("midpoint", "silence")]
    others["the paper's rule"] = [("sgpa", "silence")]
    for ms in (20, 40, 80):
        others[f"moved by {ms} ms"] = [(f"shift{sign}{ms}", "silence") for sign in "-+"]
    for name, keys in others.items():
        start = games[base, "silence"] if name.startswith("moved") else words
        for key in keys:
            for id, game in games.get(key, {}).items():
                if id in start and len(start[id].spans) == len(game.spans):
                    rows = alike(name, game.prompt, start[id].values(), game.values())
                    yield from below(rows, ceiling)
                    if key[1] != "silence":
                        rows = alike("maskings", game.prompt, start[id].values(), game.values())
                        yield from below(rows, ceiling)
    for game in words.values():
        exact = game.values()
        for utility in ("f1", "log-likelihood"):
            if utility in game.utilities:
                yield from below(alike(utility, game.prompt, exact, game.values(utility)), ceiling)
        table = sgpa.TableGame(game.utilities["tfidf"])
        for seed in SEEDS if table.n > 1 else ():
            run = estimate(table, PUBLISHED, BUDGET, seed).values.round(DIGITS)
            yield from below(alike("published estimator", game.prompt, exact, run), ceiling)


def alike(name: str, prompt: str, values: np.ndarray, other: np.ndarray) -> list[Row]:
    """Rank correlation, relative change, and whether the top word is another; none if flat."""
    if min(np.ptp(values), np.ptp(other)) <= FLAT:
        return []
    return [
        (f"ρ, {name}", prompt, faithfulness.rank_correlation(values, other)),
        (f"change, {name}", prompt, faithfulness.relative_change(values, other)),
        (f"another top word, {name}", prompt, float(values.argmax() != other.argmax())),
    ]


def below(rows: list[Row], ceiling: dict[str, float]) -> Iterator[Row]:
    """Add the difference to the ceiling of the prompt."""
    for name, prompt, value in rows:
        yield name, prompt, value
        if name.startswith("ρ") and prompt in ceiling:
            yield f"{name} − two voices", prompt, value - ceiling[prompt]


def main() -> None:
    kinds, rows = {}, []
    games, left_out = of_assistant()
    for kind in ("answer", "transcript"):
        kinds[f"assistant, {kind}" if kind == "transcript" else "assistant"] = (
            games if kind == "answer" else None, frames_of_assistant(games, kind)
        )  # fmt: skip
    small, _ = of_answerer()
    kinds["answerer"] = (small, frames_of_answerer(small))
    rows += [("answerer", *row) for row in measured_pointing()]
    curves = []
    for model, (of_model, frames) in kinds.items():
        curves += [(model, *row) for row in mean_profiles(of_model, frames)]
        found = list(measured_frames(frames))
        if of_model is not None:
            found += measured_pieces(of_model, frames)
            found += measured_orders(of_model)
            found += measured_ranks(of_model)
        rows += [(model, *row) for row in found]
    table = pd.DataFrame(rows, columns=["model", "measure", "prompt", "value"]).dropna()
    table = table.groupby(["model", "measure", "prompt"])["value"].mean().round(6)
    table.reset_index().to_csv(HERE / "measures.csv", index=False)
    names = ["model", "regime", "n", "x", "mean", "low", "high"]
    pd.DataFrame(curves, columns=names).to_csv(HERE / "profiles.csv", index=False)
    print("\n".join(["left out:", *left_out]))


if __name__ == "__main__":
    main()
