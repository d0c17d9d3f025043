/** The project that is killed again and again: three pipelines in a row, a command beside them, nodes that fail, and marks of every run. */
import { moduleNode, shell, source, stage } from "../../support/rig.ts";
import type { PlannedStage } from "../checker/plan.ts";

/** What a live edit changes: both go up only, so that no version comes back. */
export interface Versions {
  /** Of the module's parameter. */
  readonly mark: number;
  /** Of an expression. */
  readonly wrap: number;
}

/** Where the nodes tell of their runs, relative to the project folder: outside the root. */
export const EFFECTS_FILE = "effects.jsonl";

const RETRY = { maxAttempts: 2, backoffSeconds: [0.05] };
const COMMON = { retryPolicy: RETRY, maxConcurrentEntities: 8 };

/** The definitions, by the name of each pipeline. */
export function definitionsOf(dir: string, { mark, wrap }: Versions): { readonly name: string }[] {
  const marking = moduleNode("nodes/mark.ts", { mark: `m${mark}`, log: `${dir}/${EFFECTS_FILE}` });
  return [
    {
      name: "one",
      ...COMMON,
      stages: [
        source("input", "input/{id}.txt", { settle: "1ms" }),
        stage("upper", "input", "upper/{id}.txt", "$.input.content.toUpperCase()"),
        stage("marked", "upper", "marked/{id}.txt", marking),
      ],
    },
    {
      name: "two",
      ...COMMON,
      stages: [
        source("taken", "marked/{name}.txt", { settle: "1ms" }),
        stage("wrapped", "taken", "wrapped/{name}.txt", `'v${wrap}(' + $.taken.content + ')'`),
      ],
    },
    {
      name: "three",
      ...COMMON,
      stages: [
        source("last", "wrapped/{id}.txt", { settle: "1ms" }),
        stage("final", "last", "final/{id}.json", "'final(' + $.last.content + ')'"),
      ],
    },
    {
      name: "four",
      ...COMMON,
      stages: [
        source("command", "marked/c-{id}.txt", { settle: "1ms" }),
        stage("shelled", "command", "shelled/{id}.txt", shell(SHELL)),
      ],
    } as { name: string },
  ] as { name: string }[];
}

/** The same as a plan says it. */
export function plannedStages(
  { mark, wrap }: Versions,
  since: Readonly<Record<"mark" | "wrap", number>>,
): PlannedStage[] {
  return [
    { key: "one#input", type: "source", pattern: "input/{id}.txt" },
    { key: "one#upper", type: "transform", pattern: "upper/{id}.txt", input: "input", op: "upper" },
    {
      key: "one#marked",
      type: "transform",
      pattern: "marked/{id}.txt",
      input: "upper",
      op: `wrap:m${mark}`,
      failsOn: "POISON",
      maxAttempts: RETRY.maxAttempts,
      since: since.mark,
    },
    { key: "two#taken", type: "source", pattern: "marked/{name}.txt" },
    {
      key: "two#wrapped",
      type: "transform",
      pattern: "wrapped/{name}.txt",
      input: "taken",
      op: `wrap:v${wrap}`,
      since: since.wrap,
    },
    { key: "three#last", type: "source", pattern: "wrapped/{id}.txt" },
    { key: "three#final", type: "transform", pattern: "final/{id}.json", input: "last", op: "wrap:final" },
    { key: "four#command", type: "source", pattern: "marked/c-{id}.txt" },
    { key: "four#shelled", type: "transform", pattern: "shelled/{id}.txt", input: "command", op: "copy" },
  ];
}

/** The node of `marked`: says when it begins and ends, fails for poison always and for what is flaky on the first try. */
export const MARK_NODE: string = `import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export default async ({ entity, input, params, attempt }) => {
  const nonce = process.pid + "-" + process.hrtime.bigint();
  const tell = (more) => appendFileSync(params.log, JSON.stringify({ nonce, at: Date.now(), ...more }) + "\\n");
  const output = params.mark + "(" + input.content + ")";
  tell({ stage: "one#marked", entity: entity.id, path: input.path, input: input.content, code: params.mark, output });
  await delay(2);
  const failed = input.content.includes("POISON") || (input.content.includes("FLAKY") && attempt === 1);
  tell({ failed });
  if (failed) throw new Error("it cannot be marked");
  return output;
};
`;

/**
 * The same for `shelled`: the input as it is. Contents hold no quotes.
 * The log's name stands in pieces: a file that a command names counts as its code, and this one changes with every run.
 */
const SHELL = [
  `ends=jsonl; log="$MILLRACE_ROOT/../effects.$ends"`,
  `n="$$-$(date +%s%N)"`,
  `content="$(cat "$MILLRACE_INPUT")"`,
  `printf '{"nonce":"%s","at":%s,"stage":"four#shelled","entity":"%s","path":"marked/c-%s.txt","input":"%s","output":"%s"}\\n' ` +
    `"$n" "$(date +%s%3N)" "$MILLRACE_ENTITY" "$MILLRACE_ENTITY" "$content" "$content" >> "$log"`,
  `sleep 0.005`,
  `cat "$MILLRACE_INPUT" > "$MILLRACE_OUTPUT"`,
  `printf '{"nonce":"%s","at":%s,"failed":false}\\n' "$n" "$(date +%s%3N)" >> "$log"`,
].join("; ");
