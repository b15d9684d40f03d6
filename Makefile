# Service Engine X. `make` alone lists what there is.

PYTHON ?= python3
PORT ?= 8000
# Three keep two cores busy: a part of the tests waits.
TEST_PROCESSES ?= 3
MINUTES ?= 20

VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11

export PORT TEST_PROCESSES

.DEFAULT_GOAL := help
.PHONY: help run demo test check bench chaos mutants lock clean

help: ## list these commands
	@echo "make COMMAND [PORT=8000] [PYTHON=python3]"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name text; \
	    do printf '  %-9s %s\n' "$$name" "$$text"; done

run: $(RUN) ## start everything on 127.0.0.1:PORT (Ctrl-C stops it)
	@exec $(BIN)/sx up

demo: $(RUN) ## drive a proposal from draft to kickoff on the running stack
	@exec $(BIN)/sx demo

test: $(DEV) ## run the tests on servers and ports of their own
	@exec $(BIN)/python -m pytest -n $(TEST_PROCESSES)

check: $(DEV) ## run what the continuous integration runs
	@exec .ci/check

bench: $(DEV) ## measure against a bare minimum and other frameworks
	@exec $(BIN)/python -m benchmarks

chaos: $(DEV) ## kill processes at random for MINUTES (20) and count what was lost
	@exec $(BIN)/python -m tests.chaos --minutes $(MINUTES)

mutants: $(DEV) ## take each safeguard away in turn; a test must notice
	@exec $(BIN)/python -m tests.mutants

lock: ## pin the newest allowed versions of the dependencies
	@command -v uv >/dev/null || { echo "uv is needed for this: pip install uv" >&2; exit 1; }
	$(COMPILE) --upgrade pyproject.toml -o requirements.lock
	$(COMPILE) --upgrade --group dev pyproject.toml -o requirements-dev.lock

clean: ## remove the virtual environment and caches (the data in var/ stay)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than what it was made from, so a warm checkout skips all of this.

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	    echo "no $(PYTHON) here: install Python 3.11 or newer, or name yours: PYTHON=python3.12" >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is older than 3.11: name a newer one: PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	@echo "Making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUN): $(VENV)/.made requirements.lock pyproject.toml
	@echo "Installing the pinned dependencies (a minute, the first time)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(VENV)/.made requirements-dev.lock pyproject.toml
	@echo "Installing the pinned dependencies and the test tools (a minute, the first time)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $(RUN) $@
