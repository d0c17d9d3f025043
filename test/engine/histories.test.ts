import fc from "fast-check";
import { expect, test } from "vitest";
import type { RelPath } from "../../src/core/model/words.ts";
import { EngineRig, source, stage } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

/** Two pipelines of two stages, the second fed by the first; the last stage reads the source of its pipeline, too. */
function definitions(code: readonly string[]): unknown[] {
  const [first = "", second = "", third = "", last = ""] = code;
  return [
    {
      name: "near",
      retryPolicy: { maxAttempts: 3, backoffSeconds: [5] },
      stages: [
        source("in", "in/{id}.txt"),
        stage("up", "in", "up/{id}.txt", first),
        stage("mid", "up", "mid/{id}.txt", second),
      ],
    },
    {
      name: "far",
      retryPolicy: { maxAttempts: 3, backoffSeconds: [5] },
      stages: [
        source("taken", "mid/{id}.txt"),
        stage("far", "taken", "far/{id}.txt", third),
        stage("last", "far", "last/{id}.json", last),
      ],
    },
  ];
}

const STAGES = ["up", "mid", "far", "last"] as const;
const OUTPUT: Readonly<Record<(typeof STAGES)[number], (id: string) => RelPath>> = {
  up: (id) => `up/${id}.txt`,
  mid: (id) => `mid/${id}.txt`,
  far: (id) => `far/${id}.txt`,
  last: (id) => `last/${id}.json`,
};

const id = fc.constantFrom("1", "2", "3");
const text = fc.constantFrom("a", "ab", "b", "skip me", "ac");
const stageId = fc.constantFrom(...STAGES);
const code = fc.tuple(
  fc.constantFrom("upper", "first", "say"),
  fc.constantFrom("wrap:x", "first", "skip:S"),
  fc.constantFrom("first", "wrap:y", "skip:x"),
  fc.constantFrom("with:taken", "wrap:z", "with:far"),
);

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("write"), id, text, seen: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("touch"), id, seen: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove"), id, seen: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("rename"), id, to: id, seen: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("edit"), id, stage: stageId, seen: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose"), id, stage: stageId, seen: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("code"), code }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail"), stage: stageId }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("slow"), stage: stageId, ms: fc.constantFrom(5, 300) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("heal") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("hold"), stage: stageId }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("release") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("force"), id, stage: stageId }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill") }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("scan") }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("pass"), ms: fc.constantFrom(1, 50, 250, 6000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("quiet") }) },
);
type Step = Partial<{
  do: string;
  id: string;
  to: string;
  text: string;
  stage: (typeof STAGES)[number];
  seen: boolean;
  code: string[];
  ms: number;
}>;

const pipelineOf = (stage: string): string => (stage === "up" || stage === "mid" ? "near" : "far");

async function act(rig: EngineRig, { do: what, ...step }: Step): Promise<void> {
  const told = (...paths: RelPath[]): void => {
    if (step.seen) rig.changes.changed(...paths);
  };
  const input = `in/${step.id}.txt`;
  const output = step.stage && step.id ? OUTPUT[step.stage](step.id) : "";
  const controls = rig.root.controls;
  const now = new Date(rig.clock.wallMs()).toISOString();
  switch (what!) {
    case "write":
      rig.put(input, step.text!);
      return told(input);
    case "touch": {
      const before = rig.text(input);
      if (before !== undefined) rig.put(input, before);
      return told(input);
    }
    case "remove":
      rig.disk.removeTree(`/project/state/${input}`);
      return told(input);
    case "rename": {
      const to = `in/${step.to}.txt`;
      if (rig.text(input) === undefined) return;
      rig.disk.rename(`/project/state/${input}`, `/project/state/${to}`);
      return told(input, to);
    }
    case "edit":
      // A file where no result ever was would be a foreign one, which only a person can settle.
      if (rig.text(output) !== undefined) rig.put(output, "edited by hand");
      return told(output);
    case "lose":
      rig.disk.removeTree(`/project/state/${output}`);
      return told(output);
    case "code":
      await rig.redefine(definitions(step.code!));
      return;
    case "fail":
      rig.scripts.set(step.stage!, () => {
        throw new ScriptedFailure("not today");
      });
      return;
    case "slow":
      rig.scripts.set(step.stage!, () => new Promise((done) => void rig.clock.after(step.ms!, () => done(undefined))));
      return;
    case "heal":
      return rig.scripts.clear();
    case "hold":
      return hold(rig, { [`${pipelineOf(step.stage!)}#${step.stage}`]: now });
    case "release":
      return hold(rig, {});
    case "force": {
      const task = rig.root.stages.topology.producerTask(output);
      if (task && rig.status(output) !== undefined)
        rig.root.setControls({ ...controls, forced: { ...controls.forced, [task.key]: now } }, [task]);
      return;
    }
    case "restart":
      await rig.restart();
      return;
    case "kill":
      rig.kill();
      await rig.restart();
      return;
    case "scan":
      return scan(rig);
    case "pass":
      return rig.pass(step.ms!);
    case "quiet":
      return rig.quiet();
  }
}

