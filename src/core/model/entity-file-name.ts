import type { EntityId } from "./words.ts";

/** 16 lower-case hex digits (XXH64) of an ASCII text. Handed in, so that this folder needs no hash library. */
export type HashText = (text: string) => string;

/** What a name in the manifests folder stands for. */
export type NamedEntity =
  | { readonly is: "entity"; readonly id: EntityId }
  /** The id was too long for a file name: only the `entityId` inside the file tells it. */
  | { readonly is: "hashed" }
  /** No name that {@link manifestFileName} makes. */
  | { readonly is: "foreign" };

const EXTENSION = ".json";
/** Bytes of a name without its extension: leaves room below the 255 of every common file system. */
const LONGEST_NAME = 200;
const LONGEST_PREFIX = 160;
// "%" alone is no escape, so it is free to stand for the id that has no characters (that of a pattern without variables).
const EMPTY_ID = "%";
// Never in an escaped name, so hashed names cannot be those of another id.
const HASH_MARK = "~";

const PLAIN = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?$/;
// Windows takes these for devices, whatever follows their first dot.
const RESERVED = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/;
const HASHED = /^[a-z0-9_.%-]+~[0-9a-f]{16}$/;

/**
 * The file name of an entity's manifest, with its extension: `001` is `001.json`.
 *
 * An id of lower-case ASCII letters, digits, `_`, `-` and inner dots that is short and no Windows device is its own name.
 * Every other id is escaped: `%xx` (lower case) for each byte of its UTF-8; lone surrogates are encoded like any other code
 * point (WTF-8). The empty id is `%`. A name that would exceed 200 bytes is cut and ends in `~` and the XXH64 of the whole escaped name.
 * Names are lower-case ASCII, so two ids never share a file on a disk that ignores case or normalises Unicode;
 * only hashed names could (two long ids with one hash), which is why `entityId` inside the file is the truth.
 */
export function manifestFileName(id: EntityId, hashText: HashText): string {
  if (id.length <= LONGEST_NAME && PLAIN.test(id) && !RESERVED.test(id)) return id + EXTENSION;
  const name = escapeId(id);
  if (name.length <= LONGEST_NAME) return name + EXTENSION;
  // A cut through the middle of an escape would be no prefix that a person can read.
  const prefix = name.slice(0, LONGEST_PREFIX).replace(/%[0-9a-f]?$/, "");
  return prefix + HASH_MARK + hashText(name) + EXTENSION;
}

/** What a file name of the manifests folder stands for; the inverse of {@link manifestFileName}. */
export function entityOfFileName(fileName: string): NamedEntity {
  if (!fileName.endsWith(EXTENSION)) return { is: "foreign" };
  const name = fileName.slice(0, -EXTENSION.length);
  if (HASHED.test(name)) return { is: "hashed" };
  const id = unescapeName(name);
  // Only the one spelling that we write counts: `Foo.json` or `%61.json` are somebody else's.
  if (id === undefined || name.length > LONGEST_NAME || escapeId(id) !== name) return { is: "foreign" };
  return { is: "entity", id };
}

function escapeId(id: EntityId): string {
  if (id === "") return EMPTY_ID;
  const reserved = RESERVED.test(id);
  let name = "";
  let at = 0;
  for (const character of id) {
    const isFirst = at === 0;
    at += character.length;
    const isPlain = /[a-z0-9_]/.test(character)
      ? !(isFirst && reserved)
      : (character === "-" && !isFirst) || (character === "." && !isFirst && at < id.length);
    name += isPlain ? character : escapeCodePoint(character.codePointAt(0)!);
  }
  return name;
}

function unescapeName(name: string): EntityId | undefined {
  if (name === EMPTY_ID) return "";
  if (name === "" || !/^(?:[a-z0-9_.-]|%[0-9a-f]{2})+$/.test(name)) return undefined;
  const bytes: number[] = [];
  for (let at = 0; at < name.length; at++) {
    if (name[at] === "%") {
      bytes.push(parseInt(name.slice(at + 1, at + 3), 16));
      at += 2;
    } else bytes.push(name.charCodeAt(at));
  }
  return decodeBytes(bytes);
}

/** UTF-8 that lets lone surrogates pass (WTF-8); each byte as `%xx`. */
function escapeCodePoint(point: number): string {
  const tail = (shift: number): number => 0x80 | ((point >> shift) & 0x3f);
  if (point < 0x80) return hexByte(point);
  if (point < 0x800) return hexByte(0xc0 | (point >> 6)) + hexByte(tail(0));
  if (point < 0x10000) return hexByte(0xe0 | (point >> 12)) + hexByte(tail(6)) + hexByte(tail(0));
  return hexByte(0xf0 | (point >> 18)) + hexByte(tail(12)) + hexByte(tail(6)) + hexByte(tail(0));
}

function hexByte(byte: number): string {
  return "%" + byte.toString(16).padStart(2, "0");
}

/** The text of WTF-8 bytes; `undefined` when they are none. What is not canonical is found by escaping again. */
function decodeBytes(bytes: readonly number[]): string | undefined {
  let text = "";
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at++]!;
    const more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    let point = more === 0 ? first : first & (0x3f >> more);
    for (let rest = more; rest > 0; rest--) {
      const byte = bytes[at++];
      if (byte === undefined || (byte & 0xc0) !== 0x80) return undefined;
      point = (point << 6) | (byte & 0x3f);
    }
    if (point > 0x10ffff) return undefined;
    text += String.fromCodePoint(point);
  }
  return text;
}
