"""The HTML pages in a real browser: alone, sorted, filtered, read out, and obeying nobody."""

import pytest

from support.browser import Browser
from support.compared import document
from support.exported import HOSTILE, hostile_fleet
from support.making import FAILED, TIMED_OUT, fleet_of, run_events
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.report.export import write_export
from vmtiming_tui.report.export.comparison_formats import write_comparison


@pytest.fixture(scope="module")
def browser():
    with Browser() as each:
        yield each


@pytest.fixture
def page(browser, tmp_path):
    def opened(fleet):
        browser.open(write_export(tmp_path / "run.html", fleet))
        return browser

    return opened


def column(page, number):
    return page.run(
        "[...document.querySelectorAll('#vms tbody tr')].filter(row => !row.hidden)"
        f".map(row => row.cells[{number}].textContent)"
    )


def click(page, name):
    page.run(
        "[...document.querySelectorAll('#vms th button')]"
        f".find(button => button.textContent === {name!r}).click()"
    )


def test_loads_nothing_but_itself_and_reports_no_fault(page):
    opened = page(fleet_of([[5, 6, 7], [6, 7, 8]]))
    requested = [event["request"]["url"] for event in opened.seen("Network.requestWillBeSent")]
    assert [url.rpartition("/")[2] for url in requested] == ["run.html"]
    assert opened.seen("Log.entryAdded") == []
    assert opened.seen("Runtime.exceptionThrown") == []


def test_sorts_by_a_column_both_ways_with_what_has_no_figure_last(page):
    opened = page(fleet_of([[7, 5, TIMED_OUT, 12, 6]]))
    click(opened, "boot")
    assert column(opened, 0) == ["1", "4", "0", "3", "2"]
    click(opened, "boot")
    assert column(opened, 0) == ["3", "0", "4", "1", "2"]
    click(opened, "VM")
    assert column(opened, 0) == ["0", "1", "2", "3", "4"]
    sorted_by = "[...document.querySelectorAll('#vms th[aria-sort]')].map(th => th.ariaSort)"
    assert opened.run(sorted_by) == ["ascending"]


def test_filters_the_vms_by_what_is_typed(page):
    opened = page(fleet_of([[7, FAILED, 5]]))
    opened.run(
        "{ const field = document.querySelector('input'); field.value = 'PANICKED';"
        "field.dispatchEvent(new Event('input')) }"
    )
    assert column(opened, 0) == ["1"]


def test_reads_the_curve_out_under_the_pointer(page):
    opened = page(fleet_of([[2, 8]], skew_s=0.0))
    opened.run(
        "{ const chart = document.querySelector('svg.curve'), box = chart.getBoundingClientRect();"
        "const clientX = box.left + box.width / 2;"
        "chart.dispatchEvent(new PointerEvent('pointermove', {clientX})) }"
    )
    assert opened.run("document.querySelector('.readout').textContent").endswith("1 of 2")


def test_draws_each_stage_to_scale(page):
    opened = page(fleet_of([[5, 10]]))
    widths = opened.run(
        "[...document.querySelectorAll('#vms svg.bar')]"
        ".map(bar => [...bar.querySelectorAll('rect')]"
        ".reduce((sum, rect) => sum + Number(rect.getAttribute('width')), 0))"
    )
    assert widths == [pytest.approx(120, abs=0.1), pytest.approx(240, abs=0.1)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_has_readable_text_in_light_and_dark(page, scheme):
    opened = page(fleet_of([[5, 6, TIMED_OUT, FAILED]]))
    opened.ask(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    contrasts = opened.run(CONTRASTS)
    assert len(contrasts) > 50
    assert min(contrasts) >= 4.5


CONTRASTS = """
(() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
  };
  return [...document.querySelectorAll("h1, h2, p, dt, dd, small, th, td, li, summary, footer")]
    .filter((element) => element.textContent.trim() && element.offsetParent)
    .map((element) => {
      const pair = [getComputedStyle(element).color, 0];
      const [a, b] = [light(parse(pair[0])), light(behind(element))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    });
})()
"""


def test_does_not_scroll_sideways_on_a_small_screen(page):
    opened = page(fleet_of([[5, 6, TIMED_OUT]] * 3))
    opened.ask(
        "Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1,
        mobile=False,
    )  # fmt: skip
    try:
        assert opened.run("document.documentElement.scrollWidth") <= 390
    finally:
        opened.ask("Emulation.clearDeviceMetricsOverride")


def test_the_page_of_a_comparison_stands_alone_is_readable_and_fits_a_small_screen(
    browser, tmp_path
):
    held = document(5.0, before=fleet_of([[5, 6, FAILED]] * 8), after=fleet_of([[8, 9]] * 8))
    browser.ask(
        "Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1,
        mobile=False,
    )  # fmt: skip
    try:
        browser.open(write_comparison(tmp_path / "pr.html", held))
        assert browser.run("document.documentElement.scrollWidth") <= 390
    finally:
        browser.ask("Emulation.clearDeviceMetricsOverride")
    assert len(browser.seen("Network.requestWillBeSent")) == 1
    assert browser.seen("Log.entryAdded") == browser.seen("Runtime.exceptionThrown") == []
    assert min(browser.run(CONTRASTS)) >= 4.5


def test_a_guests_words_are_shown_and_do_nothing(page):
    opened = page(hostile_fleet())
    assert opened.seen("Page.javascriptDialogOpening") == []
    assert [event["type"] for event in opened.seen("Network.requestWillBeSent")] == ["Document"]
    assert opened.run("document.images.length + document.links.length") == 0
    shown = opened.run("document.body.textContent")
    assert "<script>alert(1)</script>" in shown
    assert "\\x1b[31m\\u202eevil" in shown
    assert HOSTILE not in shown


def test_even_markup_that_got_through_could_not_run(page):
    opened = page(fleet_of([[5]]))
    opened.run(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.broken = 1\">')"
    )
    assert opened.run("typeof window.broken") == "undefined"
    said = [event["entry"]["text"] for event in opened.seen("Log.entryAdded")]
    assert any("Content Security Policy" in text for text in said)


def test_five_thousand_vms_open(page):
    opened = page(Fleet(run_events([[5 + vm % 7 for vm in range(5000)]], skew_s=0.001)))
    assert len(column(opened, 0)) == 5000
