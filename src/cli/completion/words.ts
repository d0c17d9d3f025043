import type { CommandSpec, FlagSpec } from "../command-spec.ts";

/** A flag as a completion script needs it. */
export interface FlagWords {
  readonly short: string | undefined;
  readonly long: string | undefined;
  /** Whether a value follows. */
  readonly takesValue: boolean;
  /** What can follow; empty when it is free. */
  readonly values: readonly string[];
  readonly text: string;
}

/** The parts of `-f, --follow` or `--limit <n>`. */
export function flagWords({ flags, text, words }: FlagSpec): FlagWords {
  return {
    short: /(?:^|\s)(-[A-Za-z])\b/.exec(flags)?.[1],
    long: /--[a-z-]+/.exec(flags)?.[0],
    takesValue: flags.includes("<"),
    values: words ?? [],
    text,
  };
}

/** A flag's spellings, short one first. */
export function spellings({ short, long }: FlagWords): string[] {
  return [short, long].filter((word) => word !== undefined);
}

/** What the arguments of a command can be: fixed words by position, and whether targets follow. */
export function argumentWords(spec: CommandSpec): {
  readonly words: readonly string[];
  readonly targets: boolean;
  readonly files: boolean;
} {
  const words = spec.args.flatMap((arg) => arg.words ?? []);
  const targets = spec.args.some((arg) => arg.isTarget === true);
  const free = spec.args.some((arg) => arg.words === undefined && arg.isTarget !== true);
  return { words, targets, files: targets || free };
}
