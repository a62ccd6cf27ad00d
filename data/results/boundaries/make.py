"""Measure word boundaries of every kind, and Stage 3 under every setting: ``make results``.

errors.csv: one row per recording and way to cut. Lists are separated by spaces, one entry per
word (start_ms, end_ms: found − true) or per boundary between words (flux, click …). The set "fresh"
is synthesised here: new texts in voices that no training has heard, to test what was chosen on the
others; "questions" are natural voices, whose times are on a grid of 25 ms; "people" are sentences
with word times by hand, where they are at hand (``SGPA_REFERENCE``). For the authors' recordings
pocketsphinx stands in for the truth.
sweeps.csv: Stage 3's settings, one row each, with 95 % intervals over recordings; click: 100 times
what one cut in ten exceeds.
lost.csv: words that Whisper does not hear rightly when each is played alone, by the way to cut.
summary.csv: all of this by kind of speech, with intervals (summary.py).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import baselines
import summary
from common import PROCESSES

import sgpa_core as sgpa
from sgpa_core import boundary, partition, refine, stats
from sgpa_core.companion import recorded
from sgpa_core.companion.pedigree import write_pedigree
from sgpa_core.files import DATA

sys.path[:0] = [str(DATA / name) for name in ("speech", "models/aligner")]  # the synthesisers

SEED, DRAWS = 0, 500
FADE = 0.005  # seconds
STAGE3 = ("left-edge", "none", "sgpa", "anchored")
OWN = ("speech", "instructions")
HEARD_EVERY = {"people": 3, "questions": 4}  # of the recordings whose words are heard alone
ALONE = ("uniform", "ctc", *STAGE3, "pocketsphinx")
RECOGNISER = "openai/whisper-tiny.en"
FRESH_TEXTS, FRESH_SEED = 40, 77
POCKETSPHINX = importlib.util.find_spec("pocketsphinx") is not None
ENGINES = {"male": "Chirp 3 HD", "female": "Chirp 3 HD"}  # of the authors' recordings
ALPHAS = tuple(k / 10 for k in range(11))
SWEEPS = {
    ("sgpa", "alpha"): ALPHAS,
    ("anchored", "alpha"): ALPHAS,
    ("sgpa", "padding"): (0.0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.12),
    ("anchored", "padding"): (0.0, 0.02, 0.04, 0.08),
    ("sgpa", "edge"): (0.02, 0.04, 0.08, 0.12, 0.16),
    ("sgpa", "silence"): (0.1, 0.25, 0.5, 0.75, 1.0, 10.0),
    ("sgpa", "shift"): (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2),  # windows where no gap is
    ("anchored", "anchor"): (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.06, 0.1),
}
DEFAULTS = {
    "alpha": 0.8,
    "padding": 0.04,
    "edge": 0.08,
    "silence": 0.5,
    "shift": 0.0,
    "anchor": 0.025,
}


class Item(NamedTuple):
    """A recording with what is known of it; `true` is None where nothing is."""

    named: dict[str, object]
    segmentation: sgpa.Segmentation
    features: refine.Features
    true: np.ndarray | None
    reference: np.ndarray | None  # pocketsphinx


def own(chosen=None, sets=OWN) -> Iterator[Item]:
    """Give the project's recordings, or those of the ids in `chosen`, per set."""
    for name in sets:
        recordings = [r for r in getattr(sgpa, name)() if chosen is None or (name, r.id) in chosen]
        aligned = sgpa.align_many([r.audio for r in recordings], [r.text for r in recordings])
        for r, found in zip(recordings, aligned, strict=True):
            told = {k: getattr(r, k) for k in ("id", "voice", "engine", "held_out")}
            yield item({"set": name} | told, found, r.spans)


def natural() -> Iterator[Item]:
    """Give the questions in natural voices."""
    return own(sets=("questions",))


