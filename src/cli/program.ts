import { Command, CommanderError, Option, type Help } from "commander";
import { refusalOf } from "../core/model/refusal.ts";
import type { CommandSpec, FlagSpec } from "./command-spec.ts";
import { COMMANDS, GLOBAL_FLAGS } from "./commands.ts";
import { Context, type GlobalFlags, type Run } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { safe } from "./safe-text.ts";
import { createStyle, wantsColours } from "./style.ts";
import { usageProblem } from "./usage.ts";
import { VERSION } from "./version.ts";
import type { World } from "./world.ts";

/** Runs one command line (without `node` and the script) and gives its exit code. Never rejects. */
export async function runCli(argv: readonly string[], world: World): Promise<number> {
  if (argv[0] === "help") return runCli(helpLine(argv[1]), world);
  let code: number = EXIT.done;
  const program = createProgram(world, (exitCode) => (code = exitCode));
  try {
    if (argv.length === 0) {
      world.err.write(program.helpInformation({ error: true }));
      return EXIT.refused;
    }
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : misuse(error, argv, world);
    return crash(error, argv, world);
  }
}

/** `help plan` is `plan --help`; an unknown name is an unknown command. */
function helpLine(name: string | undefined): readonly string[] {
  if (name === undefined) return ["--help"];
  return COMMANDS.some((command) => command.name === name) ? [name, "--help"] : [name];
}

/** The argument parser with every command; `onExit` gets the exit code of the one that runs. */
function createProgram(world: World, onExit: (code: number) => void): Command {
  const program = new Command("millrace")
    .description("Drop files into folders, get their results, and know why.")
    .usage("[flags] <command> [targets] [flags]")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpCommand(
      new Command("help").argument("[command]").summary("print the help of a command").helpGroup("Set up:"),
    )
    .configureHelp({ showGlobalOptions: true, ...helpStyle(world), subcommandTerm: (command) => command.name() })
    .configureOutput({
      writeOut: (text) => world.out.write(text),
      // What is wrong is told as a problem, once, by `runCli`.
      writeErr: () => undefined,
      getOutHelpWidth: () => world.out.columns,
      getErrHelpWidth: () => world.err.columns,
      getOutHasColors: () => true,
      getErrHasColors: () => true,
    })
    .exitOverride();
  for (const flag of GLOBAL_FLAGS) program.addOption(optionOf(flag));
  for (const spec of COMMANDS) program.addCommand(commandOf(spec, program, world, onExit));
  program.addCommand(hiddenComplete(program, world, onExit), { hidden: true });
  program.addHelpText("after", `\n${STORY}`);
  return program;
}

const STORY = `Targets: a path (output/001.json), a stage (output, echo#output), a task
(output@001), a pipeline (echo), or a glob over any of these. "--" ends flags.

Exit codes: 0 done; 1 work failed; 2 usage, target or definition wrong;
3 with --exit-code: work waits; 4 the root is taken or its daemon does not
answer; 130, 143 interrupted.
`;

function commandOf(spec: CommandSpec, program: Command, world: World, onExit: (code: number) => void): Command {
  const command = new Command(spec.name).summary(spec.summary).description(descriptionOf(spec)).helpGroup(spec.group);
  command.copyInheritedSettings(program).helpOption("-h, --help", "print this help");
  for (const { form, text } of spec.args) command.argument(form, text);
  for (const flag of spec.flags) command.addOption(optionOf(flag));
  command.addHelpText("after", examplesOf(spec));
  return command.action(async (...given: unknown[]) => {
    // The parser gives the arguments one by one, then the options, then the command itself.
    const args = given
      .slice(0, -2)
      .flat()
      .filter((arg) => arg !== undefined) as string[];
    const run = (await spec.load()) as Run<unknown>;
    onExit(await run(new Context(world, program.opts<GlobalFlags>()), args, command.opts()));
  });
}

/** What completion scripts call: prints the targets that begin with a word; silent about everything else. */
function hiddenComplete(program: Command, world: World, onExit: (code: number) => void): Command {
  return new Command("__complete")
    .copyInheritedSettings(program)
    .argument("[word]")
    .action(async (word: string | undefined) => {
      const { complete } = await import("./commands/complete.ts");
      onExit(await complete(new Context(world, { ...program.opts<GlobalFlags>(), quiet: true }), word ?? ""));
    });
}

function optionOf({ flags, text, parse, fallback }: FlagSpec): Option {
  const option = new Option(flags, text);
  if (parse !== undefined) option.argParser((value) => parse(value));
  return fallback === undefined ? option : option.default(...fallback);
}

function descriptionOf({ summary, details }: CommandSpec): string {
  const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
  return details === undefined ? sentence : `${sentence}\n${details}`;
}

function examplesOf({ examples }: CommandSpec): string {
  const width = Math.max(...examples.map(([line]) => line.length));
  return ["", "Examples:", ...examples.map(([line, does]) => `  millrace ${line.padEnd(width)}  # ${does}`)].join("\n");
}

const TITLES: Readonly<Record<string, string>> = {
  "Options:": "Flags:",
  "Global Options:": "Flags of every command:",
};

function helpStyle(world: World): Partial<Help> {
  const style = createStyle(wantsColours(world.out.isTerminal, world.env, true));
  return {
    // The words of the rest: flags, with what they are left out as in brackets.
    styleTitle: (title) => style.bold(TITLES[title] ?? title),
    styleUsage: (usage) => usage.replace("[options]", "[flags]"),
    optionDescription: ({ description, defaultValueDescription: otherwise }) =>
      otherwise === undefined ? description : `${description} (${otherwise})`,
    styleSubcommandText: style.name,
    styleOptionTerm: style.name,
  };
}

function misuse(error: CommanderError, argv: readonly string[], world: World): number {
  const command = COMMANDS.find(({ name }) => argv.includes(name))?.name ?? "";
  return new Context(world, flagsOf(argv)).refuse([
    usageProblem(error, error.code === "commander.unknownCommand" ? "" : command),
  ]);
}

/** A broken invariant of Millrace itself ends here: said in one line, with `-v` the stack. */
function crash(error: unknown, argv: readonly string[], world: World): number {
  const { verbose = false } = flagsOf(argv);
  if (isRefusedByMachine(error)) {
    new Context(world, flagsOf(argv)).refuse([refusalOf(error)]);
    return EXIT.workFailed;
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  world.err.write(`error  Millrace itself failed: ${safe(message)}\n`);
  if (verbose && error instanceof Error) world.err.write(`${error.stack?.split("\n").map(safe).join("\n") ?? ""}\n`);
  world.err.write(`  do: report it${verbose ? "" : ' with the output of the same command and "-v"'}\n`);
  return EXIT.workFailed;
}

/** Is it what a system call or SQLite says (`ENOSPC`, `ERR_SQLITE_ERROR` ...)? */
function isRefusedByMachine(error: unknown): error is Error {
  return error instanceof Error && "code" in error && /^E(?!RR_(?!SQLITE))/.test(String(error.code));
}

/** The flags that matter for telling an error, from a command line that may not have been understood. */
function flagsOf(argv: readonly string[]): GlobalFlags {
  return {
    json: argv.includes("--json"),
    color: !argv.includes("--no-color"),
    verbose: argv.some((word) => word === "-v" || word === "--verbose"),
  };
}
