import type { PlanReport } from "../../engine/control.ts";
import type { Run } from "../context.ts";
import { EXIT, exitCodeOfCounts } from "../exit-codes.ts";
import { planScreen } from "../screens/plan.ts";
import { asTargets } from "../target-paths.ts";

export const run: Run<{ readonly exitCode?: boolean }> = (context, targets, options) =>
  context.ask(
    async (control) => control.plan({ targets: await asTargets(context, control, targets) }),
    planScreen,
    (report) => (options.exitCode === true ? exitCodeOf(report) : EXIT.done),
  );

function exitCodeOf(report: PlanReport): number {
  const code = exitCodeOfCounts([report.counts]);
  return code === EXIT.done && report.tasks.length > 0 ? EXIT.workWaits : code;
}
