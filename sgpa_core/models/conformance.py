"""Test whether a model keeps what the protocol `AudioLM` promises, one check after another."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from ..audio import Audio
from ..checks import number, whole
from ..files import DATA

#: Returns what is wrong, or raises it; None where the promise is kept.
Test = Callable[[], str | None]

#: Recordings that a model is tested with, unless others are handed in.
PROBES = 4

#: Hz; the probes are offered at this rate too.
OTHER_RATE = 22_050

#: Log-likelihoods of the same audio may differ by this much between batches, per nat.
SAME_NATS = 0.01


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
        What these probes could not show.
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
        rows = [("✓" if c.ok else "✗", c.name, c.expected, c.problem) for c in self.checks]
        table = pd.DataFrame(rows, columns=["", "check", "expected", "found"])
        lines = (repr(self).partition("\n")[0], *self.notes)
        about = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
        return about + table.to_html(index=False, border=0)


def check_model(model: Any, probes: Sequence[Audio] | None = None) -> Conformance:
    """Test a model and report which promises of `AudioLM` it keeps.

    Parameters
    ----------
    model : AudioLM
        An own adapter, or one of the package's.
    probes : sequence of Audio, optional
        Recordings to test it with; by default four short ones that come with the project. Choose
        probes with different answers: only then can the test see a mixed-up order.

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
    name = str(getattr(model, "name", model))
    expected = "name, sample_rate in Hz, token_seconds > 0"
    attributes = _tried("attributes", expected, lambda: _attributes(model))
    if not callable(getattr(model, "respond", None)):
        missing = Check("respond", "a method respond(batch, sample_rate)", "there is none")
        return Conformance(name, (attributes, missing))
    trial = _Trial(model, audios, model.sample_rate if attributes.ok else audios[0].sample_rate)
    checks = [_tried(*check) for check in trial.checks()]
    notes = []
    if len(trial.first) > 1 and len(set(trial.first)) == 1:
        notes.append(
            f"all {len(trial.first)} probes got the same answer, {trial.first[0]!r}: a mixed-up "
            "order cannot be seen; hand in probes=[…] whose answers differ"
        )
    return Conformance(name, (attributes, *checks), tuple(notes))


def assert_conforms(model: Any, probes: Sequence[Audio] | None = None) -> None:
    """Fail a test, with the whole report, unless `check_model` finds every promise kept.

    Raises
    ------
    AssertionError
    """
    report = check_model(model, probes)
    if not report.ok:
        raise AssertionError(repr(report))


class _Broken(Exception):
    """An answer that is not what the protocol promises."""


def _tried(name: str, expected: str, test: Test) -> Check:
    """Run one test; what it returns or raises is the problem."""
    try:
        problem = test()
    except Exception as fault:
        problem = str(fault) if isinstance(fault, _Broken) else f"{type(fault).__name__}: {fault}"
    return Check(name, expected, problem or "")


