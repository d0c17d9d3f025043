/** The small process that outlives us for a moment, to end what we started. */
import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";

/**
 * Reads `+ <group>` and `- <group>` from a pipe. The pipe's end means that we closed it or died, even by SIGKILL: then everything in the
 * registered groups, their descendants and every process with the mark in its environment gets SIGTERM, and what is left after
 * two seconds SIGKILL. (A child between fork and exec holds the pipe open, so when the end is seen all of them bear the mark.)
 */
const SCRIPT = `
trap '' HUP INT QUIT TERM PIPE
mark=$1
groups=
while read -r op id; do
  case $op in
    +) groups="$groups $id" ;;
    -) rest=; for g in $groups; do [ "$g" = "$id" ] || rest="$rest $g"; done; groups=$rest ;;
  esac
done
table() {
  if [ -r /proc/self/stat ]; then
    cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\\([0-9]*\\) (.*) [^ZX] \\([0-9]*\\) \\([0-9]*\\) .*/\\1 \\2 \\3/p'
  else
    ps -A -o pid=,ppid=,pgid=,stat= | sed -n 's/^ *\\([0-9]*\\) *\\([0-9]*\\) *\\([0-9]*\\) *[^Z].*/\\1 \\2 \\3/p'
  fi
}
marked() {
  [ -r /proc/self/environ ] && grep -lsF -e "$mark" /proc/[0-9]*/environ 2>/dev/null | tr -dc '0-9\\n' | tr '\\n' ' '
}
targets=
look() {
  rows=$(table)
  wanted=" $targets $(marked) "
  more=1
  while [ -n "$more" ]; do
    more=
    while read -r pid parent group; do
      case $wanted in *" $pid "*) continue ;; esac
      case " $groups " in *" $group "*) wanted="$wanted$pid "; more=1; continue ;; esac
      case $wanted in *" $parent "*) wanted="$wanted$pid "; more=1 ;; esac
    done <<ROWS
$rows
ROWS
  done
  targets=
  while read -r pid parent group; do
    [ "$pid" = "$$" ] && continue
    case $wanted in *" $pid "*) targets="$targets $pid" ;; esac
  done <<ROWS
$rows
ROWS
}
pause() { sleep 0.1 2>/dev/null || sleep 1; }
look
[ -n "$targets" ] && kill -TERM $targets 2>/dev/null
turns=0
while [ -n "$targets" ] && [ "$turns" -lt 20 ]; do
  pause
  look
  turns=$((turns + 1))
done
turns=0
while [ -n "$targets" ] && [ "$turns" -lt 50 ]; do
  kill -KILL $targets 2>/dev/null
  pause
  look
  turns=$((turns + 1))
done
`;

/** Ends registered process groups, and everything marked, when this process is gone. Starts when it is first needed. */
export class Supervisor {
  readonly #mark: string;
  readonly #groups = new Set<number>();
  #child: ChildProcess | undefined;

  /** @param mark a text that the environment of everything it may end contains, and of nothing else */
  constructor(mark: string) {
    this.#mark = mark;
  }

  /** Starts the process if it does not run. Throws when `/bin/sh` cannot be started. */
  ensure(): void {
    if (this.#child !== undefined) return;
    // Without our environment, lest a supervisor further out takes it for a command; a session of its own, out of reach of Ctrl-C.
    const child = spawn("/bin/sh", ["-c", SCRIPT, "millrace-supervisor", this.#mark], {
      cwd: "/",
      detached: true,
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
      stdio: ["pipe", "ignore", "ignore"],
    });
    this.#child = child;
    const forget = (): void => {
      if (this.#child === child) this.#child = undefined;
    };
    child.on("exit", forget);
    child.on("error", forget);
    // It was killed from outside: the next command starts another one, which learns of every living group.
    child.stdin?.on("error", forget);
    child.unref();
    (child.stdin as Socket | null)?.unref();
    for (const group of this.#groups) this.#tell("+", group);
  }

  add(group: number): void {
    this.#groups.add(group);
    this.ensure();
    this.#tell("+", group);
  }

  remove(group: number): void {
    if (this.#groups.delete(group)) this.#tell("-", group);
  }

  /** Resolves when the process has ended, and with it everything that was still registered or marked. */
  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    child.ref();
    child.stdin?.end();
    await ended;
  }

  #tell(sign: "+" | "-", group: number): void {
    this.#child?.stdin?.write(`${sign} ${group}\n`);
  }
}
