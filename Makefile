# Everything a person types. `make run` and `make test` need only Python 3.11+ and make; scripts/setup.py does the rest.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: help run test check test-long screenshots bench fmt lock i18n clean

help:
	@echo 'make run          set up, create the demo conference, serve on 127.0.0.1:8000 (LAN=1: HTTPS for phones)'
	@echo 'make check        the inner loop, under a minute: lint, types, floors, rules, fast tests on SQLite'
	@echo 'make test         set up and run everything, on SQLite and on PostgreSQL, and the browser journeys'
	@echo 'make test-long    kill -9 and the like; writes docs/test-long.md'
	@echo 'make screenshots  pictures of every page;  make bench  the numbers of docs/performance.md'
	@echo 'make fmt          format;  make i18n  collect texts;  make lock  renew the pinned requirements'
	@echo 'make clean        remove what was installed and built (never var/, which holds the data)'

run:
	@$(PYTHON) -m scripts.setup
	@$(PY) main.py run --demo $(if $(filter-out 0,$(LAN)),--lan)

test:
	@$(PYTHON) -m scripts.setup --test
	@$(PY) -m scripts.run_tests

check:
	@$(PYTHON) -m scripts.setup --dev
	@$(PY) -m scripts.run_tests --fast

test-long:
	@$(PYTHON) -m scripts.setup --test
	@$(PY) -m scripts.run_tests --long

screenshots:
	@$(PYTHON) -m scripts.setup --test
	@$(PY) -m scripts.screenshots

bench:
	@$(PYTHON) -m scripts.setup --test
	@$(PY) main.py bench

fmt:
	@$(PYTHON) -m scripts.setup --dev
	-@.venv/bin/ruff check --fix --quiet .
	@.venv/bin/ruff format .
	-@.venv/bin/djlint . --reformat --quiet --allow-empty-input

i18n:
	@$(PYTHON) -m scripts.setup --dev
	@$(PY) -m web.i18n

# The floor is Python 3.11, whatever runs this. The header names this command, never a path of the machine.
# The dev lock is constrained by the first one, so that both hold the same versions. UPGRADE=1 takes newer releases.
COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command 'make lock' $(if $(filter-out 0,$(UPGRADE)),--upgrade)

lock:
	@$(PYTHON) -m scripts.setup
	@test -x .venv/bin/uv || $(PY) -m pip install -qq --disable-pip-version-check uv
	@$(COMPILE) pyproject.toml -o requirements.txt
	@$(COMPILE) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	@$(COMPILE) scripts/requirements-node.in -o scripts/requirements-node.txt
	@npm install --package-lock-only --ignore-scripts

clean:
	@rm -rf .venv node_modules web/static/vendor test-results .mypy_cache .ruff_cache .pytest_cache
	@rm -rf .import_linter_cache .hypothesis .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
