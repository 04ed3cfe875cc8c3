"""The report as text, and as a browser shows it."""

import json
import re
import shutil
import time
from html.parser import HTMLParser

import pytest
from helpers.grids import settled

from vtrans.ablation.curves import Line, chart, dots
from vtrans.ablation.report import report
from vtrans.ablation.settings import BASE

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VOID = {"meta", "link", "input", "br", "img", "hr"}


class Outline(HTMLParser):
    """Checks that elements are closed in order, and gathers what assistive technology goes by."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.ids, self.addresses = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.seen.append((tag, attrs))
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.addresses += [attrs[name] for name in ("src", "href") if name in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.seen if name == tag]


@pytest.fixture(scope="module")
def page(finished_grid):
    return (finished_grid / "report.html").read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_names_its_parts(page):
    outline = Outline(page)
    assert len(set(outline.ids)) == len(outline.ids)
    assert outline.all("html") == [{"lang": "en"}]
    assert all(len(outline.all(tag)) == 1 for tag in ("main", "header", "nav", "footer", "h1", "title"))
    named = {attrs["aria-labelledby"] for attrs in outline.all("section")}
    assert named <= set(outline.ids) and len(named) == 6
    assert all(attrs.get("aria-label") or attrs.get("aria-hidden") for attrs in outline.all("svg"))
    assert all(attrs.get("alttext") for attrs in outline.all("math")) and outline.all("math")
    assert len(outline.all("caption")) == len(outline.all("table"))
    assert all(attrs.get("scope") for attrs in outline.all("th"))
    links = [address for address in outline.addresses if address.startswith("#")]
    assert {link.removeprefix("#") for link in links} <= set(outline.ids)


def test_nothing_is_loaded_from_elsewhere(page):
    outline = Outline(page)
    assert all(address.startswith(("#", "data:")) for address in outline.addresses)
    rest = page.replace("http://www.w3.org/1998/Math/MathML", "")
    assert not re.search(r"https?://|@import|url\(", rest)


def test_names_cannot_break_the_page():
    found = settled({"a": [(0.9, 0.9)], "b": [(0.1, 0.1)]})
    found["notes"] = ['<script>alert("x")</script> & more {{main}}']
    text = report(found, {})
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text and "{{main}}" in text
    Outline(re.sub(r"\{\{main\}\}", "", text))


def test_a_curve_goes_through_its_points():
    svg = chart("score", [Line("a", 0, [(0, 0.0), (50, 0.5), (100, 1.0)])], limits=(0.0, 1.0))
    (points,) = re.findall(r'<polyline class="c0" +points="([^"]+)"', svg)
    places = [tuple(map(float, point.split(","))) for point in points.split()]
    (x0, y0), (x1, y1), (x2, y2) = places
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1) and y1 == pytest.approx((y0 + y2) / 2, abs=0.1)
    assert x0 < x2 and y0 > y2 and 'aria-label="score. At the end: a 1."' in svg


def test_dots_lie_where_the_values_are():
    svg = dots({"0": 0.0, "1": 0.5, "2": 1.0, "3": None}, low=0.0, high=1.0, number=3)
    places = [float(x) for x in re.findall(r'cx="([\d.]+)"', svg)]
    assert places == [8.0, 80.0, 152.0] and "seed 1 0.5" in svg and "seed 3" not in svg


def contrast(first, second):
    """Of two colours, as WCAG 2 defines it."""

    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(first), light(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_and_lines_can_be_told_from_the_paper_in_both_modes(page):
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in page.split("prefers-color-scheme: dark")[:2]
    )
    for colours in (light, {**light, **dark}):
        for text in ("ink", "quiet", "link"):
            assert contrast(colours[text], colours["paper"]) >= 4.5 and contrast(colours[text], colours["panel"]) >= 4.5
        assert all(contrast(colours[f"c{number}"], colours["paper"]) >= 4.5 for number in range(8))


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="install playwright to look at the report")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    with sync_api.sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except sync_api.Error as error:
            pytest.skip(f"no browser to look at the report with: install chromium ({error.message.splitlines()[0]})")
        yield opened
        opened.close()


@pytest.fixture(params=[(1100, 800), (390, 844)], ids=["desktop", "phone"])
def shown(browser, finished_grid, request):
    """The report in a browser, with all that it said and asked for."""
    width, height = request.param
    tab = browser.new_page(viewport={"width": width, "height": height})
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda sent: asked.append(sent.url))
    tab.goto((finished_grid / "report.html").as_uri())
    until(tab, "[...document.querySelectorAll('video')].every((v) => v.readyState >= 2)")
    tab.locator("#videos").scroll_into_view_if_needed()
    tab.evaluate("document.getElementById('clips-shown').scrollIntoView()")
    yield tab
    assert said == []
    assert [url.partition(":")[0] for url in asked if not url.startswith("blob:")] == ["file"]
    tab.close()


def until(tab, condition, seconds=20):
    """Waits for a condition; the page's own policy forbids the browser's way of doing that."""
    limit = time.monotonic() + seconds
    while not tab.evaluate(condition):
        assert time.monotonic() < limit, condition
        tab.wait_for_timeout(20)


TIMES = "[...document.querySelectorAll('video')].map((v) => v.currentTime)"
SETTLED = "[...document.querySelectorAll('video')].every((v) => !v.seeking)"


def frame_of(tab):
    return int(tab.locator("#time").input_value())


def test_videos_play_in_step(shown):
    assert shown.locator("video").count() == 4  # input, truth, two variants
    assert shown.evaluate(
        "[...document.querySelectorAll('video')].every((v) => v.duration > 2.9 && v.videoWidth == 128)"
    )
    shown.locator("#play").click()
    until(shown, "document.querySelector('video').currentTime > 0.5")
    spreads = []
    for _ in range(5):
        times = shown.evaluate(TIMES)
        spreads.append(max(times) - min(times))
        shown.wait_for_timeout(100)
    assert sorted(spreads)[2] < 0.125 and times[0] > 0.5  # a frame lasts an eighth of a second
    shown.locator("#play").click()
    until(shown, SETTLED)
    assert len(set(shown.evaluate(TIMES))) == 1 and shown.locator("#play").inner_text() == "Play"
    assert shown.evaluate("[...document.querySelectorAll('video')].every((v) => v.paused)")


def test_videos_begin_again_at_the_end(shown):
    shown.locator("#time").fill("22")
    shown.locator("#play").click()
    until(shown, "document.querySelector('video').currentTime < 1 && !document.querySelector('video').paused")
    shown.locator("#play").click()


def test_the_scrubber_moves_all_videos(shown):
    shown.locator("#time").fill("10")
    until(shown, SETTLED)
    assert shown.evaluate(TIMES) == pytest.approx([10.5 / 8] * 4)
    assert shown.locator("#time").get_attribute("aria-valuetext") == "frame 11 of 24"


def test_the_keyboard_plays_and_steps(shown):
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("ArrowRight")
    assert frame_of(shown) == 2
    shown.keyboard.press("ArrowLeft")
    assert frame_of(shown) == 1
    shown.keyboard.press("Space")
    until(shown, "!document.querySelector('video').paused")
    shown.keyboard.press("Space")
    until(shown, "document.querySelector('video').paused")
    shown.locator("#time").focus()
    before = frame_of(shown)
    shown.keyboard.press("ArrowRight")
    assert frame_of(shown) == before + 1
    shown.locator("#play").focus()
    shown.keyboard.press("Space")
    until(shown, "!document.querySelector('video').paused")
    shown.keyboard.press("Space")
    until(shown, "document.querySelector('video').paused")


def test_another_seed_and_direction_show_other_videos(shown):
    def pictures():
        until(shown, "[...document.querySelectorAll('video')].every((v) => v.readyState >= 2 && !v.seeking)")
        return shown.evaluate("""[...document.querySelectorAll('video')].map((video) => {
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [32, 32];
            const context = canvas.getContext('2d');
            context.drawImage(video, 0, 0, 32, 32);
            return context.getImageData(0, 0, 32, 32).data.reduce((a, b, i) => (a * 31 + b * (i % 7 + 1)) % 1000003, 0);
        })""")

    first = pictures()
    shown.locator("#seed").select_option("1")
    second = pictures()
    shown.locator("#direction").select_option("x")
    third = pictures()
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert third[0] == second[1] and third[1] == second[0]  # input and truth change places
    assert "y to x, seed 1: 4 videos." in shown.locator("#status").inner_text()


def test_nothing_is_wider_than_the_screen(shown):
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = shown.evaluate("""[...document.querySelectorAll('button, select, input, nav a')]
        .filter((e) => e.getBoundingClientRect().height < 24).map((e) => e.outerHTML)""")
    assert small == []


def test_every_control_has_a_name_and_equations_are_shown(shown):
    tree = shown.locator("body").aria_snapshot()
    for line in (
        'button "Play"',
        'slider "Frame of all videos"',
        'combobox "World"',
        "main",
        'navigation "On this page"',
    ):
        assert line in tree
    shown.locator("#objectives").scroll_into_view_if_needed()
    box = shown.locator("#objectives details[open] math").first.bounding_box()
    assert box["width"] > 50 and box["height"] > 10


def test_who_wants_less_motion_gets_no_loop(browser, finished_grid):
    tab = browser.new_page(reduced_motion="reduce")
    tab.goto((finished_grid / "report.html").as_uri())
    until(tab, "[...document.querySelectorAll('video')].every((v) => v.readyState >= 2)")
    assert tab.evaluate("[...document.querySelectorAll('video')].every((v) => v.paused)")
    tab.locator("#time").fill("21")
    tab.locator("#play").click()
    until(tab, "document.getElementById('play').textContent === 'Play'")
    assert frame_of(tab) == 23
    tab.close()


def test_results_hold_the_whole_grid(finished_grid):
    found = json.loads((finished_grid / "results.json").read_text())
    assert len(found["cells"]) == 4 and found["grid"]["base"]["lr"] == BASE["lr"]
    assert {objective["variant"] for objective in found["objectives"]} == {"cycle_gan", "recycle_gan"}
    assert set(found["worlds"]["motion_keyed"]["outcomes"]["settled"]["variants"]) == {"cycle_gan", "recycle_gan"}
