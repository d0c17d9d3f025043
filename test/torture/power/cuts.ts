/**
 * Power cuts for the real program: it works on a logged disk, the log is cut at many points, and what is then on the disk is
 * judged before and after a restart under another boot.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SeededRandom } from "../../support/seeded-random.ts";
import { type CompiledShim, runToEnd, Shim } from "../shim/shim.ts";
import { type Log, LoggedDisk, makeImage, Mounted, removeFolder } from "./log-disk.ts";

const PROGRAM = join(import.meta.dirname, "../../../dist/millrace.js");
const FILES = 4;
const ROUNDS = 3;

/** `sync`: with `durability: "sync"`; `process`: without; `lying`: with it, on a disk whose fsync does nothing: must be caught. */
export type Kind = "sync" | "process" | "lying";

export interface CutsReport {
  readonly numbers: Record<string, number>;
  readonly wrong: readonly string[];
}

function definition(kind: Kind): object {
  const stage = { type: "transform", ...(kind === "process" ? {} : { durability: "sync" }) };
  const upper = { typeId: "transform", data: { expression: "$.input.content.toUpperCase()" } };
  return {
    name: "power",
    retryPolicy: { maxAttempts: 9, backoffSeconds: [0.1] },
    stages: [
      { id: "input", type: "source", pattern: "input/{id}.txt", settle: "1ms" },
      { ...stage, id: "upper", input: "input", pattern: "upper/{id}.txt", node: upper },
      { ...stage, id: "last", input: "upper", pattern: "last/{id}.txt" },
    ],
  };
}

/** Long enough for several blocks. */
function textOf(file: number, round: number): string {
  return `file ${file} of round ${round}\n`.repeat(150);
}

/** What a run acknowledged: from this place in the log on it must be there. */
interface Acknowledged {
  readonly position: number;
  readonly round: number;
}

/** A life on a logged disk, ready to be cut. */
interface Life {
  readonly base: string;
  readonly log: Log;
  readonly acknowledged: readonly Acknowledged[];
}

/** Tries `states` cuts of a life of this kind. */
export async function tryPowerCuts(kind: Kind, states: number, seed: number, shim?: CompiledShim): Promise<CutsReport> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-power-"));
  const random = new SeededRandom(seed);
  const wrong: string[] = [];
  try {
    const life = await liveOnce(kind, folder, shim);
    const { entries } = life.log;
    const image = join(folder, "cut.img");
    for (let number = 0; number < states; number++) {
      // Cuts spread evenly over the log, every second one with half of what was in flight lost.
      const cut = 1 + Math.floor(((number + random.next()) / states) * entries.length);
      const dropped = number % 2 === 1;
      life.log.cutInto(image, life.base, cut, dropped ? () => random.next() < 0.5 : undefined);
      const told = `${kind}, cut after ${cut} of ${entries.length} entries${dropped ? ", half of the rest lost" : ""}`;
      const mounted = new Mounted(image, join(folder, "cut"));
      try {
        const found = await judge(mounted.folder, kind, cut === 0 ? 0 : entries[cut - 1]!.end, life.acknowledged);
        wrong.push(...found.map((one) => `${told}: ${one}`));
      } finally {
        mounted.unmount();
      }
    }
    return { numbers: { states, writes: life.log.writes, flushes: life.log.flushes }, wrong };
  } finally {
    removeFolder(folder);
  }
}

async function liveOnce(kind: Kind, folder: string, shim: CompiledShim | undefined): Promise<Life> {
  const [base, work] = [join(folder, "base.img"), join(folder, "work.img")];
  makeImage(base);
  const empty = new Mounted(base, join(folder, "base"));
  mkdirSync(join(empty.folder, "pipelines"));
  mkdirSync(join(empty.folder, "state/input"), { recursive: true });
  writeFileSync(join(empty.folder, "pipelines/power.json"), JSON.stringify(definition(kind)));
  empty.unmount();
  writeFileSync(work, readFileSync(base));
  const disk = await LoggedDisk.mount(work, folder);
  const acknowledged: Acknowledged[] = [];
  const lie = kind === "lying" ? new Shim(shim!, join(disk.folder, "state"), join(folder, "lie")) : undefined;
  lie?.dropSyncs();
  for (let round = 0; round < ROUNDS; round++) {
    // Every round has new files, too: only a new name can be on the medium before its bytes are.
    for (let file = 0; file < FILES + round; file++) dropDurably(disk.folder, `${file}.txt`, textOf(file, round));
    const { code, said } = await run(disk.folder, lie?.env);
    if (code !== 0) throw new Error(`the run failed: ${said}`);
    acknowledged.push({ position: disk.position, round });
    // Something else is forced to the medium, and with it the journal: names get there without their bytes.
    dropDurably(disk.folder, `other-${round}`, "other", ".");
  }
  lie?.end();
  return { base, log: await disk.unmount(), acknowledged };
}

