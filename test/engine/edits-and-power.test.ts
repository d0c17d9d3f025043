import { expect, test } from "vitest";
import { FileTrash } from "../../src/adapters/store/trash.ts";
import { prepareMillraceFolder } from "../../src/adapters/store/millrace-folder.ts";
import { LosingDisk } from "../support/losing-disk.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryDisk } from "../support/memory-disk.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const ROOT = "/project/state";

/** The texts of all files below a folder. */
function texts(disk: MemoryDisk, folder: string): string[] {
  return (disk.list(folder) ?? []).flatMap((name) => {
    const at = `${folder}/${name}`;
    if (disk.lstat(at)?.kind === "folder") return texts(disk, at);
    return [new TextDecoder().decode(disk.read(at))];
  });
}

test("an edit that was moved aside for a result is there after a power cut, in its place or in the trash", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const memory = new MemoryDisk();
    memory.makeFolders(`${ROOT}/out`);
    prepareMillraceFolder(ROOT, memory);
    memory.write(`${ROOT}/out/1.txt`, "mine");
    const disk = new LosingDisk(memory);
    const random = new SeededRandom(seed);
    const trash = new FileTrash(ROOT, { disk, clock: new ManualClock(), random });
    trash.put("out/1.txt", "edited by hand, made again");
    disk.write(`${ROOT}/.millrace/tmp/0`, "made");
    disk.rename(`${ROOT}/.millrace/tmp/0`, `${ROOT}/out/1.txt`);
    disk.powerCut(random);
    expect(texts(memory, ROOT), `seed ${seed}`).toContain("mine");
    // Where it came from is known, too.
    if (new TextDecoder().decode(memory.read(`${ROOT}/out/1.txt`)) === "mine") continue;
    const entries = new FileTrash(ROOT, { disk: memory, clock: new ManualClock(), random }).entries();
    expect(entries, `seed ${seed}`).toMatchObject([{ path: "out/1.txt", why: "edited by hand, made again" }]);
  }
});
