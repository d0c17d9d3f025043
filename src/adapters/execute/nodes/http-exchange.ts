/** One exchange over HTTP, redirects followed. */

/** A request that is ready to go. */
export interface HttpRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

/** Why an exchange cannot go on, however often it is tried. */
export class ExchangeFault extends Error {
  override readonly name = "ExchangeFault";
}

const MOST_REDIRECTS = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** Headers that prove who we are: for the host they were written for and no other. */
const CREDENTIALS: readonly string[] = ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"];

/**
 * The first response that is no redirect; at most five are followed. As browsers do, 303 (and 301, 302 after a POST) turn into GET.
 * Throws `ExchangeFault` for a redirect that cannot be followed, and what `fetch` throws.
 */
export async function exchange(request: HttpRequest): Promise<Response> {
  let { url, method, body } = request;
  const headers = new Headers(request.headers);
  for (let turn = 0; ; turn++) {
    const response = await fetch(url.href, {
      method,
      headers,
      redirect: "manual",
      signal: request.signal,
      ...(body === undefined ? {} : { body }),
    });
    const location = response.headers.get("location");
    if (!REDIRECTS.includes(response.status) || location === null) return response;
    await response.body?.cancel();
    if (turn === MOST_REDIRECTS)
      throw new ExchangeFault(`more than ${MOST_REDIRECTS} redirects, the last one to "${location}"`);
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (next === undefined || !/^https?:$/.test(next.protocol))
      throw new ExchangeFault(`redirect to "${location}" cannot be followed`);
    if (next.origin !== url.origin) for (const name of CREDENTIALS) headers.delete(name);
    if (response.status === 303 || (response.status < 303 && method === "POST")) {
      if (method !== "HEAD") method = "GET";
      body = undefined;
      for (const name of ["content-type", "content-length", "content-encoding"]) headers.delete(name);
    }
    url = next;
  }
}

/** Thrown by `limited` streams. */
export class TooLarge extends Error {
  override readonly name = "TooLarge";
}

/** The body's chunks; throws `TooLarge` when there are more than `maxBytes`. */
export async function* limited(response: Response, maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    size += bytes.byteLength;
    if (size > maxBytes) throw new TooLarge(`the response is larger than maxBytes (${maxBytes})`);
    yield bytes;
  }
}

/** The body's first bytes as text, at most so many; the rest is not read. */
export async function beginning(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    chunks.push(bytes);
    size += bytes.byteLength;
    if (size >= maxBytes) break;
  }
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, maxBytes));
}

/**
 * How long a `Retry-After` asks to wait, in milliseconds: seconds, or an HTTP date (RFC 9110, 10.2.3) seen from `nowMs`.
 * `undefined` when there is none or it cannot be read.
 */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
