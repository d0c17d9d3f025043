import { describe, expect, test } from "vitest";
import { createIgnore, DEFAULT_IGNORES } from "../../../src/core/pattern/ignore.ts";

describe("the default list", () => {
  const { test: ruleOf } = createIgnore();

  test.each([
    [".hidden", ".*"],
    ["._resource", ".*"],
    [".DS_Store", ".*"],
    [".stfolder", ".*"],
    [".syncthing.a.txt", ".*"],
    [".Trashes", ".*"],
    ["Thumbs.db", "Thumbs.db"],
    ["desktop.ini", "desktop.ini"],
    ["@eaDir", "@eaDir"],
    ["__MACOSX", "__MACOSX"],
    ["~$report.docx", "~$*"],
    ["a.txt~", "*~"],
    ["a.swp", "*.swp"],
    ["a.tmp", "*.tmp"],
    ["a.part", "*.part"],
    ["a.partial", "*.partial"],
    ["a.crdownload", "*.crdownload"],
    ["a.filepart", "*.filepart"],
    ["a.writing", "*.writing"],
    ["a.camelLock", "*.camelLock"],
  ])("%s is ignored by %s, at any depth and with everything below", (name, rule) => {
    expect(ruleOf(name, false)).toBe(rule);
    expect(ruleOf(`input/deep/${name}`, false)).toBe(rule);
    expect(ruleOf(`${name}/below/a.txt`, false)).toBe(rule);
    expect(DEFAULT_IGNORES).toContain(rule);
  });

  test.each([
    "a.txt",
    "input/a.txt",
    "tmp",
    "input/tmp.txt",
    "~a",
    "a~b",
    "$a",
    "a.tmp.txt",
    "Thumbs.db.txt",
    "thumbs.db",
    "a.b",
    "",
  ])("%s is not ignored", (path) => {
    expect(ruleOf(path, false)).toBeUndefined();
    expect(ruleOf(path === "" ? "" : `${path}/`, true)).toBeUndefined();
  });

  test("Millrace's own folder is named as the reason", () => {
    expect(ruleOf(".millrace", true)).toBe(".millrace");
    expect(ruleOf(".millrace/tmp/a.txt", false)).toBe(".millrace");
  });
});

describe("a .millraceignore", () => {
  test("adds rules in gitignore syntax and tells which one it was", () => {
    const { test: ruleOf } = createIgnore("# drafts\n\n*.draft\r\n/build/\ninput/*.log\n");
    expect(ruleOf("input/a.draft", false)).toBe("*.draft");
    expect(ruleOf("build/deep/a.txt", false)).toBe("/build/");
    expect(ruleOf("build", false)).toBeUndefined();
    expect(ruleOf("input/build/a.txt", false)).toBeUndefined();
    expect(ruleOf("input/a.log", false)).toBe("input/*.log");
    expect(ruleOf("input/deep/a.log", false)).toBeUndefined();
    expect(ruleOf("input/a.tmp", false)).toBe("*.tmp");
  });

  test("allows again what a default ignores, but nothing below a folder that stays ignored", () => {
    const { test: ruleOf } = createIgnore("!keep.tmp\n!.cfg/\n!.other/a.txt\n");
    expect(ruleOf("input/keep.tmp", false)).toBeUndefined();
    expect(ruleOf("input/other.tmp", false)).toBe("*.tmp");
    expect(ruleOf(".cfg/a.txt", false)).toBeUndefined();
    expect(ruleOf(".cfg/.hidden", false)).toBe(".*");
    expect(ruleOf(".other/a.txt", false)).toBe(".*");
  });

  test("never allows Millrace's own folder", () => {
    const { test: ruleOf } = createIgnore("!.*\n!.millrace/\n");
    expect(ruleOf(".other/a.txt", false)).toBeUndefined();
    expect(ruleOf(".millrace/index.db", false)).toBe(".millrace");
  });

  test("goes on answering after more names than one engine remembers", () => {
    const { test: ruleOf } = createIgnore("*.draft\n");
    for (let number = 0; number < 25_000; number++) ruleOf(`input-${number}`, false);
    expect(ruleOf("input/a.draft", false)).toBe("*.draft");
    expect(ruleOf("input/a.txt", false)).toBeUndefined();
  });

  test("of comments and empty lines only changes nothing", () => {
    const { test: ruleOf } = createIgnore("# nothing\n\n   \n");
    expect(ruleOf("input/a.txt", false)).toBeUndefined();
    expect(ruleOf("input/a.tmp", false)).toBe("*.tmp");
  });
});
