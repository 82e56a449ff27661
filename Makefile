SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

HOST ?= 127.0.0.1
PORT ?= 9000
DATA_DIR ?= .medusa-auth
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -m "not medusa" --numprocesses=auto --maxprocesses=4 --dist=loadfile
PEERS := tests/peers/node_modules/.package-lock.json

.PHONY: help install serve test coverage test-medusa check fix bench lock

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.installed ## Make .venv with everything to run and to develop.

$(VENV)/.installed: requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(PEERS): tests/peers/package.json tests/peers/package-lock.json
	@npm ci --prefix tests/peers --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

serve: install ## Serve on http://HOST:PORT, with everything it needs made at the first start.
	@exec $(BIN)/medusa-auth serve --host $(HOST) --port $(PORT) --data-dir $(DATA_DIR)

test: install $(PEERS) ## Run all tests, with their own set-up.
	@$(PYTEST) $(ARGS)

coverage: install $(PEERS) ## As test, and show which lines and branches no test has run (slower).
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered $(ARGS)

test-medusa: install $(PEERS) ## Run our client against a real Medusa (npm), with its own PostgreSQL and Redis.
	@$(BIN)/python -m pytest -m medusa $(ARGS)

check: install ## Check style, types and who imports whom.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: install ## Repair what can be repaired by itself.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: install ## Measure, as ratios within one run (needs wrk; installed on Debian).
	@scripts/debian-packages wrk
	@$(BIN)/python -m bench

lock: ## Renew the exact versions in requirements/ (needs uv).
	@uv pip compile pyproject.toml --quiet --extra server --extra guards --group dev --no-strip-extras --python-version 3.11 --universal \
	  --generate-hashes --no-emit-index-url --no-header --output-file requirements/dev.txt
	@uv pip compile pyproject.toml --quiet --extra server --python-version 3.11 --universal \
	  --generate-hashes --no-emit-index-url --no-header --output-file requirements/server.txt
	@uv pip compile pyproject.toml --quiet --extra server --extra postgresql --extra redis --python-version 3.11 \
	  --universal --generate-hashes --no-emit-index-url --no-header --output-file requirements/deploy.txt
	@uv pip compile pyproject.toml --quiet --python-version 3.11 --universal \
	  --generate-hashes --no-emit-index-url --no-header --output-file requirements/client.txt
