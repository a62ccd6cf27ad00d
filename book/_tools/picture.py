"""Renew the README's picture: explain a question, and draw what each spoken word is worth."""

import pathlib

import matplotlib

matplotlib.use("Agg")

import sgpa_core as sgpa
from sgpa_core.show import plots

PICTURE = pathlib.Path(__file__).resolve().parents[1] / "_static" / "overview.png"


def main():
    """Explain a question by the assistant, and write its picture to ``PICTURE``."""
    plots.style()
    question = sgpa.questions("af_bella-009")
    figure = plots.explanation(sgpa.explain(question.audio, question.text))
    figure.savefig(PICTURE, dpi=130, facecolor="white")
    print(f"{PICTURE.name}: {PICTURE.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
