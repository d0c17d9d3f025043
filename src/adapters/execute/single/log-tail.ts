const MAX_BYTES = 64 << 10;

/** The end of what an attempt printed and logged: at most 64 KiB of UTF-8. */
export class LogTail {
  #text = "";

  add(text: string): void {
    this.#text += text;
    // Cut now and then, not at every line. A UTF-16 unit is at least one byte, so nothing that counts is lost.
    if (this.#text.length > 2 * MAX_BYTES) this.#text = this.#text.slice(-MAX_BYTES);
  }

  toString(): string {
    const bytes = Buffer.from(this.#text);
    if (bytes.length <= MAX_BYTES) return this.#text;
    let from = bytes.length - MAX_BYTES;
    // Not in the middle of a character.
    while (((bytes[from] ?? 0) & 0xc0) === 0x80) from++;
    return bytes.toString("utf8", from);
  }
}
