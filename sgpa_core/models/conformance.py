"""Does a model keep what the protocol promises? One call says so, item by item."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..audio import Audio
from ..data import speech

PROBES = 4
"""Recordings that a model is tried with, unless others are handed in."""

OTHER_RATE = 22_050
"""Hz; the probes are offered at this rate too."""

SAME_NATS = 0.01
"""Log-likelihoods of the same audio may differ by this much between batches, per nat."""


@dataclass(frozen=True)
class Check:
    """One promise: what was expected, and what was found where it was not kept."""

    name: str
    expected: str
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the promise was kept."""
        return not self.problem


@dataclass(frozen=True, repr=False)
class Conformance:
    """What `check_model` found.

    Attributes
    ----------
    model : str
        The model's name.
    checks : tuple of Check
    notes : tuple of str
        What could not be told from these probes.
    """

    model: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The promises that were not kept."""
        return tuple(check for check in self.checks if not check.ok)

    def __repr__(self) -> str:
        kept = len(self.checks) - len(self.failures)
        lines = [f"{self.model}: {kept} of {len(self.checks)} checks passed"]
        for check in self.checks:
            lines.append(f"  {'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.expected}")
            if not check.ok:
                lines.append(f"        found: {check.problem}")
        return "\n".join([*lines, *(f"  note  {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr style='text-align:left;vertical-align:top'><td>{'✓' if check.ok else '✗'}</td>"
            f"<th style='padding:0 1em;white-space:nowrap'>{html.escape(check.name)}</th>"
            f"<td style='text-align:left'>{html.escape(check.expected)}"
            + ("" if check.ok else f"<br><b>found: {html.escape(check.problem)}</b>")
            + "</td></tr>"
            for check in self.checks
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        kept = len(self.checks) - len(self.failures)
        title = f"{html.escape(self.model)}: {kept} of {len(self.checks)} checks passed"
        return f"<table><caption>{title}</caption><tbody>{rows}</tbody></table>{notes}"


class _Counted:
    """A model that is watched: arrays given, answers got, arguments left alone."""

    def __init__(self, model: Any) -> None:
        self.model, self.given, self.wrong = model, 0, ""

    def respond(self, batch: Sequence[np.ndarray], sample_rate: int) -> list[str]:
        handed = [samples.copy() for samples in batch]
        self.given += len(batch)
        answers = self.model.respond(handed, sample_rate)
        if not isinstance(answers, list) or not all(isinstance(a, str) for a in answers):
            raise _Broken(f"{_shown(answers)} instead of a list of str")
        if len(answers) != len(batch):
            raise _Broken(f"{len(answers)} answers to {len(batch)} recordings")
        if len(handed) != len(batch) or not all(map(np.array_equal, handed, batch)):
            self.wrong = "the samples that were handed in are not what they were"
        return answers


class _Broken(Exception):
    """An answer that is not what the protocol promises."""


def check_model(model: Any, probes: Sequence[Audio] | None = None) -> Conformance:
    """Try a model and say which promises of `AudioLM` it keeps.

    Parameters
    ----------
    model : AudioLM
        An own adapter, or one of the package's.
    probes : sequence of Audio, optional
        Recordings to try it with; by default four short ones that come with the project. Answers
        that differ from probe to probe make the test sharper: a mixed-up order is only seen then.

    Returns
    -------
    Conformance
        ``ok``, ``checks`` and ``failures``; printed, it names what was expected and what was found.

    Notes
    -----
    Checked are the attributes; the types and number of answers; determinism; that a batch answers
    as each recording alone does, in their order; silence, a single sample and 10 ms of audio; an
    empty batch; another sample rate; that arguments are left alone; that a counter ``calls``, where
    the model has one, counts arrays; and ``log_likelihood``, where there is one.

    Examples
    --------
    >>> class Parrot:
    ...     name, sample_rate, token_seconds = "parrot", 16000, 0.04
    ...
    ...     def respond(self, batch, sample_rate):
    ...         return [f"that was {len(samples) / sample_rate:.1f} s" for samples in batch]
    >>> check_model(Parrot()).ok
    True
    """
    audios = list(probes) if probes is not None else _default_probes()
    if len(audios) < 2:
        raise ValueError(f"two probes are needed at least, to tell them apart, not {len(audios)}")
    watched = _Counted(model)
    counted_before = _count(model)
    checks: list[Check] = []

    def check(name: str, expected: str, test: Callable[[], str | None]) -> None:
        try:
            problem = test() or ""
        except _Broken as fault:
            problem = str(fault)
        except Exception as fault:
            problem = f"{type(fault).__name__}: {fault}"
        checks.append(Check(name, expected, problem))

    check("attributes", "name, sample_rate in Hz, token_seconds > 0", lambda: _attributes(model))
    if not callable(getattr(model, "respond", None)):
        checks.append(Check("respond", "a method respond(batch, sample_rate)", "there is none"))
        return Conformance(str(getattr(model, "name", model)), tuple(checks))
    rate = model.sample_rate if not checks[0].problem else audios[0].sample_rate
    batch = [audio.resample(rate).samples for audio in audios]
    first: list[str] = []

    def answers() -> None:
        first.extend(watched.respond(batch, rate))

    check("answers", "a list with one str per recording", answers)
    check(
        "determinism",
        "the same answers when asked again",
        lambda: _differ(first, watched.respond(batch, rate)),
    )
    check(
        "batch",
        "each answer depends on its own recording alone, and answers keep their order",
        lambda: (
            _differ(first, [watched.respond([one], rate)[0] for one in batch])
            or _differ(first[::-1], watched.respond(batch[::-1], rate))
            or _differ(first * 2, watched.respond(batch * 2, rate))
        ),
    )

    def alone_as_beside(sound: np.ndarray) -> str | None:
        alone = watched.respond([sound], rate)
        return _differ(alone, watched.respond([batch[0], sound], rate)[1:])

    sounds = {
        "silence": np.zeros(rate, np.float32),
        "one sample": batch[0][:1].copy(),
        "10 ms": batch[0][: rate // 100].copy(),
    }
    for name, sound in sounds.items():
        check(name, "is answered, alone as beside others", partial(alone_as_beside, sound))
    check("empty batch", "[]", lambda: _differ([], watched.respond([], rate)))
    other = [audio.resample(OTHER_RATE).samples for audio in audios]
    check(
        "sample rate",
        f"audio at {OTHER_RATE} Hz is accepted",
        lambda: _differ([], watched.respond(other, OTHER_RATE)[len(other) :]),
    )
    check("arguments", "the samples handed in stay unchanged", lambda: watched.wrong)
    if counted_before is not None:
        check("counter", "calls counts arrays", lambda: _counting(model, counted_before, watched))
    if callable(getattr(model, "log_likelihood", None)):
        text = first[0] if first else "an answer"
        expected = "finite, ≤ 0, shape (k,), the same alone as in a batch"
        check("log_likelihood", expected, lambda: _likelihoods(model, batch, text, rate))
    notes = []
    if len(first) > 1 and len(set(first)) == 1:
        notes.append(
            f"all {len(first)} probes got the same answer, {first[0]!r}: a mixed-up order cannot "
            "be seen; hand in probes=[…] whose answers differ"
        )
    return Conformance(str(getattr(model, "name", model)), tuple(checks), tuple(notes))


def assert_conforms(model: Any, probes: Sequence[Audio] | None = None) -> None:
    """Fail a test, with the whole report, unless `check_model` finds every promise kept.

    Raises
    ------
    AssertionError
    """
    report = check_model(model, probes)
    if not report.ok:
        raise AssertionError(repr(report))


def _default_probes() -> list[Audio]:
    recordings = sorted((r.words[-1].end, r.id) for r in speech())
    return [speech(id).audio for _, id in recordings[:PROBES]]


def _attributes(model: Any) -> str | None:
    name, rate = getattr(model, "name", None), getattr(model, "sample_rate", None)
    stride = getattr(model, "token_seconds", None)
    if not isinstance(name, str) or not name:
        return f"name is {name!r}, not a word to store results under"
    if isinstance(rate, bool) or not isinstance(rate, int) or not 1_000 <= rate <= 384_000:
        return f"sample_rate is {rate!r}, not a whole number of 1,000 to 384,000 Hz"
    if isinstance(stride, bool) or not isinstance(stride, (int, float)) or not 0 < stride <= 10:
        return f"token_seconds is {stride!r}, not a positive number of seconds"
    return None


def _differ(expected: list[str], found: list[str]) -> str | None:
    """Say where two lists of answers differ first."""
    if len(expected) != len(found):
        return f"{len(found)} answers where {len(expected)} were expected"
    for index, (a, b) in enumerate(zip(expected, found, strict=True)):
        if a != b:
            return f"recording {index} was answered {_shown(b)} after {_shown(a)}"
    return None


def _count(model: Any) -> int | None:
    calls = getattr(model, "calls", None)
    return calls if isinstance(calls, int) and not isinstance(calls, bool) else None


def _counting(model: Any, before: int, watched: _Counted) -> str | None:
    counted = (_count(model) or 0) - before
    if counted == watched.given:
        return None
    return f"calls grew by {counted}, but {watched.given} arrays were given"


def _likelihoods(model: Any, batch: list[np.ndarray], text: str, rate: int) -> str | None:
    for words in (text, ""):
        values = model.log_likelihood(batch, words, rate)
        if not isinstance(values, np.ndarray) or values.shape != (len(batch),):
            shape = getattr(values, "shape", type(values).__name__)
            return f"{shape} instead of an array of shape ({len(batch)},) for the text {words!r}"
        if not np.isfinite(values).all() or (values > 1e-6).any():
            return f"{values.tolist()} for the text {words!r}"
        alone = np.concatenate([model.log_likelihood([one], words, rate) for one in batch])
        if not np.allclose(values, alone, rtol=SAME_NATS, atol=SAME_NATS):
            return f"{alone.tolist()} alone, {values.tolist()} in a batch, for the text {words!r}"
    if len(model.log_likelihood([], text, rate)):
        return "values for an empty batch"
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
