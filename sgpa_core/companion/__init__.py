"""The second ring: the paper's record, experiments over corpora, the command line.

The paper's record

- ``paper``: published numbers, and where published material lies; ``fetch`` downloads it
- ``recorded``: the authors' recorded runs, games and recordings
- ``reduction``: the 43×, what was counted and which reductions the runs show
- ``concentration_tests``: the paired tests of concentration, with their corrections
- ``macro_trend``: the profile over the utterance of the recorded runs
- ``recorded_games``: faithfulness of the authors' own attributions
- ``claims``: the ledger of published numbers; ``recompute`` recomputes each

Experiments

- ``recordings``: the recordings that come with the project
- ``corpora``, ``hub``, ``curation``: lists of recordings, public corpora, the paper's choice
- ``batch``: explain a corpus; ``runner`` works through it, ``record`` keeps what it gives
- ``reproduce``: the paper's protocol; ``study`` makes its tables
- ``pedigree``: where a number comes from; ``stored_boundaries``: measured boundaries

Tools: ``cli``, the command line; ``doctor``, what is installed and works.
"""
