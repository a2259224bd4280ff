# make run [PORT=8600]   the app        make test        the tests
# make lint              style, types, import directions
# make test-slow         the tests that are marked slow      make check   lint and all tests
PYTHON ?= python3
PORT ?= 8501
# In the order of collection: the slow files have few tests, and must not all come last.
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder
BIN := .venv/bin
# Many processes are started: each is two seconds sooner where the modules are compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-slow lint check format

run: .venv/installed-app
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: .venv/installed-dev
	@scripts/browser.sh
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not slow"

test-slow: .venv/installed-dev
	@scripts/browser.sh
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m slow

lint: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test test-slow

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/installed-app: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: requirements.txt requirements-dev.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch .venv/installed-app $@

.venv/bin/python:
	@PYTHON="$(PYTHON)" scripts/venv.sh
