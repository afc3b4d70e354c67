"""report.html in a real browser: nothing cut off, readable and accessible at three widths, light, dark and on paper.

    page.py REPORT CHROMIUM [PICTURES]
"""

import hashlib
import pathlib
import sys

import axe_playwright_python
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "crates" / "serve" / "tests"))
from contrast import contrast

WIDTHS = [1200, 500, 360]
PAPER = 680  # CSS pixels of A4 between margins of 15 mm
LEAST_CHART_TEXT = 11  # CSS pixels
AXE_SHA256 = "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc"

# Text that reaches beyond its page, or beyond a box that does not scroll.
CUT = """(all) => {
  const wide = document.documentElement.clientWidth;
  const scrolls = (one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    if (!one.getClientRects().length || one.closest("svg") && one.tagName !== "text") continue;
    let inside = false;
    for (let up = one.parentElement; up; up = up.parentElement) inside ||= scrolls(up);
    const box = one.getBoundingClientRect();
    const beyond = box.right > wide + 0.5 || box.left < -0.5;
    const clipped = one.tagName !== "text" && getComputedStyle(one).overflowX === "hidden" && one.scrollWidth > one.clientWidth + 1;
    let drawn = false;
    if (one.tagName === "text") {
      const chart = one.ownerSVGElement.getBoundingClientRect();
      drawn = box.right > chart.right + 1 || box.left < chart.left - 1 || box.bottom > chart.bottom + 1 || box.top < chart.top - 1;
    }
    if ((beyond && (all || !inside)) || clipped || drawn) found.push(one.tagName + " " + one.textContent.trim().slice(0, 40));
  }
  return found;
}"""

# Height of the smallest font of a chart's text, as rendered.
CHART_TEXT = """() => Math.min(...[...document.querySelectorAll("svg text")].filter((t) => t.getClientRects().length)
  .map((t) => parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.getBoundingClientRect().width / t.ownerSVGElement.viewBox.baseVal.width))"""

