"""An order's explanation is answered by the API as documented: one at a time, within a limit, or with what to do."""

from __future__ import annotations

import threading

import pytest

from api.explanations import Explainer
from api.problems import Problem
from streams.reader import ReadError

PATH = "/v1/orders/{order_id}/explanation"


def test_an_explanation_is_as_documented_and_says_what_was_decided(street):
    street.place("why/1", {"JRK-BLAC-50": 1, "JRK-CHIL-200": 10_000})
    street.wait(lambda: street.get("/v1/orders/why/1").json().get("order", {}).get("status") == "rejected")
    response = street.get("/v1/orders/why/1/explanation", timeout=30)
    assert response.status_code == 200, response.text
    street.check_documented(PATH, response)
    told = response.json()["explanation"]
    assert (told["status"], told["decision"]["reason"]) == ("rejected", "insufficient")
    refused = [x for question in told["questions"] for x in question["answer"]["refused"]]
    assert [(x["sku"], x["reason"]) for x in refused] == [("JRK-CHIL-200", "insufficient")]
    assert {one["topic"] for one in response.json()["as_of"]} == {"orders", "warehouse"}


def test_an_order_that_never_was_is_a_documented_404(street):
    response = street.get("/v1/orders/no-such/explanation", timeout=30)
    assert response.status_code == 404
    street.check_documented(PATH, response)


def test_an_order_whose_id_ends_as_an_explanations_path_is_asked_for_with_its_slash_encoded(street):
    for name in ("twin", "twin/explanation"):
        street.place(name, {"JRK-BLAC-50": 1})
    street.wait(lambda: {"twin", "twin/explanation"} <= {o["order_id"] for o in street.answer("/v1/orders")["items"]})
    for path in ("/v1/orders/twin%2Fexplanation", "/v1/orders/twin%2fexplanation?framed"):
        assert street.answer(path)["order"]["order_id"] == "twin/explanation"
    for path in ("twin", "twin%2Fexplanation", "twin/explanation"):
        told = street.get(f"/v1/orders/{path}/explanation", timeout=30).json()["explanation"]
        assert told["order_id"] == path.replace("%2F", "/")
    unknown = street.get("/v1/orders/no%2Fexplanation")
    assert (unknown.status_code, "'no/explanation'" in unknown.json()["detail"]) == (404, True)


PAST = "/v1/stock/{sku}/past"


def test_past_stock_is_as_documented_and_is_the_level_of_its_version(street):
    now = street.get("/v1/stock/JRK-BLAC-50").json()["stock"]
    response = street.get("/v1/stock/JRK-BLAC-50/past", params={"at": ".".join(map(str, now["version"]))}, timeout=30)
    assert response.status_code == 200, response.text
    street.check_documented(PAST, response)
    then = response.json()["stock"]
    assert (then["version"], then["on_hand"], then["locations"]) == (now["version"], now["on_hand"], now["locations"])


@pytest.mark.parametrize(("sku", "at", "status", "kind"), [
    ("JRK-BLAC-50", "yesterday", 422, "no-such-moment"),
    ("JRK-BLAC-50", "999999999", 422, "no-such-moment"),
    ("JRK-BLAC-50", "1.0.0", 422, "no-such-moment"),
    ("JRK-BLAC-50", "0001-01-01T00:00:00+01:00", 422, "no-such-moment"),
    ("JRK-BLAC-50", "2001-01-01T00:00:00Z", 404, "unknown-sku"),
    ("NEVER-SEEN", "0", 404, "unknown-sku"),
])  # fmt: skip
def test_stock_that_never_was_and_moments_that_are_none_are_told(street, sku, at, status, kind):
    response = street.get(f"/v1/stock/{sku}/past", params={"at": at}, timeout=30)
    assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (status, kind), response.text
    street.check_documented(PAST, response)


@pytest.fixture
def folding():
    """A fold that goes on until `let_go`, and counts the times it was told to stop."""

    class Folding:
        def __init__(self):
            self.let_go, self.began, self.ended = threading.Event(), threading.Event(), threading.Event()
            self.stopped = 0

        def __call__(self, order_id, advance):
            self.began.set()
            try:
                while not self.let_go.wait(0.01):
                    advance()
            except TimeoutError:
                self.stopped += 1
                self.ended.set()
                raise
            return order_id

    made = Folding()
    yield made
    made.let_go.set()


def test_a_second_question_meanwhile_is_told_to_come_again(folding):
    explainer = Explainer(folding)
    answers = []
    first = threading.Thread(target=lambda: answers.append(explainer.ask("o-1")))
    first.start()
    assert folding.began.wait(20)
    with pytest.raises(Problem) as refused:
        explainer.ask("o-2")
    assert (refused.value.status_code, refused.value.kind) == (503, "explanation-busy")
    folding.let_go.set()
    first.join(20)
    assert answers == ["o-1"]
    assert explainer.ask("o-2") == "o-2"


def test_what_takes_too_long_is_answered_and_told_to_stop(folding):
    explainer = Explainer(folding, seconds=0.05)
    with pytest.raises(Problem) as late:
        explainer.ask("o-1")
    assert (late.value.status_code, late.value.kind) == (503, "explanation-too-long")
    assert folding.ended.wait(20)
    assert folding.stopped == 1


def test_logs_that_cannot_be_read_are_a_503_and_the_next_question_is_answered():
    def broken(order_id, advance):
        if order_id == "o-1":
            raise ReadError("orders/0: no such topic")
        return order_id

    explainer = Explainer(broken)
    with pytest.raises(Problem, match="no such topic") as lost:
        explainer.ask("o-1")
    assert (lost.value.status_code, lost.value.kind) == (503, "logs-unreadable")
    assert explainer.ask("o-2") == "o-2"


def test_a_process_that_cannot_fold_says_who_can():
    with pytest.raises(Problem, match="smokehouse explain") as off:
        Explainer(None).ask("o-1")
    assert off.value.status_code == 503
