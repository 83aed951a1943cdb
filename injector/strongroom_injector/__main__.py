"""``python -m strongroom_injector``."""

import sys

from strongroom_injector.main import main

sys.exit(main())
