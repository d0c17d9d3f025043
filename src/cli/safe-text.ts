/**
 * Characters that a terminal obeys instead of showing: C0 and C1 controls (escape codes), DEL, line and paragraph separators,
 * marks that turn the direction of text (a name could read as another one), invisible characters, lone surrogates.
 */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\u001b": "\\e" };

/** Text that is safe to print: what a terminal would obey is written as an escape, such as `\n`, `\e` or `\u202e`. */
export function safe(text: string): string {
  return text.replace(UNSAFE, escapeCharacter);
}

/** The same for text of several lines: its line ends stay, and a tab becomes two spaces. */
export function safeLines(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => safe(line.replaceAll("\t", "  ")))
    .join("\n");
}

/** Keys of reports whose text has lines. */
const TEXTS_WITH_LINES: ReadonlySet<string> = new Set(["error", "log"]);

/**
 * A copy of a report in which every text is safe to print, keys too: done once for a whole report, so no screen can forget a field.
 * Only `error` and `log` keep their line ends.
 */
export function safeReport<T>(report: T): T {
  return safeValue(report, "") as T;
}

function safeValue(value: unknown, key: string): unknown {
  if (typeof value === "string") return TEXTS_WITH_LINES.has(key) ? safeLines(value) : safe(value);
  if (Array.isArray(value)) return value.map((item) => safeValue(item, key));
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, item] of Object.entries(value)) copy[safe(name)] = safeValue(item, name);
  return copy;
}

function escapeCharacter(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|^\p{Emoji_Presentation}/u;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]/u;
// oxlint-disable-next-line no-control-regex -- the common case, without looking at each character
const PLAIN = /^[\x20-\x7e]*$/;

/** How many columns of a terminal a safe text takes. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of charactersOf(text)) width += WIDE.test(character) ? 2 : NO_WIDTH.test(character) ? 0 : 1;
  return width;
}

let segmenter: Intl.Segmenter | undefined;

/** The characters as a reader counts them. The segmenter costs 8 ms to make: only texts beyond ASCII pay it. */
function charactersOf(text: string): string[] {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** The text, or so much of its beginning that it takes `width` columns with a final `...`. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  let used = 3;
  for (const character of charactersOf(text)) {
    used += displayWidth(character);
    if (used > width) break;
    kept += character;
  }
  return `${kept}...`;
}