class _Trial:
    """A model under test: its first answers, the number of arrays given, changed arguments."""

    def __init__(self, model: Any, audios: Sequence[Audio], rate: int) -> None:
        self.model, self.audios, self.rate = model, audios, rate
        self.batch = [audio.resample(rate).samples for audio in audios]
        self.first: list[str] = []
        self.given, self.counted_before, self.changed = 0, _count(model), ""

    def checks(self) -> list[tuple[str, str, Test]]:
        """List every test: its name, what is expected, and what to run, in this order."""
        first = self.batch[0]
        sounds = {"silence": np.zeros(self.rate, np.float32), "one sample": first[:1]}
        sounds |= {"10 ms": first[: self.rate // 100]}
        alone = "is answered, alone as beside others"
        order = "each answer depends on its own recording alone, and answers keep their order"
        checks: list[tuple[str, str, Test]] = [
            ("answers", "a list with one str per recording", self.answers),
            ("determinism", "the same answers when asked again", self.compare),
            ("batch", order, self.order),
            *((name, alone, partial(self.alone, sound)) for name, sound in sounds.items()),
            ("empty batch", "[]", partial(self.compare, slice(0))),
            ("sample rate", f"audio at {OTHER_RATE} Hz is accepted", self.other_rate),
            ("arguments", "the samples handed in stay unchanged", lambda: self.changed),
        ]
        if self.counted_before is not None:
            checks.append(("counter", "calls counts arrays", self.counter))
        if callable(getattr(self.model, "log_likelihood", None)):
            expected = "finite, ≤ 0, shape (k,), the same alone as in a batch"
            checks.append(("log_likelihood", expected, self.likelihoods))
        return checks

    def ask(self, batch: Sequence[np.ndarray], rate: int | None = None) -> list[str]:
        """Give the model's answers to copies of these recordings, if they are answers."""
        handed = [samples.copy() for samples in batch]
        self.given += len(batch)
        answers = self.model.respond(handed, rate or self.rate)
        if not isinstance(answers, list) or not all(isinstance(a, str) for a in answers):
            raise _Broken(f"{answers!r:.80} instead of a list of str")
        if len(answers) != len(batch):
            raise _Broken(f"{len(answers)} answers to {len(batch)} recordings")
        if len(handed) != len(batch) or not all(map(np.array_equal, handed, batch)):
            self.changed = "the samples that were handed in are not what they were"
        return answers

    def compare(self, part: slice = slice(None), times: int = 1) -> str | None:
        """Describe the first answer that is another one than before."""
        return _differ(self.first[part] * times, self.ask(self.batch[part] * times))

    def answers(self) -> None:
        self.first = self.ask(self.batch)

    def order(self) -> str | None:
        return (
            _differ(self.first, [self.ask([sound])[0] for sound in self.batch])
            or self.compare(slice(None, None, -1))
            or self.compare(times=2)
        )

    def alone(self, sound: np.ndarray) -> str | None:
        return _differ(self.ask([sound]), self.ask([self.batch[0], sound])[1:])

    def other_rate(self) -> None:
        self.ask([audio.resample(OTHER_RATE).samples for audio in self.audios], OTHER_RATE)

    def counter(self) -> str | None:
        grown = (_count(self.model) or 0) - (self.counted_before or 0)
        if grown == self.given:
            return None
        return f"calls grew by {grown}, but {self.given} arrays were given"

    def likelihoods(self) -> str | None:
        for text in (self.first[0] if self.first else "an answer", ""):
            values = self.model.log_likelihood(self.batch, text, self.rate)
            if not isinstance(values, np.ndarray) or values.shape != (len(self.batch),):
                shape = getattr(values, "shape", type(values).__name__)
                return f"{shape} instead of an array of shape ({len(self.batch)},) for {text!r}"
            if not np.isfinite(values).all() or (values > 1e-6).any():
                return f"{values.tolist()} for the text {text!r}"
            each = [self.model.log_likelihood([sound], text, self.rate) for sound in self.batch]
            alone, together = np.ravel(each).tolist(), values.tolist()
            if not np.allclose(together, alone, rtol=SAME_NATS, atol=SAME_NATS):
                return f"{alone} alone, {together} in a batch, for the text {text!r}"
        empty = self.model.log_likelihood([], text, self.rate)
        return "values for an empty batch" if len(empty) else None


def _default_probes() -> list[Audio]:
    recordings = sorted((DATA / "speech").rglob("*.flac"))
    shortest = sorted(recordings, key=lambda file: soundfile.info(file).duration)[:PROBES]
    return [Audio.read(file) for file in shortest]


def _attributes(model: Any) -> None:
    name = getattr(model, "name", None)
    if not isinstance(name, str) or not name:
        raise _Broken(f"name is {name!r}, not a word to store results under")
    whole(getattr(model, "sample_rate", None), "sample_rate", 1_000, 384_000)
    number(getattr(model, "token_seconds", None), "token_seconds", 1e-6, 10, " s")


def _differ(expected: list[str], answers: list[str]) -> str | None:
    """Describe the first difference between two lists of answers."""
    for index, (before, now) in enumerate(zip_longest(expected, answers)):
        if before != now:
            return f"recording {index} was answered {now!r:.80} after {before!r:.80}"
    return None


def _count(model: Any) -> int | None:
    calls = getattr(model, "calls", None)
    return calls if isinstance(calls, int) and not isinstance(calls, bool) else None
