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
#   make locks | check-locks       write the locks with hashes, one per extra; fail if they are out of date
#   make sbom                      the software bill of materials under dist/

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
# order of tests/conftest.py. Compiled modules are kept for the commands that the tests start. A process that crashes ends the run and
# names its test: pytest-xdist would start another one, and wait for the lost tests forever.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: help install run explore test test-all lint format site viz viz-site package locks check-locks sbom clean

help:
	@sed -n '3,12p' Makefile | cut -c3-

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

# Locks with hashes for any platform and Python 3.11 or newer: the extras that stand together, in the versions of requirements.lock.
# torch and the packages that only its CUDA builds need are left out: which build is installed is chosen by the index, and each
# index has hashes of its own.
LOCKS := inference serve train pipelines all
OF_TORCH := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse \
	nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
LOCK_OPTIONS := --quiet --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	$(addprefix --no-emit-package ,$(OF_TORCH))

locks: $(INSTALLED)
	@mkdir -p locks
	set -e; for name in $(LOCKS); do \
		$(BIN)/uv pip compile pyproject.toml $(LOCK_OPTIONS) $$(test $$name = inference || echo "--extra $$name") --output-file locks/$$name.txt; \
	done

# Versions are compared, not hashes: a project may add files to a released version.
check-locks: $(INSTALLED)
	@mkdir -p build/locks
	@set -e; for name in $(LOCKS); do \
		cp locks/$$name.txt build/locks/; \
		$(BIN)/uv pip compile pyproject.toml $(LOCK_OPTIONS) $$(test $$name = inference || echo "--extra $$name") --output-file build/locks/$$name.txt; \
		grep -o '^[^ ]*==[^ ]*' locks/$$name.txt > build/locks/kept; \
		grep -o '^[^ ]*==[^ ]*' build/locks/$$name.txt > build/locks/found; \
		diff build/locks/kept build/locks/found || { echo "locks/$$name.txt is out of date: make locks"; exit 1; }; \
	done

sbom: $(INSTALLED)
	@mkdir -p dist build/sbom
	set -e; for name in inference all; do \
		{ cat locks/$$name.txt; test $$name = inference || echo "$(TORCH)"; } > build/sbom/$$name.txt; \
		$(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements build/sbom/$$name.txt --pyproject pyproject.toml \
			--output-reproducible --output-file dist/posescope-$$name.cdx.json; \
	done

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
