import picocolors from "picocolors";
import type { Status } from "../core/model/words.ts";

export type Paint = (text: string) => string;

/** Colours, or none: every function gives its text back unchanged when colours are off. */
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly good: Paint;
  readonly warn: Paint;
  readonly bad: Paint;
  readonly name: Paint;
  /** The colour of a status word. */
  status(status: Status): Paint;
}

const GOOD: ReadonlySet<Status> = new Set(["fresh", "skipped"]);
const BAD: ReadonlySet<Status> = new Set(["failed", "quarantined"]);
const QUIET: ReadonlySet<Status> = new Set(["held", "orphaned"]);

/** The style of an output; asking for colours is the caller's decision. */
export function createStyle(coloured: boolean): Style {
  const colours = picocolors.createColors(coloured);
  return {
    bold: colours.bold,
    dim: colours.dim,
    good: colours.green,
    warn: colours.yellow,
    bad: colours.red,
    name: colours.cyan,
    status: (status) =>
      GOOD.has(status)
        ? colours.green
        : BAD.has(status)
          ? colours.red
          : QUIET.has(status)
            ? colours.dim
            : colours.yellow,
  };
}

/** Whether an output gets colours: on a terminal, unless NO_COLOR, `--no-color` or a terminal without colours says no. */
export function wantsColours(
  isTerminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
  colorFlag: boolean,
): boolean {
  return isTerminal && colorFlag && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}
