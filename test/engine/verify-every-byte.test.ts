import { expect, test } from "vitest";
import type { VerifiedRoot } from "../../src/engine/control.ts";
import { echo, EngineRig } from "../support/engine-rig.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { verifyRig } from "../support/verify-rig.ts";

const DEFINITION = echo();
const MANIFEST = ".millrace/manifests/001.json";
/** Every so many lengths a restart mends what `verify` found. */
const RESTART_EVERY = 25;

const verify = (rig: EngineRig): Promise<VerifiedRoot> => verifyRig(rig, [DEFINITION]);

async function made(): Promise<EngineRig> {
  const rig = await new EngineRig([DEFINITION]).start();
  rig.write("input/001.txt", "one");
  await rig.quiet();
  await rig.stop();
  expect((await verify(rig)).findings).toEqual([]);
  return rig;
}

/** A manifest without what differs from run to run. */
function timeless(text: string | undefined): string {
  return (text ?? "").replaceAll(/"(producedAt|runId|durationMs)": [^\n]*/g, '"$1": 0');
}

test("a manifest cut at any length is found, and a restart makes its record again from the outputs", async () => {
  const rig = await made();
  const whole = rig.text(MANIFEST)!;
  const outputs = rig.files();
  let restarts = 0;
  for (let length = 0; length < whole.length; length++) {
    rig.put(MANIFEST, whole.slice(0, length));
    const rules = new Set((await verify(rig)).findings.map(({ rule }) => rule));
    // Without its final newline it says the same.
    const isWhole = length === whole.length - 1;
    expect(rules.has(isWhole ? "manifest-not-canonical" : "manifest-damaged"), `cut at ${length}`).toBe(true);
    if (isWhole || length % RESTART_EVERY !== 0) continue;
    rig.index.discard();
    await rig.revive();
    await rig.stop();
    restarts++;
    expect(rig.files(), `cut at ${length}`).toEqual(outputs);
    expect(timeless(rig.text(MANIFEST)), `cut at ${length}`).toBe(timeless(whole));
    expect((await verify(rig)).findings).toEqual([]);
  }
  expect(restarts).toBeGreaterThan(40);
  // What was set aside is there for a person to look at.
  expect(rig.own("trash").length).toBe(restarts);
});

test("a manifest with any flipped bit is found or says the same, and never crashes anything", async () => {
  const rig = await made();
  const whole = Buffer.from(rig.text(MANIFEST)!);
  const random = new SeededRandom();
  let silent = 0;
  for (let flip = 0; flip < 300; flip++) {
    const bytes = Buffer.from(whole);
    const at = Math.floor(random.next() * bytes.length);
    bytes[at]! ^= 1 << Math.floor(random.next() * 8);
    rig.disk.write(`${rig.root.ports.root}/${MANIFEST}`, bytes);
    const report = await verify(rig);
    // Nothing else records when and by which run something was made, or by which code: a task that is stale is work, not damage.
    const isTold = report.findings.length > 0 || report.states.done !== 1;
    const line = whole.toString("latin1").slice(0, at).split("\n").length;
    const text = whole.toString("latin1").split("\n")[line - 1]!;
    if (!isTold) {
      silent++;
      expect(text, `bit ${flip} at ${at}`).toMatch(/"(producedAt|producedBy|runId|durationMs|codeHash|paramsHash)"/);
    }
  }
  expect(silent).toBeLessThan(150);
});

test("outputs swapped, cut or gone at any time are found by their hashes, whatever their sizes and times say", async () => {
  const rig = await made();
  rig.put("output/001.txt", "[ONE]");
  const [found] = (await verify(rig)).findings;
  expect(found).toMatchObject({ rule: "output-differs", path: "output/001.txt", entity: "001" });
  await rig.revive();
  await rig.stop();
  expect((await verify(rig)).findings).toEqual([]);
});
