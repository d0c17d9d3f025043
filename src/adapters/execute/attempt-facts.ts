import type { AttemptReads } from "./attempt-reads.ts";
import type { Facts, Shape } from "./expression/sandbox.ts";
import type { AttemptRequest, InputItem, InputSet } from "../../ports.ts";

/** The stages `$` has in an attempt: its inputs by alias, then every other ancestor. All attempts of a stage have the same. */
function setsOf(request: AttemptRequest): readonly InputSet[] {
  const names = new Set(request.inputs.map(({ name }) => name));
  return [...request.inputs, ...request.ancestors.filter(({ name }) => !names.has(name))];
}

/** The names of the stages in `$`. */
export function shapeOf(request: AttemptRequest): Shape {
  return { sets: setsOf(request).map(({ name, list }) => ({ name, list })), input: 0 };
}

/** Answers the questions of expressions about one attempt, and so records what they read. */
export class AttemptFacts implements Facts {
  readonly #request: AttemptRequest;
  readonly #reads: AttemptReads;
  readonly #sets: readonly InputSet[];
  readonly #envReads = new Set<string>();

  constructor(request: AttemptRequest, reads: AttemptReads) {
    this.#request = request;
    this.#reads = reads;
    this.#sets = setsOf(request);
  }

  /** Names of environment variables read beside the declared ones, sorted. */
  get envReads(): readonly string[] {
    return this.#envReads.size === 0 ? [] : [...this.#envReads].sort();
  }

  get entityId(): string {
    return this.#request.entity.id;
  }

  entityVars(): string {
    return JSON.stringify(this.#request.entity.vars);
  }

  count(set: number): number {
    return this.#sets[set]?.items.length ?? 0;
  }

  content(set: number, item: number): ReturnType<Facts["content"]> {
    const state = this.#item(set, item);
    const bytes = state && this.#reads.bytes(state);
    if (state === undefined || bytes === undefined) return undefined;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    if (!state.path.endsWith(".json")) return { text, isJson: false };
    // A byte order mark is no JSON.
    return { text: text.startsWith("\uFEFF") ? text.slice(1) : text, isJson: true };
  }

  path(set: number, item: number): string | undefined {
    return this.#item(set, item)?.path;
  }

  hash(set: number, item: number): string | undefined {
    const state = this.#item(set, item);
    return state && this.#reads.look(state)?.hash;
  }

  size(set: number, item: number): number | undefined {
    const state = this.#item(set, item);
    return state && this.#reads.look(state)?.stat.size;
  }

  id(set: number, item: number): string | undefined {
    return this.#item(set, item)?.id;
  }

  vars(set: number, item: number): string | undefined {
    const state = this.#item(set, item);
    return state && JSON.stringify(state.vars);
  }

  env(name: string): string | undefined {
    if (!this.#request.work.env.includes(name)) this.#envReads.add(name);
    return process.env[name];
  }

  #item(set: number, item: number): InputItem | undefined {
    return this.#sets[set]?.items[item];
  }
}
