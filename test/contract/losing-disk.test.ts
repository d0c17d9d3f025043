import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LosingDisk } from "../support/losing-disk.ts";
import { MemoryDisk } from "../support/memory-disk.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const text = (disk: MemoryDisk, path: string): string | undefined => {
  const bytes = disk.read(path);
  return bytes && new TextDecoder().decode(bytes);
};

function losing(): LosingDisk {
  const memory = new MemoryDisk();
  memory.makeFolders("/a/tmp");
  memory.write("/a/old", "old text");
  return new LosingDisk(memory);
}

/** What `/a/new` may hold after a cut, over many seeds; `undefined`: it is not there. */
function outcomes(act: (disk: LosingDisk) => void, path = "/a/new"): Set<string | undefined> {
  const seen = new Set<string | undefined>();
  for (let seed = 1; seed <= 300; seed++) {
    const disk = losing();
    act(disk);
    disk.powerCut(new SeededRandom(seed));
    seen.add(text(disk.memory, path));
  }
  return seen;
}

const replace = (disk: LosingDisk, path: string): void => {
  disk.write("/a/tmp/x", "new text");
  disk.rename("/a/tmp/x", path);
};

describe("a disk that loses what was not forced to the medium", () => {
  test("may keep a new name and lose its bytes, all of them, some, or none", () => {
    const seen = outcomes((disk) => replace(disk, "/a/new"));
    for (const possible of [undefined, "", "new text", "\0".repeat(8)]) expect(seen).toContain(possible);
    expect([...seen].some((left) => left !== undefined && /^new?\0+$|^new?$/.test(left))).toBe(true);
  });

  test("keeps an old file as long as the rename over it is lost, and never loses both", () => {
    const seen = outcomes((disk) => replace(disk, "/a/old"), "/a/old");
    expect(seen).toContain("old text");
    expect(seen).toContain("new text");
    expect(seen).not.toContain(undefined);
  });

  test("keeps what was synced: the file, then its folder", () => {
    const act = (disk: LosingDisk): void => {
      disk.write("/a/tmp/x", "new text", { sync: true });
      disk.rename("/a/tmp/x", "/a/new");
      disk.sync("/a");
    };
    expect(outcomes(act)).toEqual(new Set(["new text"]));
  });

  test("loses a synced name with the folder above it that was not", () => {
    const act = (disk: LosingDisk): void => {
      disk.makeFolders("/a/b");
      disk.write("/a/b/new", "new text", { sync: true });
      disk.sync("/a/b");
    };
    expect(outcomes(act, "/a/b/new")).toEqual(new Set([undefined, "new text"]));
    const all = (disk: LosingDisk): void => (act(disk), disk.sync("/a"));
    expect(outcomes(all, "/a/b/new")).toEqual(new Set(["new text"]));
  });

  test("may bring back what was removed, in parts", () => {
    const act = (disk: LosingDisk): void => {
      disk.makeFolders("/a/t");
      disk.write("/a/t/1", "one");
      disk.write("/a/t/2", "two");
      disk.syncAll();
      disk.removeTree("/a/t");
    };
    expect(outcomes(act, "/a/t/1")).toEqual(new Set([undefined, "one"]));
    expect(outcomes((disk) => (act(disk), disk.sync("/a")), "/a/t/1")).toEqual(new Set([undefined]));
  });

  test("keeps everything after syncAll, inode numbers and times too", () => {
    const disk = losing();
    replace(disk, "/a/new");
    disk.copy("/a/new", "/a/copy");
    const before = ["/a/new", "/a/copy", "/a"].map((path) => disk.lstat(path));
    disk.syncAll();
    disk.powerCut(new SeededRandom(1));
    expect(["/a/new", "/a/copy", "/a"].map((path) => disk.lstat(path))).toEqual(before);
    expect(disk.unsynced).toBe(0);
  });

  test("with one seed leaves the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
        const [one, two] = [losing(), losing()];
        for (const disk of [one, two]) {
          replace(disk, "/a/new");
          replace(disk, "/a/old");
          disk.powerCut(new SeededRandom(seed));
        }
        expect(text(one.memory, "/a/new")).toBe(text(two.memory, "/a/new"));
        expect(text(one.memory, "/a/old")).toBe(text(two.memory, "/a/old"));
      }),
    );
  });
});
