import type { Result } from "../../core/model/result.ts";
import type { Control, LogsReport } from "../../engine/control.ts";
import type { Context, Run } from "../context.ts";
import { EXIT, exitCodeOfInterrupt } from "../exit-codes.ts";
import { safeReport } from "../safe-text.ts";
import { entryLines, logsScreen } from "../screens/logs.ts";
import type { Interrupt } from "../world.ts";
import { asTargets } from "../target-paths.ts";

interface LogsOptions {
  readonly follow?: boolean;
  readonly limit: number;
}
type Entry = LogsReport["entries"][number];

/** How often `-f` asks for new entries. */
const POLL_MS = 500;
/** How far back one poll looks at most when everything it got was new. */
const MOST_NEW = 10_000;

export const run: Run<LogsOptions> = async (context, args, options) => {
  const ask: Ask = async (control, limit) => {
    const [target] = await asTargets(context, control, args);
    return control.logs({ ...(target === undefined ? {} : { target }), limit });
  };
  if (options.follow === true) return follow(context, ask, options.limit);
  return context.ask((control) => ask(control, options.limit), logsScreen);
};

type Ask = (control: Control, limit: number) => Promise<Result<LogsReport>>;

/** Prints the last entries, then every new one. Attempts are recorded when they end, so what is new is told by name, not by time. */
async function follow(context: Context, ask: Ask, limit: number): Promise<number> {
  using interrupts = context.world.listenForInterrupts();
  const stop = AbortSignal.any([interrupts.signal, context.world.outClosed]);
  const seen = new Set<string>();
  let first = true;
  while (!stop.aborted) {
    const code = await context.withControl("read", async (control) => {
      const answer = await newEntries(control, ask, limit, first ? undefined : seen);
      if (!answer.ok) return context.refuse(answer.problems);
      for (const entry of answer.value.entries) if (!seen.has(keyOf(entry))) sayEntry(context, entry);
      seen.clear();
      for (const entry of answer.value.entries) seen.add(keyOf(entry));
      return EXIT.done;
    });
    if (code !== EXIT.done) return code;
    first = false;
    await context.world.sleep(POLL_MS, stop);
  }
  return interrupts.signal.aborted ? exitCodeOfInterrupt(interrupts.signal.reason as Interrupt) : EXIT.done;
}

/** The last entries, so many that at least one of them is known: none that came meanwhile is passed over. */
async function newEntries(
  control: Control,
  ask: Ask,
  limit: number,
  seen: ReadonlySet<string> | undefined,
): Promise<Result<LogsReport>> {
  for (let many = limit; ; many *= 4) {
    const answer = await ask(control, many);
    if (!answer.ok || seen === undefined) return answer;
    const { entries } = answer.value;
    if (entries.length < many || many > MOST_NEW || entries.some((entry) => seen.has(keyOf(entry)))) return answer;
  }
}

function keyOf(entry: Entry): string {
  return JSON.stringify([entry.runId, entry.task, entry.attempt, entry.startedAt]);
}

function sayEntry(context: Context, entry: Entry): void {
  if (context.json) context.sayJson(entry, "line");
  else context.say(entryLines(safeReport(entry), context.screen()));
}
