import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  GUARD_LEAST,
  guardDeletions,
  type GuardFacts,
  type PlannedRetraction,
  tripWords,
} from "../../../src/core/plan/deletion-guard.ts";

const SOURCE = "p#in";
const STAGE = "p#out";

/** Products of vanished sources, one each. */
function gone(count: number, more: Partial<PlannedRetraction> = {}, from = 0): PlannedRetraction[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `${STAGE}@${from + i}`,
    stage: STAGE,
    sources: [{ stage: SOURCE, path: `in/${from + i}` }],
    follows: [],
    ...more,
  }));
}

function guard(planned: readonly PlannedRetraction[], present: number, more: Partial<GuardFacts> = {}) {
  const { trips, frozen } = guardDeletions({
    planned,
    frozen: [],
    recentSources: [],
    recentOutputs: [],
    sourcesPresent: () => present,
    outputsPresent: () => present,
    moved: new Set(),
    otherDevice: new Set(),
    ...more,
  });
  return { trips: trips.map(({ what, gone: n, of }) => `${what} ${n}/${of}`), frozen: frozen.size };
}

describe("a batch of retractions", () => {
  test.each([
    [20, 20, 0],
    [21, 19, 21],
    [20, 0, 20],
    [19, 0, 0],
    [11, 9, 11],
    [10, 10, 0],
    [1, 1_000_000, 0],
  ])("of %i with %i that stay freezes %i", (vanished, present, frozen) => {
    expect(guard(gone(vanished), present).frozen).toBe(frozen);
  });

  test("counts what went lately and what is frozen already", () => {
    const recentSources = gone(10).flatMap((p) => p.sources);
    expect(guard(gone(11, {}, 10), 19, { recentSources })).toMatchObject({ trips: ["sources 21/40"], frozen: 11 });
    expect(guard(gone(1, {}, 10), 9, { frozen: gone(10) })).toEqual({
      trips: ["sources 11/20", "outputs 11/20"],
      frozen: 1,
    });
  });

  test("counts a source once, however much was made of it", () => {
    const more = gone(11).map((p, i) => ({ ...p, key: `p#more@${i}`, stage: undefined }));
    expect(guard([...gone(11), ...more], 20)).toEqual({ trips: [], frozen: 0 });
  });

  test("counts outputs by themselves when no source is gone", () => {
    expect(guard(gone(21, { sources: [] }), 19)).toEqual({ trips: ["outputs 21/40"], frozen: 21 });
  });

  test("does not count what moved, and lets it go though others are frozen", () => {
    const moved = new Set(gone(5).map((p) => p.sources[0]!.path));
    expect(guard(gone(30), 10, { moved })).toEqual({ trips: ["sources 25/35", "outputs 25/35"], frozen: 25 });
    expect(guard(gone(30), 0, { moved: new Set(gone(30).map((p) => p.sources[0]!.path)) }).frozen).toBe(0);
  });

  test("of a folder on another device is frozen whatever its number", () => {
    expect(guard(gone(1), 100, { otherDevice: new Set([SOURCE]) })).toEqual({ trips: ["device 1/101"], frozen: 1 });
  });

  test("takes along what follows from the frozen ones, and nothing else", () => {
    const other = { key: "q#x@1", stage: "q#x", sources: [{ stage: "q#s", path: "s/1" }], follows: [] };
    const follower = { key: "r#y@0", stage: "r#y", sources: [], follows: [`${STAGE}@0`] };
    const { frozen } = guardDeletions({
      planned: [other, follower, ...gone(30)],
      frozen: [],
      recentSources: [],
      recentOutputs: [],
      sourcesPresent: (stage) => (stage === SOURCE ? 5 : 500),
      outputsPresent: () => 500,
      moved: new Set(),
      otherDevice: new Set(),
    });
    expect([frozen.has("r#y@0"), frozen.has("q#x@1"), frozen.size]).toEqual([true, false, 31]);
  });
});

test("never lets more than half of at least so many go, in whatever batches they come", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: GUARD_LEAST, max: 80 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 }),
      (total, batches) => {
        let [went, frozen] = [[] as PlannedRetraction[], [] as PlannedRetraction[]];
        for (const size of batches) {
          const known = went.length + frozen.length;
          const planned = gone(Math.min(size, total - known), {}, known);
          const recentSources = went.flatMap((p) => p.sources);
          const present = total - known - planned.length;
          const decision = guardDeletions({
            planned,
            frozen,
            recentSources,
            recentOutputs: went.map(({ key }) => ({ key, stage: STAGE })),
            sourcesPresent: () => present,
            outputsPresent: () => present,
            moved: new Set(),
            otherDevice: new Set(),
          });
          // A batch of one stage goes or stays as a whole.
          expect([0, planned.length]).toContain(decision.frozen.size);
          if (decision.frozen.size > 0) frozen = [...frozen, ...planned];
          else went = [...went, ...planned];
        }
        expect(went.length * 2).toBeLessThanOrEqual(total);
      },
    ),
  );
});

test.each([
  ["sources", "21 of 40 sources of in/{id} (p#in) vanished: more than half"],
  ["outputs", "21 of 40 outputs of in/{id} (p#in) would go: more than half"],
  [
    "device",
    "the folder of in/{id} (p#in) is on another device than before, and 21 of 40 sources are not in it: something is not mounted",
  ],
] as const)("says why: %s", (what, words) => {
  expect(tripWords({ stage: SOURCE, what, gone: 21, of: 40 }, "in/{id}")).toBe(words);
});
