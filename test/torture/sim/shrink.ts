import { type LifeScript, type Step } from "./script.ts";
import { type Outcome, play } from "./life.ts";

/** The most lives that shrinking may play. */
const MOST = 600;

/** A life that breaks the same rule with as few steps and as little round them as can be found. Deterministic. */
export async function shrunk(script: LifeScript): Promise<LifeScript> {
  const rule = ruleOf(await play(script));
  let played = 0;
  const stillFails = async (candidate: LifeScript): Promise<boolean> =>
    played++ < MOST && ruleOf(await play(candidate)) === rule;
  let best = script;
  for (let before = Infinity; best.steps.length < before;) {
    before = best.steps.length;
    best = { ...best, steps: await fewerSteps(best, stillFails) };
  }
  return withoutEntities(await plainer(best, stillFails), stillFails);
}

function ruleOf({ violations }: Outcome): string | undefined {
  return violations[0]?.rule;
}

type Test = (candidate: LifeScript) => Promise<boolean>;

/** Delta debugging: leaves out runs of steps, shorter and shorter ones. */
async function fewerSteps(script: LifeScript, stillFails: Test): Promise<readonly Step[]> {
  let { steps } = script;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < steps.length;) {
      const fewer = [...steps.slice(0, from), ...steps.slice(from + size)];
      if (await stillFails({ ...script, steps: fewer })) steps = fewer;
      else from += size;
    }
  }
  return steps;
}

/** A plainer family. */
async function plainer(script: LifeScript, stillFails: Test): Promise<LifeScript> {
  let best = script;
  const { family } = script;
  const changes: Partial<LifeScript["family"]>[] = [
    { echoes: false },
    { racyMs: 0 },
    { sync: [] },
    { lane: "batch" },
    { onOrphan: {} },
    { has: family.has.filter((id) => id !== "bundle") },
    { has: family.has.filter((id) => id !== "bundle" && id !== "parts") },
    { has: family.has.filter((id) => id !== "tail") },
    { has: family.has.filter((id) => id !== "side") },
    { has: [] },
  ];
  for (const change of changes) {
    const candidate = { ...best, family: { ...best.family, ...change } };
    if (await stillFails(candidate)) best = candidate;
  }
  return best;
}

/** Steps on many entities keep to those that matter. */
async function withoutEntities(script: LifeScript, stillFails: Test): Promise<LifeScript> {
  let best = script;
  for (const [i, step] of script.steps.entries()) {
    if (step.do !== "removeMany") continue;
    for (const id of step.ids) {
      const now = best.steps[i] as typeof step;
      const fewer = { ...now, ids: now.ids.filter((other) => other !== id) };
      const candidate = { ...best, steps: best.steps.with(i, fewer) };
      if (await stillFails(candidate)) best = candidate;
    }
  }
  return best;
}
