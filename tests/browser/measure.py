"""Weight and speed of every page: python tests/browser/measure.py [--reports DIR] [--times N] [PAGE ...].

Prints, for each page, its bytes with the assets it loads, the time until its text and controls are usable and until every
chart is drawn, and for pages with live controls the 50th and 95th percentile from a slider's event to the next painted
frame after its thumb was pressed, with the controls on the screen and the processor slowed sixfold: by the clock (the wait for the screen's next frame,
up to 17 ms, is in it), and as six times the processor time of the page's main thread (the event, then script, style, layout
and paint of the frame) in a drag that nothing slows: what slows a processor takes from a page itself where there are two. The best of N runs (3 by default), for a machine that others use too. Not a
test: times belong to a machine.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import re
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from conftest import ARGUMENTS, REPORTS

SLOWDOWN = 6
STEPS = 60
DRAWN = "html:not(:has(figure.chart)), html[data-charts=drawn]"
# performance.now() counts from the start of the navigation
USABLE = (
    "Math.max(Number(document.documentElement.dataset.usable || 0), "
    "...performance.getEntriesByName('first-contentful-paint').map(e => e.startTime))"
)
CHARTS = "Number(document.documentElement.dataset.chartsAt || 0)"
DRAG = """async steps => {
  const slider = document.getElementById('live-util'), times = [];
  document.getElementById('live').scrollIntoView();
  slider.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }));
  await new Promise(done => setTimeout(done, 300));
  for (let i = 0; i < steps; i++) {
    slider.value = 0.3 + 0.5 * i / steps;
    const start = performance.now();
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise(done => requestAnimationFrame(() => { const c = new MessageChannel(); c.port1.onmessage = done; c.port2.postMessage(0); }));
    times.push(performance.now() - start);
    await new Promise(done => setTimeout(done, 16));
  }
  slider.dispatchEvent(new PointerEvent('pointerup', { bubbles: true }));
  return times;
}"""


def weight(path: Path) -> int:
    """Bytes of a page and of the assets that it names."""
    text = path.read_text(encoding="utf-8")
    assets = set(re.findall(r'(?:src|href)="(assets/[^"]+)"', text))
    return len(text.encode()) + sum((path.parent / name).stat().st_size for name in assets)


def worked(trace: bytes) -> list[float]:
    """Processor time of the main thread for each movement of a trace [ms]."""
    events = [e for e in json.loads(trace)["traceEvents"] if e.get("ph") == "X" and "tdur" in e]
    moves = [e for e in events if e["name"] == "EventDispatch" and e["args"]["data"]["type"] == "input"]
    starts, out = sorted(e["ts"] for e in moves), [0.0] * len(moves)
    for event in events:
        at = bisect.bisect_right(starts, event["ts"]) - 1
        frame = event["name"] == "ProxyMain::BeginMainFrame" and event["tid"] == moves[0]["tid"]
        if at >= 0 and (frame or event in moves):
            out[at] += event["tdur"] / 1e3
    return sorted(out)


def once(browser: Browser, path: Path) -> tuple[float, float, list[float], list[float]]:
    """Usable and drawn [ms], and the drags [ms] where the page has controls: by the clock, and of the processor."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 844})
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector(DRAWN, state="attached", timeout=30000)
    usable, charts = page.evaluate(USABLE), page.evaluate(CHARTS)
    drags: list[float] = []
    work: list[float] = []
    if page.query_selector("#live:not([hidden]) #live-util"):
        page.wait_for_timeout(1500)
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        drags = sorted(page.evaluate(DRAG, STEPS))
        session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        page.wait_for_timeout(1500)
        browser.start_tracing(page=page, categories=["devtools.timeline", "cc"])
        page.evaluate(DRAG, STEPS)
        work = [SLOWDOWN * ms for ms in worked(browser.stop_tracing())]
    context.close()
    return usable, charts, drags, work


def main() -> None:
    """Parse the command line and print one line per page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*")
    parser.add_argument("--reports", type=Path, default=REPORTS)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    names = given.pages or sorted(path.name for path in given.reports.glob("*.html"))
    print(
        f"{'page':32} {'kB':>6} {'usable ms':>9} {'charts ms':>9}  drag at {SLOWDOWN}x, p50 p95: clock ms, processor ms"
    )
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=ARGUMENTS)
        for name in names:
            path = (given.reports / name).resolve()
            runs = [once(browser, path) for _ in range(given.times)]
            usable, charts = min(run[0] for run in runs), min(run[1] for run in runs)
            drags = " ".join(
                f"{min(run[kind][int(share * len(run[kind]))] for run in runs):8.1f}"
                for kind in (2, 3)
                for share in (0.5, 0.95)
                if runs[0][kind]
            )
            print(f"{name:32} {weight(path) / 1e3:6.0f} {usable:9.0f} {charts:9.0f} {drags}")
        browser.close()


if __name__ == "__main__":
    main()
