import { type Problem, problem } from "./problem.ts";
import type { AbsPath } from "./words.ts";

/** What a machine may run out of, or refuse, whatever is asked of it. */
export type Trouble = "space" | "read-only" | "open-files" | "memory";

const TROUBLES: readonly (readonly [Trouble, RegExp])[] = [
  ["space", /\b(ENOSPC|EDQUOT)\b|no space left on device|disk quota exceeded|database or disk is full/i],
  ["read-only", /\bEROFS\b|read-only file system|attempt to write a readonly database/i],
  ["open-files", /\b(EMFILE|ENFILE)\b|too many open files/i],
  ["memory", /\b(ENOMEM|EAGAIN)\b|cannot allocate memory/i],
];

/** Which trouble of the machine a text is about, by the codes and words of systems, SQLite and tools; `undefined` for none. */
export function troubleIn(text: string): Trouble | undefined {
  return TROUBLES.find(([, pattern]) => pattern.test(text))?.[0];
}

/**
 * What a person is told when the disk or a database refuses what a command cannot do without: M510, M511, M513 or M518 where
 * the cause is known, else M516 with the machine's own words.
 *
 * @param root the root that it happened in, where that is known
 */
export function refusalOf({ message, ...more }: Error & { readonly code?: unknown }, root?: AbsPath): Problem {
  const where = root === undefined ? "" : ` of "${root}"`;
  const again = "then run the command again";
  switch (troubleIn(`${String(more.code)} ${message}`)) {
    case "space":
      return problem("M510", `the file system${where} is full: ${message}`, `make room there, ${again}`);
    case "read-only":
      return problem(
        "M511",
        `the file system${where} is read-only: ${message}`,
        `mount it writable (after an error of the disk, look at the system's log first), ${again}`,
      );
    case "open-files":
      return problem(
        "M513",
        `too many files are open: ${message}`,
        `raise the limit (ulimit -n) or end what holds them, ${again}`,
      );
    case "memory":
      return problem("M518", `the system has no memory left: ${message}`, `end what takes it, ${again}`);
    case undefined:
      return problem(
        "M516",
        `the machine refuses what Millrace needs: ${message}`,
        `mend what the message names (permissions, the disk itself), ${again}`,
      );
  }
}
