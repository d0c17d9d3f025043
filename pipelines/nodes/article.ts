// A draft becomes an article: its front matter is checked and completed, and its text gets a heading.
import { type Document, readDocument, writeDocument } from "./front-matter.ts";
import { shorten } from "./shorten.ts";

/** What the stage hands in; the rest of what a node gets is not needed here. */
interface Draft {
  readonly entity: { readonly id: string };
  readonly input: { text(): string };
  readonly params: { readonly wordsPerMinute?: number; readonly summaryLength?: number };
}

const KEYS = ["title", "date", "tags", "summary", "author"];

/**
 * The article: Markdown with the keys title, slug, date, author, tags, summary, words and readingMinutes.
 * Fails with every fault of the draft at once, one to a line.
 */
export default ({ entity, input, params }: Draft): string => {
  const { wordsPerMinute = 220, summaryLength = 160 } = params;
  const document = readDocument(input.text());
  const faults = [...slugFaults(entity.id), ...keyFaults(document), ...bodyFaults(document)];
  if (faults.length > 0) throw new Error(faults.join("\n"));
  const title = textOf(document, "title");
  const words = countWords(document.body);
  const author = textOf(document, "author");
  const head = {
    title,
    slug: entity.id,
    date: textOf(document, "date"),
    ...(author === "" ? {} : { author }),
    tags: tagsOf(document),
    summary: textOf(document, "summary") || shorten(firstParagraph(document.body), summaryLength),
    words,
    readingMinutes: Math.max(1, Math.round(words / wordsPerMinute)),
  };
  return writeDocument(head, document.body.startsWith("# ") ? document.body : `# ${title}\n\n${document.body}`);
};

function slugFaults(slug: string): string[] {
  if (/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(slug) && slug.length <= 80) return [];
  return [
    `the file's name "${slug}.md" becomes part of an address: use at most 80 lower-case letters, digits and single "-"`,
  ];
}

function keyFaults(document: Document): string[] {
  const faults: string[] = [];
  for (const [key, { line }] of document.entries) {
    if (!KEYS.includes(key)) faults.push(`line ${line}: the key "${key}" is not known; keys are ${KEYS.join(", ")}`);
  }
  for (const key of ["title", "summary", "author"]) {
    const entry = document.entries.get(key);
    if (typeof entry?.value === "object") faults.push(`line ${entry.line}: "${key}" is a list, but must be a text`);
  }
  if (textOf(document, "title") === "") faults.push('"title" is missing: add a line "title: ..."');
  const date = textOf(document, "date");
  if (date === "") faults.push('"date" is missing: add a line "date: 2026-11-20"');
  else if (!isDate(date))
    faults.push(`line ${document.entries.get("date")?.line}: "date" is "${date}", but must be a day like 2026-11-20`);
  return faults;
}

function bodyFaults({ body }: Document): string[] {
  return body === "" ? ["there is no text below the front matter"] : [];
}

function textOf({ entries }: Document, key: string): string {
  const value = entries.get(key)?.value;
  return typeof value === "string" ? value : "";
}

/** Each tag once, in lower case, in the order of the draft. */
function tagsOf({ entries }: Document): string[] {
  const value = entries.get("tags")?.value ?? [];
  const tags = typeof value === "string" ? value.split(",") : value;
  return [...new Set(tags.map((tag) => tag.trim().toLowerCase()).filter((tag) => tag !== ""))];
}

function isDate(text: string): boolean {
  const day = new Date(`${text}T00:00:00Z`);
  // February 30 would be read as March 2.
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

function countWords(markdown: string): number {
  return plainText(markdown).match(/[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*/gu)?.length ?? 0;
}

function firstParagraph(markdown: string): string {
  const paragraphs = markdown.split(/\n\s*\n/).filter((part) => !/^(?:#|```|!\[|>|[-*] )/.test(part.trim()));
  return plainText(paragraphs[0] ?? markdown)
    .replace(/\s+/g, " ")
    .trim();
}

/** Markdown without its marks: links and images keep their text. */
function plainText(markdown: string): string {
  return markdown
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^#+ /gm, "")
    .replace(/[*_`>]/g, "");
}
