"""The page in a real browser, asked of a server of examples/fake.rs.

    pip install playwright, and a Chromium
    cargo build --example fake && python tests/page.py target/debug/examples/fake /usr/bin/chromium [PICTURES]
"""

import csv
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

from contrast import contrast
from playwright.sync_api import sync_playwright

PORT = 18932
BASE = f"http://127.0.0.1:{PORT}"
EVIL = '<img src=x onerror="window.hit=1"><b>bold</b>'


# All text that is shown, with its color and that of what lies behind it.
COLORS = """() => {
  const parse = (text) => text.match(/[0-9.]+/g).map(Number);
  const behind = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const color = parse(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.getClientRects().length && [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((one) => [one.tagName + " " + one.textContent.trim().slice(0, 30), parse(getComputedStyle(one).color).slice(0, 3), behind(one)]);
}"""

# Controls without a name, and what cannot be reached by the keyboard.
UNNAMED = """() => [...document.querySelectorAll("input, select, textarea, button, progress")]
  .filter((one) => !(one.labels?.length || one.textContent.trim() || one.getAttribute("aria-label")))
  .map((one) => one.outerHTML)"""


def check(page, folder, scheme):
    page.goto(BASE)
    page.wait_for_selector("textarea")
    assert page.locator("#model option").all_text_contents() == ["hash"]
    assert page.evaluate(UNNAMED) == []
    # One text, by the keyboard alone.
    page.get_by_label("title").focus()
    page.keyboard.type(f"STRANGE {EVIL}")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#answer .label")
    assert page.locator("#answer .label").text_content() in ("ham", "spam")
    assert page.locator("#answer dl.bars dt").count() == 3
    assert "unsure <b>" in page.locator("#answer dl.bars").text_content()
    assert "unlike" in page.locator("#answer .remark").first.text_content()
    wide = [float(w) for w in page.locator("#answer rect.share").evaluate_all("all => all.map(r => r.getAttribute('width'))")]
    assert wide == sorted(wide, reverse=True) and abs(sum(wide) - 100) < 0.01, wide
    # Why, in words: what speaks for it and what against, whatever the words are.
    page.get_by_label("Say why").check()
    page.get_by_label("title").fill(f"first second {EVIL}")
    page.get_by_role("button", name="Label", exact=True).click()
    page.get_by_role("heading", name="Why ").wait_for()
    lines = [line.locator("th, td").all_text_contents() for line in page.locator("table.why tbody tr").all()]
    assert lines[0] == ["first", "for", "+0.50 \u00b1 0.01"] and ["second", "against", "\u22120.25 \u00b1 0.01"] in lines, lines
    assert page.locator("table.why thead th[scope=col]").count() == 3
    assert page.locator("#answer ol li").text_content() == "ham (cosine 0.88, a.csv:2): <i>near</i>"
    assert page.locator("#answer i, #answer img").count() == 0
    page.get_by_label("Say why").uncheck()
    page.get_by_label("Give no label below").fill("100")
    page.get_by_role("button", name="Label", exact=True).click()
    page.get_by_text("less sure than abstain_below 1").wait_for()
    page.get_by_label("Give no label below").fill("0")
    # A table whose cells are hostile, with a column of an answer's name.
    rows = [{"title": f"row {i}, {EVIL}", "body": '=1+"2"\nnext', "label": "x"} for i in range(150)] + [
        {"title": "", "body": "", "label": ""}
    ]
    source = folder / "in.csv"
    with source.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    page.get_by_label("A CSV, TSV or JSON lines file").set_input_files(source)
    page.get_by_role("button", name="Label all rows").click()
    page.wait_for_selector("#download:not([hidden])")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download with answers").click()
    assert waiting.value.suggested_filename == "in-labelled.csv"
    text = pathlib.Path(waiting.value.path()).read_bytes().decode()
    found = list(csv.DictReader(io.StringIO(text)))
    assert len(found) == 151
    body = json.dumps({"rows": [{"title": r["title"], "body": r["body"]} for r in rows]}).encode()
    request = urllib.request.Request(f"{BASE}/predict", body, {"content-type": "application/json"})
    expected = json.load(urllib.request.urlopen(request))["answers"]
    for row, answer, given in zip(found, expected, rows, strict=True):
        assert row["title"] == given["title"] and row["label"] == given["label"]
        assert row["label (answer)"] == (answer["label"] or ""), (row, answer)
        if answer["label"]:
            assert row["body"] == "'" + given["body"]
            assert float(row["probability"]) == answer["probability"]
        else:
            assert row["reason"] == "no text in title, body"
    # JSON lines, and a column that the model does not know.
    source = folder / "in.jsonl"
    source.write_text('{"message": "a"}\n\n{"message": null}\n')
    page.get_by_label("A CSV, TSV or JSON lines file").set_input_files(source)
    page.get_by_label("Text column").wait_for()
    page.get_by_role("button", name="Label all rows").click()
    page.wait_for_selector("#download:not([hidden])")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download with answers").click()
    lines = [json.loads(line) for line in pathlib.Path(waiting.value.path()).read_text().splitlines()]
    assert [line["line"] for line in lines] == [1, 2] and lines[0]["input"] == {"message": "a"}
    assert lines[1]["label"] is None
    # Nothing of all this became markup, and nothing was loaded from elsewhere.
    assert page.evaluate("window.hit") is None and page.locator("img").count() == 0
    # A file that cannot be read says so, where everything is shown that may be.
    for name, content, part in [
        ("bad.jsonl", b"{", "line 1"),
        ("latin.csv", b"text\n\xff", "UTF-8"),
        ("empty.csv", b"text\n", "no rows"),
        ("open.csv", b'text\n"a', "has no end"),
    ]:
        (folder / name).write_bytes(content)
        page.get_by_label("A CSV, TSV or JSON lines file").set_input_files(folder / name)
        page.get_by_role("alert").filter(has_text=part).wait_for()
    worst = min((contrast(a, b), name) for name, a, b in page.evaluate(COLORS))
    assert worst[0] >= 4.5, f"{scheme}: {worst}"
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"scrolls sideways: {wide}"
    page.goto(f"{BASE}/docs")
    page.get_by_role("heading", name="POST /predict").wait_for()
    assert page.locator("section").count() >= 8
    worst_docs = min((contrast(a, b), name) for name, a, b in page.evaluate(COLORS))
    assert worst_docs[0] >= 4.5, f"{scheme}: {worst_docs}"
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], f"docs scroll sideways: {wide}"
    return min(worst[0], worst_docs[0])


