"""The page in a frame of another site, as a survey shows it."""

import http.server
import threading

import pytest

from tests.browser.conftest import PATIENCE, phase

pytestmark = [pytest.mark.browser]

SURVEY = """<!doctype html><title>Survey</title><input id="question">
<iframe id="study" width="900" height="650"></iframe>"""
ELSEWHERE = "The keys go to another window. Click here to play on."


class Site(http.server.BaseHTTPRequestHandler):
    """A survey, and behind any other address a word of thanks."""

    def do_GET(self):
        body = SURVEY if self.path == "/survey" else "<!doctype html><p>Thank you.</p>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *said):
        pass


@pytest.fixture
def site():
    """The address of another site, to which browsers go by another name."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://study.test:{server.server_port}"
        server.shutdown()


@pytest.fixture
def survey(open_page, site):
    """survey(address) opens a survey that shows the address in a frame; gives the survey, and the frame."""

    def open_(address):
        page = open_page(f"{site}/survey")
        page.evaluate("address => { document.querySelector('#study').src = address; }", address)
        page.wait_for_function("frames.length === 1")
        (frame,) = page.main_frame.child_frames
        return page, frame

    return open_


@pytest.mark.long  # in every run: without a browser
def test_who_is_sent_on_from_a_frame_leaves_the_survey_with_it(start_relay, open_page, site, survey):
    """Where people are paid is a page that no other site may show in a frame."""
    relay = start_relay(max_steps=20, recruiting={"next": f"{site}/paid/{{outcome}}{{subject}}"})
    page, frame = survey(f"{relay.url}?PROLIFIC_PID=anna")
    phase(frame, "start")
    frame.locator("#play").click()
    other = open_page(f"{relay.url}?PROLIFIC_PID=bert")
    phase(other, "start")
    other.locator("#play").click()
    phase(frame, "done")
    frame.locator("#screen-end a.next").click()
    page.wait_for_url(f"{site}/paid/*anna", timeout=PATIENCE * 1000)
    # Where nothing is around it, it is the same page that goes on.
    phase(other, "done")
    other.locator("#screen-end a.next").click()
    other.wait_for_url(f"{site}/paid/*bert", timeout=PATIENCE * 1000)


def test_whose_keys_go_to_the_survey_is_told_where_to_click(start_relay, open_page, survey):
    """A key that does nothing has no other sign; with the frame it goes to the game again, and the line is gone."""
    relay = start_relay(max_steps=600)
    page, frame = survey(relay.url)
    phase(frame, "start")
    frame.locator("#play").click()
    open_page(f"{relay.url}?autojoin=1")
    phase(frame, "playing")
    line = frame.locator("#stall")
    frame.wait_for_function("pycoreGame.frame > 15")
    assert line.inner_text() != ELSEWHERE
    page.locator("#question").click()
    page.keyboard.type("no")
    frame.wait_for_function("said => document.querySelector('#stall.shown')?.textContent === said", arg=ELSEWHERE)
    frame.locator("#canvas").click()
    frame.wait_for_function("said => document.querySelector('#stall').textContent !== said", arg=ELSEWHERE)
    assert page.locator("#question").input_value() == "no"
