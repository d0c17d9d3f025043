import type { AbsPath } from "../core/model/words.ts";
import type { EngineDoor } from "./engine-door.ts";

/** Where text goes. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Characters in a line; 80 where it is not known. */
  readonly columns: number;
}

/** The few file calls of `init` and `new`. They throw Node's error with its `code`. */
export interface ProjectFiles {
  exists(path: AbsPath): boolean;
  /** `undefined` when there is no such file. */
  read(path: AbsPath): string | undefined;
  /** Creates a file that does not exist yet, and its folders; throws EEXIST otherwise. */
  create(path: AbsPath, text: string): void;
  append(path: AbsPath, text: string): void;
  makeFolders(path: AbsPath): void;
}

export type Interrupt = "SIGINT" | "SIGTERM";

/** Listening for Ctrl-C and termination. While it lasts, the first one only aborts `signal`; a second one ends the process. */
export interface Interrupts extends Disposable {
  /** Its `reason` is the `Interrupt`. */
  readonly signal: AbortSignal;
}

/** The process around a command: everything it touches, so that a test can put something else in its place. */
export interface World {
  readonly cwd: AbsPath;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nodeVersion: string;
  /** Such as `linux x64`. */
  readonly platform: string;
  readonly out: Output;
  readonly err: Output;
  readonly files: ProjectFiles;
  /** Aborted when nobody reads stdout any more. */
  readonly outClosed: AbortSignal;
  nowMs(): number;
  /** Resolves after so long, or at once when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Whether a person sits at a terminal who can be asked. */
  readonly canAsk: boolean;
  /** Asks on stderr and gives the line that was typed; empty when nobody answered. */
  ask(question: string): Promise<string>;
  listenForInterrupts(): Interrupts;
  openDoor(): Promise<EngineDoor>;
}
