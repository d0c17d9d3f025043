import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { retryAfterMs } from "../../../src/adapters/execute/nodes/http-exchange.ts";
import { http } from "../../../src/adapters/execute/nodes/http.ts";
import { attempt, TestProject, type Attempted, type AttemptOptions } from "../../support/single-attempt.ts";

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}
let answer: (request: Seen, response: ServerResponse) => void;
let seen: Seen[] = [];
const servers: Server[] = [];
let base: string;
let other: string;
let project: TestProject;

async function listen(): Promise<string> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body });
      answer({ method, url, headers, body }, response);
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
beforeAll(async () => {
  base = await listen();
  other = await listen();
});
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections();
});
beforeEach(() => {
  project = new TestProject();
  seen = [];
  answer = (_request, response) => response.end("ok");
});
afterEach(() => project[Symbol.dispose]());

function send(data: Readonly<Record<string, unknown>>, options: Partial<AttemptOptions> = {}): Promise<Attempted> {
  return attempt(http, project, { ...options, data });
}

describe("the request", () => {
  test("has its templates filled; what is inserted into the url is encoded, except the base it begins with", async () => {
    await send(
      {
        url: "{{base}}/items/{{id}}?x={{x}}",
        query: { q: "{{q}}", many: [1, 2], none: null },
        headers: { "X-Own": "a {{id}}" },
      },
      { values: { base, id: "a/../b?c", x: "1&2", q: "two words" } },
    );
    expect(seen[0]).toMatchObject({
      method: "GET",
      url: "/items/a%2F..%2Fb%3Fc?x=1%262&q=two+words&many=1&many=2",
      headers: { "x-own": "a a/../b?c" },
    });
    expect(seen[0]?.headers).not.toHaveProperty("idempotency-key");
  });

  test("with a body is a POST with an idempotency key; an object goes as JSON", async () => {
    await send(
      { url: base, body: { text: "{{content}}", list: ["{{n}}"] } },
      { values: { content: 'say "hi"', n: 5 } },
    );
    expect(seen[0]).toMatchObject({
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "key-1" },
      body: '{"text":"say \\"hi\\"","list":[5]}',
    });
  });

  test("sends a text body and given headers as they are", async () => {
    await send({
      url: base,
      method: "PUT",
      body: "plain",
      headers: { "Content-Type": "text/x", "Idempotency-Key": "own" },
    });
    expect(seen[0]).toMatchObject({
      method: "PUT",
      body: "plain",
      headers: { "content-type": "text/x", "idempotency-key": "own" },
    });
  });
});

describe("the result", () => {
  test.each([
    ["body", '{"a":1}'],
    ["json", '{\n  "a": 1\n}\n'],
  ])("as %s", async (as, expected) => {
    answer = (_request, response) => response.end('{"a":1}');
    expect((await send({ url: base, as })).output).toBe(expected);
  });

  test("as the whole response", async () => {
    answer = (_request, response) => response.writeHead(201, { "content-type": "application/json" }).end('{"a":1}');
    const { output } = await send({ url: `${base}/x`, as: "response" });
    expect(JSON.parse(output ?? "")).toMatchObject({
      status: 201,
      url: `${base}/x`,
      body: { a: 1 },
      headers: { "content-type": "application/json" },
    });
  });

  test("may be a status that was named", async () => {
    answer = (_request, response) => response.writeHead(404).end("none");
    expect((await send({ url: base, okStatus: ["200-299", 404] })).output).toBe("none");
  });

  test.each([
    ["not JSON", { as: "json" }, "is not valid JSON"],
    ["too large", { as: "json", maxBytes: 1 }, "larger than maxBytes"],
    ["too large, streamed", { maxBytes: 1 }, "larger than maxBytes"],
  ])("that is %s is a failure", async (_what, data, message) => {
    expect((await send({ url: base, ...data })).result).toMatchObject({
      kind: "failed",
      error: expect.stringContaining(message),
    });
  });
});

