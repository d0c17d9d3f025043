/** Words that every shell takes as they are. A leading `~` or `=`, and `=` inside, are left to quotes. */
const PLAIN = /^[A-Za-z0-9_/.,:@%+-]+$/;
/** What a terminal would obey instead of showing, and what would break the line: C0 and C1, DEL, marks of direction, separators. */
const HIDDEN =
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u;
const utf8 = new TextEncoder();

/**
 * A text as exactly one word of a shell's line, whatever it contains: as it is, in single quotes, or, where it holds characters
 * that do not show, as `$'...'` with escapes (bash, zsh, ksh and POSIX 2024).
 */
export function shellWord(text: string): string {
  if (PLAIN.test(text)) return text;
  if (!HIDDEN.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  let quoted = "";
  for (const character of text) {
    if (HIDDEN.test(character)) for (const byte of utf8.encode(character)) quoted += `\\x${hex2(byte)}`;
    else quoted += character === "'" || character === "\\" ? `\\${character}` : character;
  }
  return `$'${quoted}'`;
}

export interface ShellCommand {
  readonly cwd: string;
  /** Variables set beside those of the shell. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: string;
  readonly args: readonly string[];
  /** The file it reads on standard input. */
  readonly stdin?: string | undefined;
  /** A folder that it writes into and that must be there. */
  readonly folder: string;
}

/** One line for a shell that runs a command in its folder, under its environment. */
export function shellLine({ cwd, env, file, args, stdin, folder }: ShellCommand): string {
  const set = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  // `env` would take a program whose name holds = for another variable.
  const program = file.includes("=") ? ["sh", "-c", 'exec "$0" "$@"', file] : [file];
  const words = ["env", ...set, ...program, ...args].map(shellWord).join(" ");
  const input = stdin === undefined ? "" : ` < ${shellWord(stdin)}`;
  return `mkdir -p ${path(folder)} && cd ${path(cwd)} && ${words}${input}`;
}

/** A path as a word that is no flag. */
function path(text: string): string {
  return shellWord(text.startsWith("-") ? `./${text}` : text);
}

function hex2(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
