import type { StatusReport } from "../../engine/control.ts";
import type { Context, Run } from "../context.ts";
import { EXIT, exitCodeOfCounts, exitCodeOfInterrupt } from "../exit-codes.ts";
import { safeReport } from "../safe-text.ts";
import { statusScreen } from "../screens/status.ts";
import type { Interrupt } from "../world.ts";

interface StatusOptions {
  readonly watch?: boolean;
  readonly scan?: boolean;
  readonly exitCode?: boolean;
}

/** How often `--watch` looks again. */
const REFRESH_MS = 1000;
/** Clears the screen and what scrolled off it, cursor to the top left. */
const CLEAR = "\u001b[2J\u001b[3J\u001b[H";

export const run: Run<StatusOptions> = async (context, _args, options) => {
  if (options.watch === true && options.exitCode === true) {
    return context.misuse('"--watch" and "--exit-code" exclude each other', "leave one of them out");
  }
  return options.watch === true
    ? watch(context, options)
    : showOnce(context, options, (report) => context.show(report, statusScreen));
};

function showOnce(context: Context, options: StatusOptions, show: (report: StatusReport) => void): Promise<number> {
  return context.withControl("read", async (control) => {
    const answer = await control.status({ scan: options.scan === true });
    if (!answer.ok) return context.refuse(answer.problems);
    context.tell(answer.value.roots.flatMap((root) => root.problems));
    show(answer.value);
    return options.exitCode === true ? exitCodeOf(answer.value) : EXIT.done;
  });
}

/** The project is opened anew for each look, so a daemon that starts or stops meanwhile is noticed. */
async function watch(context: Context, options: StatusOptions): Promise<number> {
  using interrupts = context.world.listenForInterrupts();
  const stop = AbortSignal.any([interrupts.signal, context.world.outClosed]);
  while (!stop.aborted) {
    const code = await showOnce(context, options, (report) => drawAgain(context, report));
    if (code !== EXIT.done) return code;
    await context.world.sleep(REFRESH_MS, stop);
  }
  return interrupts.signal.aborted ? exitCodeOfInterrupt(interrupts.signal.reason as Interrupt) : EXIT.done;
}

function drawAgain(context: Context, report: StatusReport): void {
  if (context.json) return context.sayJson(report, "line");
  const lines = statusScreen(safeReport(report), context.screen());
  if (context.world.out.isTerminal) context.world.out.write(CLEAR);
  context.say(lines);
}

function exitCodeOf(report: StatusReport): number {
  return exitCodeOfCounts(report.roots.flatMap((root) => root.stages.map((stage) => stage.counts)));
}
