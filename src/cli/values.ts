import { InvalidArgumentError } from "commander";

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A length of time in milliseconds from `500ms`, `30s`, `5m`, `1h`, `7d`; a number without a unit is seconds. */
export function parseDuration(text: string): number {
  const found = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)?$/.exec(text);
  if (found === null) throw new InvalidArgumentError('write a time with its unit, such as "500ms", "30s" or "5m"');
  return Math.round(Number(found[1]) * (UNITS_MS[found[2] ?? "s"] ?? NaN));
}

/** A whole number of at least 1. */
export function parseCount(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError("write a whole number of at least 1");
  return Number(text);
}

/** A parser for one of these words. */
export function oneOf<T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((allowed) => allowed === text);
    if (word === undefined) throw new InvalidArgumentError(`write one of ${words.join(", ")}`);
    return word;
  };
}

/** A parser for some of these words, joined by commas. */
export function someOf<T extends string>(words: readonly T[]): (text: string) => readonly T[] {
  const parse = oneOf(words);
  return (text) => text.split(",").map((word) => parse(word.trim()));
}
