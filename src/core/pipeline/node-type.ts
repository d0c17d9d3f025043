import type { z } from "zod";

/** A fault found in a node's `data` beyond its schema. */
export interface DataFault {
  /** Keys from `data` to the faulty value. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly hint: string;
}

/** What loading a definition must know of a node type; the adapter that runs it adds `run`. */
export interface NodeTypeInfo {
  readonly typeId: string;
  /** One line for the JSON Schema, the docs and `millrace new`. */
  readonly description: string;
  /** Raised only when the same data and inputs give other results: part of the code hash. */
  readonly version: number;
  /** The shape of `data`; descriptions become the JSON Schema's. */
  readonly data: z.ZodType;
  /** Whether `data` is code (staleness `code-changed`) or params (`params-changed`). */
  readonly dataIs: "code" | "params";
  /** May a stage of this type have `then` and `else`? */
  readonly branches: boolean;
  /** Faults a schema cannot express, such as an expression that does not parse. */
  findFaults(data: unknown): readonly DataFault[];
}