def main(program, chromium, pictures=None):
    server = subprocess.Popen([program, f"127.0.0.1:{PORT}"], stderr=subprocess.DEVNULL)
    try:
        with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for scheme in ["light", "dark"]:
                for width in [1100, 360]:
                    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
                    page = context.new_page()
                    faults, elsewhere = [], []
                    page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
                    page.on("pageerror", lambda e: faults.append(str(e)))
                    page.on("request", lambda r: elsewhere.append(r.url) if not r.url.startswith((BASE, "blob:", "data:")) else None)
                    for _ in range(100):
                        try:
                            urllib.request.urlopen(f"{BASE}/readyz")
                            break
                        except OSError:
                            time.sleep(0.05)
                    worst = check(page, pathlib.Path(folder), scheme)
                    if pictures:
                        page.goto(BASE)
                        page.get_by_label("title").fill("Sock puppets & <b>more</b>")
                        page.keyboard.press("Control+Enter")
                        page.wait_for_selector("#answer .label")
                        page.screenshot(path=f"{pictures}/page-{scheme}-{width}.png", full_page=True)
                    assert faults == [] and elsewhere == [], (faults, elsewhere)
                    print(f"{scheme}, {width} wide: least contrast {worst:.1f}")
                    context.close()
            print("chromium", browser.version)
            browser.close()
    finally:
        server.terminate()
    assert server.wait(20) == 0


main(*sys.argv[1:])
