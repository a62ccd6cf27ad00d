"""An explanation in plain sentences."""

from collections.abc import Iterable

import numpy as np

from ..explanation import Explanation
from ..reading import matter
from ..utility import COUNTING
from .plots import signed

#: A lead that is rounded to nothing.
TIE = 0.005


def summary(explanation: Explanation) -> str:
    """Say what was answered, what that rests on and how surely, and what would change it."""
    values, players, chosen = explanation.values, explanation.players, matter(explanation)
    about = f" (here towards “{explanation.towards}”" if explanation.towards else ""
    about += f" and against “{explanation.against}”" if explanation.against else ""
    asked, name = explanation.segmentation.text, explanation.model.partition("@")[0]
    first = f"To “{asked}” {name} answered “{explanation.answer}”{about}{')' * bool(about)}"
    first += "" if explanation.answer[-1:] in (*".!?",) and not about else "."
    if not chosen:
        return (
            f"{first} No word changes what is measured ({explanation.utility}): all values are 0."
        )
    named = _list(f"“{players[k]}” ({signed(values[k])})" for k in chosen)
    worth = f"{values.sum():.2f}".replace("-", "−")
    adds = f"hearing everything adds {worth} ({explanation.utility}) to silence"
    rests = f"It rests on {named}; {adds}, and {_lead(explanation)}."
    share = 1.0 if explanation.utility in (*COUNTING, "presence") else 0.5
    return f"{first} {rests} {_change(explanation, share)}"


def _change(explanation: Explanation, share: float) -> str:
    """Say what would change the answer, and what alone keeps it."""
    clauses, lost, what = [], "the answer changes", "it"
    if share < 1:
        lost, what = f"less than {share:.0%} of that is left", f"{share:.0%} of that"
    elif explanation.towards:
        lost = "that changes"
    for name, row in explanation.smallest(share).iterrows():
        words = _list(f"“{word}”" for word in row["words"]) or "silence"
        words += "" if row["sure"] else " (of the sets that were asked)"
        answer = f": “{row['answer']}”" if row["answer"] else ""
        keep = "keep" if len(row["words"]) > 1 else "keeps"
        clause = f"without {words} {lost}{answer}" if name == "changes" else ""
        clauses.append(clause or f"{words} alone {keep} {what}")
    text = "; ".join(clauses)
    return f"{text[:1].upper()}{text[1:]}."


def _lead(explanation: Explanation) -> str:
    """Say whether the word of the largest value is sure to be the first."""
    size, stderr = np.abs(explanation.values), explanation.stderr
    if len(size) == 1:
        return "there is one word"
    first = np.argsort(-size, kind="stable")
    top, next_ = first[:2]
    leaders, lead = first[size[first] > size[top] - TIE], size[top] - size[next_]
    names = _list(f"“{explanation.players[k]}”" for k in leaders)
    if len(leaders) > 1:
        return f"{names} lead together"
    told = f"{names} leads by {lead:.2f}"
    if explanation.attribution.method == "exact":
        return f"{told}, exactly, over all {len(explanation.coalitions):,} coalitions"
    if stderr is None:
        return f"{told}, with an error that is not known"
    error = 1.96 * np.hypot(stderr[top], stderr[next_])
    surely = "more" if lead > error else "no more"
    return f"{told}, {surely} than the error of that lead (95 %: ±{error:.2f})"


def _list(words: Iterable[str]) -> str:
    """Join words as a sentence does."""
    *before, last = [*words] or [""]
    return f"{', '.join(before)} and {last}" if before else last
