"""The first ring: what a person sees and hears.

- ``plots``: figures in one style, one for each stage and for an explanation
- ``player``: a recording on a page, each word playable; ``mute``: words muted, answers read
- ``widgets``: controls for notebooks; ``plans``: what a plan costs, as one reads it
- ``exports``: word segments as TextGrid, JSON, CSV and WebVTT, and back
"""
