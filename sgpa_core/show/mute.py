"""A page part on which words are muted: what is left can be heard, with the model's answer."""

import html
import json

import numpy as np

from ..audio import Audio
from ..speech_game import AnswerTable
from ..utility import Utility
from .player import below, fill, shade
from .plots import signed

#: 4,096 coalitions: about 20 kB of page.
MAX_PLAYERS = 12


def mute(table: AnswerTable, audio: Audio, utility: str | Utility = "tfidf") -> str:
    """Give an HTML page part on which a reader mutes words and sees the model's real answer.

    Parameters
    ----------
    table : AnswerTable
        All answers, under the masking ``"silence"``: that is what the page plays.
    audio : Audio
        The recording that they belong to.
    utility : str or callable
        As for :meth:`sgpa_core.speech_game.AnswerTable.utilities`.

    Returns
    -------
    str
        HTML with inline style, script and sound; it works without a network or a kernel.

    Raises
    ------
    ValueError
        If there are more than `MAX_PLAYERS` players, another masking, or spans outside the audio.
    """
    if table.n > MAX_PLAYERS:
        raise ValueError(f"{table.n} players have 2^{table.n} answers; at most {MAX_PLAYERS} here")
    if table.masking != "silence":
        raise ValueError(f"the page plays silence in place of words, not {table.masking!r}")
    end = table.spans[-1, 1]
    if end > audio.duration + 1e-3:
        raise ValueError(
            f"the last player ends at {end:.3f} s, the recording at {audio.duration:.3f} s"
        )
    utilities, values = np.zeros(len(table.answers)), table.values(utility)
    utilities[table.which] = table.utilities(utility)
    data = {
        "answers": table.answers,
        "utilities": utilities.round(4).tolist(),
        "which": table.which.tolist(),
        "spans": table.spans.round(4).tolist(),
    }
    largest = float(np.abs(values).max())
    buttons = [
        f'<li><button type="button" aria-pressed="false"{shade(value, largest)}>'
        f'<span class="sgpa-spoken">mute </span>{html.escape(label)}'
        f"{below(signed(value))}</button></li>"
        for label, value in zip(table.labels, values.tolist(), strict=True)
    ]
    return fill(
        "mute",
        table.id,
        BUTTONS="".join(buttons),
        COUNT=f"{2**table.n:,}",
        DATA=json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        SOUND=audio.data_uri().partition(",")[2],
    )
