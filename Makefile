# rackecon: every task by one word. The environment lives in .venv/ and is used by path;
# `make ENV=active <target>` uses the active conda or virtual environment instead.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := report

UV_VERSION := 0.13.9
JOBS ?= 2

ifeq ($(ENV),active)
  BIN :=
  READY :=
else
  BIN := .venv/bin/
  READY := .venv/ready
endif
export PYTHONPATH :=
export PYTHONUNBUFFERED := 1
# kept, whatever the environment says: each of a hundred processes of the tests would compile the library for itself
export PYTHONDONTWRITEBYTECODE :=

# what else is installed for pytest, and no test uses, would cost each process of the tests most of a second
PYTEST := $(BIN)python -m pytest --disable-plugin-autoload -p xdist.plugin -p _hypothesis_pytestplugin

.PHONY: install report test test-browser torture sbom check lint bench lab clean clean-notebooks format lock

install: $(READY)  ## the environment, built again only when its inputs change

.venv/ready: requirements.lock pyproject.toml environment.yml
	python3 -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	.venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode -r requirements.lock -e .
	.venv/bin/python -m compileall -q lib
	touch $@

report: $(READY)  ## execute and render every notebook into reports/
	$(BIN)rackecon report --jobs $(JOBS)

test: $(READY)  ## unit tests, strict nbval over reports/, rebuild and compare
	$(PYTEST) -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: $(READY) lint  ## lint, types and the fast tests
	$(PYTEST) -n $(JOBS) --dist loadfile -m "not slow" --ignore=tests/notebooks -q

lint: $(READY)
	$(BIN)ruff check lib tests
	$(BIN)ruff format --check lib tests
	$(BIN)mypy
	$(BIN)lint-imports

format: $(READY)
	$(BIN)ruff check --fix lib tests
	$(BIN)ruff format lib tests

test-browser: $(READY)  ## every page in headless Chromium, offline
	JOBS=$(JOBS) bash tests/browser/run.sh "$(BIN)"

sbom: $(READY)  ## what is installed: an SBOM (CycloneDX) and the list of licences, into build/
	mkdir -p build
	$(BIN)uv tool run -q --from cyclonedx-bom==7.1.0 cyclonedx-py environment --output-reproducible --of JSON -o build/sbom.json $(BIN)python
	$(BIN)uv tool run -q --from pip-licenses==5.5.5 pip-licenses --python $(BIN)python --order=license --format=csv --output-file build/licences.csv

torture: $(READY)  ## everything that was thought of to break it: a table of kind, tried, survived, failed; TORTURE_OPTIONS=--resume goes on, --table prints what is known
	bin="$(BIN)"; source tests/browser/ready.sh; $(BIN)python tests/torture/run.py $(TORTURE_OPTIONS)
	$(if $(TORTURE_OPTIONS),,RACKECON_THOROUGH=1 $(PYTEST) -n $(JOBS) --dist loadfile --no-loadscope-reorder -m slow)

bench: $(READY)  ## speeds beside the earlier ones; BENCH_OPTIONS=--write puts them into README
	$(BIN)uv pip install -q --python $(BIN)python -r tests/benchmarks/requirements.txt
	$(BIN)python -m pytest tests/benchmarks --benchmark-only --benchmark-columns=min,median,rounds -q
	$(BIN)python tests/benchmarks/record.py $(BENCH_OPTIONS)

# neither news, nor a newer version, nor a list of extensions is asked for anywhere
lab: $(READY)  ## JupyterLab with the notebooks, offline
	$(BIN)jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks --LabApp.news_url=None \
	  --LabApp.extension_manager=readonly --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate $(LAB_OPTIONS)

clean-notebooks: $(READY)  ## strip what JupyterLab left in notebooks/
	$(BIN)rackecon notebooks clean

COMPILE := uv pip compile pyproject.toml --group dev --no-header --python-version 3.11 -q
lock:  ## resolve pyproject.toml again into requirements.lock, and the same with hashes
	$(COMPILE) --no-strip-extras --upgrade -o requirements.lock
	$(COMPILE) --strip-extras --upgrade --no-annotate --no-emit-index-url --generate-hashes -c requirements.lock -o requirements.hashed.lock

clean:
	rm -rf .venv reports/runs build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
