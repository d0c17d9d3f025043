import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { shellLine, shellWord } from "../../../src/core/plan/shell-line.ts";

describe("a word for a shell", () => {
  test.each([
    ["001.json", "001.json"],
    ["", "''"],
    ["a b", "'a b'"],
    ["it's", "'it'\\''s'"],
    ["$(rm -rf /)", "'$(rm -rf /)'"],
    ["`id`; *", "'`id`; *'"],
    ["~", "'~'"],
    ["-rf", "-rf"],
    ["a=b", "'a=b'"],
    ["é", "'é'"],
    ["a\nb", "$'a\\x0ab'"],
    ["\u202etxt", "$'\\xe2\\x80\\xaetxt'"],
    ["'\t\\", "$'\\'\\x09\\\\'"],
  ])("%j is %s", (text, word) => {
    expect(shellWord(text)).toBe(word);
  });

  const names = fc.string({ unit: "grapheme", minLength: 0, maxLength: 40 });
  const hostile = fc.stringMatching(/^['"$`\\!*?;&|<>(){}[\]~#=\n\t -]{0,20}$/);

  test("comes back from a shell as it was, however hostile, and is one line without hidden characters", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(names, hostile), { minLength: 1, maxLength: 8 }), (texts) => {
        const words = texts.map((text) => shellWord(text.replaceAll("\0", "")));
        const line = words.join(" ");
        // oxlint-disable-next-line no-control-regex -- that there are none is what is asked
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
        const printed = execFileSync("bash", ["-c", `printf '%s\\0' ${line}`], { encoding: "utf8" });
        expect(printed.split("\0").slice(0, -1)).toEqual(texts.map((text) => text.replaceAll("\0", "")));
      }),
      { numRuns: 60 },
    );
  });
});

describe("a line for a shell", () => {
  const command = { cwd: "/", env: {}, file: "printf", args: ["%s|", "a b"], folder: "/tmp" };

  test("runs the command in its folder with its environment", () => {
    const line = shellLine({
      ...command,
      env: { A: "it's", GONE: undefined },
      file: "sh",
      args: ["-c", 'echo "$A $PWD"'],
    });
    expect(line).toBe(`mkdir -p /tmp && cd / && env 'A=it'\\''s' sh -c 'echo "$A $PWD"'`);
    expect(execFileSync("sh", ["-c", line], { encoding: "utf8" })).toBe("it's /\n");
  });

  test("runs a program whose name a shell would take for a variable", () => {
    const line = shellLine({ ...command, file: "no=program" });
    expect(() => execFileSync("sh", ["-c", line], { encoding: "utf8", stdio: "pipe" })).toThrow(/no=program/);
  });

  test("gives it its input, and goes to folders whose names begin with a dash", () => {
    const line = shellLine({ ...command, cwd: "-x", folder: "-y", file: "cat", args: [], stdin: "/in put" });
    expect(line).toBe("mkdir -p ./-y && cd ./-x && env cat < '/in put'");
  });
});
