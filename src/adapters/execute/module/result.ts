/** Writing what a user's function returned. */
import { closeSync, existsSync, openSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import type { RunMessage } from "./protocol.ts";

/** Why what was returned is no result; its message is for the user. */
export class ResultFault extends Error {
  override readonly name = "ResultFault";
}

/** Writes the returned value to the output path. Throws `ResultFault`, or what a stream throws. */
export async function writeResult(value: unknown, output: RunMessage["output"]): Promise<void> {
  const filled = output.isFolder ? readdirSync(output.path).length > 0 : existsSync(output.path);
  if (value === undefined || (value === null && filled)) {
    if (filled) return;
    const what = output.isFolder ? "wrote nothing into the folder output.path" : "did not write output.path";
    throw new ResultFault(`the function returned nothing and ${what}`);
  }
  if (output.isFolder) throw new ResultFault("the output is a folder: write into output.path and return nothing");
  if (filled) throw new ResultFault("the function wrote output.path and returned a value too: do one of them");
  const chunks = chunksOf(value);
  if (chunks === undefined) writeFileSync(output.path, wholeContent(value), { flag: "wx" });
  else await writeChunks(chunks, output.path);
}

function wholeContent(value: unknown): string | Uint8Array {
  if (typeof value === "string") return value;
  const bytes = bytesOf(value);
  if (bytes !== undefined) return bytes;
  let json: string | undefined;
  try {
    json = JSON.stringify(value, undefined, 2);
  } catch (error) {
    throw new ResultFault(
      `the returned value cannot be written as JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  if (json === undefined) throw new ResultFault(`the function returned a ${typeof value}, which cannot be written`);
  return `${json}\n`;
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer ? new Uint8Array(value) : undefined;
}

type Chunks = AsyncIterable<unknown> | Iterable<unknown>;

/** The value as a stream, when it is one: async iterables, generators, blobs and responses. */
function chunksOf(value: unknown): Chunks | undefined {
  if (value instanceof Blob) return value.stream();
  if (value instanceof Response) return value.body ?? [];
  if (typeof value !== "object" || value === null || bytesOf(value) !== undefined) return undefined;
  if (Symbol.asyncIterator in value) return value as AsyncIterable<unknown>;
  // An array, a set or a map is a value; only what hands out its items once is a stream.
  return Symbol.iterator in value && "next" in value ? (value as unknown as Iterable<unknown>) : undefined;
}

async function writeChunks(chunks: Chunks, path: string): Promise<void> {
  const file = openSync(path, "wx");
  try {
    for await (const chunk of chunks) {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : bytesOf(chunk);
      if (bytes === undefined)
        throw new ResultFault(`the stream has a ${typeof chunk} in it; only strings and bytes can be written`);
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    }
  } finally {
    closeSync(file);
  }
}
