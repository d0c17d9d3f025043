const utf8 = new TextEncoder();
const decoder = new TextDecoder();

/** The end of a text, at most so many bytes of UTF-8; never begins in the middle of a character, and at a line where one begins in its first half. */
export function tailOf(text: string, maxBytes: number): string {
  // A UTF-16 unit is at least one byte, so what is cut here would not be kept anyway.
  const bytes = utf8.encode(text.slice(-maxBytes));
  if (bytes.length <= maxBytes && text.length <= maxBytes) return text.isWellFormed() ? text : text.toWellFormed();
  let from = Math.max(0, bytes.length - maxBytes);
  while (((bytes[from] ?? 0) & 0xc0) === 0x80) from++;
  const tail = decoder.decode(bytes.subarray(from));
  const newline = tail.indexOf("\n");
  return newline >= 0 && newline < tail.length / 2 ? tail.slice(newline + 1) : tail;
}
