/** The object that a user's function gets, made from a message. */
import { readFileSync } from "node:fs";
import { format } from "node:util";
import type { NodeArgument, NodeState } from "../../../core/pipeline/define.ts";
import type { HostInput, HostItem, RunMessage } from "./protocol.ts";

/** What the function gets. `print` takes whole lines. */
export function makeContext(message: RunMessage, signal: AbortSignal, print: (text: string) => void): NodeArgument {
  const inputs = message.inputs.map((input) => [input.name, makeInput(input)] as const);
  const { attempt, idempotencyKey, output, params } = message;
  return {
    entity: { id: message.entity.id, vars: message.entity.vars },
    // A stage has at least one input; of a group it is the group.
    input: inputs[0]?.[1] as NodeState,
    inputs: Object.fromEntries(inputs) as Readonly<Record<string, NodeState>>,
    params: (params ?? {}) as Readonly<Record<string, unknown>>,
    signal,
    log: (...values) => print(`${format(...values)}\n`),
    attempt,
    idempotencyKey,
    output: { path: output.path },
  };
}

function makeInput({ list, items }: HostInput): NodeState | { readonly items: readonly NodeState[] } {
  const made = items.map(makeItem);
  const [only] = made;
  return list || only === undefined ? { items: made } : only;
}

function makeItem({ id, vars, path, relPath, hash, size }: HostItem): NodeState {
  let kept: { readonly content: unknown } | undefined;
  return {
    id,
    vars,
    path,
    relPath,
    hash,
    size,
    get content() {
      kept ??= { content: relPath.endsWith(".json") ? readJson(path, relPath) : readText(path, relPath) };
      return kept.content;
    },
    text: () => readText(path, relPath),
    json: () => readJson(path, relPath),
    bytes: () => readBytes(path, relPath),
  };
}

function readBytes(path: string, relPath: string): Uint8Array {
  if (relPath.endsWith("/")) throw new Error(`"${relPath}" is a folder: read the files below its path`);
  return readFileSync(path);
}

function readText(path: string, relPath: string): string {
  return new TextDecoder().decode(readBytes(path, relPath));
}

function readJson(path: string, relPath: string): unknown {
  const text = readText(path, relPath);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`"${relPath}" is not valid JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