def people() -> Iterator[Item]:
    """Give the sentences whose words were timed by hand."""
    sentences = list(baselines.people(Path(os.environ["SGPA_REFERENCE"])))
    aligned = sgpa.align_many([s[2] for s in sentences], [s[3] for s in sentences])
    for (id, speaker, _, _, spans), found in zip(sentences, aligned, strict=True):
        named = {"set": "people", "id": id, "voice": speaker, "engine": "TIMIT", "held_out": True}
        yield item(named, found, spans)


def fresh() -> Iterator[Item]:
    """Synthesise new instructions in every held-out voice."""
    import corpus
    import engines
    import texts

    rng = np.random.default_rng(FRESH_SEED)
    said = sorted({texts.instruction(rng) for _ in range(FRESH_TEXTS)})
    jobs = [
        {"engine": engine, "voice": voice, "text": text}
        for engine, voice in corpus.HELD_OUT
        for text in said
    ]
    made = [(job, speech) for job, speech in zip(jobs, engines.synthesise(jobs), strict=True)]
    made = [(job, speech) for job, speech in made if speech and len(speech.words) > 1]
    heard = [sgpa.Audio(speech.samples, engines.SAMPLE_RATE) for _, speech in made]
    aligned = sgpa.align_many(heard, [" ".join(w for w, _, _ in s.words) for _, s in made])
    for (job, speech), found in zip(made, aligned, strict=True):
        told = {"id": said.index(job["text"]), "voice": job["voice"], "engine": job["engine"]}
        spans = np.array([[start, end] for _, start, end in speech.words])
        yield item({"set": "fresh"} | told | {"held_out": True}, found, spans)


def can_synthesise() -> bool:
    import engines

    return all(engines.available().values())


def authors() -> Iterator[Item]:
    """Give the recordings of the paper's authors, in their condition's name."""
    keys = ["dataset", "voice", "condition", "row"]
    texts = recorded.runs().drop_duplicates(keys)[[*keys, "transcript"]]
    both = recorded.audio().merge(texts, on=keys)
    heard = [sgpa.Audio.read(path) for path in both["path"]]
    aligned = sgpa.align_many(heard, list(both["transcript"]))
    for (_, row), found in zip(both.iterrows(), aligned, strict=True):
        engine = ENGINES.get(row["voice"], "LibriSpeech" if row["dataset"] == "500" else "original")
        named = {"set": row["condition"], "id": row["row"], "voice": row["voice"], "engine": engine}
        yield item(named | {"held_out": True}, found, None)


def item(named: dict[str, object], found: sgpa.Segmentation, true: np.ndarray | None) -> Item:
    reference = None
    if POCKETSPHINX:
        reference = baselines.pocketsphinx_spans(found.audio, found.text)
    return Item(named, found, refine.features(found.audio), true, reference)


