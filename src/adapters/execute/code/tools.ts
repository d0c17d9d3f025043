/** What the declared tools of a stage say about their versions. */
import { spawn } from "node:child_process";
import { hashBytes, loadHasher } from "../../../core/hash/hash.ts";
import { problem, type Place, type Problem } from "../../../core/model/problem.ts";
import { fail, ok, type Result } from "../../../core/model/result.ts";
import type { AbsPath } from "../../../core/model/words.ts";

const REMEMBERED_MS = 5_000;
const TIMEOUT_MS = 10_000;
const MOST_BYTES = 1 << 20;

/** What a version command did. */
interface Answer {
  readonly output: Buffer;
  /** Why it counts as failed; `undefined` when it did not. */
  readonly failure: string | undefined;
}

const remembered = new Map<string, { readonly until: number; readonly answer: Promise<Answer> }>();

/**
 * Tool name to the hash of what its version command printed (stdout, then stderr). Each distinct command runs once per five seconds,
 * as a shell line in `folder`, and has ten seconds. Every command that fails is a problem M314.
 */
export async function hashTools(
  tools: Readonly<Record<string, string>>,
  folder: AbsPath,
  place: Place,
): Promise<Result<Readonly<Record<string, string>>>> {
  await loadHasher();
  const hashes: Record<string, string> = {};
  const problems: Problem[] = [];
  const answers = Object.entries(tools).map(
    async ([name, command]) => [name, command, await ask(command, folder)] as const,
  );
  for (const [name, command, { output, failure }] of await Promise.all(answers)) {
    if (failure === undefined) hashes[name] = hashBytes(output);
    else problems.push(versionProblem(name, command, failure, output, place));
  }
  return problems.length > 0 ? fail(...problems) : ok(hashes);
}

function versionProblem(name: string, command: string, failure: string, output: Buffer, place: Place): Problem {
  const lastLine = output.toString().trimEnd().split("\n").at(-1) ?? "";
  return problem(
    "M314",
    `version command "${command}" of tool "${name}" ${failure}`,
    `install "${name}", or correct the command`,
    {
      place,
      notes: lastLine === "" ? [] : [lastLine.slice(0, 300)],
    },
  );
}

function ask(command: string, folder: AbsPath): Promise<Answer> {
  const key = `${folder}\n${command}`;
  const now = performance.now();
  for (const [old, { until }] of remembered) if (until <= now) remembered.delete(old);
  const earlier = remembered.get(key);
  if (earlier !== undefined) return earlier.answer;
  const answer = run(command, folder);
  remembered.set(key, { until: now + REMEMBERED_MS, answer });
  return answer;
}

function run(command: string, folder: AbsPath): Promise<Answer> {
  return new Promise((resolve) => {
    const child = spawn("/bin/sh", ["-c", command], { cwd: folder, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const parts: { readonly stdout: Buffer[]; readonly stderr: Buffer[] } = { stdout: [], stderr: [] };
    let bytes = 0;
    let failure: string | undefined;
    const stop = (why: string): void => {
      failure ??= why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group is gone already.
      }
    };
    const timer = setTimeout(() => stop(`did not end within ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS);
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MOST_BYTES) stop("printed more than 1 MiB");
        else parts[name].push(chunk);
      });
    }
    child.on("error", (error) => (failure ??= `could not start: ${error.message}`));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (code !== 0) failure ??= signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
      resolve({ output: Buffer.concat([...parts.stdout, ...parts.stderr]), failure });
    });
  });
}
