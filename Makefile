# `make demo` runs the whole workbench on bundled data; `make test` runs the tests.
# Each target makes .venv from a hash-locked file if it is missing; a second call installs nothing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
FULL ?=
SIZE ?=
BENCH ?=
ARGS ?=
DEMO ?= demo

.PHONY: help demo lab test check format bench lock clean

help:
	@echo "make demo         set up, then run the whole workbench on a synthetic retailer"
	@echo "make lab          open the notebooks in JupyterLab"
	@echo "make test         set up, then run the tests     (FULL=1: the slow and optional ones too)"
	@echo "make check        format, lint and types"
	@echo "make bench        time and memory of every room  (SIZE=100000: people in the demo retailer)"
	@echo "                  BENCH=NAME: another one of tests/benchmarks, with ARGS=\"…\""
	@echo "make lock         resolve the locks anew from pyproject.toml (needs uv)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3"; exit 2; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# $(call install,LOCK): the locked packages by hash, then crmlib itself, without a look at any registry
define install
	@echo "Installing the locked packages of $(1)"
	@$(PIP) install --require-hashes -r $(1)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)/.base: requirements.lock pyproject.toml | $(BIN)/python
	$(call install,requirements.lock)

$(VENV)/.dev: requirements-dev.lock $(VENV)/.base
	$(call install,requirements-dev.lock)

$(VENV)/.full: requirements-full.lock $(VENV)/.dev
	$(call install,requirements-full.lock)

demo: $(VENV)/.base
	@$(BIN)/crm demo $(DEMO) --run

lab: $(VENV)/.base
	@$(BIN)/jupyter lab --notebook-dir=.

test: $(if $(FULL),$(VENV)/.full,$(VENV)/.dev)
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(if $(FULL),--full)

check: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy crmlib

format: $(VENV)/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(if $(BENCH),$(VENV)/.full,$(VENV)/.dev)
	@$(BIN)/python -m tests.benchmarks$(addprefix .,$(BENCH)) $(if $(SIZE),--people $(SIZE)) $(ARGS)

COMPILE := uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
  --python-version 3.11 --custom-compile-command "make lock" pyproject.toml
lock:
	$(COMPILE) -o requirements.lock
	$(COMPILE) --extra dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --extra dev --extra real --extra browser --extra databases --extra servers -c requirements-dev.lock -o requirements-full.lock

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache
