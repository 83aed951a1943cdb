"""``python -m strongroom_operator``."""

import sys

from strongroom_operator.main import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
