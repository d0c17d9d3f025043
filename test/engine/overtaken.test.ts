import { describe, expect, test } from "vitest";
import { echo, EngineRig } from "../support/engine-rig.ts";

const INPUT = "/project/state/input/1.txt";

/** An attempt on `input/1.txt` that hangs after it has read "a"; the returned function lets it end. */
async function reading(options: {
  readonly settleMs: number;
  readonly racyMs: number;
}): Promise<{ rig: EngineRig; finish: () => void }> {
  const rig = await new EngineRig([echo()], options).start();
  let finish = (): void => {};
  rig.scripts.set("upper", ({ input }) => {
    if (input !== "a") return input.toUpperCase();
    return new Promise((resolve) => (finish = () => resolve(input.toUpperCase())));
  });
  rig.write("input/1.txt", "a");
  await rig.until(() => rig.runner.hanging === 1);
  return { rig, finish: () => finish() };
}

const results = (rig: EngineRig): string[] => rig.attempts("upper").map(({ result }) => result);

describe("just before its result is renamed, an attempt's input", () => {
  test("that was rewritten within the granularity of the file system's clock is found out by its hash", async () => {
    const { rig, finish } = await reading({ settleMs: 1, racyMs: 2000 });
    rig.disk.rewriteWithSameStat(INPUT, "b");
    finish();
    await rig.until(() => results(rig).length > 0);
    expect([results(rig), rig.text("upper/1.txt")]).toEqual([["dropped"], undefined]);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(B)");
  });

  test("that was rewritten to the same size is found out by its times", async () => {
    const { rig, finish } = await reading({ settleMs: 1, racyMs: 0 });
    rig.put("input/1.txt", "b");
    finish();
    await rig.until(() => results(rig).length > 0);
    expect(results(rig)).toEqual(["dropped"]);
    rig.changes.changed("input/1.txt");
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(B)");
  });

  test("that was rewritten to the same size and given its old time back is found out by its ctime", async () => {
    const { rig, finish } = await reading({ settleMs: 1, racyMs: 0 });
    rig.disk.rewriteWithSameStat(INPUT, "b");
    // Moves the ctime alone, as `touch -r` does.
    rig.disk.chmod(INPUT, 0o644);
    finish();
    await rig.until(() => results(rig).length > 0);
    expect([results(rig), rig.text("upper/1.txt")]).toEqual([["dropped"], undefined]);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(B)");
  });

  test("that is what was read costs nothing more", async () => {
    const { rig, finish } = await reading({ settleMs: 1, racyMs: 2000 });
    finish();
    await rig.quiet();
    expect([results(rig), rig.text("output/1.txt")]).toEqual([["ran"], "out(A)"]);
  });
});
