#!/bin/sh
# Makes .venv with every extra, on a machine that may lack Python's venv module. Instant when nothing is to be done.
set -eu
cd "$(dirname "$0")/.."

kernel=server/strongroom_server/engines/transit/kernel.c
stamp=.venv/ready-$(cat pyproject.toml constraints.txt tools/compile.py $kernel | sha256sum | cut -c1-16)
if [ -e "$stamp" ]; then exit 0; fi

enough='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
# The distribution's own comes first: it is built with profile-guided optimisation, and a fifth faster than one that was
# compiled without. STRONGROOM_PYTHON names another.
find_python() {
    for candidate in ${STRONGROOM_PYTHON:-/usr/bin/python3 python3 python3.11 python3.12 python3.13}; do
        if "$candidate" -c "$enough" 2>/dev/null; then echo "$candidate"; return; fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    packages="python3 python3-venv"
    if [ "$(id -u)" != 0 ]; then echo "Python 3.11 with venv is missing: apt-get install $packages" >&2; exit 1; fi
    echo "Installing Debian packages: $packages"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
    python=$(find_python)
    if [ -z "$python" ]; then echo "This distribution has no Python 3.11 or newer." >&2; exit 1; fi
fi

echo "Making .venv with $("$python" --version)"
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
.venv/bin/python -m tools.compile
rm -f .venv/ready-*
touch "$stamp"
