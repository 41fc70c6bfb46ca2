# Two commands: `make run` shows the sample hospital, `make test` checks everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: run test test-bounds lint bench lab lock clean setup

run: $(STAMP)
	$(BIN)/mimawari demo

test: $(STAMP) lint
	$(BIN)/python -m pytest

# The collector's tests with every array index of its compiled loops checked. These compile anew,
# once for every state of the sources: about five minutes.
test-bounds: $(STAMP)
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m pytest tests/collector

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m bench

# The lab hospital's Debian packages (root), then its short stories, checked.
lab: $(STAMP)
	PYTHON=$(BIN)/python sh deploy/lab.sh
	$(BIN)/python -m sample_pcaps.lab --short --check --out lab-runs

setup: $(STAMP)

# Debian packages (when root), Python packages by hash, the console's one script, compiled kernels.
$(STAMP): requirements.lock pyproject.toml dashboards/package-lock.json deploy/setup.sh
	PYTHON=$(PYTHON) VENV=$(VENV) sh deploy/setup.sh
	touch $(STAMP)

# Write requirements.lock anew. It holds hashes and no index address.
lock:
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --extra dev \
		--custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) node_modules dashboards/node_modules dashboards/static/vendor state
