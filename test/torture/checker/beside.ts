/** The rules that compare the disk with what the product says of itself, and with what is left outside the root: I9, I11, I14, I15, I16. */
import type { Expected } from "./oracle.ts";
import { pipelineOf } from "./oracle.ts";
import { compile } from "./pattern.ts";
import type { Effect, Plan } from "./plan.ts";
import type { Records } from "./records.ts";
import type { Extras, Finding, RootView } from "./view.ts";

const FAILING = new Set(["retrying", "failed", "quarantined"]);

/** I9: every source is counted, every task is listed once with the status that the disk shows, and no attempt is missing. */
export function countFindings(
  { entries }: RootView,
  plan: Plan,
  results: ReadonlyMap<string, Expected>,
  { listed, sourceCounts, attempts }: Extras,
): Finding[] {
  const found: Finding[] = [];
  const say = (entity: string | null, path: string | null, expected: string, got: string): void =>
    void found.push({ rule: "I9", what: "COUNTS", path, entity, expected, got });
  for (const { key, type, pattern } of plan.stages) {
    if (type !== "source" || sourceCounts === undefined) continue;
    const files = [...entries].filter(([path, { kind }]) => kind === "file" && compile(pattern).match(path)).length;
    if (sourceCounts[key] !== files) say(key, null, `${files} files`, `${sourceCounts[key] ?? 0}`);
  }
  if (listed !== undefined) {
    const byTask = Map.groupBy(listed, ({ pipeline, path }) => `${pipeline} ${path}`);
    for (const expected of results.values()) {
      const { path, stage, entity, content, doubt } = expected;
      const [task, ...more] = byTask.get(`${pipelineOf(stage)} ${path}`) ?? [];
      if (task === undefined || more.length > 0)
        say(entity, path, "listed once", `listed ${more.length + (task ? 1 : 0)} times`);
      else if (!isStatusOf(task.status, content, doubt)) say(entity, path, statusWords(content, doubt), task.status);
    }
  }
  if (attempts !== undefined) {
    const cost = new Set((plan.kills ?? []).flatMap(({ cost = [], untold = [] }) => [...cost, ...untold]));
    const killed = new Set((plan.kills ?? []).map((kill) => kill.life));
    // A failure may be as void as a result: the next life tries again, as it should.
    const isVoid = (run: Effect): boolean => cost.has(run.nonce) || (run.failed === true && killed.has(run.life));
    const done = (plan.effects ?? []).filter((run) => run.end !== null && !isVoid(run));
    for (const [task, runs] of Map.groupBy(done, ({ stage, entity }) => `${stage}@${entity}`))
      if ((attempts[task] ?? 0) < runs.length) say(task, null, `${runs.length} attempts`, `${attempts[task] ?? 0}`);
  }
  return found;
}

function isStatusOf(status: string, content: string | null, doubt: Expected["doubt"]): boolean {
  if (doubt === "failing") return FAILING.has(status);
  if (doubt === "blocked") return status !== "stale" && status !== "missing" && status !== "running";
  return status === (content === null ? "skipped" : "fresh") || status === "held";
}

function statusWords(content: string | null, doubt: Expected["doubt"]): string {
  if (doubt === "failing") return [...FAILING].join(" or ");
  if (doubt === "blocked") return "a status that waits for what fails";
  return content === null ? "skipped" : "fresh";
}

/** I11: a second start without any change does nothing. */
export function secondLookFindings({ second }: Extras): Finding[] {
  const common = { rule: "I11", what: "RAN-AGAIN", expected: "nothing to do in a second start" } as const;
  return [
    ...(second?.ran ?? []).map((task) => ({ ...common, path: null, entity: task, got: "it ran" })),
    ...(second?.wrote ?? []).map((path) => ({ ...common, path, entity: null, got: "it was written" })),
  ];
}

/** I14: nothing of a daemon outlives it. */
export function leakFindings({ leaks = [] }: Extras): Finding[] {
  return leaks.map((leak) => ({
    rule: "I14",
    what: "LEAK",
    path: null,
    entity: null,
    expected: "nothing left",
    got: leak,
  }));
}

/** I15: a secret stands where its owner put it and nowhere else. */
export function secretFindings(
  { entries }: RootView,
  plan: Plan,
  results: ReadonlyMap<string, Expected>,
  { written = {} }: Extras,
): Finding[] {
  const { canaries = [] } = plan;
  if (canaries.length === 0) return [];
  const needles = canaries.map((canary) => Buffer.from(canary));
  const theirs = new Set([...plan.sources.map((source) => source.path), ...results.keys()]);
  const found: Finding[] = [];
  const look = (path: string, bytes: Uint8Array): void => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const [i, needle] of needles.entries())
      if (text.includes(needle))
        found.push({ rule: "I15", what: "SECRET", path, entity: null, expected: "no secret", got: `canary ${i + 1}` });
  };
  for (const [path, { kind, bytes }] of entries) if (kind === "file" && !theirs.has(path)) look(path, bytes());
  for (const [name, text] of Object.entries(written)) look(name, Buffer.from(text));
  return found;
}

/** Kinds of breaks that a look at the disk alone can see, without a plan. */
const SEEN_BY_VERIFY = new Set(["HASH-MISMATCH", "MANIFEST-UNREADABLE", "TEMP-LEFT", "NO-RECORD", "NO-FILE"]);

/** I16: `verify` finds what this checker finds on the disk, and nothing else. */
export function verifyFindings(ours: readonly Finding[], { byEntity }: Records, { verify }: Extras): Finding[] {
  if (verify === undefined) return [];
  const common = { rule: "I16", what: "SELF-HEAL" } as const;
  const places = (path: string | null, entity: string | null): string[] => {
    const file = entity === null ? undefined : byEntity.get(entity)?.file;
    return [path, entity === null ? null : `@${entity}`, file].filter((place) => place != null);
  };
  const told = new Set(verify.flatMap(({ path, entity }) => places(path, entity)));
  const seen = new Set(ours.flatMap(({ path, entity }) => places(path, entity)));
  const missed = ours
    .filter(
      (finding) =>
        SEEN_BY_VERIFY.has(finding.what) && !places(finding.path, finding.entity).some((place) => told.has(place)),
    )
    .map(({ path, entity, rule, what }) => ({
      ...common,
      path,
      entity,
      expected: `verify tells of ${rule} ${what}`,
      got: "it does not",
    }));
  const invented = verify
    .filter(({ path, entity }) => !places(path, entity).some((place) => seen.has(place)))
    .map(({ path, entity, code }) => ({ ...common, path, entity, expected: "no finding of verify", got: code }));
  return [...missed, ...invented];
}