/** As careful people write: the bytes and the name are on the medium when it returns. */
function dropDurably(disk: string, name: string, text: string, folder = "state/input"): void {
  const at = join(disk, folder);
  for (const path of [join(at, name), at]) {
    const fd = openSync(path, path === at ? "r" : "w");
    if (path !== at) writeSync(fd, text);
    fsyncSync(fd);
    closeSync(fd);
  }
}

function run(dir: string, env: Readonly<Record<string, string>> = {}): ReturnType<typeof runToEnd> {
  return runToEnd([PROGRAM, "-C", dir, "run", "--wait"], dir, env);
}

/** What is wrong with a state; a restart is tried unless the kind is only there to be caught. */
async function judge(
  disk: string,
  kind: Kind,
  position: number,
  acknowledged: readonly Acknowledged[],
): Promise<string[]> {
  const wrong: string[] = [];
  const root = join(disk, "state");
  const done = acknowledged.findLast((one) => one.position <= position);
  if (kind !== "process" && done) wrong.push(...lostOf(root, done.round));
  if (kind === "lying") return wrong;
  asAfterAnotherBoot(root);
  const { code, said, signal } = await run(disk);
  if (code !== 0) wrong.push(`the restart ended with ${code ?? signal}: ${said.trim()}`);
  return [...wrong, ...notMade(root)];
}

/** Of what was acknowledged in this round or before, what is not there as it was. Later rounds may have replaced it whole. */
function lostOf(root: string, round: number): string[] {
  const lost: string[] = [];
  for (let file = 0; file < FILES + round; file++) {
    const allowed = new Set<string>();
    for (let later = round; later < ROUNDS; later++) allowed.add(textOf(file, later).toUpperCase());
    for (const folder of ["upper", "last"]) {
      const path = join(root, folder, `${file}.txt`);
      const text = existsSync(path) ? readFileSync(path, "utf8") : undefined;
      if (text === undefined || !allowed.has(text))
        lost.push(
          `${folder}/${file}.txt was acknowledged in round ${round} and is ${text === undefined ? "gone" : `${text.length} bytes`}`,
        );
    }
  }
  return lost;
}

/** The boot id of the last start is made another one, as a power cut would. */
function asAfterAnotherBoot(root: string): void {
  const path = join(root, ".millrace/session.json");
  if (!existsSync(path)) return;
  try {
    const session = JSON.parse(readFileSync(path, "utf8")) as object;
    writeFileSync(path, JSON.stringify({ ...session, bootId: "00000000-0000-4000-8000-000000000000" }));
  } catch {
    // It did not survive whole: that is another boot, too.
  }
}

/** Results that are not those of the inputs that are there. */
function notMade(root: string): string[] {
  const wrong: string[] = [];
  const inputs = existsSync(join(root, "input")) ? readdirSync(join(root, "input")) : [];
  for (const name of inputs) {
    const wanted = readFileSync(join(root, "input", name), "utf8").toUpperCase();
    for (const folder of ["upper", "last"]) {
      const path = join(root, folder, name);
      const text = existsSync(path) ? readFileSync(path, "utf8") : undefined;
      if (text !== wanted)
        wrong.push(
          `${folder}/${name} is ${text === undefined ? "missing" : JSON.stringify(text.slice(0, 80))} after the restart`,
        );
    }
  }
  for (const name of readdirSync(root).includes("last") ? readdirSync(join(root, "last")) : [])
    if (!inputs.includes(name)) wrong.push(`last/${name} is there without its input`);
  return wrong;
}
