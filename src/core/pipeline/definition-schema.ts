import { z } from "./schema.ts";
import { DURATION_TEXT, SIZE_TEXT, durationMs, sizeBytes } from "./quantities.ts";

/**
 * The one source of the keys, types, ranges, defaults and descriptions of a definition: it checks definitions and becomes the JSON Schema.
 * Texts of `error` read "what it must be | what to do"; see `zod-faults.ts`.
 */

/** A retry policy as written; keys left out come from the pipeline or the defaults. */
export interface ParsedRetryPolicy {
  readonly maxAttempts?: number | undefined;
  readonly backoffSeconds?: readonly number[] | undefined;
  readonly jitter?: number | undefined;
}
/** A pipeline's own keys, times in milliseconds; `stages` as they were written. */
export interface ParsedTop {
  readonly name?: string | undefined;
  readonly description: string;
  readonly version: number | string;
  readonly enabled: boolean;
  readonly stateRoot: string;
  readonly scanInterval: number;
  readonly maxConcurrentEntities: number;
  readonly retryPolicy?: ParsedRetryPolicy | undefined;
  readonly stages: readonly unknown[];
}
interface ParsedStage {
  readonly id: string;
  readonly name?: string | undefined;
  readonly description: string;
}
export interface ParsedSource extends ParsedStage {
  readonly filter: { readonly minSize?: number; readonly maxSize?: number; readonly minFiles?: number };
  readonly settle?: number | undefined;
}
export interface ParsedTask extends ParsedStage {
  readonly validation: {
    readonly minSize?: number;
    readonly maxSize?: number;
    readonly json?: boolean;
    readonly matches?: string;
  };
  readonly timeout: number;
  readonly concurrency?: number | undefined;
  readonly priority: number;
  readonly retryPolicy?: ParsedRetryPolicy | undefined;
  readonly env: readonly string[];
  readonly tools: Readonly<Record<string, string>>;
  readonly durability: "process" | "sync";
  readonly onEdit: "rebuild" | "keep";
  readonly onOrphan: "trash" | "keep" | "delete";
  readonly rerun?: "changed" | "always" | undefined;
}

const DAY_MS = 86_400_000;
const LONGEST_MS = 366 * DAY_MS;

/** A time between `minMs` and 366 days; comes out as milliseconds. */
function duration(minMs: number): z.ZodType<number, number | string> {
  const least = minMs >= 1000 ? `${minMs / 1000}s` : `${minMs}ms`;
  const error = `a time from ${least} to 366d | write seconds as a number, or text with a unit: "500ms", "5s", "10m", "1h", "2d"`;
  const seconds = z
    .number()
    .min(minMs / 1000, { error })
    .max(LONGEST_MS / 1000, { error });
  return z
    .union([seconds, z.string().regex(DURATION_TEXT, { error })], { error })
    .transform(durationMs)
    .refine((ms) => ms >= minMs && ms <= LONGEST_MS, { error });
}

/** A number of bytes; comes out as a number. */
function size(): z.ZodType<number, number | string> {
  const error =
    'a size of at most 1 PB | write bytes as a whole number, or text with a unit: "100B", "1KB", "1.5MB", "2GB"';
  return z
    .union([z.int({ error }).min(0, { error }), z.string().regex(SIZE_TEXT, { error })], { error })
    .transform(sizeBytes)
    .refine((bytes) => bytes <= 2 ** 50, { error });
}

/** What a stage's id and an alias may be: they are typed in targets (`stage@entity`) and in expressions (`$.stage`). */
export const ID_TEXT: RegExp = /^(?!(?:__proto__|entity)$)[\p{L}\p{N}_][\p{L}\p{N}_.-]{0,99}$/u;
/** What a pipeline's name may be; `#`, `@`, `/` and glob characters have a meaning in targets. */
export const NAME_TEXT: RegExp = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_. -]{0,98}[\p{L}\p{N}_-])?$/u;

const id = z.string().regex(ID_TEXT, {
  error:
    'a short name that starts with a letter or digit, other than "entity" | use letters, digits, "_", "-" and "."; in expressions "$.entity" is the entity itself',
});
const text = z.string().max(10_000);

