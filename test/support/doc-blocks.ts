/** One fenced block of a Markdown text. */
export interface DocBlock {
  /** The word after the fence; empty when there is none. */
  readonly language: string;
  readonly text: string;
  /** The line of the fence, counted from 1. */
  readonly line: number;
  /** The last line of text above it that is not empty. */
  readonly above: string;
}

/** Every fenced block, in order. */
export function docBlocks(markdown: string): DocBlock[] {
  const blocks: DocBlock[] = [];
  let open: { language: string; line: number; above: string; lines: string[] } | undefined;
  let above = "";
  for (const [i, text] of markdown.split("\n").entries()) {
    const fence = /^```(\w*)/.exec(text);
    if (open && fence) {
      blocks.push({ language: open.language, line: open.line, above: open.above, text: `${open.lines.join("\n")}\n` });
      open = undefined;
    } else if (open) open.lines.push(text);
    else if (fence) open = { language: fence[1] ?? "", line: i + 1, above, lines: [] };
    else if (text.trim() !== "") above = text;
  }
  if (open) throw new Error(`the block of line ${open.line} has no end`);
  return blocks;
}

/** The first column of every table between a heading and the next one of its level or above: the texts in backticks. */
export function tableNames(markdown: string, heading: string): string[] {
  return sectionOf(markdown, heading)
    .split("\n")
    .filter((line) => /^\| *`/.test(line))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map((found) => found[1] ?? ""));
}

/** The text below a heading, written as `## Title`. */
export function sectionOf(markdown: string, heading: string): string {
  const lines = markdown.split("\n");
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`there is no heading "${heading}"`);
  const level = heading.indexOf(" ");
  const end = lines.findIndex((line, i) => i > start && /^#+ /.test(line) && line.indexOf(" ") <= level);
  return lines.slice(start + 1, end < 0 ? undefined : end).join("\n");
}
