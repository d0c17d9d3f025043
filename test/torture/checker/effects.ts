/** What the nodes themselves told of their runs (I8, I13), and what people were told (I10). */
import type { Expected } from "./oracle.ts";
import type { Effect, Kill, Plan } from "./plan.ts";
import type { Finding } from "./view.ts";

/** I8: no run too many, no two at once, every start with an end or a kill. */
export function effectFindings({ stages, effects = [], kills = [] }: Plan): Finding[] {
  const found: Finding[] = [];
  const say = (what: string, { stage, entity }: Effect, expected: string, got: string): void =>
    void found.push({ rule: "I8", what, path: null, entity: `${stage}@${entity}`, expected, got });
  const byNonce = Map.groupBy(effects, (effect) => effect.nonce);
  for (const [nonce, same] of byNonce)
    if (same.length > 1) say("TWICE", same[0]!, "a nonce of its own", `${nonce} again`);
  const killOf = new Map(kills.map((kill) => [kill.life, kill]));
  for (const effect of effects)
    if (effect.end === null && !killOf.has(effect.life)) say("UNPAIRED", effect, "an end, or a kill", "neither");
  for (const runs of Map.groupBy(effects, workOf).values()) {
    const inOrder = runs.toSorted((a, b) => a.start - b.start);
    for (const run of inOrder.slice(0, -1))
      if (run.failed !== true && !isCost(run, killOf.get(run.life)))
        say(
          "TWICE",
          run,
          "one run for one input under one code",
          `${runs.length} runs; ${run.nonce} was neither a failure nor cost by a kill`,
        );
  }
  const limits = new Map(stages.map((stage) => [stage.key, stage.maxAttempts ?? Infinity]));
  const inVain = effects.filter((run) => run.failed === true);
  for (const runs of Map.groupBy(inVain, (run) => `${run.life} ${workOf(run)}`).values()) {
    const limit = limits.get(runs[0]!.stage) ?? Infinity;
    if (runs.length > limit) say("TWICE", runs[0]!, `${limit} attempts in one life`, `${runs.length} that failed`);
  }
  for (const runs of Map.groupBy(effects, (run) => `${run.stage}@${run.entity}`).values()) {
    const inOrder = runs.toSorted((a, b) => a.start - b.start);
    for (const [i, run] of inOrder.entries()) {
      const next = inOrder[i + 1];
      if (next !== undefined && next.start < endOf(run, killOf.get(run.life)))
        say("OVERLAP", run, "one run of a task at a time", `${next.nonce} began before ${run.nonce} had ended`);
    }
  }
  return found;
}

function workOf({ stage, entity, input, code = "" }: Effect): string {
  return JSON.stringify([stage, entity, input, code]);
}

/** Whether a kill may have made this run void. */
function isCost(run: Effect, kill: Kill | undefined): boolean {
  return kill !== undefined && (kill.cost === undefined ? run.start <= kill.at : kill.cost.includes(run.nonce));
}

function endOf(run: Effect, kill: Kill | undefined): number {
  return run.end ?? kill?.at ?? run.start;
}

/** I13: what a run was given had been made before. */
export function orderFindings({ effects = [] }: Plan): Finding[] {
  const made = new Map<string, number>();
  for (const { output, end, failed } of effects) {
    if (output === undefined || end === null || failed === true) continue;
    made.set(output, Math.min(end, made.get(output) ?? Infinity));
  }
  return effects
    .filter(({ input, start }) => start < (made.get(input) ?? -Infinity))
    .map(({ stage, entity, input, start }) => ({
      rule: "I13",
      what: "ORDER",
      path: null,
      entity: `${stage}@${entity}`,
      expected: `a start after ${made.get(input)}, when its input was made`,
      got: `a start at ${start}`,
    }));
}

/** I10: what was said to be done, and was not changed since, is there. */
export function ackFindings(
  plan: Plan,
  results: ReadonlyMap<string, Expected>,
  textAt: (path: string) => string | undefined,
): Finding[] {
  const changed = new Map(plan.sources.map((source) => [source.path, source.since ?? 0]));
  const found: Finding[] = [];
  for (const { path, content, at } of plan.acks ?? []) {
    const result = results.get(path);
    if (result === undefined || result.since > at || [...result.from].some((source) => (changed.get(source) ?? 0) > at))
      continue;
    const now = textAt(path);
    if (now !== content)
      found.push({
        rule: "I10",
        what: "ACKED-LOST",
        path,
        entity: result.entity,
        expected: JSON.stringify(content),
        got: now === undefined ? "nothing" : JSON.stringify(now),
      });
  }
  return found;
}
