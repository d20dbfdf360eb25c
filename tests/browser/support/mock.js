// A stand-in for the component: the page's files as they are, and scripted answers of the operators' routes.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";

export const HOME = new URL("../../../src/dashboard/", import.meta.url);

/** As the component sends it: whatever the page did against it would fail here too. */
export const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
  + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };

/**
 * Starts a server. `answers` maps "METHOD /path" to a value, to [status, value], to HANG, to RESET, or to a function of
 * the request { url, headers, body } that gives one of these; it may be changed at any time.
 */
export async function mock(answers) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://mock");
    const page = url.pathname === "/" ? "index.html" : url.pathname.startsWith("/assets/") && url.pathname.slice(8);
    if (page) return asset(response, page);
    let body = "";
    for await (const chunk of request) body += chunk;
    const name = `${request.method} ${decodeURIComponent(url.pathname)}`;
    const asked = { name, url, headers: request.headers, body: body && JSON.parse(body) };
    requests.push(asked);
    let answer = answers[name] ?? [404, { title: "Not found", status: 404, detail: `no route ${name}` }];
    if (typeof answer === "function") answer = await answer(asked);
    if (answer === HANG) return undefined;
    if (answer === RESET) return request.socket.destroy();
    const [status, value] = Array.isArray(answer) ? answer : [200, answer];
    const type = status < 400 || value?.data ? "application/json" : "application/problem+json";
    response.writeHead(status, { "Content-Type": type });
    return response.end(JSON.stringify(value));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    answers,
    requests,
    named: (name) => requests.filter((request) => request.name === name),
    close: () => { server.closeAllConnections(); server.close(); },
  };
}

export const HANG = Symbol("no answer");
export const RESET = Symbol("broken connection");

async function asset(response, name) {
  try {
    const content = await readFile(new URL(name, HOME));
    response.writeHead(200, { "Content-Type": TYPES[extname(name)], "Content-Security-Policy": POLICY });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}
