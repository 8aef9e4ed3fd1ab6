"""What is asked most is answered without the framework: nobody can tell but by the time it takes."""

from __future__ import annotations

import pytest

PATHS = ["/v1/stock/JRK-ORIG-50", "/v1/stock/COMES", "/v1/orders/sent"]
UNTOLD = {"date"}


def headers(response):
    return {name.lower(): value for name, value in response.headers.items() if name.lower() not in UNTOLD}


@pytest.mark.parametrize("path", PATHS)
def test_the_framework_gives_the_same_answer_when_it_is_made_to(shelf, path):
    quick, framed = shelf.get(path), shelf.get(f"{path}?framed")
    assert (quick.status_code, quick.json()) == (framed.status_code, framed.json()) == (200, quick.json())
    assert quick.json()["as_of"]
    assert headers(quick) == headers(framed) | {"content-length": str(len(quick.content))}


@pytest.mark.parametrize("path", ["/v1/stock/NO-SUCH", "/v1/stock/", "/v1/orders/no-such", "/v1/stock/a|b"])
def test_what_it_does_not_find_the_framework_answers(shelf, path):
    quick, framed = shelf.get(path), shelf.get(f"{path}?framed")
    assert quick.status_code == framed.status_code >= 400
    assert quick.json() == framed.json()
