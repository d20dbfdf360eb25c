"""What schemathesis must know of the service beyond its description."""

from itertools import count

import schemathesis
from schemathesis.generation import GenerationMode

KEY_BYTES_MAX = 255

numbers = count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Give every good request an Idempotency-Key of its own: the same one with another body is rightly refused."""
    key = case.headers.get("Idempotency-Key")
    if key and case.meta and case.meta.generation.mode is GenerationMode.POSITIVE:
        end = f"-{next(numbers)}"
        case.headers["Idempotency-Key"] = key[: KEY_BYTES_MAX - len(end)] + end
