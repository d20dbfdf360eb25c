"""What schemathesis must know of the service beyond its description."""

from itertools import count

import schemathesis
from schemathesis.generation import GenerationMode

KEY_BYTES_MAX = 255

numbers = count()


@schemathesis.hook
def before_call(context, case, kwargs):
    as_utf8(case.headers)
    own_key(case)


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


def own_key(case):
    """Give every good request an Idempotency-Key of its own: the same one with another body is rightly refused."""
    key = case.headers.get("Idempotency-Key")
    if key and case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
        end = f"-{next(numbers)}"
        case.headers["Idempotency-Key"] = key[: KEY_BYTES_MAX - len(end)] + end
