import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FileTrash } from "../../../src/adapters/store/trash.ts";
import { keptPath, parseNote } from "../../../src/adapters/store/trash-note.ts";
import { InternalError } from "../../../src/core/model/problems.ts";
import type { Disk } from "../../../src/ports.ts";
import { diskWith, makeStoreRoot, stateRecord, STOPPED_CLOCK, type StoreRoot } from "../../support/store-fixtures.ts";

function drop(at: StoreRoot, path: string, content: string): void {
  mkdirSync(dirname(`${at.root}/${path}`), { recursive: true });
  writeFileSync(`${at.root}/${path}`, content);
}

function trashOn(at: StoreRoot, disk: Disk): FileTrash {
  return new FileTrash(at.root, { disk, clock: STOPPED_CLOCK, random: at.random });
}

/** A disk on which the trash is another file system. */
function splitDisk(at: StoreRoot, changes: Partial<Disk> = {}): Disk {
  return diskWith(at.disk, {
    rename: () => {
      throw Object.assign(new Error("EXDEV"), { code: "EXDEV" });
    },
    ...changes,
  });
}

const entries = (at: StoreRoot): string[] => readdirSync(`${at.root}/.millrace/trash`);

test("a file is moved under its path, beside a note that says when and why", () => {
  using at = makeStoreRoot();
  drop(at, "output/a b/001.json", "edited");
  const kept = at.trash.put("output/a b/001.json", "it was edited by hand");
  expect(kept).toMatch(/^\.millrace\/trash\/20261120T130655123Z-\w{12}\/output\/a b\/001\.json$/);
  expect(readFileSync(`${at.root}/${kept}`, "utf8")).toBe("edited");
  expect(existsSync(`${at.root}/output/a b/001.json`)).toBe(false);
  expect(JSON.parse(readFileSync(`${at.root}/.millrace/trash/${entries(at)[0]}/note.json`, "utf8"))).toEqual({
    path: "output/a b/001.json",
    kept,
    why: "it was edited by hand",
    at: "2026-11-20T13:06:55.123Z",
  });
});

test("a folder is moved with everything below it, and its path still ends with a slash", () => {
  using at = makeStoreRoot();
  drop(at, "pages/doc/deep/1.txt", "one");
  const kept = at.trash.put("pages/doc/", "it is gone");
  expect(kept.endsWith("/pages/doc/")).toBe(true);
  expect(readFileSync(`${at.root}/${kept}deep/1.txt`, "utf8")).toBe("one");
  expect(existsSync(`${at.root}/pages/doc`)).toBe(false);
});

test.each(["note.json", "Note.JSON", "note.json/x"])("%s does not meet the note", (path) => {
  using at = makeStoreRoot();
  drop(at, path, "mine");
  const kept = at.trash.put(path, "why");
  expect(readFileSync(`${at.root}/${kept}`, "utf8")).toBe("mine");
  expect(kept.endsWith(`/_/${path}`)).toBe(true);
});

test("things of one name, thrown away in one millisecond, are all kept", () => {
  using at = makeStoreRoot();
  const kept = [1, 2, 3].map((version) => {
    drop(at, "x.txt", String(version));
    return at.trash.put("x.txt", "again");
  });
  expect(kept.map((path) => readFileSync(`${at.root}/${path}`, "utf8"))).toEqual(["1", "2", "3"]);
});

test("an id that is taken is not used again", () => {
  using at = makeStoreRoot();
  const ids = ["aaaaaaaaaaaa", "aaaaaaaaaaaa", "bbbbbbbbbbbb"];
  const trash = new FileTrash(at.root, {
    disk: at.disk,
    clock: STOPPED_CLOCK,
    random: { next: () => 0, id: () => ids.shift()! },
  });
  for (const version of ["1", "2"]) {
    drop(at, "x.txt", version);
    trash.put("x.txt", "again");
  }
  expect(entries(at).map((name) => name.slice(-12))).toEqual(["aaaaaaaaaaaa", "bbbbbbbbbbbb"]);
});

test("what is absent throws ENOENT and leaves no entry", () => {
  using at = makeStoreRoot();
  expect(() => at.trash.put("nothing.txt", "why")).toThrow(expect.objectContaining({ code: "ENOENT" }));
  expect(entries(at)).toEqual([]);
});

test("a link is moved, not what it points to", () => {
  using at = makeStoreRoot();
  drop(at, "target.txt", "stays");
  symlinkSync("target.txt", `${at.root}/link.txt`);
  const kept = at.trash.put("link.txt", "why");
  expect(lstatSync(`${at.root}/${kept}`).isSymbolicLink()).toBe(true);
  expect(readFileSync(`${at.root}/target.txt`, "utf8")).toBe("stays");
});

