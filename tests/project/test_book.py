"""The built book: no warnings, every chapter executed, every page complete without a network."""

import functools
import html.parser
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import urllib.parse

import jupytext
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from sgpa_core.companion import findings
from sgpa_core.companion.claims import STATUSES

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHONE, DESKTOP = 390, 1280
PAGE_MB, BOOK_MB = 3, 40
PAGES, WORDS, CODE, ALL_CODE = 18, 1600, 120, 1600
"""Limits of the main path: an evening's reading, and code that can be read."""
WIDE_LETTERS = "* { letter-spacing: 0.06em !important }"
"""Stands for the fonts of other machines, which are wider or narrower by about a tenth."""


def pages():
    """Names of all pages in the table of contents."""

    def walk(entry):
        if isinstance(entry, dict):
            yield from (entry[key] for key in ("root", "file") if key in entry)
            for key in ("parts", "chapters", "sections"):
                yield from walk(entry.get(key, []))
        else:
            for child in entry:
                yield from walk(child)

    return list(walk(yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))))


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Build the whole book from nothing, as ``make book`` does."""
    out = tmp_path_factory.mktemp("book")
    tool = pathlib.Path(sys.executable).with_name("jupyter-book")
    environment = dict(os.environ, NO_COLOR="1", PYTHONUNBUFFERED="1")
    environment.pop("MPLBACKEND", None)  # the kernels' own, which shows figures
    result = subprocess.run(
        [tool, "build", ROOT, "--path-output", out, "-W", "-n", "--keep-going"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-12_000:]
    return out / "_build" / "html", result.stdout


@pytest.fixture(scope="module")
def site(build):
    """Serve the built book on this machine; the address ends in a slash."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(build[0]))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def formulas_drawn(tab):
    """Wait until MathJax, where a page has it, has loaded its parts and drawn every formula."""
    tab.wait_for_function("!window.MathJax || window.MathJax.startup?.promise", timeout=60_000)
    tab.evaluate("window.MathJax?.startup.promise")


