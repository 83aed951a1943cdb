"""`python -m tools.cluster up|down|status|prepare`."""

import argparse

from tools.cluster import local, target
from tools.cluster.steps import main

_JOBS = {"up": local.up, "down": local.down, "status": local.status, "prepare": target.prepare}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.cluster", description="The local Kubernetes cluster.")
    parser.add_argument("job", choices=sorted(_JOBS))
    main(_JOBS[parser.parse_args().job])
