/** The part `checker` of the torture: every planted defect, `--roots N` (2,000) clean roots, and one of 10,000 entities. */
import { check } from "../checker/check.ts";
import type { PartResult } from "../part.ts";
import { cleanLife, manyEntities, oneOfEach } from "./clean-lives.ts";
import { numberOption } from "./options.ts";
import { DEFECTS, Spoilt } from "./planted-defects.ts";

const ENTITIES = 10_000;

export async function main(args: readonly string[]): Promise<PartResult> {
  const roots = numberOption(args, "--roots", 2000);
  const seed = numberOption(args, "--seed", 1);
  const clean = await oneOfEach();
  const missed = DEFECTS.filter(([, rule, spoil]) => {
    const root = new Spoilt(clean.view.entries, clean.plan);
    spoil(root);
    return !check({ entries: root.entries }, root.plan, root.extras).some((finding) => finding.rule === rule);
  });
  let alarms = check(clean.view, clean.plan).length;
  for (let i = 0; i < roots; i++) {
    const { plan, view } = await cleanLife(seed + i);
    alarms += check(view, plan).length;
  }
  const many = await manyEntities(ENTITIES);
  const began = performance.now();
  alarms += check(many.view, many.plan).length;
  const ms = Math.round(performance.now() - began);
  const numbers = {
    seed,
    defects: DEFECTS.length,
    missed: missed.length,
    cleanRoots: roots,
    alarms,
    entities: ENTITIES,
    ms,
  };
  const told = missed.length > 0 ? { first: missed[0]![0] } : {};
  return { part: "checker", ok: missed.length + alarms === 0, numbers: { ...numbers, ...told }, notProven: [] };
}