const retryPolicy = z.strictObject({
  maxAttempts: z.int().min(1).max(1000).optional().meta({
    description: "How many attempts a task gets under one signature, the first one included. Then it is quarantined.",
    default: 7,
  }),
  backoffSeconds: z
    .array(duration(0).transform((ms) => ms / 1000))
    .min(1)
    .max(100)
    .optional()
    .meta({
      description: "The delays before attempt 2, 3, ...: seconds, or text with a unit. The last one repeats.",
      default: [60, 300, 900, 3600, 14400, 86400],
    }),
  jitter: z.number().min(0).max(1).optional().meta({
    description: "From 0 to 1: each delay is drawn from [delay * (1 - jitter), delay].",
    default: 0,
  }),
});

const topShape = {
  $schema: z.string().optional().meta({ description: "Where an editor finds the JSON Schema of definitions." }),
  name: z
    .string()
    .regex(NAME_TEXT, {
      error: 'a name of at most 100 letters, digits, "_", "-", "." and inner spaces | choose such a name',
    })
    .optional()
    .meta({ description: "The pipeline's name, unique in its state root. Default: the file's base name." }),
  description: text.default("").meta({ description: "What the pipeline is for, for people." }),
  mode: z
    .enum(["pipeline", "workflow"])
    .default("pipeline")
    .meta({ description: "What kind of definition this is. Both words name the same kind: stages over states." }),
  version: z
    .union([z.int().min(0), z.string().min(1).max(100)], {
      error: "a whole number or a text | write a number or a text",
    })
    .default(1)
    .meta({ description: "The definition's version, for people." }),
  enabled: z
    .boolean()
    .default(true)
    .meta({ description: "Whether the pipeline runs. A disabled one is still checked." }),
  stateRoot: z
    .string()
    .regex(/^[^\0]+$/, { error: "a path | write the path of a folder, relative to the project folder" })
    .max(4096)
    .default("state/")
    .meta({
      description: "The folder that is watched, relative to the project folder (the one that holds pipelines/).",
    }),
  scanInterval: duration(1000).prefault("10m").meta({
    description:
      "How often the whole root is looked at in case the watcher missed something. Seconds, or text with a unit.",
  }),
  maxConcurrentEntities: z
    .int()
    .min(1)
    .max(10_000)
    .default(10)
    .meta({ description: "How many attempts of this pipeline run at one time." }),
  retryPolicy: retryPolicy.optional().meta({ description: "When a failed task is tried again." }),
};

const stageShape = {
  id: id.meta({ description: "The stage's id, unique in its pipeline." }),
  name: z.string().min(1).max(200).optional().meta({ description: "The stage's name for people. Default: its id." }),
  description: text.default("").meta({ description: "What the stage is for, for people." }),
};
const pattern = z.string().meta({
  description:
    "The path of the stage's states, relative to the state root, with variables: input/{id}.txt. A final / means a folder.",
});

const sourceShape = {
  ...stageShape,
  type: z.literal("source").meta({ description: "Files that arrive." }),
  pattern,
  filter: z
    .strictObject({
      minSize: size().optional().meta({ description: "Smallest size: bytes, or text with a unit." }),
      maxSize: size().optional().meta({ description: "Largest size: bytes, or text with a unit." }),
      minFiles: z.int().min(0).optional().meta({ description: "For a folder: how many files it must hold." }),
    })
    .default({})
    .meta({ description: "A state that fails this counts as absent." }),
  settle: duration(0).optional().meta({
    description: "How long a file must be quiet before it is read. Default: 200 ms on a local disk, 5 s on a share.",
  }),
  marker: z.string().optional().meta({
    description:
      "The pattern of a done-file that must exist beside the state, with variables of the stage's pattern: input/{id}.done",
  }),
};

const inputReference = z.union([id, z.tuple([id]), z.record(id, z.union([id, z.strictObject({ stage: id })]))]);

/** A node of any type, its `data` not yet looked at. */
export const anyNode: z.ZodType = z.strictObject({
  typeId: z.string().min(1),
  data: z.record(z.string(), z.unknown()).default({}),
});

