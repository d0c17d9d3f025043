import {
  newQuickJSWASMModuleFromVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSWASMModule,
} from "quickjs-emscripten-core";
import { InternalError } from "../../../core/model/problems.ts";
import { NodeFailure } from "../node-type.ts";
import { errorOf, placeIn, quote, readSegments, recordJson, type SandboxError, UNUSABLE_HINTS } from "./answer.ts";
import { PRELUDE } from "./prelude.ts";
import type { Program, ValueTree } from "./program.ts";
import { QUICKJS } from "./quickjs.ts";
import { functionSource } from "./syntax.ts";

const MEMORY_LIMIT_BYTES = 256 << 20;
// Small enough that QuickJS notices a deep recursion before the thread's own stack is full.
const STACK_LIMIT_BYTES = 256 << 10;
// Compiled functions are never freed one by one: a sandbox with very many is replaced.
const MAX_COMPILED = 2000;

/** What an expression can ask for, beside what is a constant of the attempt; `set` and `item` are indexes. */
export interface Facts {
  readonly entityId: string;
  /** JSON of the entity's variables. */
  entityVars(): string;
  /** How many states a list has. */
  count(set: number): number;
  /** A state's text, and whether expressions see it parsed; `undefined` when the state is absent. */
  content(set: number, item: number): { readonly text: string; readonly isJson: boolean } | undefined;
  path(set: number, item: number): string | undefined;
  hash(set: number, item: number): string | undefined;
  size(set: number, item: number): number | undefined;
  id(set: number, item: number): string | undefined;
  /** JSON of the state's variables. */
  vars(set: number, item: number): string | undefined;
  env(name: string): string | undefined;
}

/** Which stages `$` has, by index; `input` is the one that `$.input` means where none has that name. */
export interface Shape {
  readonly sets: readonly { readonly name: string; readonly list: boolean }[];
  readonly input: number;
}

/** What a program yielded. JSON has 2 spaces and no final newline. */
export type Yield =
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "json"; readonly json: string }
  | { readonly is: "bytes"; readonly bytes: Uint8Array }
  | { readonly is: "truth"; readonly truth: boolean };

/** Thrown by `run` when `shouldStop` said so. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/**
 * Runs expressions in QuickJS: JavaScript without I/O, interruptible, limited in memory and stack.
 * An expression is compiled once; each run costs some microseconds, most of it for moving text in and out.
 */
export class Sandbox {
  readonly #module: QuickJSWASMModule;
  readonly #shouldStop: () => boolean;
  #realm: Realm | undefined;

  private constructor(module: QuickJSWASMModule, shouldStop: () => boolean) {
    this.#module = module;
    this.#shouldStop = shouldStop;
  }

  /** A sandbox that stops a run when `shouldStop` (asked every few microseconds of work) says so. */
  static async load(shouldStop: () => boolean): Promise<Sandbox> {
    return new Sandbox(await newQuickJSWASMModuleFromVariant(QUICKJS), shouldStop);
  }