async function scan(rig: EngineRig): Promise<void> {
  let isDone = false;
  void rig.root.scan().then(() => (isDone = true));
  return rig.until(() => isDone);
}

function hold(rig: EngineRig, held: Record<string, string>): void {
  const { topology } = rig.root.stages;
  const tasks = Object.keys(rig.files()).flatMap((path) => {
    return topology.affected(path, topology.role(topology.roleNumber(path)));
  });
  rig.root.setControls({ ...rig.root.controls, held }, tasks);
}

/** Everything that was lost is found, whatever failed works, nothing is held: the end of every history. */
async function settle(rig: EngineRig): Promise<void> {
  rig.scripts.clear();
  hold(rig, {});
  await scan(rig);
  await rig.quiet();
  // Failures of the past are tried again, or were given up.
  const tasks = Object.values(OUTPUT).flatMap((of) =>
    ["1", "2", "3"].flatMap((each) => {
      const task = rig.root.stages.topology.producerTask(of(each));
      return task === undefined ? [] : [task];
    }),
  );
  for (const { entity, stage } of tasks) {
    const manifest = rig.root.book.get(entity.id);
    if (!Object.hasOwn(manifest.failures, stage.pattern.text)) continue;
    const { [stage.pattern.text]: _failure, ...failures } = manifest.failures;
    rig.root.book.put({ ...manifest, failures });
  }
  rig.root.journey.replan(tasks);
  await rig.quiet();
}

/** What can be compared of a root: everything but results that were edited by hand and have lost what they were made from. */
function essence(rig: EngineRig): object {
  const all = Object.entries(rig.files());
  const isKept = ([path]: [string, string]): boolean => rig.status(path) === "orphaned";
  const ids = ["1", "2", "3"];
  return {
    files: Object.fromEntries(all.filter((file) => !isKept(file))),
    kept: all.filter((file) => isKept(file) && file[1] !== "edited by hand"),
    statuses: ids.flatMap((each) =>
      STAGES.map((of) => {
        const status = rig.status(OUTPUT[of](each));
        return [OUTPUT[of](each), status === "orphaned" ? undefined : status];
      }),
    ),
    manifests: ids.map((each) => {
      const { states, failures } = rig.manifest(each);
      const known = Object.values(states).filter(({ path }) => rig.status(path) !== "orphaned");
      const records = known.map(({ producedAt: _at, durationMs: _ms, runId: _run, path, ...rest }) => [path, rest]);
      return { failures, records: Object.fromEntries(records) as object };
    }),
  };
}

test("whatever happened, a quiet root holds what a fresh one makes of the same sources, and has nothing left to do", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      let last = ["upper", "wrap:x", "first", "with:taken"];
      const rig = await new EngineRig(definitions(last)).start();
      for (const each of steps as Step[]) {
        await act(rig, each);
        if (each.code) last = each.code;
      }
      await settle(rig);
      const fresh = new EngineRig(definitions(last));
      for (const [path, content] of Object.entries(rig.files())) if (path.startsWith("in/")) fresh.put(path, content);
      await fresh.start();
      expect(essence(rig)).toEqual(essence(fresh));
      expect(rig.own("tmp")).toEqual([]);
      expect(rig.faults).toEqual([]);

      rig.news();
      await rig.restart();
      let isLooked = false;
      void rig.root.look().then(() => (isLooked = true));
      await rig.until(() => isLooked);
      await rig.quiet();
      expect(rig.news()).toEqual([]);
    }),
    { numRuns: Number(process.env["MILLRACE_HISTORIES"] ?? 300) },
  );
}, 60_000);

const foreign = fc.record({ do: fc.constant("foreign"), id, stage: stageId, seen: fc.boolean() });
const MAX_ATTEMPTS = 3;
/** Attempts that a change of their input overtakes are made once more. */
const OVERTAKEN = 2;

/** Attempts by task, such as `mid@1`. */
function countRuns(ran: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const task of ran) counts.set(task, (counts.get(task) ?? 0) + 1);
  return counts;
}

test("between two changes of the world no task runs more often than its retry policy says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(step, { weight: 3, arbitrary: foreign }), { maxLength: 12 }), async (steps) => {
      const rig = await new EngineRig(definitions(["upper", "wrap:x", "first", "with:taken"])).start();
      for (const each of steps as Step[]) {
        rig.news();
        if ((each.do as string) === "foreign") {
          const path = OUTPUT[each.stage!](each.id!);
          rig.put(path, "not ours");
          if (each.seen) rig.changes.changed(path);
        } else await act(rig, each);
        await rig.pass(60_000);
        const runs = countRuns(rig.news());
        for (const entity of ["1", "2", "3"]) {
          // What is made anew is a change for what is made from it.
          let changes = 1;
          for (const of of STAGES) {
            const count = runs.get(`${of}@${entity}`) ?? 0;
            expect(count, `${of}@${entity} after ${JSON.stringify(each)}`).toBeLessThanOrEqual(
              MAX_ATTEMPTS * changes + OVERTAKEN,
            );
            changes += count;
          }
        }
      }
      expect(rig.faults).toEqual([]);
    }),
    { numRuns: Number(process.env["MILLRACE_HISTORIES"] ?? 150) },
  );
}, 60_000);
