"""``python -m sgpa_core COMMAND``; see :mod:`sgpa_core.companion.cli`."""

import sys

from .companion.cli import main

if __name__ == "__main__":
    sys.exit(main())
