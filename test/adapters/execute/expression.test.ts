import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  expressionProgram,
  recordProgram,
  truthProgram,
  valueProgram,
  type Program,
} from "../../../src/adapters/execute/expression/program.ts";
import {
  Interrupted,
  Sandbox,
  type Facts,
  type Shape,
  type Yield,
} from "../../../src/adapters/execute/expression/sandbox.ts";

let sandbox: Sandbox;
let asked: string[] = [];
let checks = 0;
let allowedChecks = Infinity;

beforeAll(async () => {
  sandbox = await Sandbox.load(() => ++checks > allowedChecks);
});
beforeEach(() => {
  asked = [];
  checks = 0;
  allowedChecks = Infinity;
});

const shape: Shape = {
  sets: [
    { name: "source", list: false },
    { name: "days", list: true },
    { name: "gone", list: false },
  ],
  input: 0,
};

function factsOf(content: string): Facts {
  const ask = <T>(what: string, value: T): T => {
    asked.push(what);
    return value;
  };
  const isThere = (set: number): boolean => set !== 2;
  return {
    entityId: "001",
    entityVars: () => '{"id":"001"}',
    count: (set) => (set === 1 ? 2 : 1),
    content: (set, item) => ask(`content ${set} ${item}`, isThere(set) ? contentOf(content) : undefined),
    path: (set, item) => `path/${set}/${item}`,
    hash: (set, item) => ask(`hash ${set} ${item}`, isThere(set) ? "0123456789abcdef" : undefined),
    size: (set, item) => ask(`size ${set} ${item}`, isThere(set) ? 5 : undefined),
    id: (_set, item) => `id${item}`,
    vars: () => '{"id":"001"}',
    env: (name) => ask(`env ${name}`, name === "HOME" ? "/home/me" : undefined),
  };
}

/** The first character tells: `t` text, `j` JSON. */
function contentOf(content: string): ReturnType<Facts["content"]> {
  return { text: content.slice(1), isJson: content.startsWith("j") };
}

