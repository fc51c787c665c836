#!/usr/bin/env bash
# Every page in headless Chromium, offline. Installs what it needs where it can, else names it.
set -euo pipefail
bin="${1:-}"
cd "$(dirname "$0")/../.."
source tests/browser/ready.sh
each=("${bin}python" -m pytest --disable-plugin-autoload -p xdist.plugin -c pyproject.toml -o addopts="-p no:cacheprovider")
"${each[@]}" tests/browser --ignore=tests/browser/test_lab.py -n "${JOBS:-2}"
"${each[@]}" tests/browser/test_lab.py # alone: it times what a reader waits for
