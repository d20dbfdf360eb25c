// Calls of the operators' routes. Every failure is a `CallError` that says who must do what.

/** Longest wait for an answer to a question. */
const READ_TIMEOUT_MS = 15_000;

/** The service gives a probe up after 30 s. */
const PROBE_TIMEOUT_MS = 40_000;

/** A run answers when it has ended: no earlier than the service's own deadline for runs, plus a margin. */
const RUN_TIMEOUT_MS = 16 * 60_000;

/** kind: "unreachable", "signed-out", "refused" (the service answered, but not with what was asked for). */
export class CallError extends Error {
  constructor(kind, message, status = null) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

/** Asks; the answer's JSON. */
export function get(path, signal) {
  return call(path, { signal }, READ_TIMEOUT_MS);
}

/** Resets a breaker and the like: an order that is carried out at once. */
export function post(path) {
  return call(path, { method: "POST" }, READ_TIMEOUT_MS);
}

/** Lets the service ask a provider's service how it is. */
export function probe(path) {
  return call(path, { method: "POST" }, PROBE_TIMEOUT_MS);
}

/**
 * Starts or resumes a run and waits for its report.
 *
 * A run that failed answers 502 or 503 with a report like any other: that is an answer, not an error.
 */
export function run(path, body, key) {
  const headers = body ? { "Content-Type": "application/json", "Idempotency-Key": key } : {};
  const options = { method: "POST", headers, body: body && JSON.stringify(body) };
  return call(path, options, RUN_TIMEOUT_MS, isReport);
}

const isReport = (answer) => Boolean(answer?.data?.run_id);

async function call(path, options, timeoutMs, accepts = () => false) {
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  let response;
  let answer = null;
  try {
    // By origin: an address that carries credentials would make every relative one invalid.
    response = await fetch(new URL(path, location.origin), { cache: "no-store", ...options, signal });
    answer = await response.json().catch((error) => {
      if (error instanceof SyntaxError) return null;
      throw error;
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    const late = timeout.aborted ? `no response within ${timeoutMs / 1000} s` : "no connection";
    throw new CallError("unreachable", `${late} (${path.split("?")[0]})`);
  }
  if (response.ok && answer !== null) return answer;
  if (accepts(answer)) return answer;
  if (response.status === 401) throw new CallError("signed-out", "signed out", 401);
  throw new CallError("refused", words(response, answer), response.status);
}

/** What a problem document says, with each field's error. */
function words(response, problem) {
  const head = `${response.status} ${problem?.title ?? response.statusText}`.trim();
  const errors = Array.isArray(problem?.errors) ? problem.errors.map(fieldError).join("; ") : "";
  return [head, problem?.detail, errors].filter(Boolean).join(": ");
}

function fieldError({ field, value, message }) {
  return [field, value && `"${value}"`, message].filter(Boolean).join(" ");
}
