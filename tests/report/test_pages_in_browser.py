"""The pages in a real browser with the network off."""

import shutil

import pytest

from tests.report.test_html import PAGES

pytestmark = pytest.mark.full

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Elements whose own box may scroll; what they hold may be wider than the screen.
OVERFLOWING = """() => {
  const wide = [];
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest(".crm-scroll, .crm-output, pre, .crm-rooms, .crm-skip, svg")) continue;
    if (element.getBoundingClientRect().right > innerWidth + 1) wide.push(element.className || element.tagName);
  }
  return wide;
}"""
SMALLEST_TEXT = """() => Math.min(...[...document.querySelectorAll("main *")]
  .filter(e => e.childNodes.length && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
  .filter(e => e.getClientRects().length && !e.closest("title, desc"))
  .map(e => {
    const size = parseFloat(getComputedStyle(e).fontSize), svg = e.ownerSVGElement;
    return svg ? size * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : size;
  }))
"""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing: install the extra 'browser'")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is missing: install it from the system's packages")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(pages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8")
    return folder


@pytest.fixture
def open_page(browser, site):
    contexts = []

    def open_at(name: str, width: int, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.messages, page.requests = [], []
        page.on("console", lambda message: page.messages.append(message.text))
        page.on("pageerror", lambda error: page.messages.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto((site / name).as_uri())
        return page

    yield open_at
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_nothing_to_the_console_and_asks_for_nothing(open_page, site, name):
    page = open_page(name, 1280)
    assert page.messages == []
    assert page.requests == [(site / name).as_uri()]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_a_page_fits_the_screen_and_can_be_read(open_page, name, width):
    page = open_page(name, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(SMALLEST_TEXT) >= 11


def test_a_phone_sees_the_narrow_drawing_and_a_desk_the_wide_one(open_page):
    for width, seen, unseen in [(360, "narrow", "wide"), (1280, "wide", "narrow")]:
        page = open_page("06_churn_and_value.html", width)
        assert page.locator(f".crm-{seen}").first.is_visible()
        assert not page.locator(f".crm-{unseen}").first.is_visible()


def test_texts_of_charts_stay_within_their_drawing(open_page):
    outside = """() => [...document.querySelectorAll("figure svg text")].filter(text => {
      if (!text.getClientRects().length) return false;
      const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
      return box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2;
    }).map(text => text.textContent)"""
    for width in (360, 1280):
        assert open_page("06_churn_and_value.html", width).evaluate(outside) == []


def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(open_page):
    page = open_page("06_churn_and_value.html", 1280)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "crm-skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_prints_without_menu_and_without_cutting(open_page, name):
    page = open_page(name, 1280)
    assert page.pdf(format="A4").startswith(b"%PDF-")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})
    assert not page.locator(".crm-rooms").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 700


def test_motion_is_left_out_where_it_is_unwanted(open_page):
    page = open_page("index.html", 1280, reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
