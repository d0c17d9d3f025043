import type { AbsPath } from "../../src/core/model/words.ts";
import type { Disk } from "../../src/ports.ts";

/** Thrown by every operation on the disk of a process that is dead. It has no `code`: no part of the engine can take it for a failure of the disk. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** What a process asks of its disk, or of another thing that outlives it: `index.save`, `ledger.add`. */
export interface Operation {
  readonly name: string;
  readonly path: AbsPath;
  /** Of a rename or a copy. */
  readonly to: AbsPath | undefined;
}

/** Hears of every operation of a living process. What `before` throws is what the operation throws, and it did not happen. */
export interface OperationHooks {
  readonly before?: (operation: Operation) => void;
  readonly after?: (operation: Operation) => void;
}

/** One process's hold on a disk: it ends when the process is killed, whatever of that process still runs. */
export interface MortalDisk {
  readonly disk: Disk;
  readonly isDead: () => boolean;
  /** How many operations there were. */
  readonly operations: () => number;
  readonly kill: () => void;
  /** The same hold on some methods of another thing that outlives the process. */
  readonly hold: <T extends object>(thing: T, name: string, methods: readonly (keyof T & string)[]) => T;
}

const METHODS = [
  "lstat",
  "stat",
  "realpath",
  "readLink",
  "open",
  "list",
  "listBytes",
  "read",
  "write",
  "rename",
  "copy",
  "makeFolders",
  "remove",
  "removeTree",
  "sync",
] as const satisfies readonly (keyof Disk)[];

/** The same disk, which lets `lastOperation` operations happen and none after them. */
export function mortal(disk: Disk, lastOperation: number = Infinity, hooks: OperationHooks = {}): MortalDisk {
  let operations = 0;
  let isDead = false;
  const living = (): void => {
    if (!isDead && operations >= lastOperation) isDead = true;
    if (isDead) throw new Killed("the process is dead");
    operations++;
  };
  const { before, after } = hooks;
  const hold = <T extends object>(thing: T, prefix: string, methods: readonly (keyof T & string)[]): T => {
    const held = Object.create(thing) as Record<string, unknown>;
    for (const method of methods) {
      const name = prefix + method;
      const isMove = method === "rename" || method === "copy";
      // No method has more than three arguments; a list of them for each call would cost more than most operations.
      held[method] = (first: unknown, second: unknown, third: unknown): unknown => {
        living();
        // Looked up at each call: a test may put another method in its place.
        const target = thing as Record<string, (...args: unknown[]) => unknown>;
        if (before === undefined && after === undefined) return target[method]!(first, second, third);
        const path = typeof first === "string" ? first : "";
        const operation = { name, path, to: isMove ? (second as AbsPath) : undefined };
        before?.(operation);
        // The hook may have killed the process.
        if (isDead) throw new Killed("the process is dead");
        const result = target[method]!(first, second, third);
        after?.(operation);
        return result;
      };
    }
    return held as T;
  };
  return {
    disk: hold(disk, "", METHODS),
    isDead: () => isDead,
    operations: () => operations,
    kill: () => void (isDead = true),
    hold: (thing, name, methods) => hold(thing, `${name}.`, methods),
  };
}
