"""`python -m acc`, the same as the `acc` command."""

import sys

from acc.cli import main

sys.exit(main())
