const MAX_BYTES = 64 << 10;
// What is cut off first, before masking, may cut a secret in two: that place must not be among what is kept in the end.
const MARGIN = 8 << 10;

/** The end of what an attempt printed and logged. */
export class LogTail {
  #text = "";

  add(text: string): void {
    this.#text += text;
    // Cut now and then, not at every line. A UTF-16 unit is at least one byte, so nothing that counts is lost.
    if (this.#text.length > 4 * MAX_BYTES) this.#text = this.#text.slice(-(MAX_BYTES + MARGIN));
  }

  /** At most 64 KiB of UTF-8, after `mask` has made it fit to be shown. */
  render(mask: (text: string) => string): string {
    const bytes = Buffer.from(mask(this.#text));
    let from = Math.max(0, bytes.length - MAX_BYTES);
    // Not in the middle of a character.
    while (((bytes[from] ?? 0) & 0xc0) === 0x80) from++;
    return bytes.toString("utf8", from);
  }
}
