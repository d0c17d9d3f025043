/** XXH64 with seed 0, from its published description. Kept apart from the product's, which is somebody else's code. */

const MASK = (1n << 64n) - 1n;
const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

const utf8 = new TextEncoder();
const byText = new Map<string, string>();
const MOST_REMEMBERED = 50_000;

/** 16 lower-case hex digits; a text is hashed as its UTF-8. */
export function xxh64(content: Uint8Array | string): string {
  if (typeof content !== "string") return digest(content);
  const known = byText.get(content);
  if (known !== undefined) return known;
  if (byText.size >= MOST_REMEMBERED) byText.clear();
  const hash = digest(utf8.encode(content));
  byText.set(content, hash);
  return hash;
}

function digest(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.byteLength;
  let at = 0;
  let hash = P5;
  if (length >= 32) {
    let lanes: [bigint, bigint, bigint, bigint] = [(P1 + P2) & MASK, P2, 0n, MASK - P1 + 1n];
    for (; at + 32 <= length; at += 32) {
      const lane = (i: number): bigint => round(lanes[i]!, view.getBigUint64(at + 8 * i, true));
      lanes = [lane(0), lane(1), lane(2), lane(3)];
    }
    hash = (turn(lanes[0], 1n) + turn(lanes[1], 7n) + turn(lanes[2], 12n) + turn(lanes[3], 18n)) & MASK;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P1 + P4) & MASK;
  }
  hash = (hash + BigInt(length)) & MASK;
  for (; at + 8 <= length; at += 8) hash = (turn(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK;
  if (at + 4 <= length) {
    hash = (turn(hash ^ ((BigInt(view.getUint32(at, true)) * P1) & MASK), 23n) * P2 + P3) & MASK;
    at += 4;
  }
  for (; at < length; at++) hash = (turn(hash ^ ((BigInt(bytes[at]!) * P5) & MASK), 11n) * P1) & MASK;
  return avalanche(hash).toString(16).padStart(16, "0");
}

function avalanche(hash: bigint): bigint {
  let mixed = ((hash ^ (hash >> 33n)) * P2) & MASK;
  mixed = ((mixed ^ (mixed >> 29n)) * P3) & MASK;
  return mixed ^ (mixed >> 32n);
}

function round(lane: bigint, input: bigint): bigint {
  return (turn((lane + input * P2) & MASK, 31n) * P1) & MASK;
}

function turn(value: bigint, by: bigint): bigint {
  return ((value << by) | (value >> (64n - by))) & MASK;
}

/** One thing below a folder state. */
export interface Leaf {
  /** Relative to the folder. */
  readonly path: string;
  readonly kind: "file" | "folder" | "symlink";
  readonly bytes: Uint8Array;
}

/** The hash of a folder state: a line for each thing below it, sorted by path: its kind, its hash and its path, each with its length in front. */
export function hashOfTree(leaves: readonly Leaf[]): string {
  const lines = leaves
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, kind, bytes }) => {
      const hash = kind === "folder" ? "" : xxh64(bytes);
      return `${kind} ${hash.length}:${hash}${path.length}:${path}\n`;
    });
  return xxh64(lines.join(""));
}
