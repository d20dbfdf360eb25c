// Calls to the operators' routes. Every failure is a `CallError` that says who must do what.

/** Longest wait for the response to a read. */
const READ_TIMEOUT_MS = 15_000;

/** The service gives up on a probe after 30 s. */
const PROBE_TIMEOUT_MS = 40_000;

/** A run responds when it has ended: allow for the service's own deadline for runs, plus a margin. */
const RUN_TIMEOUT_MS = 16 * 60_000;

/** kind: "unreachable", "signed-out", "refused" (the service responded, but not with the requested data). */
export class CallError extends Error {
  constructor(kind, message, status = null) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

/** Sends a GET request; returns the response's JSON. */
export function get(path, signal) {
  return call(path, { signal }, READ_TIMEOUT_MS);
}

/** Sends an order that is carried out immediately, such as resetting a breaker; `order`: { reason, … }. */
export function post(path, order = {}) {
  return call(path, { method: "POST", ...asJson(order) }, READ_TIMEOUT_MS);
}

/** Stops a run; its owner may be storing what it has received. */
export function cancel(path, order) {
  return call(path, { method: "POST", ...asJson(order) }, PROBE_TIMEOUT_MS);
}

/** What a backfill would request; `order`: { job, from, to, only, dry_run: true, … }. Years of coverage are read for it. */
export function plan(order) {
  return call("/manual/trigger-job", { method: "POST", ...asJson(order) }, PROBE_TIMEOUT_MS);
}

function asJson(body) {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

/** Makes the service count the documents of a day, which may be many. */
export function verify(path) {
  return call(path, { method: "POST" }, PROBE_TIMEOUT_MS);
}

/** Makes the service probe a provider's service. */
export function probe(path) {
  return call(path, { method: "POST" }, PROBE_TIMEOUT_MS);
}

/**
 * Starts or resumes a run and waits for its report.
 *
 * A run that failed responds with 502 or 503 and a report like any other: that is a response, not an error.
 */
export function run(path, body, key) {
  const options = { method: "POST", ...asJson(body) };
  if (key) options.headers["Idempotency-Key"] = key;
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

/** The message of a problem document, with each field's error. */
function words(response, problem) {
  const head = `${response.status} ${problem?.title ?? response.statusText}`.trim();
  const errors = Array.isArray(problem?.errors) ? problem.errors.map(fieldError).join("; ") : "";
  return [head, problem?.detail, errors].filter(Boolean).join(": ");
}

function fieldError({ field, value, message }) {
  return [field, value && `"${value}"`, message].filter(Boolean).join(" ");
}
