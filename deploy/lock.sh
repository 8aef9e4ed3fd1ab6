#!/bin/sh
# Regenerates the lock files: hashes, but no addresses. Needs uv; run it after changing a dependency.
cd "$(dirname "$0")/.." || exit 1
lock="uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header"
PATH="$PWD/.venv/bin:$PATH"
$lock pyproject.toml --extra forecast -o requirements.lock &&
$lock pyproject.toml --extra test --extra bench --extra forecast -o requirements-test.lock &&
$lock deploy/bootstrap.in -o deploy/bootstrap.lock