def tiled(inner: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return spans of words that share their boundaries."""
    edges = np.concatenate([[start], inner, [end]])
    return np.column_stack([edges[:-1], edges[1:]])


def ways(one: Item) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """Give each way to cut: its name, the words' spans, and what Stage 3 accepted."""
    found, count = one.segmentation, len(one.segmentation)
    loud = baselines.loud(one.features)
    letters = [sum(map(str.isalnum, w.spoken)) for w in found.alignment.transcript.words]
    whole = (0.0, found.duration)
    yield "uniform", tiled(baselines.proportional(np.ones(count), *whole), *whole), None
    yield "characters", tiled(baselines.proportional(letters, *loud), *loud), None
    yield "energy", tiled(baselines.energy_minima(one.features, count - 1), *loud), None
    yield "ctc", partition.ctc(found).spans, None
    for method in STAGE3:
        times, accepted, _ = stage3(one, method)
        yield method, tiled(times[1:-1], times[0], times[-1]), accepted
    if one.true is not None and one.reference is not None:
        yield "pocketsphinx", one.reference, None


def stage3(one: Item, method: str, **settings: float) -> tuple[np.ndarray, ...]:
    """Return the times around words by Stage 3, which were accepted, and which of those clamped."""
    a, shift = one.segmentation.alignment, settings.pop("shift", 0.0)
    cuts = refine.boundaries(one.features, a.starts + shift, a.ends + shift, method, **settings)
    clamped = cuts.refined & ~np.isclose(cuts.times, cuts.minima)
    return cuts.times[a.word_edges], cuts.refined[a.word_edges], clamped[a.word_edges]


def rows(one: Item) -> Iterator[dict[str, object]]:
    """Measure one recording cut in every way."""
    truth = one.reference if one.true is None else one.true
    audio, look = one.segmentation.audio, one.features
    for method, spans, accepted in ways(one):
        told: dict[str, object] = {"method": method, "words": len(spans), "hits": ""}
        inner = (spans[:-1, 1] + spans[1:, 0]) / 2
        if truth is not None:
            off = boundary.errors(truth, spans)
            true_inner = (truth[:-1, 1] + truth[1:, 0]) / 2
            told |= {"hits": boundary.hits(true_inner, inner)}
            told |= {"start_ms": listed(off[:, 0], ".1f"), "end_ms": listed(off[:, 1], ".1f")}
        told["flux"] = listed(np.interp(inner, look.times, look.flux), ".4g")
        if method in STAGE3:
            edges = spans[[0, -1], [0, 1]]
            told |= {
                "edge_flux": listed(np.interp(edges, look.times, look.flux), ".4g"),
                "accepted": listed(accepted, "d"),
                "click": listed(boundary.clicks(audio, inner), ".3g"),
                "click_faded": listed(boundary.clicks(audio, inner, FADE), ".3g"),
            }
        yield one.named | told


def listed(values: np.ndarray, form: str) -> str:
    return " ".join(format(value, form) for value in values)


def sweep(items: list[Item], method: str, name: str, value: float) -> dict[str, object]:
    """Measure Stage 3 under one setting on recordings whose truth is known, against its default.

    Per boundary between words: |error| (ms), flux and what masking adds to the high-frequency
    energy, the first two beside those of the default setting, and the flux at the raw cut.
    """
    groups, edges, ratios, shares = [], [], [], []
    shift = value if name == "shift" else 0.0
    for one in items:
        times, *flags = stage3(one, method, **{name: value})
        usual, raw = stage3(one, method)[0], stage3(one, "left-edge", shift=shift)[0]
        look = one.features
        flux, flux_usual, flux_raw = (
            np.interp(t, look.times, look.flux) for t in (times, usual, raw)
        )
        true = (one.true[:-1, 1] + one.true[1:, 0]) / 2
        error = np.abs([boundary.errors(true, t[1:-1]) for t in (times, usual)])
        click = np.full(len(times) - 2, np.nan)
        if name == "alpha":
            click = boundary.clicks(one.segmentation.audio, times[1:-1])
        inner = [f[1:-1] for f in (flux, flux_usual, flux_raw)]
        groups.append(np.column_stack([*error, *inner, click]))
        edges.append([flux[0] + flux[-1], flux_raw[0] + flux_raw[-1]])
        ratios.append(flux.mean() / flux_raw.mean())
        shares.append(np.array(flags))
    every, edge = np.concatenate(groups), np.array(edges)
    told = {"method": method, "setting": name, "value": value}
    told |= {"recordings": len(items), "boundaries": len(every)}
    measures = {
        "ms": lambda g: np.median(g[:, 0]),
        "ms_change": lambda g: np.median(g[:, 0]) - np.median(g[:, 1]),
        "flux": lambda g: g[:, 2].mean() / g[:, 4].mean(),
        "flux_change": lambda g: (g[:, 2].mean() - g[:, 3].mean()) / g[:, 4].mean(),
        "click": lambda g: 100 * np.quantile(g[:, 5], 0.9),
    }
    for measure, statistic in measures.items():
        if measure == "click" and np.isnan(every[:, 5]).any():
            continue
        low, high = stats.bootstrap_groups(groups, statistic, DRAWS, SEED)
        told |= {measure: statistic(every), f"{measure}_low": low, f"{measure}_high": high}
    accepted, clamped = np.concatenate([share[:, 1:-1] for share in shares], axis=1)
    at_edges = np.concatenate([share[0, [0, -1]] for share in shares])
    return told | {
        "mean_of_ratios": np.mean(ratios),
        "edge_flux": edge[:, 0].sum() / edge[:, 1].sum(),
        "accepted": accepted.mean(),
        "clamped": clamped.mean(),
        "edges_accepted": at_edges.mean(),
    }


def alone(one: Item) -> list[dict[str, object]]:
    """Count the words that are lost when each is heard alone, for each way to cut."""
    import torch

    torch.set_num_threads(1)
    found, rows = one.segmentation, []
    cuts = {name: spans for name, spans, _ in ways(one) if name in ALONE}
    for name, spans in {"truth": one.true, **cuts}.items():
        inside = np.clip(spans, 0, found.duration)
        words = [word.text for word in found.spoken]
        heard = boundary.retranscribe(found.audio, inside, words, sgpa.load_model(RECOGNISER))
        row = {"method": name, "words": len(words), "lost": int(heard["lost"].sum())}
        rows.append({key: one.named[key] for key in ("set", "voice", "id")} | row)
    return rows


MAKERS = {"own": own, "fresh": fresh, "authors'": authors, "questions": natural, "people": people}
HELD: list[Item] = []  # what a process sweeps over


def measure(name: str) -> tuple[list[Item], list[dict]]:
    """Make a group of recordings and measure each, on one thread."""
    import torch

    torch.set_num_threads(1)
    items = list(MAKERS[name]())
    return items, [row for one in items for row in rows(one)]


def hold(items: list[Item]) -> None:
    """Give a process what it sweeps over."""
    HELD.extend(items)


def held(setting: tuple[str, str, float]) -> dict[str, object]:
    """Sweep over what this process holds."""
    return sweep(HELD, *setting)


def store(table: pd.DataFrame, file: Path) -> None:
    """Write a table; what could not be measured here stays as it is stored."""
    table["id"], key = table["id"].astype(str), ["set", "voice", "id", "method"]
    if file.is_file():
        table = pd.concat([table, pd.read_csv(file, dtype={"id": str})]).drop_duplicates(key)
    table.to_csv(file, index=False)


def main() -> None:
    from tqdm import tqdm

    can = {"fresh": can_synthesise(), "authors'": recorded.available() and POCKETSPHINX}
    can["people"] = "SGPA_REFERENCE" in os.environ
    for name, there in (can | {"pocketsphinx": POCKETSPHINX}).items():
        if not there:
            print(f"{name}: what it needs is not installed; its rows stay as stored")
    groups = [name for name in MAKERS if can.get(name, True)]
    context = get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context) as pool:
        made = list(tqdm(pool.map(measure, groups), total=len(groups)))
    items = [group for group, _ in made]
    table = pd.DataFrame([row for _, rows in made for row in rows])
    store(table, HERE / "errors.csv")
    chosen = [
        one
        for name, group in zip(groups, items, strict=True)
        for one in group[:: HEARD_EVERY.get(name, len(group))]
        if name in HEARD_EVERY
    ]
    with ProcessPoolExecutor(PROCESSES, context) as pool:
        lost = list(tqdm(pool.map(alone, chosen), total=len(chosen)))
    store(pd.DataFrame([row for rows in lost for row in rows]), HERE / "lost.csv")
    settings = [(*key, value) for key, values in SWEEPS.items() for value in values]
    with ProcessPoolExecutor(PROCESSES, context, hold, (items[0],)) as pool:
        swept = list(tqdm(pool.map(held, settings), total=len(settings)))
    pd.DataFrame(swept).round(4).to_csv(HERE / "sweeps.csv", index=False)
    summary.main()
    write_pedigree(
        HERE,
        SEED,
        model=sgpa.load_aligner().name,
        recordings={name: len(group) for name, group in zip(groups, items, strict=True)},
        recogniser=RECOGNISER,
        with_pocketsphinx=sum(one.reference is not None for group in items for one in group),
        fade_seconds=FADE,
        defaults=DEFAULTS,
    )


if __name__ == "__main__":
    main()
