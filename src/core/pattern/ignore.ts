import gitignore, { type Ignore as GitIgnore } from "ignore";
import type { RelPath } from "../model/words.ts";

/** Tells what is no state: droppings of editors, systems and transfers, and what `.millraceignore` names. */
export interface IgnoreRules {
  /**
   * The rule that ignores a path, as it is written (for `why-not`); `undefined` when none does.
   * A path below an ignored folder is ignored by the folder's rule. `path` may end with `/`; `""` is never ignored.
   */
  test(path: RelPath, isFolder: boolean): string | undefined;
}

/** Millrace's own folder: ignored whatever the rules say. */
const OWN_FOLDER = ".millrace";

/** Whole names, all without a leading dot: what begins with one falls under `.*`. */
const NAMES: ReadonlySet<string> = new Set(["Thumbs.db", "desktop.ini", "@eaDir", "__MACOSX"]);

/** Their first characters: nearly every other name is told from them by its own. */
const NAMES_BEGIN: ReadonlySet<number> = new Set([...NAMES].map((name) => name.charCodeAt(0)));

/** Endings, keyed by the last character, which decides for nearly every name. */
const ENDINGS: ReadonlyMap<number, readonly string[]> = Map.groupBy(
  ["~", ".swp", ".tmp", ".part", ".partial", ".crdownload", ".filepart", ".writing", ".camelLock"],
  (ending) => ending.charCodeAt(ending.length - 1),
);

/** The rules that hold before any `.millraceignore` is read, in gitignore syntax. */
export const DEFAULT_IGNORES: readonly string[] = [
  ".*",
  "~$*",
  ...NAMES,
  ...[...ENDINGS.values()].flat().map((ending) => `*${ending}`),
];

/**
 * The rules of a root: the default list, then the lines of its `.millraceignore` (gitignore syntax, paths from the root;
 * a `!` line allows again what an earlier one or a default ignores, but nothing below a folder that stays ignored).
 * Without lines no engine runs: a test costs a look at the first and last character of each segment.
 */
export function createIgnore(millraceignoreText: string = ""): IgnoreRules {
  const hasRules = millraceignoreText.split("\n").some((line) => line.trim() !== "" && !line.startsWith("#"));
  const testName = hasRules ? withLines(millraceignoreText) : defaultRule;
  return {
    test(path, isFolder) {
      const end = path.endsWith("/") ? path.length - 1 : path.length;
      for (let from = 0; from < end;) {
        const slash = path.indexOf("/", from);
        const to = slash === -1 ? end : slash;
        const rule = testName(path, from, to, to < path.length || isFolder);
        if (rule !== undefined) return rule;
        from = to + 1;
      }
      return undefined;
    },
  };
}

/** Tests one segment, `path.slice(from, to)`, knowing that those before it are not ignored. */
type SegmentTest = (path: RelPath, from: number, to: number, isFolder: boolean) => string | undefined;

function withLines(text: string): SegmentTest {
  let engine: GitIgnore = newEngine(text);
  let tests = 0;
  return (path, from, to, isFolder) => {
    const byDefault = defaultRule(path, from, to);
    if (byDefault === OWN_FOLDER) return byDefault;
    if (++tests > TESTS_OF_ONE_ENGINE) {
      engine = newEngine(text);
      tests = 0;
    }
    const verdict = engine.test(isFolder ? `${path.slice(0, to)}/` : path.slice(0, to));
    if (verdict.unignored) return undefined;
    return verdict.ignored ? (verdict.rule?.pattern ?? ".millraceignore") : byDefault;
  };
}

/** The library keeps its answer for every path it ever saw, which an endless stream of names would fill the memory with. */
const TESTS_OF_ONE_ENGINE = 20_000;

function newEngine(text: string): GitIgnore {
  // Case counts, as everywhere else in Millrace. A name that begins with a backslash or `..` is a name like any other.
  return gitignore({ ignorecase: false, allowRelativePaths: true }).add(text);
}

function defaultRule(path: RelPath, from: number, to: number): string | undefined {
  const first = path.charCodeAt(from);
  if (first === DOT) return from === 0 && path.slice(0, to) === OWN_FOLDER ? OWN_FOLDER : ".*";
  if (first === TILDE && path.charCodeAt(from + 1) === DOLLAR && to - from > 1) return "~$*";
  const endings = ENDINGS.get(path.charCodeAt(to - 1));
  if (endings !== undefined) {
    for (const ending of endings) {
      if (to - from >= ending.length && path.endsWith(ending, to)) return `*${ending}`;
    }
  }
  if (!NAMES_BEGIN.has(first)) return undefined;
  const name = path.slice(from, to);
  return NAMES.has(name) ? name : undefined;
}
const DOT = 0x2e;
const TILDE = 0x7e;
const DOLLAR = 0x24;
