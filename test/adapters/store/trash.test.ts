import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { FileTrash } from "../../../src/adapters/store/trash.ts";
import { InternalError } from "../../../src/core/model/problems.ts";
import type { Disk } from "../../../src/ports.ts";
import { diskWith, makeStoreRoot, STOPPED_CLOCK, type StoreRoot } from "../../support/store-fixtures.ts";

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
