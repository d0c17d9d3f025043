import type { Disk } from "../../src/ports.ts";

/** Thrown by every operation on the disk of a process that is dead. It has no `code`: no part of the engine can take it for a failure of the disk. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** One process's hold on a disk: it ends when the process is killed, whatever of that process still runs. */
export interface MortalDisk {
  readonly disk: Disk;
  readonly isDead: () => boolean;
  /** How many operations there were. */
  readonly operations: () => number;
  readonly kill: () => void;
}

/** The same disk, which lets `lastOperation` operations happen and none after them. */
export function mortal(disk: Disk, lastOperation: number = Infinity): MortalDisk {
  let operations = 0;
  let isDead = false;
  const living = (): void => {
    if (!isDead && operations >= lastOperation) isDead = true;
    if (isDead) throw new Killed("the process is dead");
    operations++;
  };
  return {
    disk: new Proxy(disk, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...given: unknown[]): unknown => {
          living();
          return value.apply(target, given) as unknown;
        };
      },
    }),
    isDead: () => isDead,
    operations: () => operations,
    kill: () => void (isDead = true),
  };
}
