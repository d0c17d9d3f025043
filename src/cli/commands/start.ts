import type { Context, Run } from "../context.ts";
import type { LogLevel } from "../engine-door.ts";
import { exitCodeOfInterrupt } from "../exit-codes.ts";
import type { Interrupt } from "../world.ts";

interface StartOptions {
  readonly once?: boolean;
  /** Milliseconds. */
  readonly grace?: number;
  readonly logLevel?: LogLevel;
}

/** `run`'s own default for files that are still being written. */
const SETTLE_TIMEOUT_MS = 30_000;
/** How long running attempts may go on after a stop. */
const GRACE_MS = 10_000;

export const run: Run<StartOptions> = async (context, args, options) => {
  if (options.once === true) return once(context, args, options);
  const door = await context.world.openDoor();
  using interrupts = context.world.listenForInterrupts();
  const started = await door.startDaemon({
    projectFolder: context.projectFolder,
    pretty: context.world.out.isTerminal && !context.json,
    level: options.logLevel ?? levelOf(context),
    graceMs: options.grace ?? GRACE_MS,
  });
  if (!started.ok) return context.refuse(started.problems);
  const daemon = started.value;
  const stop = () => void daemon.stop(interrupts.signal.reason as Interrupt);
  if (interrupts.signal.aborted) stop();
  interrupts.signal.addEventListener("abort", stop, { once: true });
  const code = await daemon.stopped;
  return interrupts.signal.aborted ? exitCodeOfInterrupt(interrupts.signal.reason as Interrupt) : code;
};

/** `--once` is `run`: the flags of a daemon have no meaning then. */
async function once(context: Context, args: readonly string[], options: StartOptions): Promise<number> {
  if (options.grace !== undefined || options.logLevel !== undefined) {
    const flag = options.grace === undefined ? "--log-level" : "--grace";
    return context.misuse(`"--once" and "${flag}" exclude each other`, "leave one of them out");
  }
  const { run: runOnce } = await import("./run.ts");
  return runOnce(context, args, { settleTimeout: SETTLE_TIMEOUT_MS });
}

function levelOf(context: Context): LogLevel {
  return context.flags.verbose === true ? "debug" : context.quiet ? "warn" : "info";
}
