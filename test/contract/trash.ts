import { describe, expect, test } from "vitest";
import type { Disk, Trash, TrashedResult } from "../../src/ports.ts";
import { stateRecord } from "../support/store-fixtures.ts";

/** A trash, the root it is of, and what frees both. `later` moves its clock on by a second. */
export interface TrashAtWork extends Disposable {
  readonly trash: Trash;
  /** The same trash, as another process opens it. */
  readonly again: () => Trash;
  readonly root: string;
  readonly disk: Disk;
  readonly later: () => void;
}

const OF: TrashedResult = {
  taskKey: "echo#output@001",
  entityId: "001",
  pattern: "output/{id}.json",
  record: stateRecord({ path: "output/001.json" }),
};

/** What every trash does. */
export function describeTrash(name: string, make: () => TrashAtWork): void {
  function drop(at: TrashAtWork, path: string, text: string): void {
    const whole = `${at.root}/${path}`;
    at.disk.makeFolders(whole.slice(0, whole.lastIndexOf("/")));
    at.disk.write(whole, text);
  }
  const read = (at: TrashAtWork, path: string): string | undefined => {
    const bytes = at.disk.read(`${at.root}/${path}`);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  };
  const failed = (made: ReturnType<Trash["restore"]>): string => (made.ok ? "put back" : made.problems[0]!.code);

  describe(`trash ${name}`, () => {
    test("it is empty at first", () => {
      using at = make();
      expect(at.trash.entries()).toEqual([]);
    });

    test("an entry says where it was, where it is, why and when; newest first, also to another process", () => {
      using at = make();
      drop(at, "a.txt", "first");
      drop(at, "pages/doc/1.txt", "second");
      const kept = at.trash.put("a.txt", "it was edited by hand");
      at.later();
      at.trash.put("pages/doc/", "its source is gone");
      const entries = at.trash.entries();
      expect(entries.map(({ path, why, of }) => ({ path, why, of }))).toEqual([
        { path: "pages/doc/", why: "its source is gone", of: null },
        { path: "a.txt", why: "it was edited by hand", of: null },
      ]);
      expect(entries[1]).toMatchObject({ kept, name: kept.split("/")[2] });
      expect(Date.parse(entries[0]!.at) - Date.parse(entries[1]!.at)).toBe(1000);
      expect(at.again().entries()).toEqual(entries);
    });

    test("the retracted results of a path are known, newest first, whatever happens to them here", () => {
      using at = make();
      const names = (of: Trash): string[] => of.retracted("output/001.json").map(({ name }) => name);
      expect(names(at.trash)).toEqual([]);
      const put = (text: string, of?: TrashedResult): string => {
        drop(at, "output/001.json", text);
        at.later();
        return at.trash.put("output/001.json", "why", of).split("/")[2]!;
      };
      const [first, second, third] = [put("1", OF), put("2", OF), put("3", OF)];
      put("an edit");
      drop(at, "output/002.json", "{}");
      at.trash.put("output/002.json", "why", { ...OF, record: stateRecord({ path: "output/002.json" }) });
      expect(names(at.trash)).toEqual([third, second, first]);
      expect(at.trash.retracted("output/001.json")).toEqual(
        at.trash.entries().filter(({ path, of }) => path === "output/001.json" && of !== null),
      );
      expect(names(at.again())).toEqual([third, second, first]);
      at.trash.remove(second);
      expect(names(at.trash)).toEqual([third, first]);
      expect(at.trash.restore(third).ok).toBe(true);
      expect(names(at.trash)).toEqual([first]);
      // What another process took away is noticed with the next look at everything.
      at.again().remove(first);
      at.trash.entries();
      expect(names(at.trash)).toEqual([]);
    });

    test("a retracted result keeps its task, its entity, its pattern and its record", () => {
      using at = make();
      drop(at, "output/001.json", "{}");
      at.trash.put("output/001.json", "its source is gone", OF);
      expect(at.again().entries()[0]!.of).toEqual(OF);
    });

    test.each(["output/001.json", "note.json", "a b/{x}/-rf"])("%j is put back where it was, and forgotten", (path) => {
      using at = make();
      drop(at, path, "edited");
      at.trash.put(path, "why");
      const [entry] = at.trash.entries();
      expect(at.trash.restore(entry!.name)).toEqual({ ok: true, value: entry });
      expect(read(at, path)).toBe("edited");
      expect(at.trash.entries()).toEqual([]);
      expect(at.again().entries()).toEqual([]);
    });

    test("a folder is put back with everything below it, its parents made again", () => {
      using at = make();
      drop(at, "pages/doc/deep/1.txt", "one");
      at.trash.put("pages/doc/", "why");
      at.disk.removeTree(`${at.root}/pages`);
      expect(at.trash.restore(at.trash.entries()[0]!.name).ok).toBe(true);
      expect(read(at, "pages/doc/deep/1.txt")).toBe("one");
    });

    test("where something is by now, nothing is put back and nothing is lost", () => {
      using at = make();
      drop(at, "a.txt", "old");
      const kept = at.trash.put("a.txt", "why");
      drop(at, "a.txt", "new");
      expect(failed(at.trash.restore(at.trash.entries()[0]!.name))).toBe("M140");
      expect(read(at, "a.txt")).toBe("new");
      expect(read(at, kept)).toBe("old");
    });

    test("a file where a folder has to be is in the way, too", () => {
      using at = make();
      drop(at, "out/a.txt", "old");
      at.trash.put("out/a.txt", "why");
      at.disk.removeTree(`${at.root}/out`);
      drop(at, "out", "a file");
      expect(failed(at.trash.restore(at.trash.entries()[0]!.name))).toBe("M140");
    });

    test.each(["nothing", "", "..", "../..", "20261120T130655123Z-aaaaaaaaaaaa"])(
      "%j, which is no entry, is not put back",
      (entry) => {
        using at = make();
        expect(failed(at.trash.restore(entry))).toBe("M141");
      },
    );

    test("what is removed is gone for ever, and again is nothing", () => {
      using at = make();
      drop(at, "a.txt", "old");
      at.trash.put("a.txt", "why");
      const { name: entry, kept } = at.trash.entries()[0]!;
      at.trash.remove(entry);
      at.trash.remove(entry);
      expect(at.trash.entries()).toEqual([]);
      expect(read(at, kept)).toBeUndefined();
    });

    test("what another process threw away or took back is seen", () => {
      using at = make();
      const other = at.again();
      drop(at, "a.txt", "old");
      drop(at, "b.txt", "old");
      other.put("a.txt", "why");
      expect(at.trash.entries().map(({ path }) => path)).toEqual(["a.txt"]);
      at.later();
      at.trash.put("b.txt", "why");
      other.remove(other.entries()[1]!.name);
      expect(at.trash.entries().map(({ path }) => path)).toEqual(["b.txt"]);
    });

    test("a thing that was taken out by hand leaves an entry that says so", () => {
      using at = make();
      drop(at, "a.txt", "old");
      at.disk.remove(`${at.root}/${at.trash.put("a.txt", "why")}`);
      const [entry] = at.again().entries();
      expect(entry).toMatchObject({ path: "", why: '"a.txt" is no longer in it', of: null });
      expect(failed(at.trash.restore(entry!.name))).toBe("M141");
    });

    test("a note of an earlier release, without what the thing was the result of, is readable", () => {
      using at = make();
      const entry = "20261101T000000000Z-abcdefabcdef";
      drop(at, `.millrace/trash/${entry}/out/a.txt`, "old");
      const note = { path: "out/a.txt", kept: `.millrace/trash/${entry}/out/a.txt`, why: "edited" };
      drop(at, `.millrace/trash/${entry}/note.json`, JSON.stringify({ ...note, at: "2026-11-01T00:00:00.000Z" }));
      expect(at.trash.entries()).toEqual([{ name: entry, ...note, at: "2026-11-01T00:00:00.000Z", of: null }]);
      expect(at.trash.restore(entry).ok).toBe(true);
      expect(read(at, "out/a.txt")).toBe("old");
    });

    test("what is no entry is not listed", () => {
      using at = make();
      drop(at, ".millrace/trash/README", "mine");
      drop(at, ".millrace/trash/folder/x", "mine");
      drop(at, ".millrace/trash/20261120T130655123Z-aaaaaaaaaaaa", "a file, not a folder");
      drop(at, ".millrace/trash/20261399T999999999Z-aaaaaaaaaaaa/note.json", "no such day");
      expect(at.trash.entries()).toEqual([]);
      expect(failed(at.trash.restore("20261120T130655123Z-aaaaaaaaaaaa"))).toBe("M141");
    });
  });
}