test("from another file system it is copied and then removed", () => {
  using at = makeStoreRoot();
  drop(at, "pages/doc/1.txt", "one");
  const kept = trashOn(at, splitDisk(at)).put("pages/doc/", "why");
  expect(readFileSync(`${at.root}/${kept}1.txt`, "utf8")).toBe("one");
  expect(existsSync(`${at.root}/pages/doc`)).toBe(false);
});

test("what changed while it was copied stays, and no half copy is left", () => {
  using at = makeStoreRoot();
  drop(at, "x.txt", "old");
  const disk = splitDisk(at, {
    copy: (from, to) => {
      at.disk.copy(from, to);
      writeFileSync(from, "newer");
    },
  });
  expect(() => trashOn(at, disk).put("x.txt", "why")).toThrow(expect.objectContaining({ code: "EBUSY" }));
  expect(readFileSync(`${at.root}/x.txt`, "utf8")).toBe("newer");
  expect(entries(at)).toEqual([]);
});

test("a copy whose original could not be removed whole is kept", () => {
  using at = makeStoreRoot();
  drop(at, "doc/1.txt", "one");
  const disk = splitDisk(at, {
    removeTree: () => {
      throw Object.assign(new Error("EACCES"), { code: "EACCES" });
    },
  });
  expect(() => trashOn(at, disk).put("doc/", "why")).toThrow("EACCES");
  expect(readFileSync(`${at.root}/.millrace/trash/${entries(at)[0]}/doc/1.txt`, "utf8")).toBe("one");
});

test.each(["", "/etc/passwd", "../x", "a/../../x", ".millrace", ".millrace/", ".millrace/trash", ".millrace/trash/x"])(
  "%j is no state to throw away",
  (path) => {
    using at = makeStoreRoot();
    expect(() => at.trash.put(path, "why")).toThrow(InternalError);
  },
);

describe("a note that was tampered with", () => {
  const NAME = "20261120T130655123Z-abcdefabcdef";
  const note = (path: string, more: object = {}): string =>
    JSON.stringify({ path, kept: keptPath(NAME, path), why: "edited", at: "2026-11-20T13:06:55.123Z", ...more });
  const of = { taskKey: "a#b@1", entityId: "1", pattern: "x/{id}", record: stateRecord({ path: "x.txt" }) };

  test("the notes that the tables below change are readable", () => {
    expect(parseNote(NAME, note("x.txt"))).toMatchObject({ path: "x.txt", of: null });
    expect(parseNote(NAME, note("x.txt", { of }))).toMatchObject({ path: "x.txt", of });
  });

  test.each([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["nothing", ""],
    ["a path out of the root", note("../../etc/passwd")],
    ["an absolute path", note("/etc/passwd")],
    ["the trash itself", note(".millrace/trash")],
    ["a number for a path", JSON.stringify({ path: 5, kept: 5, why: 5, at: 5 })],
    ["a thing that lies elsewhere", note("x.txt", { kept: "input/secret.txt" })],
    ["a thing in another entry", note("x.txt", { kept: ".millrace/trash/20261120T130655124Z-abcdefabcdef/x.txt" })],
    ["another time", note("x.txt", { at: "2036-11-20T13:06:55.123Z" })],
    ["a key that no note has", note("x.txt", { mode: 511 })],
    ["a prototype", note("x.txt").replace('"why"', '"__proto__"')],
    ["a result without a record", note("x.txt", { of: { taskKey: "a", entityId: "1", pattern: "x" } })],
    ["a result whose record is of another path", note("x.txt", { of: { ...of, record: stateRecord() } })],
    ["a result with a hostile record", note("x.txt", { of: { ...of, record: { ...of.record, durationMs: -1 } } })],
    ["a result that is null", note("x.txt", { of: null })],
  ])("with %s: the entry is listed as damaged, is not put back, and can be removed", (_, text) => {
    using at = makeStoreRoot();
    drop(at, `.millrace/trash/${NAME}/x.txt`, "kept");
    drop(at, `.millrace/trash/${NAME}/note.json`, text);
    const kept = `.millrace/trash/${NAME}/`;
    expect(at.trash.entries()).toEqual([
      { name: NAME, path: "", kept, why: "its note is damaged", at: "2026-11-20T13:06:55.123Z", of: null },
    ]);
    const made = at.trash.restore(NAME);
    expect(made.ok ? [] : made.problems.map(({ code, hint }) => [code, hint])).toEqual([["M141", `look in ${kept}`]]);
    expect(readFileSync(`${at.root}/${kept}x.txt`, "utf8")).toBe("kept");
    at.trash.remove(NAME);
    expect(entries(at)).toEqual([]);
  });

  test("whatever a note says, reading it answers, and what it names lies in its own entry", () => {
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ path: fc.string(), kept: fc.string(), why: fc.string() }).map((some) => JSON.stringify(some)),
      fc.string().map((path) => note(path)),
    );
    fc.assert(
      fc.property(text, (any) => {
        const entry = parseNote(NAME, any);
        if (entry === undefined) return;
        expect(entry.kept).toBe(keptPath(NAME, entry.path));
        expect(`/${entry.path}/`).not.toMatch(/\/\.\.?\//);
      }),
    );
  });

  test("a link in an entry leads nowhere: what it points to stays", () => {
    using at = makeStoreRoot();
    using elsewhere = makeStoreRoot();
    drop(elsewhere, "secret.txt", "secret");
    drop(at, `.millrace/trash/${NAME}/note.json`, note("out/secret.txt"));
    symlinkSync(elsewhere.root, `${at.root}/.millrace/trash/${NAME}/out`);
    expect(at.trash.entries()[0]).toMatchObject({ path: "", why: '"out/secret.txt" is no longer in it' });
    expect(at.trash.restore(NAME).ok).toBe(false);
    expect(readFileSync(`${elsewhere.root}/secret.txt`, "utf8")).toBe("secret");
  });

  test("an entry that is a link is no entry, and a note that is one is not followed", () => {
    using at = makeStoreRoot();
    using elsewhere = makeStoreRoot();
    drop(elsewhere, "note.json", note("x.txt"));
    drop(elsewhere, "x.txt", "secret");
    mkdirSync(`${at.root}/.millrace/trash/20261120T130655123Z-note`, { recursive: true });
    symlinkSync(`${elsewhere.root}/note.json`, `${at.root}/.millrace/trash/20261120T130655123Z-note/note.json`);
    symlinkSync(elsewhere.root, `${at.root}/.millrace/trash/${NAME}`);
    expect(at.trash.entries()).toMatchObject([{ path: "", why: "its note is not there" }]);
    expect(at.trash.restore(NAME).ok).toBe(false);
    at.trash.remove(NAME);
    expect(readFileSync(`${elsewhere.root}/x.txt`, "utf8")).toBe("secret");
  });

  test.each(["../note", "", "note.json", "20261120T130655123Z-../x"])("%j is no entry to remove", (name) => {
    using at = makeStoreRoot();
    expect(() => at.trash.remove(name)).toThrow(InternalError);
  });
});

