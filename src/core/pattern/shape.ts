import type { RelPath } from "../model/words.ts";
import type { TextFault } from "./regex.ts";
import type { ValueType } from "./value-type.ts";

/** A variable of a pattern. */
export interface Variable {
  readonly name: string;
  /** Written `{name...}`: its value may span folders. */
  readonly rest: boolean;
  /** As written after the colon, such as `int` or `/[a-z]+/`; `undefined` when the variable is free. */
  readonly type: string | undefined;
}

/** One use of a variable in the text. */
export interface Use {
  readonly name: string;
  readonly rest: boolean;
  /** What a value must look like; `undefined`: one or more characters of a name. Always given for a rest variable. */
  readonly type: ValueType | undefined;
}

/** Literal text, never empty, or the use of a variable. Two uses, and two literal texts, never follow one another. */
export type Element = string | Use;

/** What stands between two `/` of the pattern's text. With a rest variable it matches one or more segments of a path, else exactly one. */
export interface Segment {
  /** As written. */
  readonly text: string;
  readonly elements: readonly Element[];
}

/** A part of a text, in UTF-16 units. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** A checked pattern: the set of paths that it matches, and the variables that it reads from them. */
export interface Pattern {
  /** As written. */
  readonly text: string;
  /** In the order of their first use, each once. */
  readonly variables: readonly Variable[];
  /** Per variable: where its first use stands in the text, braces included. */
  readonly spans: readonly Span[];
  /** The text ends with `/`: states are folders, and so do their paths. */
  readonly isFolder: boolean;
  /** The folder all states are in, as far as it is literal, without a final slash: `input` for `input/{id}.txt`, empty for `{id}.txt`. */
  readonly base: RelPath;
  /** How many levels below `base` a state lies: 1 for `input/{id}.txt`; `Infinity` with a rest variable. */
  readonly depth: number;
  readonly segments: readonly Segment[];
  /** Which segment has the rest variable; -1 when none has. */
  readonly restAt: number;
  /** The whole pattern, slashes included. */
  readonly elements: readonly Element[];
  /** The literal text before the first use and after the last one; both are all of it when there is no use. */
  readonly prefix: string;
  readonly suffix: string;
  /** The only use, when there is exactly one. */
  readonly sole: Use | undefined;
  /** Indexes of `segments` in the order in which they are matched: `match.ts` says why. */
  readonly order: readonly number[];
  /** Some variable is used more than once. */
  readonly hasRepeats: boolean;
  /** Every binding of fitting values is the only one of its path: no two uses share a segment. */
  readonly isUnambiguous: boolean;
  /** Values could make a segment `.` or `..`, or the first one `.millrace`; such paths are never states. */
  readonly mayBeReserved: boolean;
}

/** One thing that is wrong with a pattern, by its place in the text in UTF-16 units. */
export type PatternFault = TextFault;
