"""What schemathesis must know of the service beyond its description."""

from itertools import count

import schemathesis
from schemathesis.generation import GenerationMode

KEY_BYTES_MAX = 255
TICKER_BYTES_MAX = 64

numbers = count()


def visible(ticker):
    """The nearest ticker that is one: a pattern cannot tell which characters can be seen, nor count bytes."""
    shown = "".join(c for c in ticker if c.isprintable()).strip()
    return shown.encode()[:TICKER_BYTES_MAX].decode(errors="ignore").strip() or "A"


@schemathesis.hook
def before_call(context, case, kwargs):
    as_utf8(case.headers)
    if case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
        as_meant(case)


def as_utf8(headers):
    """Send headers as UTF-8, where schemathesis would send Latin-1.

    Spin itself answers 500 to a header that is not UTF-8, before any component sees it (crates/host/PARITY.md): no answer
    of this service, so nothing that its description could promise.
    """
    for name, value in (headers or {}).items():
        if isinstance(value, str) and not is_utf8(value):
            headers[name] = value.encode("utf-8").decode("latin-1")


def is_utf8(value):
    """Whether the bytes that a header is sent as are UTF-8."""
    try:
        value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return True


def as_meant(case):
    """Make good requests as good as they are meant."""
    # A key of its own: the same one with another body is rightly refused.
    key = case.headers.get("Idempotency-Key")
    if key:
        end = f"-{next(numbers)}"
        case.headers["Idempotency-Key"] = key[: KEY_BYTES_MAX - len(end)] + end
    tickers = case.body.get("tickers") if isinstance(case.body, dict) else None
    if tickers:
        case.body["tickers"] = [visible(ticker) for ticker in tickers]
