import type { AttemptRequest } from "../../../ports.ts";
import type { Failed, ReadySet } from "../node-type.ts";

/** What a command is told about: as much of an attempt as is known before it begins. */
export interface CommandContext {
  readonly request: AttemptRequest;
  readonly inputs: readonly (Pick<ReadySet, "list"> & {
    readonly items: readonly Pick<ReadySet["items"][number], "path" | "absolutePath">[];
  })[];
}

/** What a command node says to run. */
export interface CommandLine {
  readonly command?: string | undefined;
  readonly argv?: readonly string[] | undefined;
}

/** Every word of a command that could name a file: the arguments, or the words of the shell line without quotes and operators. */
export function wordsOf({ command, argv }: CommandLine): readonly string[] {
  if (argv !== undefined) return [...new Set(argv)];
  const words = (command ?? "").match(/"[^"]*"|'[^']*'|[^\s"'`;|&()<>]+/g) ?? [];
  return [...new Set(words.map((word) => word.replace(/^(["'])(.*)\1$/s, "$2")))];
}

const REFERENCE = /\{(input|output|entity|root|vars\.([^{}\s]+))\}/g;

/**
 * An argument with its references replaced by values; other braces stay as they are.
 * The result is still one argument, whatever the values contain.
 */
export function expandReferences(argument: string, { request, inputs }: CommandContext): string | Failed {
  let missing: string | undefined;
  const text = argument.replace(REFERENCE, (whole, name: string, variable: string | undefined) => {
    const value = variable === undefined ? fixed(name) : valueOf(request.entity.vars, variable);
    if (value === undefined) missing ??= whole;
    return value ?? whole;
  });
  if (missing === undefined) return text;
  return { kind: "failed", category: "definition", error: `argument "${argument}": there is no ${missing} here` };

  function fixed(name: string): string | undefined {
    if (name === "output") return request.output.staged;
    if (name === "entity") return request.entity.id;
    if (name === "root") return request.root;
    const [first] = inputs;
    return first === undefined || first.list ? undefined : first.items[0]?.absolutePath;
  }
}

function valueOf(vars: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(vars, name) ? vars[name] : undefined;
}
