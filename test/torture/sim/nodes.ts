import { type Script, ScriptedFailure } from "../../support/scripted-runner.ts";
import type { SimProcess } from "./process.ts";
import type { Step } from "./script.ts";

/** Longer than any attempt may take. */
const FOR_EVER_MS = 300_000;

/** Every node works. */
export function workingNodes({ rig }: SimProcess): void {
  rig.scripts.clear();
  rig.scripts.set("parts", ({ input, expression }) => ({ "a.txt": input, "b.txt": `${expression} ${input}` }));
}

/** A node fails, for a while or until it is cured; is slow; or hangs. */
export function troubledNode(process: SimProcess, trouble: Extract<Step, { do: "trouble" }>): void {
  const { kind, stage, id, times, ms } = trouble;
  const { rig, tally } = process;
  const works = stage === "parts" ? rig.scripts.get("parts") : undefined;
  let left = kind === "fails" ? Infinity : times;
  const script: Script = (attempt) => {
    const made = works?.(attempt);
    if (kind === "slow") {
      tally.add("slow nodes");
      return later(process, ms, () => undefined).then(() => made);
    }
    if (left-- <= 0) return made;
    if (kind === "hangs") {
      tally.add("hanging nodes");
      return later(process, FOR_EVER_MS, () => {
        throw new ScriptedFailure("it took too long", "timeout");
      });
    }
    tally.add("failing nodes");
    throw new ScriptedFailure("not today");
  };
  rig.scripts.set(id === null ? stage : `${stage}@${id}`, script);
}

function later<T>({ rig }: SimProcess, delayMs: number, end: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    rig.clock.after(delayMs, () => {
      try {
        resolve(end());
      } catch (error) {
        reject(error);
      }
    });
  });
}
