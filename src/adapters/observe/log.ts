import pino from "pino";
import { prettyFactory } from "pino-pretty";
import { renderProblem, type Problem } from "../../core/model/problem.ts";
import type { Log } from "../../ports.ts";
import { createMask, printable } from "./mask.ts";

export interface LogOptions {
  /** Lines for people instead of JSON. */
  readonly pretty: boolean;
  /** Colours, in pretty lines only. */
  readonly colour?: boolean;
  /** Lines below it are not made. */
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  /** A file descriptor (1 is stdout), or whatever takes whole lines, newline included. */
  readonly destination: number | { write(line: string): unknown };
  /**
   * Texts that must not be shown, such as the values of environment variables; looked at for each line, so it may grow.
   * Each occurrence in a message or in a field's text becomes `***`. Texts shorter than 4 characters are not masked.
   */
  readonly secrets?: Iterable<string>;
}

type Fields = Readonly<Record<string, unknown>>;
type Severity = "debug" | "info" | "warn" | "error";

/**
 * A log that writes each line at once. JSON lines have `level` (its name), `time` (ISO 8601, UTC), the fields as given and
 * `msg`; a problem has its `code`, `place`, `notes` and `hint` as fields, or its whole text when pretty.
 */
export function createLog(options: LogOptions): Log {
  const { pretty, level, destination, secrets = [] } = options;
  const file = typeof destination === "number" ? pino.destination({ dest: destination, sync: true }) : undefined;
  const sink = typeof destination === "number" ? file : destination;
  const render = pretty
    ? prettyFactory({ colorize: options.colour ?? false, translateTime: "SYS:HH:MM:ss", singleLine: true })
    : undefined;
  const out = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void sink?.write(render === undefined ? line : render(line)) },
  );
  const mask = createMask(secrets);

  const write = (severity: Severity, fields: Fields, message: string): void => {
    if (!out.isLevelEnabled(severity)) return;
    out[severity](mask(fields), mask(pretty ? printable(message) : message));
  };
  return {
    debug: (fields, message) => write("debug", fields, message),
    info: (fields, message) => write("info", fields, message),
    warn: (fields, message) => write("warn", fields, message),
    error: (fields, message) => write("error", fields, message),
    problem: (problem) => {
      const severity = problem.severity === "error" ? "error" : "warn";
      if (pretty) write(severity, {}, renderProblem(problem));
      else write(severity, fieldsOf(problem), problem.message);
    },
    flush: () => file?.flushSync(),
  };
}

function fieldsOf({ code, place, notes, hint }: Problem): Fields {
  return { code, place, notes, hint };
}
