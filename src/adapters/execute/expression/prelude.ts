/**
 * What runs inside the sandbox before any expression: source text, since it is compiled by QuickJS and not by Node.
 *
 * It is a function of `host`, and gives `{ shape, compile, last }`:
 * - `shape(json)` makes `$` for stages of these names: `{ sets: [{ name, list }], input: index }`; every getter asks `host`.
 * - `compile(json, $, ...functions)` makes a function without arguments that runs a program and returns one string, an `Answer`.
 * - `lastOf()` gives what did not fit into the string: bytes, or the whole answer as JSON (it has NULs or lone surrogates).
 *
 * An answer is a run of segments. The first character tells: `s<length>:<text>` text, `j<length>:<json>` JSON text,
 * `b` bytes (ask `last`), `1` and `0` truth, `w<json>` a value that cannot be a result, `e<json>` an error.
 *
 * All built-in objects are frozen before the first expression, so nothing an expression does can be seen by the next one.
 */
export const PRELUDE: string = String.raw`(function (host) {
"use strict";
const { parse, stringify } = JSON;
const { create, defineProperty, freeze, getOwnPropertyDescriptor, getPrototypeOf } = Object;
const { isArray } = Array;
const ownKeys = Reflect.ownKeys;
const Text = String;
const isFinite = Number.isFinite;

// Numbers that host understands; sandbox.ts has the same list.
const ENTITY_ID = 0, ENTITY_VARS = 1, CONTENT = 2, PATH = 3, HASH = 4, SIZE = 5, ID = 6, VARS = 7, COUNT = 8, ENV = 9;

let turn = 0;
let last;

// A value asked for once per run, so that $.a.content.b and $.a.content.c parse the same file once.
const once = (get) => {
  let asked = -1, value;
  return () => {
    if (asked !== turn) { value = get(); asked = turn; }
    return value;
  };
};
const getters = (object, table) => {
  for (const key of ownKeys(table)) defineProperty(object, key, { get: table[key], enumerable: true });
  return object;
};
const parsed = (text) => freeze(parse(text, (key, value) => freeze(value)));

// Text comes as it is; JSON as [text, false], text that has to be escaped on the way as [JSON text, true].
const readContent = (set, item) => {
  const answer = host(CONTENT, set, item);
  if (!isArray(answer)) return answer;
  if (answer[1]) return parse(answer[0]);
  try { return parse(answer[0]); }
  catch (error) { throw new SyntaxError(host(PATH, set, item) + " is not JSON: " + error.message); }
};
const stateOf = (set, item) => freeze(getters({}, {
  id: () => host(ID, set, item),
  vars: once(() => { const text = host(VARS, set, item); return text === undefined ? undefined : parsed(text); }),
  path: () => host(PATH, set, item),
  content: once(() => readContent(set, item)),
  hash: () => host(HASH, set, item),
  size: () => host(SIZE, set, item),
}));
const listOf = (set) => freeze(getters({}, {
  items: once(() => {
    const items = [];
    for (let item = 0, count = host(COUNT, set); item < count; item++) items.push(stateOf(set, item));
    return freeze(items);
  }),
}));

const shape = (json) => {
  const { sets, input } = parse(json);
  const names = sets.map((set) => set.name);
  const unknown = new Proxy(create(null), {
    get(target, name) {
      if (typeof name === "symbol" || name === "toJSON") return undefined;
      throw new ReferenceError("$ has no stage or alias \"" + name + "\"; it has: " + [...new Set(["entity", "input", ...names])].join(", "));
    },
  });
  const states = sets.map((set, index) => (set.list ? listOf(index) : stateOf(index, 0)));
  const entity = freeze(getters({}, { id: () => host(ENTITY_ID), vars: once(() => parsed(host(ENTITY_VARS))) }));
  const $ = create(unknown);
  const put = (key, value) => defineProperty($, key, { value, enumerable: true });
  put("entity", entity);
  states.forEach((state, index) => { if (names[index] !== "entity") put(names[index], state); });
  if (!names.includes("input") && states.length > 0) put("input", states[input]);
  return freeze($);
};

const $env = freeze(new Proxy(freeze(create(null)), {
  get: (target, name) => (typeof name === "symbol" ? undefined : host(ENV, name)),
  has: (target, name) => typeof name !== "symbol" && host(ENV, name) !== undefined,
}));

class Unusable { constructor(what, expression) { this.what = what; this.expression = expression; } }

// ---- values out
const segment = (tag, text) => tag + text.length + ":" + text;
const encode = (value, expression) => {
  switch (typeof value) {
    case "string": return segment("s", value);
    case "number": if (!isFinite(value)) throw new Unusable(Text(value), expression); return segment("j", Text(value));
    case "boolean": return segment("j", Text(value));
    case "object": break;
    default: throw new Unusable(typeof value === "undefined" ? "undefined" : "a " + typeof value, expression);
  }
  if (value instanceof ArrayBuffer) { last = value; return "b"; }
  if (value instanceof Uint8Array) { last = value.slice().buffer; return "b"; }
  if (value instanceof Promise) throw new Unusable("a promise", expression);
  const json = stringify(value, null, 2);
  if (json === undefined) throw new Unusable("undefined", expression);
  return segment("j", json);
};
const interpolate = (value, expression) => {
  switch (typeof value) {
    case "string": return value;
    case "number": case "boolean": case "bigint": return Text(value);
    case "object": break;
    default: throw new Unusable(typeof value === "undefined" ? "undefined" : "a " + typeof value, expression);
  }
  if (value instanceof Promise) throw new Unusable("a promise", expression);
  const json = stringify(value);
  if (json === undefined) throw new Unusable("undefined", expression);
  return json;
};
const describe = (error) => {
  if (error instanceof Unusable) return "w" + stringify({ what: error.what, expression: error.expression });
  let name = "", message, stack = "";
  try {
    if (error instanceof Error) { name = Text(error.name); message = Text(error.message); stack = Text(error.stack); }
    else message = typeof error === "object" && error !== null ? stringify(error) : Text(error);
  } catch { message = "an error that cannot be shown"; }
  return "e" + stringify({ name, message, stack });
};

// ---- programs
const compile = (json, $, ...functions) => {
  const program = parse(json);
  const maker = (tree) => {
    switch (tree.is) {
      case "constant": { const { value } = tree; return typeof value === "object" ? () => parse(stringify(value)) : () => value; }
      case "expression": {
        const run = functions[tree.index];
        return () => {
          const value = run($, $env);
          if (value === undefined) throw new Unusable("undefined", tree.index);
          if (value instanceof Promise) throw new Unusable("a promise", tree.index);
          return value;
        };
      }
      case "parts": {
        const parts = tree.parts.map((part) => [maker(part), part.index]);
        return () => { let text = ""; for (const [make, index] of parts) text += interpolate(make(), index); return text; };
      }
      case "list": { const items = tree.items.map(maker); return () => items.map((make) => make()); }
      default: {
        const entries = tree.entries.map(([key, child]) => [key, maker(child)]);
        return () => {
          const object = {};
          for (const [key, make] of entries) defineProperty(object, key, { value: make(), enumerable: true, writable: true, configurable: true });
          return object;
        };
      }
    }
  };
  const body = {
    value() { const make = maker(program.tree), index = program.tree.index; return () => encode(make(), index); },
    record() {
      const fields = program.fields.map(([, tree]) => [maker(tree), tree.index]);
      return () => {
        let text = "";
        for (const [make, index] of fields) {
          const value = make();
          text += value instanceof ArrayBuffer || value instanceof Uint8Array ? segment("j", stringify(value, null, 2)) : encode(value, index);
        }
        return text;
      };
    },
    truth() { const run = functions[program.tree.index]; return () => (run($, $env) ? "1" : "0"); },
  }[program.kind]();
  return () => {
    turn++;
    last = undefined;
    try {
      const answer = body();
      if (last === undefined) last = answer;
      return answer;
    } catch (error) { return describe(error); }
  };
};

const lastOf = () => (typeof last === "string" ? stringify(last) : last);

// ---- nothing an expression does outlives it
const frozen = new Set();
const harden = (value) => {
  if ((typeof value !== "object" && typeof value !== "function") || value === null || frozen.has(value)) return;
  frozen.add(value);
  harden(getPrototypeOf(value));
  for (const key of ownKeys(value)) {
    const property = getOwnPropertyDescriptor(value, key);
    harden(property.value); harden(property.get); harden(property.set);
  }
  freeze(value);
};
// Assigning a property that a frozen prototype has would fail in strict mode ({}.toString = f, error.name = "X"):
// there it becomes an accessor whose setter defines the property on the object itself.
const enableOverride = (prototype) => {
  for (const key of ownKeys(prototype)) {
    const property = getOwnPropertyDescriptor(prototype, key);
    if (!("value" in property) || !property.configurable) continue;
    const { value } = property;
    defineProperty(prototype, key, {
      get: () => value,
      set(next) {
        if (this === prototype) throw new TypeError("built-in objects cannot be changed");
        defineProperty(this, key, { value: next, writable: true, enumerable: true, configurable: true });
      },
      enumerable: property.enumerable, configurable: false,
    });
  }
};
[Object, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].forEach((one) => enableOverride(one.prototype));
[function* () {}, async function () {}, async function* () {}, [][Symbol.iterator](), new Map().entries(), new Set().values(),
  ""[Symbol.iterator](), "".matchAll(/x/g), (function* () {})(), Iterator.from({ next() {} })].forEach(harden);
harden(globalThis);

return { shape, compile, lastOf };
})`;
