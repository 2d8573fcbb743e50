# `make run` and open the address it prints. `make test` proves it. Needs Python 3.11+ with venv, and make.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help setup run fresh demo-history test test-browser chaos soak bench check format lock clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-input --require-hashes
# Tests start the program some dozens of times: where this is set, each start would compile the house anew.
export PYTHONDONTWRITEBYTECODE :=
UV ?= $(shell command -v uv || echo $(BIN)/uv)

help:
	@echo 'make run           Baton with a Slack sandbox in the browser; with SLACK_BOT_TOKEN: the real Slack'
	@echo 'make fresh         the same with the sandbox emptied'
	@echo 'make demo-history  a month of made-up history first: reports, boards, a challenge; HISTORY=path for your export'
	@echo 'make test          all tests but the browser ones; PostgreSQL comes as a wheel (or TEST_DATABASE_URL)'
	@echo 'make test-browser  the story in a real Chromium'
	@echo 'make chaos         fault experiments, half an hour; EXPERIMENT=name for one, FULL=1 for the full numbers'
	@echo 'make soak          ordinary work for SECONDS=28800, memory and handles watched'
	@echo 'make bench         Baton beside its peers: timers, clicks, intake, delivery, search; ROW=name for one'
	@echo 'make check         ruff, mypy, import rules'
	@echo 'make format        ruff format, and what ruff can fix'
	@echo 'make lock          resolve the dependencies again (needs uv)'

setup: $(VENV)/dev.stamp

# A stamp a lock file: pip runs only when a lock changed. The dev lock holds the run-time lock.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Baton needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(BIN)/baton
	@echo 'Installing into $(VENV), one to two minutes'
	@$(PIP) -r requirements.txt
	@touch $@

# The command line under its own name; works from any folder.
$(BIN)/baton: | $(BIN)/python
	@printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -m bot "$$@"\n' '$(CURDIR)' '$(abspath $(BIN)/python)' > $@
	@chmod +x $@

$(VENV)/dev.stamp: requirements-dev.txt | $(BIN)/baton
	$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

# 130: stopped by Ctrl+C, which is how it is meant to end.
run: $(VENV)/run.stamp
	@trap : INT; $(BIN)/python -m bot run || { code=$$?; [ $$code = 130 ] || exit $$code; }

# Refuses while a demo runs: its database must not go from under it.
fresh: $(VENV)/run.stamp
	@trap : INT; $(BIN)/python -m bot demo --fresh || { code=$$?; [ $$code = 130 ] || exit $$code; }

# HISTORY=path (MAP=path): another export than the sample. LEADS=600 SEED=1. OPEN=1: the one that was made before.
demo-history: $(VENV)/run.stamp
	@trap : INT; $(BIN)/python -m bot demo-history $(if $(LEADS),--leads "$(LEADS)") $(if $(SEED),--seed "$(SEED)") \
	  $(if $(HISTORY),--history "$(HISTORY)") $(if $(MAP),--map "$(MAP)") $(if $(OPEN),--open) \
	  || { code=$$?; [ $$code = 130 ] || exit $$code; }

# Four workers on two cores: much of a test's time is waiting for a process or a socket.
test: setup
	@$(BIN)/python -m compileall -q bot handlers storage sandbox chaos
	$(BIN)/python -m pytest -n 4 --dist worksteal --ignore=tests/browser tests

test-browser: setup
	scripts/ensure-chromium
	$(BIN)/python -m pytest tests/browser

# EXPERIMENT=name: one only; FULL=1: the full numbers, resumable, hours.
chaos: setup
	$(BIN)/python -m chaos $(if $(FULL),--full) $(EXPERIMENT)

$(VENV)/bench.stamp: requirements-bench.txt | $(BIN)/baton
	$(PIP) -r requirements-bench.txt
	@touch $@

# ROW=name: one row only.
soak: setup
	$(BIN)/python -m chaos soak --size $(or $(SECONDS),28800)

bench: setup $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks $(ROW)

# The peers of the benchmarks too: mypy reads them.
check: setup $(VENV)/bench.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports --no-cache

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock:
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --group dev pyproject.toml -o requirements-dev.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --group bench pyproject.toml -o requirements-bench.txt
	@! grep -nE '^(-i|--index-url|--extra-index-url|--find-links|-f) ' requirements.txt requirements-dev.txt requirements-bench.txt

clean:
	rm -rf $(VENV) artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