def faults(browser, address, home, width):
    """Open a page and list all that is wrong with it."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="light")
    found = []
    tab.on("console", lambda m: found.append(f"console: {m.text}") if m.type == "error" else None)
    tab.on("pageerror", lambda e: found.append(f"script: {e}"))
    tab.on("requestfailed", lambda r: found.append(f"failed: {r.url[:200]}"))
    inside = (home, "data:", "blob:")
    tab.on("request", lambda r: r.url.startswith(inside) or found.append(f"outside: {r.url[:200]}"))
    tab.goto(address, wait_until="load", timeout=60_000)
    formulas_drawn(tab)
    tab.wait_for_timeout(300)
    images = "[...document.images].filter(i => i.getClientRects().length)"
    if count := tab.evaluate(f"{images}.filter(i => i.complete && !i.naturalWidth).length"):
        found.append(f"{count} missing images")
    if count := tab.evaluate(f"{images}.filter(i => !i.alt && i.width > 32).length"):
        found.append(f"{count} images without alternative text")
    if count := tab.evaluate("document.querySelectorAll('.math merror, mjx-merror').length"):
        found.append(f"{count} formulas with errors")
    for letters in ("/* as it is */", WIDE_LETTERS):
        tab.add_style_tag(content=letters)
        wide = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if wide > 2:
            found.append(f"scrolls sideways by {wide} px under {letters}")
    tab.close()
    return found


@pytest.mark.slow
def test_build_has_no_warning(build):
    _, log = build
    lines = [line for line in log.splitlines() if "WARNING" in line and "IPKernelApp" not in line]
    assert not lines
    chapters = [p for p in pages() if "\njupytext:" in (ROOT / f"{p}.md").read_text("utf-8")[:200]]
    assert chapters
    for chapter in chapters:
        assert f"{chapter}.md: Executed notebook" in log, f"{chapter} was not executed"


@pytest.mark.slow
@pytest.mark.parametrize("page", pages())
def test_every_figure_is_on_its_page(build, page):
    named = (ROOT / f"{page}.md").read_text("utf-8").count("\n    name: fig-")
    html_text = (build[0] / f"{page}.html").read_text("utf-8")
    assert html_text.count("<figcaption>") >= named


def contradictions(text):
    """List claims of a page's text that have another number than the canonical one."""
    numbers, text = findings.numbers(), " ".join(text.split())
    return [
        f"{match[0]!r}, but {name} is {row['text']}"
        for name, row in numbers[numbers["said"] != ""].iterrows()
        for match in re.finditer(row["said"], text)
        if match[1].strip(".,") != row["text"]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", pages())
def test_one_claim_has_one_number(build, page):
    article = BeautifulSoup((build[0] / f"{page}.html").read_text("utf-8"), "html.parser").article
    assert not contradictions(article.get_text(" ") if article else "")


def test_another_number_for_a_claim_is_seen():
    rows = findings.numbers().loc["rows", "text"]
    assert not contradictions(f"It has {rows} rows\nof the ledger.")
    assert contradictions(f"It has 1{rows} rows of the ledger.")


def test_canonical_numbers_come_from_the_one_helper():
    sources = {page: (ROOT / f"{page}.md").read_text("utf-8") for page in pages()}
    assert not [page for page, text in sources.items() if re.search(r"glue\(\s*f?\"n-", text)]
    used = set(re.findall(r"\{glue:text\}`n-([\w-]+?)(?:-ci|-n)?`", " ".join(sources.values())))
    assert used == set(findings.numbers().index)


@pytest.mark.slow
def test_every_chapter_is_in_the_table_of_contents():
    there = (p.relative_to(ROOT).with_suffix("").as_posix() for p in (ROOT / "book").rglob("*.md"))
    assert sorted(there) == sorted(pages())


def test_the_main_path_keeps_its_limits():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    parts = [p["chapters"] for p in toc["parts"] if p["caption"] not in ("Appendix", "Reference")]
    path, lines, words = [toc["root"], *(entry["file"] for part in parts for entry in part)], {}, {}
    for page in path:
        cells = jupytext.read(ROOT / f"{page}.md").cells
        text = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
        code = [cell.source.splitlines() for cell in cells if cell.cell_type == "code"]
        words[page] = len(text.split())
        lines[page] = [x for cell in code for x in cell if x.strip() and x.lstrip()[0] != "#"]
    assert len(path) <= PAGES and max(words.values()) <= WORDS, words
    counts = {page: len(code) for page, code in lines.items()}
    assert max(counts.values()) <= CODE and sum(counts.values()) <= ALL_CODE, counts
    defined = [p for p, code in lines.items() if any(re.match(r"(def|class) ", x) for x in code)]
    assert defined == ["book/adapt"]  # the class that readers change


class Links(html.parser.HTMLParser):
    """Collects the ids of a page and what it links to or loads."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        self.ids.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("script", "img", "audio", "video", "source", "iframe", "link"):
            self.loads += [given[name] for name in ("src", "href") if name in given]


def read_links(path):
    parser = Links()
    parser.feed(path.read_text("utf-8"))
    return parser


@pytest.mark.slow
@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(build, page):
    path = build[0] / f"{page}.html"
    found = read_links(path)
    for address in found.loads:
        assert not urllib.parse.urlparse(address).netloc, f"loaded from outside: {address}"
    for address in found.loads + found.links:
        parts = urllib.parse.urlparse(address)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
        assert target.exists(), address
        if parts.fragment and target.suffix == ".html":
            assert urllib.parse.unquote(parts.fragment) in read_links(target).ids, address


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("page", pages())
def test_page_is_light(site, browser, page):
    tab = browser.new_page()
    tab.goto(f"{site}{page}.html", wait_until="networkidle")
    formulas_drawn(tab)
    loaded = "['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))"
    weight = tab.evaluate(f"{loaded}.reduce((sum, entry) => sum + entry.decodedBodySize, 0)")
    tab.close()
    assert 0.1e6 < weight <= PAGE_MB * 1e6


@pytest.mark.slow
def test_the_book_is_light_and_offers_every_chapter_as_a_notebook(build):
    out, _ = build
    assert sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) <= BOOK_MB * 1e6
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        name = notebook.name
        assert (out / "notebooks" / name).read_bytes() == notebook.read_bytes()
        assert f"../notebooks/{name}" in read_links(out / f"book/{notebook.stem}.html").links


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("page", pages())
def test_page_is_sound_in_a_browser(site, browser, page):
    for width in (DESKTOP, PHONE):
        assert faults(browser, f"{site}{page}.html", site, width) == [], f"{width} px wide"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("page", pages())
def test_page_is_sound_without_a_server(build, browser, page):
    html_folder, _ = build
    address = (html_folder / f"{page}.html").as_uri()
    assert faults(browser, address, html_folder.as_uri(), DESKTOP) == []


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("page", pages())
def test_page_is_open_to_everybody(build, browser, page):
    axe = Axe()
    for theme, width in (("light", PHONE), ("dark", DESKTOP)):
        context = browser.new_context(viewport={"width": width, "height": 900})
        context.add_init_script(
            f"for (const key of ['mode', 'theme']) localStorage.setItem(key, '{theme}')"
        )
        tab = context.new_page()
        tab.goto((build[0] / f"{page}.html").as_uri(), wait_until="load")
        formulas_drawn(tab)
        assert tab.evaluate("document.documentElement.dataset.theme") == theme
        found = axe.run(tab, options={"preload": False}).response["violations"]
        grave = [
            (fault["id"], [node["html"][:99] for node in fault["nodes"][:3]])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
        assert grave == [], theme
        context.close()


@pytest.mark.slow
@pytest.mark.browser
def test_the_player_plays_just_the_word_that_is_pressed(site, browser):
    tab = browser.new_page()
    tab.goto(f"{site}book/stage4-words.html", wait_until="load")
    player = tab.locator(".sgpa").first
    button = player.locator("button").nth(2)
    start, end = (float(button.get_attribute(f"data-{edge}")) for edge in ("start", "end"))
    button.click()
    tab.wait_for_function(
        "([start, end]) => { const audio = document.querySelector('.sgpa audio');"
        " return audio.paused && audio.currentTime > start && audio.currentTime < end + 0.3 }",
        arg=[start, end],
        timeout=15_000,
    )
    assert tab.evaluate("document.querySelector('.sgpa audio').currentTime") >= end - 0.05
    tab.close()


LUMINANCE = """color => color.match(/[\\d.]+/g).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)"""


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_ledger_is_read_at_a_glance(browser, tmp_path, width, theme):
    common = {"version": "v1", "where": "headline", "formula": "a / b", "origin": ""}
    common |= {"comment": "<b>not bold</b> " * 30}
    rows = [
        common
        | {"id": f"v1.a_rather_long_name.of_a_claim.{i}", "name": f"A rather long name, claim {i}"}
        | {"published": "<0.01", "recomputed": "1,234.5 ± 123.45 s", "n": "100"}
        | {"class": name, "rests on": f"s{i}"}
        for i, name in enumerate([*STATUSES, STATUSES[0]])
    ]
    fragment = (ROOT / "book" / "_static" / "ledger.html").read_text("utf-8")
    page = tmp_path / "ledger.html"
    page.write_text(
        f"<!doctype html><html data-theme={theme}><meta charset=utf-8>"
        "<main style='max-width:660px'>" + fragment.replace("ROWS", json.dumps(rows)),
        "utf-8",
    )
    assert faults(browser, page.as_uri(), tmp_path.as_uri(), width) == []
    tab = browser.new_page(viewport={"width": width, "height": 900})
    tab.goto(page.as_uri())
    claims, told = tab.locator("#ledger details"), tab.locator("#ledger output")
    wide = "[...document.querySelectorAll('#ledger, #ledger *')].filter(e => e.scrollWidth > "
    assert tab.evaluate(f"{wide} e.clientWidth + 1 && e.clientWidth).length") == 0
    for i, name in enumerate(STATUSES):  # a word and a symbol in view, and readable
        badge = claims.nth(i).locator("summary .class")
        toggle = tab.locator("#ledger button").nth(i)
        assert badge.inner_text().split(" ", 1) == ["✓≈=≠–"[i], name]
        assert toggle.inner_text().split() == ["✓≈=≠–"[i], *name.split(), "21111"[i]]
        for element in (badge, toggle):
            box = element.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            dark, light = sorted(
                element.evaluate(
                    f"e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
                    f".map({LUMINANCE})"
                )
            )
            assert (light + 0.05) / (dark + 0.05) >= 4.5
    detail = claims.first.locator("dl")
    assert not detail.is_visible()
    claims.first.locator("summary").focus()
    tab.keyboard.press("Enter")
    assert detail.is_visible() and "a / b" in detail.inner_text()
    assert "<b>not bold</b>" in detail.inner_text()
    assert tab.evaluate(f"{wide} e.clientWidth + 1 && e.clientWidth).length") == 0
    tab.locator("#ledger button").nth(0).focus()
    tab.keyboard.press("Space")
    assert told.inner_text() == "4 of 6 rows"
    assert tab.locator("#ledger button").nth(0).get_attribute("aria-pressed") == "false"
    tab.keyboard.press("Space")
    tab.get_by_label("rests on").select_option("s3")
    assert claims.count() == 1 and told.inner_text() == "1 of 6 rows"
    tab.get_by_label("rests on").select_option("all")
    tab.get_by_label("version").select_option("v1")
    tab.get_by_label("search the ledger").fill("CLAIM.2")
    assert told.inner_text() == "1 of 6 rows"
    tab.close()


@pytest.mark.browser
def test_the_checks_see_what_is_wrong(browser, tmp_path):
    page = tmp_path / "wrong.html"
    page.write_text(
        "<script>console.error('a'); throw new Error('b')</script>"
        "<img src='missing.png' alt='x' width=50><img src='http://127.0.0.1:9/x.png' alt='x'>"
        "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' width=50>"
        "<div style='width:3000px'>wide</div>",
        "utf-8",
    )
    found = faults(browser, page.as_uri(), tmp_path.as_uri(), PHONE)
    kinds = ["console: a", "script: b", "failed", "outside", "missing image", "alternative text"]
    for kind in [*kinds, "sideways"]:
        assert any(kind in fault for fault in found), kind
