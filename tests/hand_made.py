"""A segmentation by hand, of words that files and pages find hard."""

from sgpa_core import Segment, Segmentation

WORDS = (
    Segment("What", 0.1, 0.3000000000000004, 0.91, "aligned", True),
    Segment('"10,000"', 0.3000000000000004, 1.25, 0.5, "aligned", False),
    Segment("北京,", 1.25, 1.5, 0.75, "interpolated", True),
    Segment("<b>&amp;", 1.5, 1.75, 0.25, "unalignable", False),
)
SEGMENTATION = Segmentation(
    WORDS, 'What "10,000" 北京, <b>&amp;', 2.0, "sgpa", 0.8, "tiny", ("a note",)
)