function taskShape(node: z.ZodType) {
  return {
    ...stageShape,
    pattern,
    input: inputReference.meta({
      description:
        "The stage this one is made from: its id, a list of one id, or an object of one alias to an id or { stage }.",
    }),
    node: node.optional().meta({ description: "What the stage does. Default: it copies its input." }),
    then: node.optional().meta({ description: "For a node that chooses, such as `if`: what runs when it chose yes." }),
    else: node.optional().meta({ description: "For a node that chooses, such as `if`: what runs when it chose no." }),
    validation: z
      .strictObject({
        minSize: size().optional().meta({ description: "Smallest size: bytes, or text with a unit." }),
        maxSize: size().optional().meta({ description: "Largest size: bytes, or text with a unit." }),
        json: z.boolean().optional().meta({ description: "Whether the result must parse as JSON." }),
        matches: z.string().min(1).max(1000).optional().meta({
          description: "A regular expression (of the safe, linear-time subset) that the text must contain.",
        }),
      })
      .default({})
      .meta({
        description: "Checks of a result before it is published. One that fails leaves the old output in place.",
      }),
    timeout: duration(1)
      .prefault(300)
      .meta({ description: "How long an attempt may take. Seconds, or text with a unit." }),
    concurrency: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .meta({ description: "How many attempts of this stage run at one time. Default: unlimited." }),
    priority: z.int().min(-1000).max(1000).default(0).meta({ description: "Higher goes first." }),
    retryPolicy: retryPolicy
      .optional()
      .meta({ description: "When a failed task is tried again. Keys left out are the pipeline's." }),
    env: z
      .array(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
          error: "the name of an environment variable | use letters, digits and _",
        }),
      )
      .default([])
      .meta({ description: "Names of environment variables that count as inputs." }),
    tools: z
      .record(z.string().min(1).max(100), z.string().min(1))
      .default({})
      .meta({ description: "Tools that count as inputs: name to the command that prints the version." }),
    durability: z
      .enum(["process", "sync"])
      .default("process")
      .meta({ description: "What a result survives at once: the end of the process, or with `sync` a power cut too." }),
    onEdit: z.enum(["rebuild", "keep"]).default("rebuild").meta({
      description: "What happens to an output edited by hand: made again (the edit goes to the trash), or left alone.",
    }),
    onOrphan: z.enum(["trash", "keep", "delete"]).default("trash").meta({
      description:
        "What happens to an output whose source is gone: it goes to the trash, stays, or is removed for good.",
    }),
  };
}
const type = {
  transform: z.literal("transform").meta({ description: "Files that are produced." }),
  sink: z.literal("sink").meta({ description: "An effect outside; the file is its receipt." }),
};
function sinkShape(node: z.ZodType) {
  const rerun = z.enum(["changed", "always"]).optional().meta({
    description: "A sink fires again for changed inputs; with `always` for changed code too.",
    default: "changed",
  });
  return { ...taskShape(node), type: type.sink, rerun };
}

/** A pipeline's own keys; the stages are checked one by one. */
export const topSchema: z.ZodType<ParsedTop> = z.strictObject({
  ...topShape,
  stages: z.array(z.unknown()).min(1).max(1000),
});

/** The schema of a stage, by its type. `source` gives a `ParsedSource`, the others a `ParsedTask`. */
export const stageSchemas: {
  readonly source: z.ZodType<ParsedSource>;
  readonly transform: z.ZodType<ParsedTask>;
  readonly sink: z.ZodType<ParsedTask>;
} = {
  source: z.strictObject(sourceShape) as unknown as z.ZodType<ParsedSource>,
  transform: z.strictObject({ ...taskShape(anyNode), type: type.transform }) as unknown as z.ZodType<ParsedTask>,
  sink: z.strictObject(sinkShape(anyNode)) as unknown as z.ZodType<ParsedTask>,
};

/** The schema of a whole definition, with `node` for every node in it. */
export function definitionSchema(node: z.ZodType): z.ZodType {
  const stage = z.discriminatedUnion("type", [
    z.strictObject(sourceShape),
    z.strictObject({ ...taskShape(node), type: type.transform }),
    z.strictObject(sinkShape(node)),
  ]);
  const stages = z.array(stage).min(1).max(1000).meta({ description: "The stages, in any order." });
  return z.strictObject({ ...topShape, stages });
}
