"""``python -m strongroom_agent -config=FILE``: the agent without the rest of the command line."""

import sys

from strongroom_agent.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
