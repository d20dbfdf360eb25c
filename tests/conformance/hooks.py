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
    """Make good requests as good as they are meant."""
    if not case.meta or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    # A key of its own: the same one with another body is rightly refused.
    key = case.headers.get("Idempotency-Key")
    if key:
        end = f"-{next(numbers)}"
        case.headers["Idempotency-Key"] = key[: KEY_BYTES_MAX - len(end)] + end
    tickers = case.body.get("tickers") if isinstance(case.body, dict) else None
    if tickers:
        case.body["tickers"] = [visible(ticker) for ticker in tickers]
