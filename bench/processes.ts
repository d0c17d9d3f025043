/** Commands as a bench runs them: cold processes, timed from the outside. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

/** Seconds that a command takes from its start to its end. Throws, with what it printed, when it fails. */
export function timed(command: string, args: readonly string[], cwd?: string): number {
  const startedAt = performance.now();
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  const seconds = (performance.now() - startedAt) / 1000;
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`"${command} ${args.join(" ")}" ended with ${status}\n${stdout}${stderr}`);
  return seconds;
}

/** Whether a command can be started at all. */
export function isThere(command: string): boolean {
  return spawnSync(command, ["--version"]).error === undefined;
}

/** The largest resident memory of a running process so far, in MB; `undefined` when it has ended or the system does not tell. */
export function peakMegabytes(pid: number): number | undefined {
  try {
    const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}

/** Runs a command and gives its largest resident memory in MB, asked for every 20 ms. */
export async function peakOf(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { stdio: "ignore" });
  let peak = 0;
  const asking = setInterval(() => (peak = Math.max(peak, peakMegabytes(child.pid ?? 0) ?? 0)), 20);
  const [code] = (await once(child, "exit")) as [number | null];
  clearInterval(asking);
  if (code !== 0) throw new Error(`"${command} ${args.join(" ")}" ended with ${code}`);
  return peak;
}

/** A daemon of the built command, once it says that it is ready. */
export async function startDaemon(
  cli: string,
  project: string,
): Promise<{ readonly child: ChildProcess; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [cli, "-C", project, "start"], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (said.includes('"ready"')) return;
      said += text;
      if (said.includes('"ready"')) resolve();
    });
    child.once("exit", (code) => reject(new Error(`the daemon ended with ${code}\n${said}`)));
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  return { child, stop };
}
