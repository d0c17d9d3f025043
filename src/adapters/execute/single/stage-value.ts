import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { AttemptRequest, Disk } from "../../../ports.ts";
import { codeOf, failureOf } from "../failure.ts";
import type { Failed, SingleResult } from "../node-type.ts";
import { valueForFolder } from "../staged-result.ts";

/** Puts what a node returned into the staging place; see `SingleContext.stage`. */
export async function stageValue(
  disk: Disk,
  request: AttemptRequest,
  value: unknown,
  signal: AbortSignal,
): Promise<SingleResult> {
  if (value === undefined) return { kind: "produced" };
  const { path, staged } = request.output;
  if (path.endsWith("/")) return failed(valueForFolder(path).message, "definition");
  try {
    const stream = streamOf(value);
    if (stream !== undefined) {
      await pipeline(Readable.from(stream), createWriteStream(staged), { signal });
      return { kind: "produced" };
    }
    const content = contentOf(value);
    if (typeof content === "object" && "kind" in content) return content;
    disk.write(staged, content);
    return { kind: "produced" };
  } catch (error) {
    return failureToStage(error);
  }
}

function streamOf(value: unknown): AsyncIterable<unknown> | undefined {
  if (value instanceof Blob) return value.stream();
  if (typeof value !== "object" || value === null || !(Symbol.asyncIterator in value)) return undefined;
  return value as AsyncIterable<unknown>;
}

function contentOf(value: unknown): string | Uint8Array | Failed {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (typeof value === "number" && !Number.isFinite(value)) return cannotBeResult(String(value));
  let json: string | undefined;
  try {
    json = JSON.stringify(value, null, 2);
  } catch (error) {
    return failed(`the node's result cannot be written as JSON: ${messageOf(error)}`, "node");
  }
  return json === undefined ? cannotBeResult(`a ${typeof value}`) : `${json}\n`;
}

function cannotBeResult(what: string): Failed {
  return failed(`the node returned ${what}; return a string, bytes, a stream or a value that JSON can hold`, "node");
}

/** A failing write is the machine's; anything else went wrong in the stream that the node returned. */
function failureToStage(error: unknown): Failed {
  const code = codeOf(error);
  const isSystemError = code !== undefined && error instanceof Error && "syscall" in error;
  const failure = isSystemError ? failureOf(error) : undefined;
  return failure === undefined
    ? failed(`the node's result broke off: ${messageOf(error)}`, "node")
    : { kind: "failed", ...failure };
}

function failed(error: string, category: Failed["category"]): Failed {
  return { kind: "failed", error, category };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
