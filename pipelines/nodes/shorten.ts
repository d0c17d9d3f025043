/** The text cut after a whole word to at most so many characters (an emoji is one), with "…" when it was longer. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(text);
  if (characters.length <= length) return text;
  const cut = characters.slice(0, length - 1).join("");
  // One long word has no better place to be cut.
  return `${cut.replace(/\s+\S*$/, "") || cut}…`;
}
