import type { Problem } from "../../core/model/problem.ts";
import type { RunReport } from "../../engine/control.ts";
import type { Context, Run } from "../context.ts";
import { EXIT, exitCodeOfInterrupt } from "../exit-codes.ts";
import { safeReport } from "../safe-text.ts";
import { attentionLines, runScreen } from "../screens/run.ts";
import type { RunProgress } from "../engine-door.ts";
import type { Interrupt } from "../world.ts";

interface RunOptions {
  /** Milliseconds. */
  readonly settleTimeout: number;
  readonly wait?: boolean;
}

export const run: Run<RunOptions> = async (context, _args, options) => {
  const door = await context.world.openDoor();
  using interrupts = context.world.listenForInterrupts();
  const progress = await startProgress(context);
  const found: Problem[] = [];
  const answer = await door
    .runOnce({
      projectFolder: context.projectFolder,
      settleTimeoutMs: options.settleTimeout,
      wait: options.wait === true,
      onProgress: progress.show,
      onProblem: (problem) => void found.push(problem),
      signal: interrupts.signal,
    })
    .finally(progress.end);
  context.tell(found);
  const interrupted = interrupts.signal.aborted
    ? exitCodeOfInterrupt(interrupts.signal.reason as Interrupt)
    : undefined;
  if (!answer.ok)
    return interrupted === undefined ? context.refuse(answer.problems) : (context.tell(answer.problems), interrupted);
  sayResult(context, answer.value);
  return interrupted ?? (answer.value.failed ? EXIT.workFailed : EXIT.done);
};

/** `-q` leaves out the summary; what needs eyes is always said. */
function sayResult(context: Context, report: RunReport): void {
  if (context.json) context.sayJson(report);
  else if (!context.quiet) context.show(report, runScreen);
  else context.say(attentionLines(safeReport(report), context.screen()));
}

interface Progress {
  readonly show: (progress: RunProgress) => void;
  readonly end: () => void;
}
const NO_PROGRESS: Progress = { show: () => undefined, end: () => undefined };

/** A bar on a terminal, and nothing anywhere else. */
async function startProgress(context: Context): Promise<Progress> {
  if (!context.world.err.isTerminal || context.quiet || context.json) return NO_PROGRESS;
  const { createProgressBar } = await import("../progress-bar.ts");
  return createProgressBar(context.world.err);
}
