import { z } from "../../../core/pipeline/schema.ts";
import type { ErrorCategory } from "../../../core/model/manifest.ts";
import type { DataFault } from "../../../core/pipeline/node-type.ts";
import { findTemplateFaults, parseTemplate } from "../expression/template.ts";
import type { Failed, Filled, SingleContext, SingleNodeType, SingleResult } from "../node-type.ts";
import { ExchangeFault, TooLarge, beginning, exchange, limited, retryAfterMs } from "./http-exchange.ts";

const STATUSES = z.array(z.union([z.int().min(100).max(599), z.string().regex(/^[1-5]\d\d-[1-5]\d\d$/)]));
const DATA = z.strictObject({
  url: z
    .string()
    .min(1)
    .describe(
      "Where to; values of {{...}} are percent-encoded, except one that the text begins with (the base address).",
    ),
  method: z
    .string()
    .regex(/^[A-Z]+$/)
    .optional()
    .describe("GET, or POST when there is a body."),
  headers: z.record(z.string(), z.string()).optional().describe("Values may contain {{...}}."),
  query: z.record(z.string(), z.unknown()).optional().describe("Added to the url, encoded; null leaves a name out."),
  body: z.unknown().optional().describe("A text is sent as it is, anything else as JSON; both may contain {{...}}."),
  okStatus: STATUSES.min(1).optional().describe('Statuses that give a result, such as 200 or "200-299" (200-299).'),
  retryOn: STATUSES.optional().describe(
    "Statuses worth another try (408, 425, 429, 500-599); any other waits for an edit.",
  ),
  as: z
    .enum(["body", "json", "response"])
    .optional()
    .describe(
      "The result: the body as it came (body), parsed and written anew (json), or {status, headers, url, body}.",
    ),
  maxBytes: z.int().min(1).optional().describe("A larger response is a failure (104857600, 100 MiB)."),
});
type Data = z.infer<typeof DATA>;
type Statuses = z.infer<typeof STATUSES>;

const DEFAULT_MAX_BYTES = 100 * 1024 * 1024;
const DEFAULT_OK: Statuses = ["200-299"];
const DEFAULT_RETRY: Statuses = [408, 425, 429, "500-599"];
const SHOWN_BODY_BYTES = 2_048;

/** `http`: the answer to one request. */
export const http: SingleNodeType = {
  typeId: "http",
  lane: "single",
  description: "Sends an HTTP request; the response is the output",
  version: 1,
  data: DATA,
  dataIs: "code",
  branches: false,
  findFaults,
  codeFiles: () => [],
  run,
};

