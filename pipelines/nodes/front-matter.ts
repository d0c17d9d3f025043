// The lines between two "---" at the top of a Markdown file: `key: value` and lists, in the part of YAML that people type.

/** A key's value, with the line it stands on, counted from 1. */
export interface Entry {
  readonly value: string | readonly string[];
  readonly line: number;
}

/** A Markdown file in its two parts. */
export interface Document {
  readonly entries: ReadonlyMap<string, Entry>;
  readonly body: string;
}

/** Reads the front matter of a Markdown text; throws an error that names the line for what cannot be understood. */
export function readDocument(text: string): Document {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines[0]?.trimEnd() !== "---")
    throw new Error('line 1: the file must begin with a line "---", then its front matter');
  const end = lines.findIndex((line, i) => i > 0 && line.trimEnd() === "---");
  if (end === -1) throw new Error('the front matter has no end: add a line "---" after its last key');
  return {
    entries: readEntries(lines.slice(1, end)),
    body: lines
      .slice(end + 1)
      .join("\n")
      .trim(),
  };
}

function readEntries(lines: readonly string[]): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  let list: { readonly key: string; readonly items: string[]; readonly line: number } | undefined;
  for (const [i, written] of lines.entries()) {
    const line = i + 2;
    const text = written.trim();
    if (text === "" || text.startsWith("#")) continue;
    if (list && text.startsWith("- ")) {
      list.items.push(readText(text.slice(2).trim(), line));
      continue;
    }
    const found = /^([A-Za-z][\w-]*):(?:\s+(.*))?$/.exec(text);
    if (!found || /^\s/.test(written)) throw new Error(`line ${line}: "${text}" is not "key: value"`);
    const [, key = "", value = ""] = found;
    if (entries.has(key))
      throw new Error(`line ${line}: "${key}" is given twice, first on line ${entries.get(key)?.line}`);
    list = value === "" ? { key, items: [], line } : undefined;
    entries.set(key, { value: list ? list.items : readValue(value, line), line });
  }
  return entries;
}

function readValue(text: string, line: number): string | readonly string[] {
  if (!text.startsWith("[")) return readText(text, line);
  if (!text.endsWith("]")) throw new Error(`line ${line}: the list "${text}" has no "]"`);
  const inside = text.slice(1, -1).trim();
  return inside === "" ? [] : inside.split(",").map((item) => readText(item.trim(), line));
}

function readText(text: string, line: number): string {
  const quote = text[0];
  if (quote !== '"' && quote !== "'") return text;
  if (text.length < 2 || text.at(-1) !== quote) throw new Error(`line ${line}: ${text} has no closing ${quote}`);
  if (quote === "'") return text.slice(1, -1).replaceAll("''", "'");
  try {
    return String(JSON.parse(text));
  } catch {
    throw new Error(`line ${line}: ${text} is no text in double quotes; write \\" for a quote inside it`);
  }
}

/** Front matter that `readDocument` and every YAML reader understand: texts in double quotes, lists on one line. */
export function writeDocument(
  entries: Readonly<Record<string, string | number | readonly string[]>>,
  body: string,
): string {
  const lines = Object.entries(entries).map(([key, value]) => {
    const text =
      typeof value === "object" ? `[${value.map((item) => JSON.stringify(item)).join(", ")}]` : JSON.stringify(value);
    return `${key}: ${text}`;
  });
  return ["---", ...lines, "---", "", body, ""].join("\n");
}
