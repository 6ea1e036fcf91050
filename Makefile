# `make` alone lists what there is.  Everything here works from a clone and from an unpacked
# archive, as root and (with the system packages there) without.
#
#   PYTHON=/path/to/python3   which Python to use (default: the distribution's, else the newest found)
#   PYPI=1                    take every library from PyPI instead of the distribution
#   ARGS='…'                  further arguments for run, test, demo and bench
#   PREFIX, DESTDIR           where install puts things (default: /usr/local)
#   ARGS=--purge              uninstall: remove configuration and state as well (PURGE=1 does too)
#   VERSION=1.2.3             deb and rpm: a version of your own

SHELL = /bin/sh
PREFIX ?= /usr/local
DESTDIR ?=
PURGE ?=
ARGS ?=
VENV = .venv
export PREFIX DESTDIR PURGE
ifdef VERSION
export VERSION
endif
ifdef PYTHON
export PYTHON
endif
ifdef PYPI
export PYPI
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run demo test lint bench deps deps-dev build deb rpm test-hosts clean \
  install install-service uninstall

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | \
	  while IFS='|' read -r left right; do printf '%-24s%s\n' "$$left" "$$right"; done

run: deps ## monitor this host (installs what is missing first)
	@exec $(VENV)/bin/user-session-monitor run $(ARGS)

demo: deps ## replay a recorded morning into the terminal; touches nothing of the host
	@exec $(VENV)/bin/user-session-monitor demo $(ARGS)

test: deps-dev ## run the whole test suite (installs what is missing first)
	@sh packaging/testtools.sh
	@exec $(VENV)/bin/python -m pytest $(ARGS)

lint: deps-dev ## ruff, and mypy for Linux and for Windows
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/mypy --platform win32 --cache-dir .mypy_cache/win32 -p usersessionmon
	@$(VENV)/bin/mypy packaging

test-hosts: deps-dev ## install, use, upgrade and remove on Debian 12, 13 and testing; a table
	@sh packaging/testtools.sh
	@exec $(VENV)/bin/python -m tests.system.matrix $(ARGS)

bench: deps ## measure, and print ratios within one run
	@exec $(VENV)/bin/python -m tests.bench $(ARGS)

deps: ## make .venv able to run the program
	@sh packaging/bootstrap.sh run

deps-dev: ## … and its tests
	@sh packaging/bootstrap.sh dev

build: deps-dev ## the wheel and the source archive, in dist/
	@$(VENV)/bin/python -m build --no-isolation --outdir dist .

deb: deps ## the package for Debian and Ubuntu, in dist/
	@sh packaging/package.sh deb

rpm: deps ## the package for Fedora, RHEL and openSUSE, in dist/
	@sh packaging/package.sh rpm

clean: ## remove what was made here (not configuration, not state)
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find usersessionmon tests packaging -name __pycache__ -type d -prune -exec rm -rf {} +

install: ## install under /usr/local (root)
	@sh packaging/install.sh install

install-service: ## add, enable and start the systemd unit (root)
	@sh packaging/install.sh install-service

uninstall: ## remove program and unit; keeps configuration and state (ARGS=--purge: those too)
	@sh packaging/install.sh uninstall $(ARGS)