function findFaults(data: unknown): readonly DataFault[] {
  const { url, headers, query, body, method } = data as Data;
  const faults: DataFault[] = [
    ...findTemplateFaults({ url, headers: headers ?? {}, query: query ?? {}, body: body ?? null }),
  ];
  const parts = parseTemplate(url).parts;
  const isFixed = parts.every((part) => "text" in part);
  if (
    (isFixed && !isHttp(url)) ||
    (!isFixed && parts[0] !== undefined && "text" in parts[0] && !/^https?:\/\//.test(url))
  ) {
    faults.push({
      path: ["url"],
      message: `"${url}" is not an http address`,
      hint: "begin it with http:// or https://",
    });
  }
  if (body !== undefined && (method === "GET" || method === "HEAD")) {
    faults.push({
      path: ["body"],
      message: `a ${method} request has no body`,
      hint: 'leave it out, or use "method": "POST"',
    });
  }
  return faults;
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

function failed(error: string, category: ErrorCategory = "node"): Failed {
  return { kind: "failed", error, category };
}

async function run(context: SingleContext): Promise<SingleResult> {
  const data = context.node.data as Data;
  const filled = await fillAll(context, data);
  if (filled.kind === "stopped") return failed("the attempt was stopped");
  if (filled.kind === "failed") return filled;
  const { url, headers, body, query } = filled.value as FilledData;
  const address = addressOf(url, query);
  if (address === undefined)
    return failed(`"${shown(url)}" is not an http address without a password in it`, "definition");
  const method = data.method ?? (data.body === undefined ? "GET" : "POST");
  try {
    const response = await exchange({
      url: address,
      method,
      headers: headersOf(context, headers, method, body),
      body: bodyText(body),
      signal: context.signal,
    });
    context.log(`${method} ${shown(address.href)} ${response.status}\n`);
    return await take(response, data, context, `${method} ${shown(address.href)}`);
  } catch (error) {
    return failed(`${method} ${shown(address.href)}: ${reasonOf(error)}`, categoryOf(error));
  }
}

/** What remains of `data` when its templates are filled. */
interface FilledData {
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

async function fillAll(context: SingleContext, data: Data): Promise<Filled> {
  const { parts } = parseTemplate(data.url);
  // Each part by itself, so that what was inserted can be told from what was written.
  const pieces = parts.map((part) => ("text" in part ? part.text : `{{${part.expression}}}`));
  const filled = await context.fill({
    pieces,
    headers: data.headers ?? {},
    query: data.query ?? {},
    body: data.body ?? null,
  });
  if (filled.kind !== "filled") return filled;
  const value = filled.value as Omit<FilledData, "url"> & { readonly pieces: readonly unknown[] };
  const url = value.pieces.map((piece, index) => {
    const part = parts[index];
    const isInserted = part !== undefined && "expression" in part;
    return isInserted && index > 0 ? encodeURIComponent(asText(piece)) : asText(piece);
  });
  return { kind: "filled", value: { ...value, url: url.join("") } };
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

function addressOf(text: string, query: FilledData["query"]): URL | undefined {
  if (!isHttp(text)) return undefined;
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return undefined;
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined) url.searchParams.append(name, asText(one));
    }
  }
  return url;
}

function bodyText(body: unknown): string | undefined {
  if (body === null || body === undefined) return undefined;
  return typeof body === "string" ? body : JSON.stringify(body);
}

function headersOf(context: SingleContext, given: FilledData["headers"], method: string, body: unknown): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) headers.set(name, asText(value));
  if (body !== null && typeof body !== "string" && !headers.has("content-type"))
    headers.set("content-type", "application/json");
  const changesNothing = method === "GET" || method === "HEAD";
  if (!changesNothing && !headers.has("idempotency-key"))
    headers.set("idempotency-key", context.request.idempotencyKey);
  return headers;
}

async function take(
  response: Response,
  data: Data,
  context: SingleContext,
  shownRequest: string,
): Promise<SingleResult> {
  const { status } = response;
  if (!matches(status, data.okStatus ?? DEFAULT_OK)) {
    const retry = matches(status, data.retryOn ?? DEFAULT_RETRY);
    const wait = retry ? retryAfterMs(response.headers.get("retry-after"), Date.now()) : undefined;
    const said = (await beginning(response, SHOWN_BODY_BYTES)).trim();
    const error = `${shownRequest} was answered with ${status} ${response.statusText}${said === "" ? "" : `: ${said}`}`;
    return { ...failed(error, retry ? "node" : "definition"), ...(wait === undefined ? {} : { retryAfterMs: wait }) };
  }
  const chunks = limited(response, data.maxBytes ?? DEFAULT_MAX_BYTES);
  if (data.as === undefined || data.as === "body") return context.stage(chunks);
  const text = await textOf(chunks);
  if (data.as === "json") {
    const parsed = parse(text);
    if (parsed === undefined) return failed(`${shownRequest}: the response is not valid JSON: ${text.slice(0, 200)}`);
    return context.stage(jsonText(parsed.value));
  }
  const isJson = /\bjson\b/.test(response.headers.get("content-type") ?? "");
  return context.stage(
    jsonText({
      status,
      headers: Object.fromEntries(response.headers),
      url: response.url,
      body: (isJson ? parse(text)?.value : undefined) ?? text,
    }),
  );
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return new TextDecoder().decode(Buffer.concat(parts));
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function matches(status: number, statuses: Statuses): boolean {
  return statuses.some((one) => {
    if (typeof one === "number") return one === status;
    const [from, to] = one.split("-").map(Number);
    return status >= (from ?? 0) && status <= (to ?? 0);
  });
}

/** An address without its query, where secrets may stand. */
function shown(url: string): string {
  return url.replace(/\?.*$/s, "?…").slice(0, 200);
}

/** `fetch` says only "fetch failed"; what happened is its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof AggregateError) return cause.errors.map((one) => (one as Error).message).join("; ");
  return cause instanceof Error && cause.message !== "" ? `${error.message}: ${cause.message}` : error.message;
}

function categoryOf(error: unknown): ErrorCategory {
  if (error instanceof ExchangeFault || error instanceof TooLarge) return "definition";
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOSPC" || code === "EMFILE" ? "resource" : "node";
}
