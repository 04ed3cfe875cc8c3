"""``python -m vtrans`` is the command line."""

import sys

from vtrans.cli import main

if __name__ == "__main__":
    sys.exit(main())