describe("a failure", () => {
  test.each([
    [503, { "retry-after": "7" }, "node", 7000],
    [429, {}, "node", undefined],
    [408, { "retry-after": "nonsense" }, "node", undefined],
    [404, { "retry-after": "7" }, "definition", undefined],
  ])("with status %i and headers %j is of category %s", async (status, headers, category, wait) => {
    answer = (_request, response) => response.writeHead(status, headers).end(`why ${"x".repeat(5000)}`);
    const { result, output } = await send({ url: base });
    expect(result).toMatchObject({
      kind: "failed",
      category,
      error: expect.stringContaining(`answered with ${status}`),
    });
    expect("retryAfterMs" in result ? result.retryAfterMs : undefined).toBe(wait);
    expect("error" in result ? result.error.length : 0).toBeLessThan(2_300);
    expect(output).toBeUndefined();
  });

  test("of a status that is named in retryOn is worth another try", async () => {
    answer = (_request, response) => response.writeHead(404).end();
    expect((await send({ url: base, retryOn: [404] })).result).toMatchObject({ category: "node" });
  });

  test("to connect says why", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, "close");
    expect((await send({ url: `http://127.0.0.1:${port}/` })).result).toMatchObject({
      category: "node",
      error: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("of an address that turns out to be none is the definition's", async () => {
    expect((await send({ url: "{{a}}" }, { values: { a: "file:///etc/passwd" } })).result).toMatchObject({
      category: "definition",
    });
  });

  test("because it was stopped comes at once", async () => {
    const stop = new AbortController();
    answer = () => stop.abort("cancelled");
    expect((await send({ url: base }, { signal: stop.signal })).result.kind).toBe("failed");
  });
});

describe("redirects", () => {
  test("are followed; credentials stay with their host", async () => {
    answer = ({ url }, response) => {
      if (url === "/a") response.writeHead(302, { location: "/b" }).end();
      else if (url === "/b") response.writeHead(307, { location: `${other}/c` }).end();
      else response.end("there");
    };
    const { output } = await send({ url: `${base}/a`, headers: { Authorization: "Bearer x", "X-Own": "1" } });
    expect(output).toBe("there");
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(["Bearer x", "Bearer x", undefined]);
    expect(seen.at(-1)?.headers["x-own"]).toBe("1");
  });

  test("303 turns a POST into a GET, 307 sends it again", async () => {
    answer = ({ url }, response) => {
      if (url === "/a") response.writeHead(307, { location: "/b" }).end();
      else if (url === "/b") response.writeHead(303, { location: "/c" }).end();
      else response.end();
    };
    await send({ url: `${base}/a`, body: "x" });
    expect(seen.map(({ method, body }) => `${method} ${body}`)).toEqual(["POST x", "POST x", "GET "]);
  });

  test("end after five, and at other protocols", async () => {
    answer = (_request, response) => response.writeHead(302, { location: "/again" }).end();
    expect((await send({ url: base })).result).toMatchObject({
      error: expect.stringContaining("more than 5 redirects"),
    });
    expect(seen).toHaveLength(6);
    answer = (_request, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end();
    expect((await send({ url: base })).result).toMatchObject({
      category: "definition",
      error: expect.stringContaining("cannot be followed"),
    });
  });
});

test.each([
  [null, undefined],
  ["0", 0],
  ["1.5", 1500],
  ["Thu, 01 Jan 1970 00:00:10 GMT", 9000],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ["soon", undefined],
])("Retry-After %j is %j ms", (header, expected) => {
  expect(retryAfterMs(header, 1000)).toBe(expected);
});

test.each([
  [{ url: "example.org" }, "not an http address"],
  [{ url: "ftp://{{$.entity.id}}" }, "not an http address"],
  [{ url: "http://x/{{ 1 + }}" }, "does not parse"],
  [{ url: "http://x", body: 1, method: "GET" }, "has no body"],
])("%j is refused when the definition is loaded", (data, message) => {
  expect(
    http
      .findFaults(http.data.parse(data))
      .map((fault) => fault.message)
      .join(),
  ).toContain(message);
});