  /**
   * What a program yields. Throws `NodeFailure` for what the expression does wrong, `Interrupted`, and whatever `facts` throws,
   * even if the expression catches it.
   */
  run(program: Program, shape: Shape, facts: Facts): Yield {
    if (this.#realm !== undefined && this.#realm.compiled > MAX_COMPILED) this.reset();
    this.#realm ??= new Realm(this.#module, this.#shouldStop);
    try {
      return this.#realm.run(program, shape, facts);
    } catch (error) {
      // After an interrupt or without memory a realm may be left in any state.
      if (error instanceof Interrupted || error instanceof OutOfLimits) this.reset();
      throw error instanceof OutOfLimits ? new NodeFailure(error.message, "node") : error;
    }
  }

  /** Frees what expressions may have left behind: promises nobody waits for. To be called now and then. */
  tidy(): void {
    if (this.#realm?.hasLeftovers === true) this.reset();
  }

  /** Bytes of memory it holds; they are given back only with the sandbox itself. */
  get heapBytes(): number {
    return this.#module.getWasmMemory().buffer.byteLength;
  }

  /** Forgets everything compiled and frees its memory. */
  reset(): void {
    this.#realm?.dispose();
    this.#realm = undefined;
  }
}

class OutOfLimits extends Error {}

/** One runtime and context with the prelude in it. */
class Realm {
  readonly #runtime: QuickJSRuntime;
  readonly #context: QuickJSContext;
  readonly #handles: QuickJSHandle[] = [];
  readonly #shapeOf: QuickJSHandle;
  readonly #compile: QuickJSHandle;
  readonly #lastOf: QuickJSHandle;
  readonly #shapes = new Map<string, QuickJSHandle>();
  readonly #functions = new Map<string, number>();
  readonly #functionHandles: QuickJSHandle[] = [];
  readonly #expressions: string[] = [];
  readonly #programs = new Map<string, QuickJSHandle>();
  readonly #recent = new WeakMap<Program, { readonly shape: Shape; readonly run: QuickJSHandle }>();
  #facts: Facts | undefined;
  #thrown: { readonly error: unknown } | undefined;

  constructor(module: QuickJSWASMModule, shouldStop: () => boolean) {
    this.#runtime = module.newRuntime();
    this.#runtime.setMemoryLimit(MEMORY_LIMIT_BYTES);
    this.#runtime.setMaxStackSize(STACK_LIMIT_BYTES);
    this.#context = this.#runtime.newContext();
    const context = this.#context;
    const host = this.#keep(context.newFunction("host", (op, a, b) => this.#answer(op, a, b)));
    const prelude = this.#keep(context.unwrapResult(context.evalCode(PRELUDE, "prelude.js")));
    const made = this.#keep(context.unwrapResult(context.callFunction(prelude, context.undefined, host)));
    this.#shapeOf = this.#keep(context.getProp(made, "shape"));
    this.#compile = this.#keep(context.getProp(made, "compile"));
    this.#lastOf = this.#keep(context.getProp(made, "lastOf"));
    // From here on: setting up is not an expression's time.
    this.#runtime.setInterruptHandler(shouldStop);
  }

  get compiled(): number {
    return this.#handles.length;
  }

  get hasLeftovers(): boolean {
    return this.#runtime.hasPendingJob();
  }

  dispose(): void {
    this.#runtime.removeInterruptHandler();
    for (const handle of this.#handles) handle.dispose();
    this.#context.dispose();
    this.#runtime.dispose();
  }

  run(program: Program, shape: Shape, facts: Facts): Yield {
    const recent = this.#recent.get(program);
    const run = recent?.shape === shape ? recent.run : this.#prepare(program, shape);
    this.#facts = facts;
    this.#thrown = undefined;
    try {
      return this.#decode(this.#call(run), program);
    } finally {
      this.#facts = undefined;
    }
  }

  #call(run: QuickJSHandle): string {
    const context = this.#context;
    const result = context.callFunction(run, context.undefined);
    if (result.error !== undefined) {
      const thrown = String(context.dump(result.error)?.message);
      result.error.dispose();
      if (this.#thrown !== undefined) throw this.#thrown.error;
      if (thrown === "interrupted") throw new Interrupted();
      throw new OutOfLimits(`the expression failed: ${thrown}`);
    }
    const answer = context.getString(result.value);
    result.value.dispose();
    if (this.#thrown !== undefined) throw this.#thrown.error;
    return answer;
  }

  // ---- from programs to functions

  #prepare(program: Program, shape: Shape): QuickJSHandle {
    const key = JSON.stringify([program, shape]);
    let run = this.#programs.get(key);
    if (run === undefined) {
      run = this.#compileProgram(program, this.#dollar(shape));
      this.#programs.set(key, run);
    }
    this.#recent.set(program, { shape, run });
    return run;
  }

  #compileProgram(program: Program, dollar: QuickJSHandle): QuickJSHandle {
    const used: QuickJSHandle[] = [];
    const indexed = (tree: ValueTree): unknown => {
      switch (tree.is) {
        case "constant":
          return tree;
        case "expression": {
          const number = this.#function(tree.expression);
          const handle = this.#functionHandles[number];
          if (handle === undefined) throw new InternalError("a compiled expression has no handle");
          used[number] = handle;
          return { is: "expression", index: number };
        }
        case "parts":
          return { is: "parts", parts: tree.parts.map(indexed) };
        case "list":
          return { is: "list", items: tree.items.map(indexed) };
        case "object":
          return { is: "object", entries: tree.entries.map(([key, child]) => [key, indexed(child)]) };
      }
    };
    const plain =
      program.kind === "record"
        ? { kind: program.kind, fields: program.fields.map(([name, tree]) => [name, indexed(tree)]) }
        : { kind: program.kind, tree: indexed(program.tree) };
    const context = this.#context;
    const json = context.newString(JSON.stringify(plain));
    const functions = Array.from(used, (handle) => handle ?? context.undefined);
    const compiled = context.callFunction(this.#compile, context.undefined, json, dollar, ...functions);
    json.dispose();
    return this.#keep(context.unwrapResult(compiled));
  }

  #function(expression: string): number {
    const known = this.#functions.get(expression);
    if (known !== undefined) return known;
    const number = this.#expressions.length;
    const context = this.#context;
    const result = context.evalCode(functionSource(expression), `expression${number}`);
    if (result.error !== undefined) {
      const { message, stack } = errorOf(context.dump(result.error));
      result.error.dispose();
      const place = placeIn(stack);
      throw new NodeFailure(`${quote(expression)} does not parse${place.text}: ${message}`, "definition");
    }
    this.#functionHandles.push(this.#keep(result.value));
    this.#expressions.push(expression);
    this.#functions.set(expression, number);
    return number;
  }

  #dollar(shape: Shape): QuickJSHandle {
    const json = JSON.stringify(shape);
    const known = this.#shapes.get(json);
    if (known !== undefined) return known;
    const context = this.#context;
    const text = context.newString(json);
    const made = this.#keep(context.unwrapResult(context.callFunction(this.#shapeOf, context.undefined, text)));
    text.dispose();
    this.#shapes.set(json, made);
    return made;
  }

  #keep(handle: QuickJSHandle): QuickJSHandle {
    this.#handles.push(handle);
    return handle;
  }

