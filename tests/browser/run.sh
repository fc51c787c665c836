#!/usr/bin/env bash
# Every page in headless Chromium, offline. Installs what it needs where it can, else names it.
set -euo pipefail
bin="${1:-}"
cd "$(dirname "$0")/../.."
source tests/browser/ready.sh
"${bin}python" -m pytest tests/browser -c pyproject.toml -o addopts="-p no:cacheprovider" "${@:2}"
