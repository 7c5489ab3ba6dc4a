"""Where the packaged trainer begins: two programs of one folder need scripts of two names."""

import sys

from training.__main__ import main

sys.exit(main())