  // ---- questions of the prelude

  /** Indexed by the numbers at the top of the prelude. */
  #answer(op: QuickJSHandle, a: QuickJSHandle | undefined, b: QuickJSHandle | undefined): QuickJSHandle {
    const context = this.#context;
    const facts = this.#facts;
    if (facts === undefined) throw new InternalError("the sandbox asked for a fact outside a run");
    try {
      const kind = context.getNumber(op);
      if (kind === 9) return this.#text(a === undefined ? undefined : facts.env(context.getString(a)));
      const set = a === undefined ? 0 : context.getNumber(a);
      const item = b === undefined ? 0 : context.getNumber(b);
      switch (kind) {
        case 0:
          return this.#text(facts.entityId);
        case 1:
          return this.#text(facts.entityVars());
        case 2:
          return this.#content(facts.content(set, item));
        case 3:
          return this.#text(facts.path(set, item));
        case 4:
          return this.#text(facts.hash(set, item));
        case 5: {
          const size = facts.size(set, item);
          return size === undefined ? context.undefined : context.newNumber(size);
        }
        case 6:
          return this.#text(facts.id(set, item));
        case 7:
          return this.#text(facts.vars(set, item));
        case 8:
          return context.newNumber(facts.count(set));
        default:
          throw new InternalError(`the sandbox asked for fact ${kind}`);
      }
    } catch (error) {
      this.#thrown ??= { error };
      throw new Error("stopped", { cause: error });
    }
  }

  #text(text: string | undefined): QuickJSHandle {
    return text === undefined ? this.#context.undefined : this.#context.newString(text);
  }

  /** QuickJS takes strings up to the first NUL: text with one goes in as JSON. */
  #content(content: ReturnType<Facts["content"]>): QuickJSHandle {
    if (content === undefined) return this.#context.undefined;
    const { text, isJson } = content;
    if (isJson) return this.#pair(text, this.#context.false);
    return text.includes("\0") ? this.#pair(JSON.stringify(text), this.#context.true) : this.#text(text);
  }

  #pair(text: string, isEscaped: QuickJSHandle): QuickJSHandle {
    const pair = this.#context.newArray();
    const handle = this.#text(text);
    this.#context.setProp(pair, 0, handle);
    this.#context.setProp(pair, 1, isEscaped);
    handle.dispose();
    return pair;
  }

  // ---- answers

  #decode(answer: string, program: Program): Yield {
    switch (answer[0]) {
      case "1":
      case "0":
        return { is: "truth", truth: answer === "1" };
      case "e":
        throw this.#failure(errorOf(JSON.parse(answer.slice(1))));
      case "w":
        throw this.#unusable(JSON.parse(answer.slice(1)));
      case "b":
        return { is: "bytes", bytes: this.#lastBytes() };
      default:
        return this.#decodeSegments(answer, program);
    }
  }

  #decodeSegments(answer: string, program: Program): Yield {
    // Text comes out up to the first NUL and with lone surrogates replaced: then the lengths do not fit, and it comes as JSON.
    const segments = readSegments(answer) ?? readSegments(this.#lastAnswer());
    if (segments === undefined) throw new InternalError("the sandbox gave an answer that cannot be read");
    if (program.kind === "record") return { is: "json", json: recordJson(program.fields, segments) };
    const [only] = segments;
    if (only === undefined) throw new InternalError("the sandbox gave an empty answer");
    return only.isJson ? { is: "json", json: only.text } : { is: "text", text: only.text };
  }

  #lastAnswer(): string {
    return this.#last((handle) => String(JSON.parse(this.#context.getString(handle))));
  }

  #lastBytes(): Uint8Array {
    return this.#last((handle) => {
      const buffer = this.#context.getArrayBuffer(handle);
      const bytes = Uint8Array.from(buffer.value);
      buffer.dispose();
      return bytes;
    });
  }

  #last<T>(read: (handle: QuickJSHandle) => T): T {
    const context = this.#context;
    const handle = context.unwrapResult(context.callFunction(this.#lastOf, context.undefined));
    const value = read(handle);
    handle.dispose();
    return value;
  }

  #failure({ name, message, stack }: SandboxError): Error {
    if (name === "InternalError") return new OutOfLimits(`an expression failed: ${message}`);
    const { number, text } = placeIn(stack);
    const source = number === undefined ? undefined : this.#expressions[number];
    const what = name === "" ? message : `${name}: ${message}`;
    return new NodeFailure(`${source === undefined ? "an expression" : quote(source)} failed${text}: ${what}`, "node");
  }

  #unusable({ what, expression }: { readonly what: string; readonly expression?: number }): Error {
    const source = expression === undefined ? undefined : this.#expressions[expression];
    const hint = UNUSABLE_HINTS[what] ?? "make it a string, a number, a boolean, an object, an array, null or bytes";
    return new NodeFailure(`${source === undefined ? "the value" : quote(source)} returned ${what}; ${hint}`, "node");
  }
}
