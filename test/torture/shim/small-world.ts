/**
 * The small project that the shim's trials work on: a file or two through three stages that take every way of making a
 * result (an expression in the batch lane, a command, a copy that is forced to the medium). Each trial gets a copy.
 */
import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Ended, runToEnd } from "./shim.ts";

const PROGRAM = join(import.meta.dirname, "../../../dist/millrace.js");

/** How long a failed task waits: longer than the run that failed it, so that each run tries once. */
const RETRY_SECONDS = 0.3;

const DEFINITION = {
  name: "small",
  scanInterval: 2,
  retryPolicy: { maxAttempts: 50, backoffSeconds: [RETRY_SECONDS] },
  stages: [
    { id: "input", type: "source", pattern: "input/{id}.txt", settle: "1ms" },
    {
      id: "upper",
      type: "transform",
      input: "input",
      pattern: "upper/{id}.txt",
      node: { typeId: "transform", data: { expression: "$.input.content.toUpperCase()" } },
    },
    {
      id: "marked",
      type: "transform",
      input: "upper",
      pattern: "marked/{id}.txt",
      node: { typeId: "run_command", data: { command: 'cat "$MILLRACE_INPUT" && echo "!"' } },
    },
    { id: "last", type: "transform", input: "marked", pattern: "last/{id}.txt", durability: "sync" },
  ],
};

/** What is there when a trial begins: nothing yet, or the results of older inputs of which one has changed since and one is gone. */
export type Story = "fresh" | "changed";

const OLD = { "1": "one, as it was\n", "2": "two, which goes\n" };
const NEW = { "1": "one, as it is now, and longer\n" };

/** Path below the root to text. */
export type Files = Readonly<Record<string, string>>;

/** What a run without any fault leaves, and what may be seen on the way. */
export interface Clean {
  readonly outputs: Files;
  readonly manifests: Files;
  readonly trashed: readonly string[];
  /** Every text that may ever be seen at a path. */
  readonly seen: ReadonlyMap<string, ReadonlySet<string>>;
}

/** A project in a folder of its own. */
export class SmallWorld {
  readonly dir: string;
  readonly root: string;

  constructor(dir: string) {
    this.dir = dir;
    this.root = join(dir, "state");
  }

  /** Makes the project as a story begins. */
  static async make(dir: string, story: Story): Promise<SmallWorld> {
    const world = new SmallWorld(dir);
    mkdirSync(join(dir, "pipelines"), { recursive: true });
    mkdirSync(join(world.root, "input"), { recursive: true });
    writeFileSync(join(dir, "pipelines/small.json"), JSON.stringify(DEFINITION));
    if (story === "changed") {
      world.#put(OLD);
      const { code, said } = await world.run();
      if (code !== 0) throw new Error(`the story cannot begin: ${said}`);
      rmSync(join(world.root, "input/2.txt"));
    }
    world.#put(NEW);
    return world;
  }

