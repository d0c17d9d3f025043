import type { Context, Run } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { verifyScreen } from "../screens/verify.ts";
import { asTargets } from "../target-paths.ts";

export const run: Run<{ readonly repair?: boolean }> = async (context, typed, options) => {
  const targets = await targetsOf(context, typed);
  if (typeof targets === "number") return targets;
  const door = await context.world.openDoor();
  const { projectFolder } = context;
  const report = await door.verifyProject({ projectFolder, targets, repair: options.repair === true });
  if (!report.ok) return context.refuse(report.problems);
  context.show(report.value, verifyScreen);
  return report.value.ok ? EXIT.done : EXIT.workFailed;
};

/** The targets as the engine knows them, or the exit code when the project cannot be asked about its roots. */
async function targetsOf(context: Context, typed: readonly string[]): Promise<readonly string[] | number> {
  if (!typed.some((target) => target.includes("/"))) return typed;
  let targets = typed;
  const code = await context.withControl("read", async (control) => {
    targets = await asTargets(context, control, typed);
    return EXIT.done;
  });
  return code === EXIT.done ? targets : code;
}