# Boxes that scroll, but that the keyboard does not reach.
UNREACHED = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(one).overflowX) && one.tabIndex < 0)
  .map((one) => one.outerHTML.slice(0, 80))"""

# Colours of the charts' texts, lines and points, each with that of the page behind it.
COLOURS = """() => {
  const parse = (text) => text.match(/[0-9.]+/g).map(Number).slice(0, 3);
  const page = parse(getComputedStyle(document.body).backgroundColor);
  const seen = [];
  for (const one of document.querySelectorAll("svg text, svg line, svg polyline, svg circle, svg path")) {
    if (!one.getClientRects().length || Number(one.getAttribute("opacity") ?? 1) < 1) continue;
    const style = getComputedStyle(one);
    // A point of the map is told from the page by its outline.
    const shown = style.stroke !== "none" ? style.stroke : style.fill;
    if (shown !== "none") seen.push([one.tagName, parse(shown), page]);
  }
  return seen;
}"""


def drawn(page, where):
    """Charts: text that can be read, and marks that can be told from the page (WCAG 2.2: 1.4.3, 1.4.11)."""
    size = page.evaluate(CHART_TEXT)
    assert size >= LEAST_CHART_TEXT, f"{where}: chart text of {size:.1f} px"
    colours = page.evaluate(COLOURS)
    assert len(colours) > 20, f"{where}: {len(colours)} marks"
    least = {}
    for tag, shown, behind in colours:
        kind, value = "text" if tag == "text" else "mark", contrast(shown, behind)
        least[kind] = min(least.get(kind, value), value)
    assert least["text"] >= 4.5 and least["mark"] >= 3, f"{where}: contrast {least}"
    return size, least


def on_screen(page, width, scheme, axe, pictures):
    where = f"{width} px, {scheme}"
    page.emulate_media(media="screen", color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    scrolled, shown = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert scrolled <= shown, f"{where}: the page is {scrolled} px wide"
    # A wide screen has room for every table but a confusion matrix of many classes.
    for cut in [page.evaluate(CUT, False), page.evaluate(UNREACHED)]:
        assert not cut, f"{where}: cut off: {cut[:5]}"
    if width >= 1200:
        ends = page.evaluate(
            """() => [...document.querySelectorAll(".scroll")].filter((one) => !one.querySelector(".confusion") && one.scrollWidth > one.clientWidth)
            .map((one) => one.getAttribute("aria-label") + " " + one.scrollWidth)"""
        )
        assert not ends, f"{where}: tables scroll: {ends}"
    size, least = drawn(page, where)
    page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
    scrolled, shown = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert scrolled <= shown, f"{where}: the page with its details is {scrolled} px wide"
    found = page.evaluate("axe.run()")
    broken = [(v["id"], v["nodes"][0]["html"][:120], len(v["nodes"])) for v in found["violations"]]
    assert not broken, f"{where}: axe-core: {broken}"
    assert len(found["passes"]) > 15, f"{where}: axe-core looked at {len(found['passes'])} rules"
    page.evaluate("document.querySelectorAll('details').forEach((one) => one.open = false)")
    if pictures:
        page.screenshot(path=f"{pictures}/{width}-{scheme}.png", full_page=True)
    print(f"report: {where}: chart text {size:.1f} px, contrast {least['text']:.1f}, marks {least['mark']:.1f}, axe {axe}: 0 violations of {len(found['passes'])} rules")


def on_paper(page, pictures):
    for scheme in ["light", "dark"]:
        page.emulate_media(media="print", color_scheme=scheme)
        page.set_viewport_size({"width": PAPER, "height": 990})
        cut = page.evaluate(CUT, True)
        assert not cut, f"print: cut off: {cut[:5]}"
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert back == "rgb(255, 255, 255)", f"print is not light: {back}"
        drawn(page, "print")
    hidden = page.evaluate("[...document.querySelectorAll('pre')].filter((one) => !one.checkVisibility({contentVisibilityAuto: true})).length")
    assert hidden == 0, f"print: {hidden} texts are folded away"
    if pictures:
        page.pdf(path=f"{pictures}/print.pdf", prefer_css_page_size=True)
    print("report: print: nothing cut off, light")


def thresholds(page):
    """The slider moves the numbers, and costs the threshold that is cheapest."""
    page.emulate_media(media="screen", color_scheme="light")
    said, cheapest = page.locator("#threshold-said"), page.locator("#threshold-cheapest")
    slider = page.locator("#threshold-slider")
    last = int(slider.get_attribute("max"))
    recalls = []
    for at in [0, last // 2, last]:
        slider.fill(str(at))
        recalls.append(float(said.text_content().split("recall ")[1].split(" %")[0]))
    assert recalls == sorted(recalls) and recalls[0] < recalls[-1] == 100, recalls
    slider.focus()
    before = said.text_content()
    page.keyboard.press("ArrowLeft")
    assert said.text_content() != before, "the keyboard does not move the slider"
    prices = {}
    for alarm, miss in [("1", "1"), ("1", "1000"), ("1000", "1"), ("-3", "x")]:
        page.locator("#threshold-alarm").fill(alarm)
        page.locator("#threshold-miss").fill(miss if miss != "x" else "")
        prices[alarm, miss] = cheapest.text_content()
    assert prices["1", "1000"] != prices["1000", "1"], prices
    assert "0.0 per 1,000" in prices["-3", "x"], prices
    # By hand, from the counts in the page: the cheapest for misses as dear as a thousand false alarms.
    data = page.evaluate("JSON.parse(document.getElementById('threshold-data').textContent)[0]")
    missed = [data["positives"] - found for found in data["found"]]
    costs = [(1000 * (alarms + 1000 * miss)) / data["rows"] for alarms, miss in zip(data["alarms"], missed)]
    least = min(costs + [1000 * 1000 * data["positives"] / data["rows"]])
    assert f"{least:.1f} per" in prices["1", "1000"], (least, prices)
    print(f"report: thresholds: recall {recalls}, {prices['1', '1000']} | {prices['1000', '1']}")


def main(report, chromium, pictures=None):
    script = pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js"
    found = hashlib.sha256(script.read_bytes()).hexdigest()
    assert found == AXE_SHA256, f"axe.min.js is another: {found}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        errors, asked = [], []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(pathlib.Path(report).as_uri())
        assert len(asked) == 1, f"the page asks for {asked[1:]}"
        page.evaluate(script.read_text())
        version = page.evaluate("axe.version")
        for scheme in ["light", "dark"]:
            for width in WIDTHS:
                on_screen(page, width, scheme, version, pictures)
        thresholds(page)
        on_paper(page, pictures)
        assert not errors, errors
        browser.close()
    print("report: 1 passed, 0 failed")


main(*sys.argv[1:])
