/**
 * The pattern language: what a stage's `pattern` says, and the only matcher that scanning, watching and planning use.
 *
 *     input/{id}.txt                 one variable; {id} is one or more characters other than "/"
 *     orders/{region}/{date:date}    a type: int, date, week, slug, uuid, hex
 *     {id:/[a-z]{3}-\d+/}.json       a type as an expression; regex.ts says which are allowed
 *     docs/{path...}.md              {path...} is one or more folders and names: a/b/c; once in a pattern
 *     docs/{path...:slug}/           each of its pieces is a slug; a final "/" means that states are folders
 *     {id}/{id}.txt                  used twice: equal in both places
 *     notes/{{draft}}.txt            doubled braces are literal ones: notes/{draft}.txt
 *
 * - Names of variables: a letter or `_`, then letters, digits and `_`. At most 16 of them, in at most 4 KiB of UTF-8.
 * - Types: `int` is digits with an optional `-`; `date` a real day, YYYY-MM-DD; `week` a real ISO week, YYYY-Www; `slug` lower-case
 *   letters and digits with single `-` inside; `uuid` and `hex` in either case. Expressions are compared with the whole value.
 * - Text is compared exactly, UTF-16 unit by unit: dots, newlines and case count, and NFC and NFD are different names.
 * - Matching takes linear time; of several variables in one segment the earlier ones take as little as they can.
 * - Never a state: a path with a `.` or `..` segment, with NUL, or in `.millrace/`.
 */
export type { Pattern, PatternFault } from "./shape.ts";
export type { Rendered } from "./render.ts";
export { parsePattern } from "./parse.ts";
export { matchPattern } from "./match.ts";
export { renderPattern } from "./render.ts";
export { entityIdOf, sameVariables, variableSpan, varsOfEntity } from "./entity.ts";
export { folderStateOf } from "./language.ts";
export { findOverlap } from "./overlap.ts";
export { nearestMiss } from "./nearest-miss.ts";
