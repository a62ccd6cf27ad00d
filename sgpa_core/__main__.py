"""Command line: ``python -m sgpa_core align | doctor | plan``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run one command; give the exit status: 0 done, 1 not, 2 for a wrong command line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError) as fault:
        print(f"{parser.prog} {options.command}: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog} {options.command}: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sgpa_core", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    align = commands.add_parser("align", help="cut a recording into the words of its transcript")
    align.add_argument("audio", type=Path, metavar="AUDIO", help="WAV, FLAC, OGG or MP3")
    text = align.add_mutually_exclusive_group(required=True)
    text.add_argument("--text", help="what is said")
    text.add_argument(
        "--text-file", type=Path, metavar="FILE", help="a UTF-8 file with what is said"
    )
    align.add_argument(
        "--aligner", default="embedded", metavar="NAME", help="embedded, a folder or a hub id"
    )
    align.add_argument("--refine", default="sgpa", help="sgpa, anchored, none or left-edge")
    align.add_argument("--alpha", type=float, default=0.8, help="weight of the energy, 0 to 1")
    align.add_argument("--out", type=Path, metavar="FILE", help="X.TextGrid, .json, .csv or .vtt")
    align.set_defaults(run=_align)

    doctor = commands.add_parser("doctor", help="what is installed, what works, what is missing")
    doctor.set_defaults(run=_doctor)

    plan = commands.add_parser("plan", help="what each estimator costs for so many players")
    plan.add_argument("--players", type=int, required=True, metavar="N")
    plan.add_argument("--seconds-per-call", type=float, default=None, metavar="S")
    plan.add_argument("--budget", default="3n^2", help='evaluations, a number or "3n^2"')
    plan.set_defaults(run=_plan)
    return parser


def _align(options: argparse.Namespace) -> int:
    from .pipeline import align

    text = options.text
    if text is None:
        try:
            text = options.text_file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as fault:
            raise ValueError(f"{options.text_file} is no UTF-8 text: {fault}") from fault
    found = align(options.audio, text, options.aligner, options.refine, options.alpha)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if options.out:
        print(f"{len(found)} words written to {found.write(options.out)}")
    else:
        frame = found.to_frame().round({"start": 3, "end": 3, "confidence": 3})
        print(frame.to_string(index=False))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from . import doctor

    found = doctor.checks()
    print(doctor.report(found))
    return int(any(check.needed and not check.works for check in found))


def _plan(options: argparse.Namespace) -> int:
    from .planner import plan

    budget = int(options.budget) if options.budget.isdigit() else options.budget
    table = plan(options.players, options.seconds_per_call, budget)
    print(table.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
