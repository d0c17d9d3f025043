import { resolve } from "node:path";
import { problem, renderProblem, type Problem } from "../core/model/problem.ts";
import type { Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { Control } from "../engine/control.ts";
import { exitCodeOf, EXIT } from "./exit-codes.ts";
import { safe, safeReport } from "./safe-text.ts";
import { createStyle, wantsColours, type Style } from "./style.ts";
import type { World } from "./world.ts";

/** The flags every command takes. */
export interface GlobalFlags {
  /** `-C`: the project folder, relative to where the command runs. */
  readonly C?: string;
  readonly json?: boolean;
  readonly color: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** How a screen is drawn. */
export interface Screen {
  readonly style: Style;
  /** Columns; `Infinity` where nothing is cut: not a terminal, or `-v`. */
  readonly width: number;
  /** Whole hashes and whole lists. */
  readonly verbose: boolean;
  readonly nowMs: number;
}

/** The body of a command: what it does with its arguments; gives the exit code. */
export type Run<O> = (context: Context, args: readonly string[], options: O) => Promise<number>;

/** One command at work: where it talks to the person, and how it reaches the engine. */
export class Context {
  readonly world: World;
  readonly flags: GlobalFlags;
  readonly projectFolder: AbsPath;
  readonly #told = new Set<string>();

  constructor(world: World, flags: GlobalFlags) {
    this.world = world;
    this.flags = flags;
    this.projectFolder = resolve(world.cwd, flags.C ?? ".");
  }

  get json(): boolean {
    return this.flags.json === true;
  }
  get quiet(): boolean {
    return this.flags.quiet === true;
  }

  screen(): Screen {
    const { out, env } = this.world;
    const verbose = this.flags.verbose === true;
    return {
      style: createStyle(wantsColours(out.isTerminal, env, this.flags.color)),
      width: out.isTerminal && !verbose ? out.columns : Infinity,
      verbose,
      nowMs: this.world.nowMs(),
    };
  }

  /** Lines for people, on stdout. */
  say(lines: readonly string[]): void {
    if (lines.length > 0) this.world.out.write(`${lines.join("\n")}\n`);
  }

  /** One JSON document on stdout: indented, or on one line where more will follow. */
  sayJson(value: unknown, form: "document" | "line" = "document"): void {
    this.world.out.write(`${form === "line" ? JSON.stringify(value) : JSON.stringify(value, null, 2)}\n`);
  }

  /** A report as `--json` or as a screen. */
  show<T>(report: T, screen: (report: T, how: Screen) => readonly string[]): void {
    if (this.json) this.sayJson(report);
    else this.say(screen(safeReport(report), this.screen()));
  }

  /** Problems on stderr, each one once; `-q` leaves out warnings. */
  tell(problems: readonly Problem[]): void {
    const { err, env } = this.world;
    const style = createStyle(wantsColours(err.isTerminal, env, this.flags.color));
    for (const one of problems) {
      if (this.quiet && one.severity === "warning") continue;
      const text = renderProblem(safeProblem(one));
      if (this.#told.has(text)) continue;
      this.#told.add(text);
      err.write(`${paintProblem(text, one.severity, style)}\n`);
    }
  }

  /** Says why nothing was done; with `--json` also as a document. Gives the exit code. */
  refuse(problems: readonly Problem[]): number {
    this.tell(problems);
    if (this.json) this.sayJson({ version: 1, problems });
    return exitCodeOf(problems);
  }

  /** A usage error: `error M101`. */
  misuse(message: string, hint: string): number {
    return this.refuse([problem("M101", message, hint)]);
  }

  /** Opens the project, calls `use` with its control, closes it. */
  async withControl(mode: "read" | "write", use: (control: Control) => Promise<number>): Promise<number> {
    const door = await this.world.openDoor();
    const opened = await door.openProject({ projectFolder: this.projectFolder, mode });
    if (!opened.ok) return this.refuse(opened.problems);
    try {
      this.tell(opened.value.problems);
      return await use(opened.value.control);
    } finally {
      await opened.value.close();
    }
  }

  /** Opens the project, asks one question and shows the answer: the whole of most commands. */
  ask<T>(
    call: (control: Control) => Promise<Result<T>>,
    screen: (report: T, how: Screen) => readonly string[],
    exitCode: (report: T) => number = () => EXIT.done,
  ): Promise<number> {
    return this.withControl("read", async (control) => {
      const answer = await call(control);
      if (!answer.ok) return this.refuse(answer.problems);
      this.show(answer.value, screen);
      return exitCode(answer.value);
    });
  }
}

/** A problem whose values cannot do anything to the terminal. The excerpt keeps its tabs: the squiggle below it counts on them. */
function safeProblem(one: Problem): Problem {
  const clean = safeReport(one);
  if (one.place === undefined || clean.place === undefined) return clean;
  return { ...clean, place: { ...clean.place, excerpt: one.place.excerpt.split("\t").map(safe).join("\t") } };
}

function paintProblem(text: string, severity: Problem["severity"], style: Style): string {
  return text
    .split("\n")
    .map((line, at) => {
      if (at === 0)
        return (
          (severity === "error" ? style.bad : style.warn)(line.slice(0, severity.length)) + line.slice(severity.length)
        );
      if (/^\s+~+$/.test(line)) return style.bad(line);
      return line.startsWith("  do: ") ? `  ${style.bold("do:")} ${line.slice(6)}` : line;
    })
    .join("\n");
}
