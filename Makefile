# Commands for users and contributors. Everything is installed into .venv, in the versions of requirements.lock.
#
#   make run                       the default pipeline on the generated sample, 4 to 7 minutes on 2 cores
#   make explore                   the finished run as a local page
#   make test                      the test suite; `make test-all` adds the slow tests
#   make install                   the environment only; TORCH_INDEX=<url> selects an index of PyTorch, such as its CPU index
#   make lint | format             ruff, strict mypy, import-linter
#   make site                      the documentation as a site under build/site
#   make viz | viz-site            the pipelines in Kedro-Viz, live or as a site under build/
#   make package                   the wheel and its configuration under dist/

PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TORCH := $(shell grep -E '^torch==' requirements.lock)

export DO_NOT_TRACK := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
# One process per core. Tests of one file stay in one process, so that module fixtures are made once. The files are started in the
# order of tests/conftest.py. Compiled modules are kept for the commands that the tests start.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: help install run explore test test-all lint format site viz viz-site package clean

help:
	@sed -n '3,10p' Makefile | cut -c3-

$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@# torch first, by exact version: as a dependency pip could choose a build of several gigabytes.
	$(BIN)/pip install --quiet --constraint requirements.lock $(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX)) $(TORCH)
	@# Entry points of an older build in src/ would be found before those of the installed package.
	rm -rf src/*.egg-info
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[dev,viz]'
	@touch $@

install: $(INSTALLED)

run: $(INSTALLED)
	$(BIN)/kedro run

explore: $(INSTALLED)
	$(BIN)/posescope explore

test: $(INSTALLED)
	$(PYTEST)

# Tests of clusters start servers and threads. They run apart: a process with such threads must not be forked, as some tests do.
test-all: $(INSTALLED)
	$(PYTEST) -m 'not cluster'
	$(BIN)/pytest -m cluster tests/cluster

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# The files that hosted CI, its bots and GitHub read.
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The pages of the repository as a site. Every internal link and anchor is checked, and that no page loads a file of another host.
site: $(INSTALLED)
	$(BIN)/python site/assemble.py build/site-pages
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/zensical build --clean --strict
	$(BIN)/python site/check.py build/site

viz: $(INSTALLED)
	$(BIN)/kedro viz run

viz-site: $(INSTALLED)
	$(BIN)/kedro viz build --include-previews
	@test -f build/index.html || { echo "kedro viz build made no build/index.html: look for a crash above"; exit 1; }

package: $(INSTALLED)
	$(BIN)/kedro package

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
