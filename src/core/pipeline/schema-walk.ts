import type { z } from "./schema.ts";
import type { Path } from "./plain.ts";

/** The parts of a schema's definition that lead to the schemas inside it. */
interface Def {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly valueType?: z.core.$ZodType;
  readonly items?: readonly z.core.$ZodType[];
}

/** The keys that the objects a schema allows at `path` may have; empty when any or none may be there. */
export function keysAt(schema: z.core.$ZodType, path: Path): readonly string[] {
  return [...new Set(schemasAt([schema], path).flatMap((found) => Object.keys(defOf(found).shape ?? {})))];
}

function schemasAt(schemas: readonly z.core.$ZodType[], path: Path): readonly z.core.$ZodType[] {
  const here = schemas.flatMap(alternatives);
  const [step, ...rest] = path;
  if (step === undefined) return here;
  const inside = here.flatMap((schema) => childrenOf(defOf(schema), step));
  return inside.length === 0 ? [] : schemasAt(inside, rest);
}

/** A schema without its wrappers, a union as its members. */
function alternatives(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  const { innerType, in: input, options } = defOf(schema);
  if (options !== undefined) return options.flatMap(alternatives);
  const inner = innerType ?? input;
  return inner === undefined ? [schema] : alternatives(inner);
}

function childrenOf(def: Def, step: string | number): readonly z.core.$ZodType[] {
  if (typeof step === "number") return [def.items?.[step], def.element].filter((child) => child !== undefined);
  const own = def.shape !== undefined && Object.hasOwn(def.shape, step) ? def.shape[step] : undefined;
  return [own, def.valueType].filter((child) => child !== undefined);
}

function defOf(schema: z.core.$ZodType): Def {
  return schema._zod.def;
}
