# The same commands that .ci/run calls. Every one that needs .venv makes it first.
.PHONY: setup dev demo test test-fast check bench generate images cluster-up cluster-down
PYTHON := .venv/bin/python

setup: ; @tools/setup.sh
dev: setup ; .venv/bin/strongroom server -dev -dev-root-token-id=root
demo: setup ; @$(PYTHON) -m tools.demo
test: setup ; @$(PYTHON) -m tools.databases && $(PYTHON) -m tools.cluster prepare && $(PYTHON) -m pytest
test-fast: setup ; $(PYTHON) -m pytest -n auto --dist loadfile -m "not slow and not e2e"
check: setup ; .venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/mypy && .venv/bin/mypy tools && .venv/bin/lint-imports
bench: setup ; $(PYTHON) -m tests.bench
generate: setup ; $(PYTHON) -m strongroom_operator.crds crds && $(PYTHON) -m strongroom_operator.crds charts/strongroom/files/crds && $(PYTHON) -m tools.reference docs/reference
images: setup ; @$(PYTHON) -m tools.images
cluster-up: setup ; @$(PYTHON) -m tools.cluster up
cluster-down: setup ; @$(PYTHON) -m tools.cluster down
