/** Which processes run on this machine. */
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";

/** A living process; zombies are left out. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
}

/** Every living process that we may see. Reads `/proc` where there is one, else asks `ps`. */
export function listProcesses(): ProcessRow[] {
  if (process.platform === "linux") return processIds().flatMap(readRow);
  const text = execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat="], { encoding: "utf8" });
  return text.split("\n").flatMap((line) => {
    const [pid, parent, group, state] = line.trim().split(/\s+/);
    return state === undefined || state.startsWith("Z")
      ? []
      : [{ pid: Number(pid), parent: Number(parent), group: Number(group) }];
  });
}

/** Whether the environment that a process was started with contains a text; always `false` where there is no `/proc`. */
export function environmentHas(pid: number, text: string): boolean {
  if (process.platform !== "linux") return false;
  try {
    return readFileSync(`/proc/${pid}/environ`).includes(text);
  } catch {
    // It ended meanwhile, or belongs to somebody else, and then it is none of ours.
    return false;
  }
}

function processIds(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function readRow(pid: number): ProcessRow[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // `pid (name) state parent group ...`; the name may contain spaces and parentheses.
    const [state, parent, group] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? [] : [{ pid, parent: Number(parent), group: Number(group) }];
  } catch {
    // It ended between the listing and the look.
    return [];
  }
}

/** Whether a process group has a member, a zombie included. */
export function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