function run(program: Program, content = "thello"): Yield {
  return sandbox.run(program, shape, factsOf(content));
}
/** The result as the test reads it: text as a string, JSON as `json:` and its compact form. */
function value(expression: string, content?: string): unknown {
  const yielded = run(expressionProgram(expression), content);
  switch (yielded.is) {
    case "text":
      return yielded.text;
    case "json":
      return `json:${JSON.stringify(JSON.parse(yielded.json))}`;
    case "bytes":
      return [...yielded.bytes];
    case "truth":
      return yielded.truth;
  }
}
function failure(expression: string, content?: string): string {
  try {
    return `no failure: ${String(value(expression, content))}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe("an expression", () => {
  test.each([
    ["text", "$.input.content.toUpperCase()", "HELLO"],
    ["the entity", "$.entity.id + $.entity.vars.id", "001001"],
    ["a stage by its name", "$.source.path + ' ' + $.source.hash + ' ' + $.source.size", "path/0/0 0123456789abcdef 5"],
    ["the states of a list", "$.days.items.map((day) => day.id).join()", "id0,id1"],
    ["the environment", "$env.HOME", "/home/me"],
    ["a number", "1 + 1", "json:2"],
    ["a boolean", "!1", "json:false"],
    ["null", "null", "json:null"],
    ["an object", "({ a: [1, { b: 'x' }] })", 'json:{"a":[1,{"b":"x"}]}'],
    ["a date", "new Date(0)", 'json:"1970-01-01T00:00:00.000Z"'],
    ["bytes", "new Uint8Array([0, 255, 7]).subarray(1)", [255, 7]],
    ["an array buffer", "new Uint8Array([1, 2]).buffer", [1, 2]],
    ["text with NUL", "'a\\0b'", "a\0b"],
    ["a lone surrogate", "'a\\ud800b'", "a\ud800b"],
    ["emoji", "'\\u{1F600}' + $.input.content", "\u{1F600}hello"],
    ["nothing from an absent state", "String($.gone.content) + $.gone.hash", "undefinedundefined"],
    ["an unset variable", "String($env.NOPE)", "undefined"],
    ["a comment at the end", "1 // one", "json:1"],
    ["several lines", "(() => {\n  const a = 2;\n  return a * 21;\n})()", "json:42"],
  ])("yields %s", (_what, expression, expected) => {
    expect(value(expression)).toEqual(expected);
  });

  test.each([
    ["text with NUL", "ta\0b", "$.input.content", "a\0b"],
    ["JSON, parsed", 'j{"a":{"b":[1,2]}}', "$.input.content.a.b", "json:[1,2]"],
    ["empty text", "t", "$.input.content", ""],
  ])("reads %s", (_what, content, expression, expected) => {
    expect(value(expression, content)).toEqual(expected);
  });

  test("asks only for what it reads, and for each content once", () => {
    value("$.source.content.length + $.input.content.length + $.source.content.length");
    expect(asked).toEqual(["content 0 0"]);
  });

  test("asks again in its next run", () => {
    value("$.source.content");
    value("$.source.content");
    expect(asked).toEqual(["content 0 0", "content 0 0"]);
  });
});

describe("what goes wrong is named with its place in the expression", () => {
  test.each([
    ["$.input.nope.x", `expression "$.input.nope.x" failed at 1:13: TypeError: cannot read property 'x' of undefined`],
    ["(() => {\n  throw new Error('boo');\n})()", "failed at 2:18: Error: boo"],
    ["$.sorce.content", `$ has no stage or alias "sorce"; it has: entity, input, source, days, gone`],
    ["undefined", `expression "undefined" returned undefined; check the names it reads`],
    ["Promise.resolve(1)", "returned a promise; expressions cannot wait"],
    ["() => 1", "returned a function; call it"],
    ["0 / 0", "returned NaN"],
    ["10n", "returned a bigint"],
    ["(() => { throw null })()", "failed: null"],
    ["JSON.stringify($.input.content.a", "does not parse at 1:33: it ends too early"],
    ["1); (2", "does not parse at 1:2"],
    ["(() => { const f = () => f() + 1; return f(); })()", "stack overflow"],
    ["(() => { const a = []; for (;;) a.push(new Uint8Array(1 << 20)); })()", "out of memory"],
  ])("%s", (expression, message) => {
    expect(failure(expression)).toContain(message);
  });

  test("a file that is no JSON is named", () => {
    expect(failure("$.input.content.a", 'j{"a":')).toContain("path/0/0 is not JSON: ");
  });
});

describe("an expression is alone", () => {
  test.each([
    ["require", "typeof require"],
    ["process", "typeof process"],
    ["fetch", "typeof fetch"],
    ["timers", "typeof setTimeout"],
    ["console", "typeof console"],
  ])("there is no %s", (_what, expression) => {
    expect(value(expression)).toBe("undefined");
  });

  test.each([
    "globalThis.left = 1",
    "left = 1",
    "Array.prototype.left = 1",
    "Object.prototype.left = 1",
    "Object.prototype.toString = () => 'mine'",
    "JSON.parse = 1",
    "$.entity.id = 1",
    "$.left = 1",
    "delete Math.max",
    "Object.getPrototypeOf(function* () {}).left = 1",
  ])("%s is refused", (expression) => {
    expect(failure(expression)).toContain("failed at");
  });

  test("a changed value of one run is not seen by the next", () => {
    expect(value("$.input.content.list.push(4)", 'j{"list":[1,2,3]}')).toBe("json:4");
    expect(value("$.input.content.list.push(4)", 'j{"list":[1,2,3]}')).toBe("json:4");
  });

  test("own objects may have properties that built-in ones have", () => {
    expect(
      value(
        "(() => { const e = new Error('m'); e.name = 'Mine'; const o = {}; o.toString = () => '!'; return e.name + o; })()",
      ),
    ).toBe("Mine!");
  });
});

describe("a run that is told to stop", () => {
  test.each([
    ["an endless loop", "(() => { for (;;); })()"],
    ["a loop that catches", "(() => { for (;;) try { for (;;); } catch {} })()"],
    ["an explosive regular expression", "/^(a+)+$/.test('a'.repeat(40) + 'b')"],
  ])("stops in %s, and the next runs", (_what, expression) => {
    allowedChecks = 3;
    expect(() => value(expression)).toThrow(Interrupted);
    allowedChecks = Infinity;
    expect(value("1")).toBe("json:1");
  });

  test("for a reason of the host's stops even if the expression catches it", () => {
    const facts = {
      ...factsOf("t"),
      content: () => {
        throw new Error("it changed");
      },
    };
    const program = expressionProgram("(() => { try { return $.input.content; } catch { return 'caught'; } })()");
    expect(() => sandbox.run(program, shape, facts)).toThrow("it changed");
  });
});

describe("{{...}} in a value", () => {
  test.each<[string, unknown, Yield]>([
    ["keeps the type of a value that is exactly one", "{{1 + 1}}", { is: "json", json: "2" }],
    ["is text among text", "a {{1 + 1}} {{$.entity.id}}.", { is: "text", text: "a 2 001." }],
    ["may hold braces", "{{ {a: {b: 1}} }}", { is: "json", json: '{\n  "a": {\n    "b": 1\n  }\n}' }],
    ["may hold its own marks in a string", "<{{'}}'}}{{'{{'}}>", { is: "text", text: "<}}{{>" }],
    ["shows objects as JSON in text", "x={{({a: 1})}}", { is: "text", text: 'x={"a":1}' }],
    [
      "is found at any depth",
      [{ a: "{{$.entity.id}}" }, 7],
      { is: "json", json: '[\n  {\n    "a": "001"\n  },\n  7\n]' },
    ],
    ["none at all", "plain } { text", { is: "text", text: "plain } { text" }],
  ])("%s", (_what, source, expected) => {
    expect(run(valueProgram(source))).toEqual(expected);
  });

  test("that yields undefined is a failure that names it", () => {
    expect(() => run(valueProgram("a {{$.gone.content}}"))).toThrow('expression "$.gone.content" returned undefined');
  });

  test.each([
    ["a {{", '"{{" is never closed by "}}"'],
    ["{{}}", "it is empty"],
    ["{{1 +}}", "it ends too early"],
  ])("%s does not parse", (source, message) => {
    expect(() => valueProgram(source)).toThrow(message);
  });

  test("__proto__ is a key like any other", () => {
    const source: unknown = JSON.parse('{"__proto__": "{{1}}"}');
    expect(run(valueProgram(source))).toEqual({ is: "json", json: '{\n  "__proto__": 1\n}' });
  });
});

test("a record keeps the order of its fields, and is written as JSON.stringify would", () => {
  const fields = [
    { name: "b", value: { list: ["{{[1, 2]}}", "x"] } },
    { name: "2", value: "line\nbreak {{'\\0'}}" },
    { name: "1", value: null },
  ];
  const yielded = run(recordProgram(fields));
  expect(yielded).toEqual({
    is: "json",
    json:
      '{\n  "b": {\n    "list": [\n      [\n        1,\n        2\n      ],\n      "x"\n    ]\n  },\n' +
      '  "2": "line\\nbreak \\u0000",\n  "1": null\n}',
  });
});

test.each([
  ["$.entity.id === '001'", true],
  ["''", false],
  ["undefined", false],
  ["({})", true],
])("the truth of %s is %s", (condition, truth) => {
  expect(run(truthProgram(condition))).toEqual({ is: "truth", truth });
});
