import { describe, expect, test } from "vitest";
import { checkTogether } from "../../../src/core/pipeline/together.ts";
import { loaded } from "../../support/definitions.ts";

/** A pipeline of copies: each stage reads the one before it. */
function chain(name: string, ...patterns: readonly string[]) {
  const stages = patterns.map((pattern, i) =>
    i === 0 ? { id: "s0", type: "source", pattern } : { id: `s${i}`, type: "transform", input: `s${i - 1}`, pattern },
  );
  return loaded({ name, stages }, `pipelines/${name}.json`);
}
const told = (...pipelines: readonly ReturnType<typeof chain>[]) =>
  checkTogether(pipelines).map((p) => `${p.code} ${p.message}`);

describe("pipelines that go together", () => {
  test("the two of the walkthrough, which chain", () => {
    expect(
      told(
        chain("content", "drafts/{slug}.md", "articles/{slug}.md"),
        chain("social", "articles/{slug}.md", "tweets/{slug}.json"),
      ),
    ).toEqual([]);
  });
  test("two that read the same files", () =>
    expect(told(chain("a", "in/{id}", "a/{id}"), chain("b", "in/{id}", "b/{id}"))).toEqual([]));
  test("one that chains with itself, without a way back", () => {
    const stages = [
      { id: "a", type: "source", pattern: "a/{id}" },
      { id: "b", type: "transform", input: "a", pattern: "b/{id}" },
      { id: "c", type: "source", pattern: "b/{id}" },
      { id: "d", type: "transform", input: "c", pattern: "d/{id}" },
    ];
    expect(told(loaded({ name: "x", stages }))).toEqual([]);
  });
  test("equal patterns in different roots", () => {
    const pipelines = [chain("a", "in/{id}", "out/{id}"), chain("a", "in/{id}", "out/{id}")];
    expect(checkTogether(pipelines, (pipeline) => `/r${pipelines.indexOf(pipeline)}`)).toEqual([]);
  });
  test("a file and a folder of one name where one is a source", () => {
    expect(told(chain("a", "in/{id}/", "in/{id}"), chain("b", "x/{id}", "y/{id}"))).toEqual([]);
  });
});

describe("two stages that can write one path", () => {
  test("are told with an example and the other's place", () => {
    const [found, ...others] = checkTogether([
      chain("a", "in/{id}", "out/{id}.json"),
      chain("b", "src/{x}", "out/{x}.json"),
    ]);
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      code: "M211",
      place: { file: "pipelines/b.json", pointer: "/stages/1/pattern" },
      notes: [expect.stringMatching(/^the other: pipelines\/a\.json:\d+ {2}"out\/\{id\}\.json"$/)],
    });
    expect(found?.message).toMatch(/^stages "a#s1" and "b#s1" can both write "out\/[^/]+\.json"$/);
  });
  test.each([
    ["out/{id}.txt", "out/{id}.{x}"],
    ["out/{id}/", "out/{id}/a.txt"],
    ["out/{id}/", "out/{id}/deep/"],
    ["out/{id}/", "out/{id}"],
    ["out/{p...}", "out/{id}.txt"],
    ["out/{id:int}", "out/{id:hex}"],
  ])("%s and %s", (left, right) => {
    const source = (pattern: string) => `in/${pattern.replace(/\/$/, "")}`;
    expect(told(chain("a", source(left), left), chain("b", source(right), right))).toEqual([
      expect.stringMatching(/^M211 /),
    ]);
  });
  test.each([
    ["out/{id}.txt", "out/{id}.json"],
    ["out/{id:int}", "out/{id:/[a-z]+/}"],
    ["out/{id}", "out/{id}/x"],
  ])("but not %s and %s", (left, right) => {
    expect(told(chain("a", `one/${left}`, left), chain("b", `two/${right}`, right))).toEqual([]);
  });
});

describe("feedback loops", () => {
  test("an output that its own source matches", () => {
    const [found, ...others] = checkTogether([chain("a", "data/{id}.txt", "data/{id}.out.txt")]);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ code: "M210", place: { pointer: "/stages/1/pattern" } });
    expect(found?.message).toMatch(
      /^stage "s1" can write "data\/.*\.out\.txt", which its own ancestor "s0" reads: it would feed itself$/,
    );
    expect(found?.notes?.[0]).toMatch(/^"a#s0" reads: pipelines\/a\.json:\d+ {2}"data\/\{id\}\.txt"$/);
  });
  test("an output inside its own source's folder", () =>
    expect(told(chain("a", "albums/{id}/", "albums/{id}/cover.jpg"))).toEqual([expect.stringMatching(/^M210 /)]));
  test("an output that another ancestor writes", () => {
    expect(told(chain("a", "in/{id}", "mid/{id}", "mid/{id}"))).toEqual([
      expect.stringMatching(/^M210 stage "s2" .* its own ancestor "s1" writes/),
    ]);
  });
  test("by way of other pipelines, told once", () => {
    const ring = [
      chain("a", "one/{id}", "two/{id}"),
      chain("b", "two/{id}", "x/{id}", "three/{id}"),
      chain("c", "three/{id}", "one/{id}"),
    ];
    const [found, ...others] = checkTogether(ring);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ code: "M210", place: { file: "pipelines/a.json" } });
    expect(found?.notes?.map((note) => note.replace(/:\d+ .*/, ""))).toEqual([
      '"a#s1" writes what "b#s0" reads: pipelines/b.json',
      '"b#s2" writes what "c#s0" reads: pipelines/c.json',
      '"c#s1" writes what "a#s0" reads: pipelines/a.json',
    ]);
  });
  test("two loops are told as two", () => {
    expect(told(chain("a", "x/{id}.txt", "x/{id}.a.txt"), chain("b", "y/{id}.txt", "y/{id}.b.txt"))).toHaveLength(2);
  });
  test("a chain beside a loop is no part of it", () => {
    const found = checkTogether([chain("a", "x/{id}.txt", "x/{id}.a.txt"), chain("b", "x/{id}.txt", "z/{id}")]);
    expect(found.map((p) => p.place?.file)).toEqual(["pipelines/a.json"]);
  });
});

describe("names and roots", () => {
  test("two pipelines of one name in one root", () => {
    const [found, ...others] = checkTogether([
      chain("a", "i/{id}", "o/{id}"),
      loaded({ name: "a", stages: [{ id: "s", type: "source", pattern: "z/{id}" }] }, "pipelines/z.json"),
    ]);
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      code: "M213",
      place: { file: "pipelines/z.json", pointer: "/name" },
      notes: ["the other: pipelines/a.json:2"],
    });
  });
  test("roots inside one another", () => {
    const roots = new Map([
      ["a", "/s"],
      ["b", "/s/inner"],
      ["c", "/state"],
    ]);
    const pipelines = [...roots.keys()].map((name) => chain(name, "i/{id}", "o/{id}"));
    const found = checkTogether(pipelines, ({ name }) => roots.get(name) ?? "");
    expect(found.map((p) => [p.code, p.place?.file, p.notes?.[0]])).toEqual([
      ["M214", "pipelines/b.json", "the outer one: pipelines/a.json:1"],
    ]);
  });
});

test("a disabled pipeline is compared with itself only", () => {
  const off = (definition: ReturnType<typeof chain>) => ({ ...definition, enabled: false });
  expect(told(chain("a", "in/{id}", "out/{id}"), off(chain("b", "in/{id}", "out/{id}")))).toEqual([]);
  expect(told(chain("a", "in/{id}", "out/{id}"), off(chain("b", "x/{id}.txt", "x/{id}.b.txt")))).toHaveLength(1);
});
