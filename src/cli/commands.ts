import { STATUSES } from "../core/model/words.ts";
import type { ArgumentSpec, CommandSpec, FlagSpec } from "./command-spec.ts";
import { oneOf, parseCount, parseDuration, someOf } from "./values.ts";

const RESULTS = ["ran", "unchanged", "restored", "skipped", "failed", "interrupted", "dropped"] as const;
const LEVELS = ["debug", "info", "warn", "error"] as const;
const SHELLS = ["bash", "zsh", "fish"] as const;
const FORMATS = ["ascii", "mermaid", "dot", "json"] as const;
const TEMPLATES = ["copy", "transform", "command", "http", "module"] as const;
const KINDS = ["pipeline", "node"] as const;

const TARGETS_TEXT = "a path, a stage, stage@entity, a pipeline, or a glob over these";
const TARGETS: ArgumentSpec = { form: "[targets...]", text: `${TARGETS_TEXT} (everything)`, isTarget: true };
const SOME_TARGETS: ArgumentSpec = { form: "<targets...>", text: TARGETS_TEXT, isTarget: true };
const TARGET: ArgumentSpec = { form: "[target]", text: `${TARGETS_TEXT} (everything)`, isTarget: true };

const EXIT_CODE: FlagSpec = { flags: "--exit-code", text: "exit 1 for failing work, 3 for stale or waiting work" };
const limit = (many: number): FlagSpec => ({
  flags: "--limit <n>",
  text: "at most so many",
  parse: parseCount,
  fallback: [many, `${many}`],
});

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "init",
    group: "Set up:",
    summary: "start a project: a first pipeline and its folders",
    details: "Never overwrites a file; says what it left alone.",
    args: [{ form: "[dir]", text: "where (the project folder)" }],
    flags: [],
    examples: [
      ["init", "here"],
      ["init photos", "in the folder photos"],
    ],
    load: async () => (await import("./commands/init.ts")).run,
  },
  {
    name: "new",
    group: "Set up:",
    summary: "write a new pipeline, or a module for one, that runs as it is",
    args: [
      { form: "<kind>", text: "pipeline or node", words: KINDS },
      { form: "<name>", text: "lower-case letters, digits, - and _" },
    ],
    flags: [
      {
        flags: "--template <template>",
        text: `what the pipeline does: ${TEMPLATES.join(", ")} (transform)`,
        parse: oneOf(TEMPLATES),
        words: TEMPLATES,
      },
    ],
    examples: [
      ["new pipeline notes", "pipelines/notes.json"],
      ["new pipeline thumbs --template command", "one that runs a command"],
      ["new node shout", "pipelines/nodes/shout.ts"],
    ],
    load: async () => (await import("./commands/new.ts")).run,
  },
  {
    name: "validate",
    group: "Set up:",
    summary: "check definitions; every fault with its place",
    details: "Exits 2 when a definition has an error.",
    args: [{ form: "[files...]", text: "definition files (all of them)" }],
    flags: [],
    examples: [
      ["validate", "all definitions"],
      ["validate pipelines/echo.json", "this one"],
    ],
    load: async () => (await import("./commands/validate.ts")).run,
  },
  {
    name: "doctor",
    group: "Set up:",
    summary: "check the machine and the project",
    details: "Exits 1 when a check fails.",
    args: [],
    flags: [],
    examples: [["doctor", "one line per check, with what to do"]],
    load: async () => (await import("./commands/doctor.ts")).run,
  },
  {
    name: "completion",
    group: "Set up:",
    summary: "print a completion script for your shell",
    args: [{ form: "<shell>", text: SHELLS.join(", "), words: SHELLS }],
    flags: [],
    examples: [
      ["completion bash > ~/.local/share/bash-completion/completions/millrace", "for bash"],
      ["completion zsh > ~/.zfunc/_millrace", "for zsh, with ~/.zfunc in fpath"],
      ["completion fish > ~/.config/fish/completions/millrace.fish", "for fish"],
    ],
    load: async () => (await import("./commands/completion.ts")).run,
  },
  {
    name: "version",
    group: "Set up:",
    summary: "print the versions of Millrace and Node",
    args: [],
    flags: [],
    examples: [["version", "both, on one line"]],
    load: async () => (await import("./commands/version.ts")).run,
  },
  {
    name: "start",
    group: "Work:",
    summary: "run the daemon in the foreground until it is stopped",
    details:
      "Ctrl-C lets running attempts finish; a second Ctrl-C ends at once.\nWithout a terminal, or with --json, the log is JSON lines.",
    args: [],
    flags: [
      { flags: "--once", text: "the same as run" },
      {
        flags: "--grace <time>",
        text: "how long running attempts may finish after a stop (10s)",
        parse: parseDuration,
      },
      {
        flags: "--log-level <level>",
        text: `${LEVELS.join(", ")} (info; debug with -v, warn with -q)`,
        parse: oneOf(LEVELS),
        words: LEVELS,
      },
    ],
    examples: [
      ["start", "watch and work"],
      ["start --grace 1m --log-level debug", "a patient one that says more"],
    ],
    load: async () => (await import("./commands/start.ts")).run,
  },
  {
    name: "run",
    group: "Work:",
    summary: "look at everything, work until quiet, and exit",
    details: "Exits 1 when work failed, is retrying, blocked or quarantined, or when files did not settle in time.",
    args: [],
    flags: [
      {
        flags: "--settle-timeout <time>",
        text: "how long to wait for files that are still being written",
        parse: parseDuration,
        fallback: [30_000, "30s"],
      },
      { flags: "--wait", text: "wait for retries too" },
    ],
    examples: [
      ["run", "once"],
      ["run --settle-timeout 2m", "with slow copies coming in"],
      ["run --wait --json", "for a script"],
    ],
    load: async () => (await import("./commands/run.ts")).run,
  },
  {
    name: "status",
    group: "Ask:",
    summary: "one screen: counts per stage, what fails, the watcher",
    details: "From the counters, at once: live from a daemon, else as of the last look.",
    args: [],
    flags: [
      { flags: "--watch", text: "again every second" },
      { flags: "--scan", text: "look at the disk first" },
      EXIT_CODE,
    ],
    examples: [
      ["status", "how it stands"],
      ["status --watch", "and how it goes on"],
      ["status --scan --exit-code", "for a script: is everything fresh?"],
    ],
    load: async () => (await import("./commands/status.ts")).run,
  },
  {
    name: "plan",
    group: "Ask:",
    summary: "what would run, in order, and why",
    args: [TARGETS],
    flags: [EXIT_CODE],
    examples: [
      ["plan", "everything"],
      ["plan echo", "one pipeline"],
      ["plan --exit-code", "exits 3 when there is work"],
    ],
    load: async () => (await import("./commands/plan.ts")).run,
  },
  {
    name: "explain",
    group: "Ask:",
    summary: "why a task is stale, or fresh, or failing",
    args: [{ form: "<target>", text: "stage@entity, or the path of its output", isTarget: true }],
    flags: [],
    examples: [
      ["explain output@001", "a task"],
      ["explain output/001.json", "the task that makes this file"],
    ],
    load: async () => (await import("./commands/explain.ts")).run,
  },
  {
    name: "why-not",
    group: "Ask:",
    summary: "why nothing happened to a path",
    args: [{ form: "<path>", text: "relative to the state root, or as you see it from here" }],
    flags: [],
    examples: [["why-not input/notes.md", "ignored, unsettled, or no pattern matches?"]],
    load: async () => (await import("./commands/why-not.ts")).run,
  },
  {
    name: "list",
    group: "Ask:",
    summary: "tasks and their statuses",
    args: [TARGETS],
    flags: [
      {
        flags: "--status <statuses>",
        text: `only these, joined by commas: ${STATUSES.join(", ")}`,
        parse: someOf(STATUSES),
        words: STATUSES,
      },
      limit(1000),
    ],
    examples: [
      ["list output", "of one stage"],
      ["list --status failed,retrying", "what fails"],
      ["list 'output@0*' --limit 20", "some of them"],
    ],
    load: async () => (await import("./commands/list.ts")).run,
  },
  {
    name: "show",
    group: "Ask:",
    summary: "the manifest of an entity: what was made, from what, by which code",
    args: [{ form: "<entity>", text: "an entity's id, or a path of one of its files" }],
    flags: [],
    examples: [
      ["show 001", "by its id"],
      ["show output/001.json", "by a path"],
    ],
    load: async () => (await import("./commands/show.ts")).run,
  },
  {
    name: "history",
    group: "Ask:",
    summary: "attempts, the newest first",
    args: [TARGET],
    flags: [
      limit(100),
      {
        flags: "--result <result>",
        text: `only those that ended so: ${RESULTS.join(", ")}`,
        parse: oneOf(RESULTS),
        words: RESULTS,
      },
    ],
    examples: [
      ["history output@001", "of one task"],
      ["history --result failed --limit 20", "the last failures"],
    ],
    load: async () => (await import("./commands/history.ts")).run,
  },
  {
    name: "logs",
    group: "Ask:",
    summary: "what attempts printed, the oldest first",
    args: [TARGET],
    flags: [{ flags: "-f, --follow", text: "go on with new ones" }, limit(100)],
    examples: [
      ["logs output@001", "of one task"],
      ["logs -f", "of everything, as it comes"],
    ],
    load: async () => (await import("./commands/logs.ts")).run,
  },
  {
    name: "graph",
    group: "Ask:",
    summary: "how stages and pipelines hang together",
    args: [{ form: "[targets...]", text: "a stage, a pipeline, or a glob over these (everything)", isTarget: true }],
    flags: [
      { flags: "--format <format>", text: `${FORMATS.join(", ")} (ascii)`, parse: oneOf(FORMATS), words: FORMATS },
    ],
    examples: [
      ["graph", "as a tree"],
      ["graph --format dot | dot -Tsvg > graph.svg", "as a picture"],
    ],
    load: async () => (await import("./commands/graph.ts")).run,
  },
  {
    name: "verify",
    group: "Ask:",
    summary: "look at everything on disk and say what is off",
    details:
      "Trusts nothing but the files: outputs, manifests, sources, the index. Exits 1 when anything is off.\n--repair does what is safe; what is to be made again is made by the next run, or by the daemon.\n--rebuild finds nodes that do not give the same result for the same input; it writes nothing in the root.",
    args: [TARGETS],
    flags: [
      { flags: "--repair", text: "do what is safe; never touches a source" },
      { flags: "--rebuild", text: "also run every fresh transform once more, elsewhere, and compare the results" },
    ],
    examples: [
      ["verify", "every root, with a daemon or without"],
      ["verify output", "what concerns one stage"],
      ["verify --repair", "and mend what can be mended"],
      ["verify --rebuild output", "and make a stage's outputs again, to see whether they are the same"],
    ],
    load: async () => (await import("./commands/verify.ts")).run,
  },
  {
    name: "retry",
    group: "Decide:",
    summary: "clear failures and run again now",
    args: [SOME_TARGETS],
    flags: [],
    examples: [["retry output@001", "this task"]],
    load: async () => (await import("./commands/change.ts")).retry,
  },
  {
    name: "invalidate",
    group: "Decide:",
    summary: "run again though nothing changed",
    args: [SOME_TARGETS],
    flags: [],
    examples: [["invalidate 'output@2026-*'", "every task that matches"]],
    load: async () => (await import("./commands/change.ts")).invalidate,
  },
  {
    name: "accept",
    group: "Decide:",
    summary: "take outputs as they are now for the right ones",
    details:
      "For an output that was edited by hand, is a foreign file, or was made by older code.\nWith --deletions: takes away what was kept because too much would have gone at once.",
    args: [{ form: "[targets...]", text: TARGETS_TEXT, isTarget: true }],
    flags: [{ flags: "--deletions", text: "let the frozen deletions go, of all roots; takes no targets" }],
    examples: [
      ["accept output/001.json", "keep this edit"],
      ["accept --deletions", "yes, all these files were to go"],
    ],
    load: async () => (await import("./commands/change.ts")).accept,
  },
  {
    name: "hold",
    group: "Decide:",
    summary: "stop stages or tasks from starting",
    args: [SOME_TARGETS],
    flags: [],
    examples: [["hold echo#output", "a whole stage"]],
    load: async () => (await import("./commands/change.ts")).hold,
  },
  {
    name: "release",
    group: "Decide:",
    summary: "let held stages or tasks go on",
    args: [SOME_TARGETS],
    flags: [],
    examples: [["release echo#output", "what hold stopped"]],
    load: async () => (await import("./commands/change.ts")).release,
  },
  {
    name: "quarantine",
    group: "Decide:",
    summary: "what failed for the last time and is set aside",
    details:
      "list (left out: the same), show (the error, what it printed, its inputs, a line to try it by hand) or retry.\nA change of its inputs or its code frees a task, too.",
    args: [
      { form: "[action]", text: "list, show or retry (list)", words: ["list", "show", "retry"] },
      { form: "[targets...]", text: `${TARGETS_TEXT} (everything)`, isTarget: true },
    ],
    flags: [limit(1000)],
    examples: [
      ["quarantine", "one line each"],
      ["quarantine show output@001", "all about one"],
      ["quarantine retry output", "those of a stage, after its cause is mended"],
    ],
    load: async () => (await import("./commands/quarantine.ts")).run,
  },
  {
    name: "trash",
    group: "Decide:",
    summary: "what was moved aside: see it, put it back, remove it",
    details:
      "list (left out: the same), restore or empty. What is in the trash for 7 days is removed by itself.\nNothing is overwritten: where something is by now, restore refuses.",
    args: [
      { form: "[action]", text: "list, restore or empty (list)", words: ["list", "restore", "empty"] },
      {
        form: "[targets...]",
        text: "a path, the name of an entry, a task, a stage, or a glob over these (everything)",
      },
    ],
    flags: [
      { flags: "--older-than <time>", text: "with empty: only what has been there so long", parse: parseDuration },
      { flags: "--yes", text: "with empty: without a question" },
      limit(1000),
    ],
    examples: [
      ["trash", "what is in it, the newest first"],
      ["trash restore output/001.json", "back where it was"],
      ["trash empty --older-than 2d --yes", "for a script"],
    ],
    load: async () => (await import("./commands/trash.ts")).run,
  },
  {
    name: "clean",
    group: "Decide:",
    summary: "products of stages that no definition has any more",
    details:
      "Lists them; on a terminal asks, then moves them to the trash with their records. What was changed since is left alone.\nRefuses while a definition has an error: it might own them.",
    args: [],
    flags: [{ flags: "--yes", text: "move them to the trash without a question" }],
    examples: [
      ["clean", "what there is"],
      ["clean --yes --json", "for a script"],
    ],
    load: async () => (await import("./commands/clean.ts")).run,
  },
];

/** The flags that every command takes. */
export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  { flags: "-C <dir>", text: "the project folder (here)" },
  { flags: "--json", text: "one JSON document on stdout; see docs/cli-json.md" },
  { flags: "--no-color", text: "no colours (they are for terminals only, and NO_COLOR turns them off)" },
  { flags: "-q, --quiet", text: "no warnings, progress or summaries" },
  { flags: "-v, --verbose", text: "whole hashes and lists, nothing cut; more log" },
];
