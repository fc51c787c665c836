#!/usr/bin/env bash
# Every page in headless Chromium, offline. Installs what it needs where it can, else names it.
set -euo pipefail
bin="${1:-}"
cd "$(dirname "$0")/../.."
chromium="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
if [ -z "$chromium" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq chromium >/dev/null
    chromium=$(command -v chromium)
  else
    echo "make test-browser needs Chromium: install the package chromium, or set CHROMIUM to a Chrome or Chromium program" >&2
    exit 1
  fi
fi
if ! "${bin}python" -c "import playwright, axe_playwright_python" 2>/dev/null; then
  if [ -x "${bin}uv" ]; then
    "${bin}uv" pip install --quiet --python "${bin}python" -r tests/browser/requirements.txt
  else
    "${bin}python" -m pip install --quiet -r tests/browser/requirements.txt
  fi
fi
CHROMIUM="$chromium" "${bin}python" -m pytest tests/browser -c pyproject.toml -o addopts="-p no:cacheprovider" "${@:2}"
