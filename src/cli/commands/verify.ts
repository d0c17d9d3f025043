import type { Context, Run } from "../context.ts";
import { EXIT, exitCodeOfInterrupt } from "../exit-codes.ts";
import { verifyScreen } from "../screens/verify.ts";
import { asTargets } from "../target-paths.ts";
import type { Interrupt, Interrupts } from "../world.ts";

export const run: Run<{ readonly repair?: boolean; readonly rebuild?: boolean }> = async (context, typed, options) => {
  if (options.repair === true && options.rebuild === true)
    return context.misuse(
      '"--rebuild" and "--repair" exclude each other',
      'repair first; "--rebuild" then tells of what a repair cannot mend',
    );
  const targets = await targetsOf(context, typed);
  if (typeof targets === "number") return targets;
  const door = await context.world.openDoor();
  const { projectFolder } = context;
  let interrupts: Interrupts | undefined;
  // Until the first node runs there is nothing to clean up: an interrupt ends the process as ever.
  const rebuild = (): AbortSignal => (interrupts ??= context.world.listenForInterrupts()).signal;
  try {
    const wanted = { projectFolder, targets, repair: options.repair === true };
    const report = await door.verifyProject(options.rebuild === true ? { ...wanted, rebuild } : wanted);
    if (!report.ok) return context.refuse(report.problems);
    context.show(report.value, verifyScreen);
    if (interrupts?.signal.aborted) return exitCodeOfInterrupt(interrupts.signal.reason as Interrupt);
    return report.value.ok ? EXIT.done : EXIT.workFailed;
  } finally {
    interrupts?.[Symbol.dispose]();
  }
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
