# To be sourced from the checkout's root with the folder of its programs in $bin: Chromium and what drives it, installed where
# they can be, else named; CHROMIUM is the program. First Chromium without a window of its own: one window a page cost as much
# as the page.
CHROMIUM="${CHROMIUM:-$(command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
if [ -z "$CHROMIUM" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && { apt-get install -y -qq chromium-headless-shell || apt-get install -y -qq chromium; } >/dev/null
    CHROMIUM=$(command -v chromium-headless-shell || command -v chromium)
  else
    echo "pages are tested in Chromium: install the package chromium, or set CHROMIUM to a Chrome or Chromium program" >&2
    exit 1
  fi
fi
export CHROMIUM
if ! "${bin}python" -c "import playwright, axe_playwright_python, pypdfium2, PIL" 2>/dev/null; then
  if [ -x "${bin}uv" ]; then
    "${bin}uv" pip install --quiet --python "${bin}python" -r tests/browser/requirements.txt
  else
    "${bin}python" -m pip install --quiet -r tests/browser/requirements.txt
  fi
fi