test("nothing is put back through a link that leads out of the root", () => {
  using at = makeStoreRoot();
  using elsewhere = makeStoreRoot();
  drop(at, "out/x.txt", "mine");
  at.trash.put("out/x.txt", "why");
  rmSync(`${at.root}/out`, { recursive: true });
  symlinkSync(elsewhere.root, `${at.root}/out`);
  const made = at.trash.restore(at.trash.entries()[0]!.name);
  expect(made.ok ? "" : made.problems[0]!.message).toBe(
    '"out/x.txt" was not put back: "out" is not a folder inside the root',
  );
  expect(existsSync(`${elsewhere.root}/x.txt`)).toBe(false);
});

test("a thing is put back through a link that stays inside the root", () => {
  using at = makeStoreRoot();
  drop(at, "real/x.txt", "mine");
  symlinkSync("real", `${at.root}/out`);
  at.trash.put("out/x.txt", "why");
  expect(at.trash.restore(at.trash.entries()[0]!.name).ok).toBe(true);
  expect(readFileSync(`${at.root}/real/x.txt`, "utf8")).toBe("mine");
});

test("from another file system it is copied back; half a copy does not stay", () => {
  using at = makeStoreRoot();
  drop(at, "pages/1.txt", "one");
  at.trash.put("pages/", "why");
  const { name, kept } = at.trash.entries()[0]!;
  const half = splitDisk(at, {
    copy: (_, to) => {
      drop(at, `${to.slice(at.root.length + 1)}/1.txt`, "o");
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    },
  });
  expect(() => trashOn(at, half).restore(name)).toThrow("ENOSPC");
  expect(existsSync(`${at.root}/pages`)).toBe(false);
  expect(readFileSync(`${at.root}/${kept}1.txt`, "utf8")).toBe("one");
  expect(trashOn(at, splitDisk(at)).restore(name).ok).toBe(true);
  expect(readFileSync(`${at.root}/pages/1.txt`, "utf8")).toBe("one");
  expect(entries(at)).toEqual([]);
});
