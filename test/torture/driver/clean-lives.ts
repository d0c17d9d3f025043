/** Roots that nothing is wrong with: short random histories of the real engine in memory, and what was planned in them. */
import { EngineRig, source, stage } from "../../support/engine-rig.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { ScriptedFailure } from "../../support/scripted-runner.ts";
import type { Plan, PlannedSource, PlannedStage } from "../checker/plan.ts";
import type { RootView } from "../checker/view.ts";
import { memoryView } from "./memory-view.ts";

const ROOT = "/project/state";
const FIRST = ["upper", "first", "say", "wrap:a", "wrap:b"] as const;
const SECOND = ["wrap:out", "skip:skip", "with:input"] as const;

/** What was planned for a root, and what it holds at the end. */
export interface CleanLife {
  readonly plan: Plan;
  readonly view: RootView;
}

/** The definitions of two pipelines, the second of which goes on where the first ends, and the same as a plan says it. */
function twoPipelines(first: string, second: string): { definitions: object[]; stages: PlannedStage[] } {
  const definitions = [
    {
      name: "one",
      stages: [
        source("input", "input/{id}.txt"),
        stage("middle", "input", "middle/{id}.txt", first),
        stage("output", "middle", "output/{id}.txt", second),
      ],
    },
    {
      name: "two",
      stages: [source("from", "output/{name}.txt"), stage("last", "from", "last/{name}.json", "wrap:last")],
    },
  ];
  const stages: PlannedStage[] = [
    { key: "one#input", type: "source", pattern: "input/{id}.txt" },
    { key: "one#middle", type: "transform", pattern: "middle/{id}.txt", input: "input", op: first, failsOn: "poison" },
    { key: "one#output", type: "transform", pattern: "output/{id}.txt", input: "middle", op: second },
    { key: "two#from", type: "source", pattern: "output/{name}.txt" },
    { key: "two#last", type: "transform", pattern: "last/{name}.json", input: "from", op: "wrap:last" },
  ];
  return { definitions, stages };
}

/** Content that tells the writes apart; now and then poison, and now and then nothing to make anything of. */
function contentOf(id: string, write: number, chance: number): string {
  const kind = chance < 0.08 ? "poison " : chance < 0.16 ? "skip " : "";
  return `${kind}${id} v${write}`;
}

/** One history: files come, change and go, a node fails, code changes, the process is killed in the middle; then all is quiet. */
export async function cleanLife(seed: number): Promise<CleanLife> {
  const random = new SeededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!;
  let second = pick(SECOND);
  let { definitions, stages } = twoPipelines(pick(FIRST), second);
  const rig = new EngineRig(definitions);
  rig.scripts.set("middle", ({ input }) => {
    if (input.includes("poison")) throw new ScriptedFailure("it is poison");
    return undefined;
  });
  await rig.start();
  const versions = new Map<string, (string | null)[]>();
  const steps = 8 + Math.floor(random.next() * 12);
  for (let step = 0; step < steps; step++) {
    const id = String(Math.floor(random.next() * 8)).padStart(3, "0");
    const path = `input/${id}.txt`;
    const chance = random.next();
    const isThere = versions.get(path)?.at(-1) != null;
    if (chance < 0.75 || !isThere) {
      const content = contentOf(id, step, random.next());
      versions.set(path, [...(versions.get(path) ?? []), content]);
      rig.write(path, content);
    } else {
      versions.get(path)!.push(null);
      rig.remove(path);
    }
    const what = random.next();
    if (what < 0.15) await rig.quiet();
    else if (what < 0.25) {
      second = pick(SECOND);
      ({ definitions, stages } = twoPipelines(stages[1]!.op!, second));
      await rig.redefine(definitions);
    } else if (what < 0.35) {
      await rig.pass(random.next() * 400);
      await rig.revive();
    }
  }
  await rig.quiet();
  // Absence wants a second look.
  await rig.pass(3_600_000);
  await rig.quiet();
  await rig.stop();
  const sources: PlannedSource[] = [...versions].map(([path, all]) => ({
    path,
    versions: all.filter((content) => content !== null),
    last: all.at(-1) ?? null,
  }));
  return { plan: { version: 1, stages, sources }, view: memoryView(rig.disk, ROOT) };
}

/** The root that defects are planted in: tasks that are done, one that fails, one that made nothing; a source that is gone. */
export async function oneOfEach(): Promise<CleanLife> {
  const { definitions, stages } = twoPipelines("upper", "skip:SKIP");
  const rig = new EngineRig(definitions);
  rig.scripts.set("middle", ({ input }) => {
    if (input.includes("poison")) throw new ScriptedFailure("it is poison");
    return undefined;
  });
  const files = { a: "a one", b: "b one", c: "c one", s: "s skip", p: "p one" };
  for (const [id, text] of Object.entries(files)) rig.put(`input/${id}.txt`, text);
  await rig.start();
  rig.write("input/p.txt", "p poison");
  await rig.quiet();
  await rig.stop();
  const sources = Object.entries({ ...files, p: "p poison" }).map(([id, last]) => ({
    path: `input/${id}.txt`,
    versions: [last],
    last,
    stat: { size: last.length, mode: 0o644, mtimeNs: "1" },
  }));
  const gone = { path: "input/g.txt", versions: ["g"], last: null };
  return { plan: { version: 1, stages, sources: [...sources, gone] }, view: memoryView(rig.disk, ROOT) };
}

/** A root in which so many files went through three stages. */
export async function manyEntities(count: number): Promise<CleanLife> {
  const { definitions, stages } = twoPipelines("upper", "wrap:out");
  const rig = new EngineRig(definitions);
  const sources: PlannedSource[] = [];
  for (let i = 0; i < count; i++) {
    const [path, last] = [`input/${i}.txt`, `text ${i}`];
    rig.put(path, last);
    sources.push({ path, versions: [last], last });
  }
  await rig.start();
  await rig.stop();
  return { plan: { version: 1, stages, sources }, view: memoryView(rig.disk, ROOT) };
}
