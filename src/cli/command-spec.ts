import type { Run } from "./context.ts";

/** One flag of a command, in the argument parser's own notation. */
export interface FlagSpec {
  /** Such as `-f, --follow` or `--limit <n>`. */
  readonly flags: string;
  readonly text: string;
  /** Turns what was typed into the option's value, or refuses it. */
  readonly parse?: (text: string) => unknown;
  /** The value when it is not given, and how the help says it. */
  readonly fallback?: readonly [value: unknown, text: string];
  /** Words that can follow, for completion. */
  readonly words?: readonly string[];
}

/** One argument of a command. */
export interface ArgumentSpec {
  /** Such as `<target>`, `[dir]` or `[targets...]`. */
  readonly form: string;
  readonly text: string;
  readonly words?: readonly string[];
  /** Completed with stages, pipelines and tasks. */
  readonly isTarget?: boolean;
}

/** A command as the help, the parser, the completion scripts and the documentation's test see it. */
export interface CommandSpec {
  readonly name: string;
  readonly group: "Set up:" | "Work:" | "Ask:" | "Decide:";
  readonly summary: string;
  /** Further lines of its help. */
  readonly details?: string;
  readonly args: readonly ArgumentSpec[];
  readonly flags: readonly FlagSpec[];
  /** Command lines without `millrace`, each with what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** Loads the body of the command and nothing else. */
  readonly load: () => Promise<Run<never>>;
}