  #put(inputs: Files): void {
    for (const [id, text] of Object.entries(inputs)) {
      const file = join(this.root, "input", `${id}.txt`);
      writeFileSync(file, text);
      // Old enough for any settle time and any clock's granularity.
      const when = Date.now() / 1000 - 3600 - text.length;
      utimesSync(file, when, when);
    }
  }

  /** A copy of it as it is now. */
  copyTo(dir: string): SmallWorld {
    cpSync(this.dir, dir, { recursive: true, preserveTimestamps: true });
    return new SmallWorld(dir);
  }

  /** `millrace run` to its end. */
  run(env: Readonly<Record<string, string>> = {}, ...more: string[]): Promise<Ended> {
    return runToEnd([PROGRAM, "-C", this.dir, "run", ...more], this.dir, env);
  }

  /** Any command to its end. */
  command(...args: string[]): Promise<Ended> {
    return runToEnd([PROGRAM, "-C", this.dir, ...args], this.dir, {});
  }

  /** The arguments that start its daemon with `node`. */
  get daemonArgs(): string[] {
    return [PROGRAM, "-C", this.dir, "start"];
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  // ------------------------------------------------------------ what is there

  /** Every file outside `.millrace`, inputs too. */
  files(): Files {
    return filesBelow(this.root, "", (name) => name !== ".millrace");
  }

  /** The manifests without what differs from run to run. */
  manifests(): Files {
    const texts = filesBelow(join(this.root, ".millrace/manifests"), "");
    return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, withoutTimes(text)]));
  }

  /** The texts in the trash, sorted; notes are not among them. */
  trashed(): string[] {
    const texts = Object.entries(filesBelow(join(this.root, ".millrace/trash"), ""));
    return texts.flatMap(([path, text]) => (path.endsWith("/note.json") ? [] : [text])).toSorted();
  }

  /** Names in the temp folder. */
  temporary(): string[] {
    try {
      return readdirSync(join(this.root, ".millrace/tmp"));
    } catch {
      return [];
    }
  }

  /** What a clean run leaves; `before`: the world it began with. */
  clean(before: Files): Clean {
    const after = this.files();
    const seen = new Map<string, Set<string>>();
    for (const [path, text] of [...Object.entries(before), ...Object.entries(after)])
      seen.set(path, (seen.get(path) ?? new Set()).add(text));
    return { outputs: after, manifests: this.manifests(), trashed: this.trashed(), seen };
  }

  // ------------------------------------------------------------ what is wrong

  /** Files that show something that was never whole, and manifests that are no JSON: allowed at no moment. */
  torn(clean: Clean): string[] {
    const wrong: string[] = [];
    for (const [path, text] of Object.entries(this.files()))
      if (!clean.seen.get(path)?.has(text)) wrong.push(`torn or unknown: ${path} ${JSON.stringify(text)}`);
    for (const name of Object.keys(NEW)) {
      const path = `input/${name}.txt`;
      if (this.files()[path] !== NEW[name as keyof typeof NEW]) wrong.push(`the input ${path} is not as it was`);
    }
    for (const [name, text] of Object.entries(filesBelow(join(this.root, ".millrace/manifests"), "")))
      if (!isManifest(text)) wrong.push(`torn manifest: ${name}`);
    return wrong;
  }

  /** How it differs from what a clean run left. */
  differences(clean: Clean): string[] {
    const wrong: string[] = [];
    compare("", clean.outputs, this.files(), wrong);
    compare("manifest ", clean.manifests, this.manifests(), wrong);
    const trashed = this.trashed();
    if (trashed.join("\0") !== clean.trashed.join("\0"))
      wrong.push(`the trash holds ${JSON.stringify(trashed).slice(0, 300)}, not ${JSON.stringify(clean.trashed)}`);
    if (this.temporary().length > 0) wrong.push(`left in tmp: ${this.temporary().join(" ")}`);
    return wrong;
  }
}

function compare(kind: string, wanted: Files, got: Files, wrong: string[]): void {
  for (const path of new Set([...Object.keys(wanted), ...Object.keys(got)]))
    if (wanted[path] !== got[path]) wrong.push(`${kind}${path}: wanted ${excerpt(wanted[path], got[path])}`);
}

/** Both texts from a little before where they part. */
function excerpt(wanted: string | undefined, got: string | undefined): string {
  let same = 0;
  while (wanted !== undefined && same < wanted.length && wanted[same] === got?.[same]) same++;
  const part = (text: string | undefined): string => JSON.stringify(text?.slice(Math.max(0, same - 60), same + 120));
  return `${part(wanted)}, got ${part(got)}`;
}

function filesBelow(folder: string, prefix: string, keep: (name: string) => boolean = () => true): Files {
  const found: Record<string, string> = {};
  let names: string[];
  try {
    names = readdirSync(folder).toSorted();
  } catch {
    return found;
  }
  for (const name of names.filter(keep)) {
    const path = join(folder, name);
    if (lstatSync(path).isDirectory()) Object.assign(found, filesBelow(path, `${prefix}${name}/`));
    else found[prefix + name] = readFileSync(path, "utf8");
  }
  return found;
}

const OF_ONE_RUN = new Set(["producedAt", "durationMs", "runId"]);

function withoutTimes(text: string): string {
  if (!isManifest(text)) return text;
  return JSON.stringify(
    JSON.parse(text, (key, value: unknown) => (OF_ONE_RUN.has(key) ? undefined : value)),
    null,
    1,
  );
}

function isManifest(text: string): boolean {
  try {
    return (JSON.parse(text) as { version?: unknown }).version === 1;
  } catch {
    return false;
  }
}
