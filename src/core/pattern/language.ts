/** Patterns as automata over whole paths, for what cannot be said segment by segment. */
import type { RelPath } from "../model/words.ts";
import { compile, type Program, Run } from "./automaton.ts";
import { ALL_CHARS, intersect, invert } from "./char-set.ts";
import { matchPattern } from "./match.ts";
import { literalRegex, type Regex } from "./regex.ts";
import type { Element, Pattern } from "./shape.ts";
import { FREE_REGEX } from "./value-type.ts";

/** Anything below a folder; that segments are not empty is the caller's business. */
const TREE: Regex = {
  kind: "repeat",
  of: { kind: "set", set: intersect(ALL_CHARS, invert([0, 0])) },
  min: 0,
  max: Infinity,
};

const programs = new WeakMap<Pattern, Program>();

/**
 * The program of every path that the pattern matches and, for a folder pattern, of everything in its folders.
 * Uses of one variable are independent of one another in it, and reserved paths are not left out.
 */
export function programOf(pattern: Pattern): Program {
  let program = programs.get(pattern);
  if (program === undefined) {
    const parts = pattern.elements.map(regexOf);
    program = compile({ kind: "sequence", parts: pattern.isFolder ? [...parts, TREE] : parts });
    programs.set(pattern, program);
  }
  return program;
}

function regexOf(element: Element): Regex {
  return typeof element === "string" ? literalRegex(element) : (element.type?.regex ?? FREE_REGEX);
}

/**
 * The folder state that the path is or is in, such as `albums/x/` for `albums/x/1.jpg`; the outermost one where a rest variable
 * leaves a choice. `undefined` when there is none, and for every pattern of files.
 */
export function folderStateOf(pattern: Pattern, path: RelPath): RelPath | undefined {
  if (!pattern.isFolder || !path.startsWith(pattern.prefix)) return undefined;
  if (pattern.restAt >= 0) return outermostFolder(pattern, path);
  let end = 0;
  for (let i = 0; i < pattern.segments.length; i++) {
    end = path.indexOf("/", end) + 1;
    if (end === 0) return undefined;
  }
  const folder = path.slice(0, end);
  return matchPattern(pattern, folder) === undefined ? undefined : folder;
}

function outermostFolder(pattern: Pattern, path: RelPath): RelPath | undefined {
  const run = new Run(programOf(pattern));
  run.enter();
  for (let at = 0; at < path.length && !run.isDead;) {
    const codePoint = path.codePointAt(at)!;
    run.read(codePoint);
    at += codePoint > 0xffff ? 2 : 1;
    if (!run.isAccepting || path[at - 1] !== "/") continue;
    const folder = path.slice(0, at);
    if (matchPattern(pattern, folder) !== undefined) return folder;
  }
  return undefined;
}
