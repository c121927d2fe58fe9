"""The page in headless Chromium: silent, usable by mouse and keyboard, wide and narrow, light and dark."""

import contextlib

import pytest

pytestmark = pytest.mark.xdist_group("report")  # one study and one browser are enough


@contextlib.contextmanager
def opened(browser, where, own=("file:", "data:", "blob:"), **options):
    """A page whose console, errors and requests to others are kept; it must be silent."""
    context = browser.new_context(**options)
    tab = context.new_page()
    tab.set_default_timeout(200_000)  # ms; a machine may be busy
    heard = []
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("pageerror", lambda error: heard.append(str(error)))
    tab.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    tab.on("request", lambda request: request.url.startswith(own) or heard.append(request.url))
    tab.goto(where)
    try:
        yield tab
        assert heard == []
    finally:
        context.close()


@pytest.fixture(scope="module")
def where(page, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.html, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def tab(browser, where):
    with opened(browser, where, viewport={"width": 1280, "height": 900}) as found:
        yield found


def column(tab, number):
    return tab.eval_on_selector_all(
        f".pick:not([hidden]) tbody tr td:nth-child({number})",
        "cells => cells.map(c => c.dataset.v ?? c.innerText)",
    )


def test_tables_are_sorted_both_ways_by_mouse_and_keyboard(tab):
    titles = tab.locator(".pick:not([hidden]) th").all_inner_texts()
    regret = next(number for number, title in enumerate(titles, 1) if "regret" in title.lower())
    method = next(number for number, title in enumerate(titles, 1) if "method" in title.lower())
    head = tab.locator(".pick:not([hidden]) th button", has_text="regret").first
    head.click()
    assert column(tab, regret) == sorted(column(tab, regret), key=float)
    assert tab.locator(".pick:not([hidden]) th").nth(regret - 1).get_attribute("aria-sort") == "ascending"
    head.focus()
    tab.keyboard.press("Enter")
    assert column(tab, regret) == sorted(column(tab, regret), key=float, reverse=True)
    tab.locator(".pick:not([hidden]) th button", has_text="method").first.click()
    assert column(tab, method) == sorted(column(tab, method), key=str.casefold)


def test_the_selector_shows_one_leaderboard(tab):
    keys = tab.eval_on_selector_all("#budget option", "options => options.map(o => o.value)")
    assert len(keys) >= 3
    for key in (keys[0], keys[-1]):
        tab.select_option("#budget", key)
        shown = tab.eval_on_selector_all(".pick:not([hidden])", "parts => parts.map(p => p.dataset.value)")
        assert shown == [key]


def test_pointing_at_curves_tells_all_values_and_arrows_do_too(tab):
    panel = tab.locator('.panel[data-panel="05_rank-0"]')
    panel.scroll_into_view_if_needed()
    box = panel.locator("svg").bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    tip = tab.locator(".tip")
    assert tip.is_visible()
    names = tip.locator("td:first-child").all_inner_texts()
    assert sorted(names) == sorted(tab.locator("#anytime .legend button").all_inner_texts())
    values = [float(text) for text in tip.locator("td:last-child").all_inner_texts()]
    assert values == sorted(values)
    assert all(1 <= value <= 3 for value in values)
    tab.mouse.move(1, 1)
    assert not tip.is_visible()
    panel.focus()
    tab.keyboard.press("ArrowRight")
    assert tip.is_visible()
    tab.keyboard.press("Escape")
    assert not tip.is_visible()


def test_the_values_told_are_those_of_the_data(tab, page):
    table = page.figures["05_rank"].table
    last = table[table["budget"] == table["budget"].max()]
    tab.locator('.panel[data-panel="05_rank-0"]').focus()
    for _ in range(40):
        tab.keyboard.press("ArrowRight")
    told = dict(
        zip(
            tab.locator(".tip td:first-child").all_inner_texts(),
            map(float, tab.locator(".tip td:last-child").all_inner_texts()),
            strict=True,
        )
    )
    assert told == pytest.approx(dict(zip(last["method"], last["rank"], strict=True)), rel=1e-3)


def test_a_method_is_seen_alone_and_shapes_say_what_they_are(tab):
    button = tab.locator("#anytime .legend button").first
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    faded = tab.eval_on_selector_all("#anytime .plot .s:not(.on)", "shapes => shapes.length")
    clear = tab.eval_on_selector_all(
        "#anytime .plot .s.on", "shapes => shapes.map(s => s.classList.contains('m0'))"
    )
    assert faded > 0
    assert clear
    assert all(clear)
    button.click()
    assert tab.locator("#anytime .only").count() == 0
    tab.locator('.panel[data-panel="02_leaderboard-0"] [data-t]').first.hover()
    assert "interval" in tab.locator(".tip").inner_text()


def test_a_config_is_copied(tab):
    tab.locator("#best summary").click()
    button = tab.locator("#best .copy").first
    button.click()
    button.get_by_text("Copied").wait_for()


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_can_be_read(browser, where, width, scheme):
    with opened(browser, where, viewport={"width": width, "height": 900}, color_scheme=scheme) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[scheme]
        letters = tab.eval_on_selector_all(
            ".panel svg text.tick", "texts => Math.min(...texts.map(t => t.getBoundingClientRect().height))"
        )
        assert letters >= 9  # px; smaller ones cannot be read


def test_without_javascript_everything_is_there(browser, where):
    with opened(browser, where, java_script_enabled=False) as tab:
        boards = tab.locator("#leaderboard .pick")
        assert boards.count() >= 3
        assert all(boards.nth(i).is_visible() for i in range(boards.count()))
        assert not tab.locator(".controls").is_visible()
        assert tab.locator(".panel svg").first.is_visible()


def test_on_paper_it_is_whole_and_on_white(browser, where):
    with opened(browser, where, color_scheme="dark") as tab:
        tab.emulate_media(media="print")
        assert not tab.locator("nav").is_visible()
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        boards = tab.locator("#leaderboard .pick")
        assert all(boards.nth(i).is_visible() for i in range(boards.count()))
        assert tab.pdf()[:5] == b"%PDF-"
