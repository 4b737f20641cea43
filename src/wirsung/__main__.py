"""`python -m wirsung` is `wirsung`."""

import sys

from wirsung.cli import main

sys.exit(main())
