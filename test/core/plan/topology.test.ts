import { describe, expect, test } from "vitest";
import { hasNoPath, Topology } from "../../../src/core/plan/topology.ts";
import { loaded } from "../../support/definitions.ts";

type Input = string | string[] | Record<string, string>;

function source(id: string, pattern: string, more: object = {}): object {
  return { id, type: "source", pattern, ...more };
}
function transform(id: string, input: Input, pattern: string): object {
  return { id, type: "transform", input, pattern };
}
function topologyOf(...pipelines: { name: string; stages: object[] }[]): Topology {
  return new Topology(pipelines.map((pipeline) => loaded(pipeline, `pipelines/${pipeline.name}.json`)));
}

const near = {
  name: "near",
  stages: [
    source("in", "in/{id}.txt"),
    transform("up", "in", "up/{id}.txt"),
    transform("mid", "up", "mid/{id}.txt"),
    transform("side", "in", "side/{id}.txt"),
  ],
};
const far = {
  name: "far",
  stages: [
    source("taken", "mid/{name}.txt"),
    transform("far", "taken", "far/{name}.txt"),
    transform("last", "far", "last/{name}.txt"),
  ],
};

function affected(topology: Topology, path: string): string[] {
  return topology.affected(path, topology.role(topology.roleNumber(path))).map((task) => task.key);
}

describe("the role of a path", () => {
  const topology = topologyOf(near, far);
  test.each<[string, string | undefined, string[]]>([
    ["in/1.txt", undefined, ["near#in"]],
    ["up/1.txt", "near#up", []],
    ["mid/1.txt", "near#mid", ["far#taken"]],
    ["in/1.md", undefined, []],
    ["in/a/1.txt", undefined, []],
  ])("%s: made by %s, source of %j", (path, producer, sources) => {
    const role = topology.role(topology.roleNumber(path));
    expect([role.producer?.key, role.sources.map((stage) => stage.key)]).toEqual([producer, sources]);
  });

  test("has one number for all paths alike", () => {
    expect(topology.roleNumber("in/1.txt")).toBe(topology.roleNumber("in/2.txt"));
    expect(topology.roleNumber("in/1.txt")).not.toBe(topology.roleNumber("up/1.txt"));
  });

  test("keeps its number over a restart with the same stages, and refuses one whose stage is gone", () => {
    const before = topologyOf(near, far);
    const numbers = ["mid/1.txt", "in/1.txt", "none"].map(before.roleNumber);
    const after = topologyOf(near, far);
    expect(after.adoptRoles(before.packRoles())).toBe(true);
    expect(["mid/1.txt", "in/1.txt", "none"].map(after.roleNumber)).toEqual(numbers);
    expect(topologyOf(near).adoptRoles(before.packRoles())).toBe(false);
  });
});

describe("what a change concerns", () => {
  test("is what is made of it, across pipelines, what is made first first", () => {
    expect(affected(topologyOf(near, far), "in/1.txt")).toEqual([
      "near#up@1",
      "near#mid@1",
      "far#far@1",
      "far#last@1",
      "near#side@1",
    ]);
  });

  test("is first of all who makes it", () => {
    expect(affected(topologyOf(near, far), "mid/1.txt")).toEqual(["near#mid@1", "far#far@1", "far#last@1"]);
  });

  test("does not depend on the order of the definitions", () => {
    expect(affected(topologyOf(far, near), "up/1.txt")).toEqual(["near#up@1", "near#mid@1", "far#far@1", "far#last@1"]);
  });

  test("is nothing for a path of no stage", () => {
    expect(affected(topologyOf(near, far), "else/1.txt")).toEqual([]);
  });
});

describe("the states that a change at a path may have changed", () => {
  const topology = topologyOf({
    name: "p",
    stages: [
      source("album", "albums/{album}/"),
      source("text", "texts/{id}.txt", { marker: "texts/{id}.done" }),
      transform("sheet", "album", "sheets/{album}/"),
      transform("copy", "text", "copies/{id}.txt"),
    ],
  });
  test.each<[string, string[]]>([
    ["albums/a/b/c.jpg", ["albums/a/"]],
    ["albums/a", ["albums/a/"]],
    ["albums", []],
    ["texts/1.txt", ["texts/1.txt"]],
    ["texts/1.done", ["texts/1.txt"]],
    ["sheets/a/x.png", ["sheets/a/"]],
    ["other/1.txt", []],
  ])("%s: %j", (path, states) => {
    expect(topology.statesAt(path)).toEqual(states);
  });

  test("knows that there are folders", () => {
    expect([topology.hasFolders(), topologyOf(near).hasFolders()]).toEqual([true, false]);
  });
});

describe("a task", () => {
  const topology = topologyOf(near, far);

  test("is found by its path and by its entity, and is the same", () => {
    const byPath = topology.producerTask("mid/a b.txt")!;
    const stage = topology.stage("near#mid")!;
    expect(stage.type === "source" ? undefined : topology.taskOfEntity(stage, "a b")).toEqual(byPath);
    expect(byPath).toMatchObject({ key: "near#mid@a b", path: "mid/a b.txt", ambiguous: undefined });
    expect(byPath.inputs.map(({ alias, path }) => [alias, path])).toEqual([["up", "up/a b.txt"]]);
  });

  test("knows where all its ancestors lie, nearest first, and none of another pipeline", () => {
    const paths = (path: string): string[] => topology.ancestorsOf(topology.producerTask(path)!).map((a) => a.path);
    expect(paths("mid/1.txt")).toEqual(["up/1.txt", "in/1.txt"]);
    expect(paths("far/1.txt")).toEqual(["mid/1.txt"]);
  });

  test("of a source is none", () => {
    expect(topology.producerTask("in/1.txt")).toBeUndefined();
  });

  test("whose path would be read back as another entity has no path, and is found again all the same", () => {
    const odd = topologyOf({
      name: "p",
      stages: [source("in", "in/{a}/{b}.txt"), transform("out", "in", "out/{a}-{b}.txt")],
    });
    const [task] = odd.affected("in/x-y/z.txt", odd.role(odd.roleNumber("in/x-y/z.txt")));
    expect(task!.ambiguous).toContain("x-y");
    expect(hasNoPath(task!.path)).toBe(true);
    expect(odd.producerTask(task!.path)).toEqual(task);
    const [plain] = odd.affected("in/x/y-z.txt", odd.role(odd.roleNumber("in/x/y-z.txt")));
    expect(plain).toMatchObject({ path: "out/x-y-z.txt", ambiguous: undefined });
  });

  test("names the chains from its stage to sources of other pipelines", () => {
    const chains = (key: string): string[] => topology.chainsOf(topology.stage(key)!).map((stage) => stage.key);
    expect([chains("near#mid"), chains("near#up"), chains("near#in")]).toEqual([["far#taken"], [], []]);
  });
});
