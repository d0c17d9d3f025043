const SHORTEST_SECRET = 4;

/**
 * Gives back what it is given with every secret in its texts replaced by `***`, in arrays and plain objects at any depth
 * (errors become their stack first). Without secrets the very same value comes back.
 */
export function createMask(secrets: Iterable<string>): <T>(value: T) => T {
  return (value) => {
    // Longest first: a secret that contains another one is masked whole.
    const texts = [...secrets].filter((text) => text.length >= SHORTEST_SECRET).sort((a, b) => b.length - a.length);
    return texts.length === 0 ? value : (maskIn(value, texts, new Set()) as typeof value);
  };
}

function maskIn(value: unknown, secrets: readonly string[], above: ReadonlySet<unknown>): unknown {
  if (typeof value === "string") return secrets.reduce((text, secret) => text.replaceAll(secret, "***"), value);
  if (typeof value !== "object" || value === null) return value;
  if (above.has(value)) return "[Circular]";
  const path = new Set(above).add(value);
  if (value instanceof Error) return maskIn(value.stack ?? value.message, secrets, path);
  if (Array.isArray(value)) return value.map((item) => maskIn(item, secrets, path));
  if ("toJSON" in value) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [maskIn(key, secrets, path), maskIn(member, secrets, path)]),
  );
}

/** The text with control characters made visible, except newline and tab: file names must not steer a terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what it looks for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
