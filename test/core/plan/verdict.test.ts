import { describe, expect, test } from "vitest";
import type { FailureRecord, StateRecord } from "../../../src/core/model/manifest.ts";
import type { InputFact, TaskFacts } from "../../../src/core/plan/verdict.ts";
import { judge, reasonsOf } from "../../../src/core/plan/verdict.ts";

const input: InputFact = { path: "in/1.txt", is: "ready", hash: "aaaa", why: "" };
const record: StateRecord = {
  path: "out/1.txt",
  contentHash: "oooo",
  codeHash: "code1",
  paramsHash: "params1",
  inputHashes: { "in/1.txt": "aaaa" },
  producedAt: "2026-01-01T00:00:00.000Z",
  producedBy: "p#out",
  runId: "r1",
  durationMs: 1,
};
const failure: FailureRecord = {
  error: "boom",
  category: "node",
  attempts: 1,
  firstFailedAt: "2026-01-01T00:00:00.000Z",
  lastFailedAt: "2026-01-01T00:00:00.000Z",
  nextRetryAt: "2026-01-01T00:01:00.000Z",
  delayMs: 60_000,
  signature: "s",
  inputHashes: { "in/1.txt": "aaaa" },
};

/** A task that is fresh, with some facts replaced. */
function facts(other: Partial<TaskFacts> = {}): TaskFacts {
  return {
    inputs: [input],
    hashNow: (path) => (path === "in/1.txt" ? "aaaa" : null),
    code: { codeHash: "code1", paramsHash: "params1", envHashes: {}, toolHashes: {} },
    envNow: () => "env-now",
    record,
    outputHash: "oooo",
    failure: undefined,
    sameFailure: false,
    maxAttempts: 3,
    isSink: false,
    rerunSinkForCode: false,
    keepEdits: false,
    onOrphan: "trash",
    retraction: undefined,
    held: false,
    forced: false,
    nowMs: Date.parse("2026-01-01T00:00:30.000Z"),
    ...other,
  };
}

function withInput(other: Partial<InputFact>): Partial<TaskFacts> {
  return { inputs: [{ ...input, ...other }] };
}

const code = facts().code!;

describe("a task whose record is today's", () => {
  test("is fresh, without any evidence", () => {
    expect(judge(facts())).toEqual({ status: "fresh", due: false, retract: false, evidence: [], waitingFor: [] });
  });

  test("is skipped when its run chose to make nothing", () => {
    const verdict = judge(facts({ record: { ...record, contentHash: null }, outputHash: undefined }));
    expect(verdict).toMatchObject({ status: "skipped", due: false, evidence: [] });
  });
});

describe("a stale task", () => {
  test.each<[string, Partial<TaskFacts>, string, string[]]>([
    ["never ran", { record: undefined, outputHash: undefined }, "missing", ["output-missing"]],
    ["lost its output", { outputHash: undefined }, "missing", ["output-missing"]],
    ["has an output edited by hand", { outputHash: "edit" }, "stale", ["output-modified"]],
    ["has a file in its way", { record: undefined, outputHash: "what" }, "stale", ["foreign-file"]],
    ["has another input", withInput({ hash: "bbbb" }), "stale", ["input-changed"]],
    ["has an input it never saw", withInput({ path: "in/2.txt", hash: "bbbb" }), "stale", ["input-added"]],
    ["has other code", { code: { ...code, codeHash: "code2" } }, "stale", ["code-changed"]],
    ["has other params", { code: { ...code, paramsHash: "params2" } }, "stale", ["params-changed"]],
    ["has another declared variable", { code: { ...code, envHashes: { KEY: "x" } } }, "stale", ["env-changed"]],
    ["has another tool", { code: { ...code, toolHashes: { gcc: "14" } } }, "stale", ["tool-changed"]],
    ["was invalidated", { forced: true }, "stale", ["forced"]],
  ])("that %s is due, and says why", (_name, other, status, reasons) => {
    const verdict = judge(facts(other));
    expect([verdict.status, verdict.due, reasonsOf(verdict)]).toEqual([status, true, reasons]);
  });

  test("names what differs, before and now", () => {
    const verdict = judge(facts(withInput({ hash: "bbbb" })));
    expect(verdict.evidence).toEqual([{ code: "input-changed", subject: "in/1.txt", before: "aaaa", now: "bbbb" }]);
  });

  test("is stale for a recorded read as for a declared input, absence included", () => {
    const reads = { ...record.inputHashes, "read/1.txt": "rrrr", "gone/1.txt": null };
    const hashNow = (path: string): string | null =>
      ({ "in/1.txt": "aaaa", "read/1.txt": "other", "gone/1.txt": "back" })[path] ?? null;
    const verdict = judge(facts({ record: { ...record, inputHashes: reads }, hashNow }));
    expect(verdict.evidence).toEqual([
      { code: "input-changed", subject: "read/1.txt", before: "rrrr", now: "other" },
      { code: "input-added", subject: "gone/1.txt", now: "back" },
    ]);
  });

  test("is stale for a variable that a run read by itself", () => {
    expect(reasonsOf(judge(facts({ record: { ...record, envHashes: { HOME: "before" } } })))).toEqual(["env-changed"]);
    expect(judge(facts({ record: { ...record, envHashes: { HOME: "env-now" } } })).status).toBe("fresh");
  });

  test("leaves an edited output alone when its stage keeps edits", () => {
    expect(judge(facts({ keepEdits: true, outputHash: "edit" })).status).toBe("fresh");
  });

  test("keeps its edited output when an input changes, until it is invalidated", () => {
    const edited = { keepEdits: true, outputHash: "edit", ...withInput({ hash: "bbbb" }) };
    expect(judge(facts(edited))).toMatchObject({ status: "held", due: false });
    expect(judge(facts({ ...edited, forced: true }))).toMatchObject({ status: "stale", due: true });
  });

  test("is held when it or its stage is held; a fresh one stays fresh", () => {
    expect(judge(facts({ held: true, outputHash: undefined }))).toMatchObject({ status: "held", due: false });
    expect(judge(facts({ held: true })).status).toBe("fresh");
  });

  test("failed before it ran when its node cannot run", () => {
    expect(judge(facts({ code: undefined, record: undefined, outputHash: undefined }))).toMatchObject({
      status: "failed",
      due: false,
    });
  });
});

describe("a sink", () => {
  const changed = { isSink: true, code: { ...code, codeHash: "code2" } };
  test("does not fire again for changed code", () => {
    expect(judge(facts(changed)).status).toBe("fresh");
  });
  test('fires again for changed code with rerun "always"', () => {
    expect(judge(facts({ ...changed, rerunSinkForCode: true })).due).toBe(true);
  });
  test("fires again for a changed input", () => {
    expect(judge(facts({ ...changed, ...withInput({ hash: "bbbb" }) })).due).toBe(true);
  });
});

describe("a task whose input is not ready", () => {
  test.each<[InputFact["is"], string]>([
    ["failed", "blocked"],
    ["settling", "settling"],
    ["pending", "waiting"],
    ["orphaned", "orphaned"],
    ["absent", "orphaned"],
  ])("(%s) is %s and not due", (is, status) => {
    const verdict = judge(facts(withInput({ is, hash: undefined, why: "because" })));
    expect([verdict.status, verdict.due, verdict.waitingFor]).toEqual([status, false, ["because"]]);
  });

  test("and that made nothing is no task at all", () => {
    const nothing = { record: undefined, outputHash: undefined };
    expect(judge(facts({ ...withInput({ is: "absent", hash: undefined }), ...nothing })).status).toBe("none");
  });

  test("names the upstream work as its reason", () => {
    expect(reasonsOf(judge(facts(withInput({ is: "pending", hash: undefined }))))).toEqual(["upstream-stale"]);
  });
});

describe("a task that failed", () => {
  const failed = { record: undefined, outputHash: undefined, failure, sameFailure: true };
  test("is retrying until its next attempt", () => {
    expect(judge(facts(failed))).toMatchObject({
      status: "retrying",
      due: true,
      retryAt: Date.parse(failure.nextRetryAt!),
    });
  });
  test("is quarantined after its last attempt", () => {
    const last = { ...failure, attempts: 3, nextRetryAt: null };
    expect(judge(facts({ ...failed, failure: last }))).toMatchObject({ status: "quarantined", due: false });
  });
  test("is failed when no other attempt can help", () => {
    expect(
      judge(facts({ ...failed, failure: { ...failure, category: "definition", nextRetryAt: null } })),
    ).toMatchObject({
      status: "failed",
      due: false,
    });
  });
  test("goes on at once when more attempts are allowed than when it was set aside", () => {
    const last = { ...failure, attempts: 2, nextRetryAt: null };
    expect(judge(facts({ ...failed, failure: last }))).toMatchObject({ status: "missing", due: true });
  });
  test("gets a first attempt at once when anything of its signature changed", () => {
    expect(judge(facts({ ...failed, sameFailure: false }))).toMatchObject({ status: "missing", due: true });
  });
  test("gets one at once when it is invalidated", () => {
    expect(judge(facts({ ...failed, forced: true })).due).toBe(true);
  });
});

describe("what a task left that has lost its input", () => {
  const lost = withInput({ is: "absent", hash: undefined, why: "in/1.txt is not there" });
  const leftover = { ...record, contentHash: null, leftover: "oooo" };
  test.each<[string, Partial<TaskFacts>, string, boolean, string]>([
    ["our own file goes", {}, "orphaned", true, ""],
    ["our own file stays where it is to be kept", { onOrphan: "keep" }, "orphaned", false, '"onOrphan" keeps'],
    ["an edited file stays", { outputHash: "mine" }, "orphaned", false, "edited by hand"],
    ["an accepted file stays", { record: { ...record, runId: "accepted" } }, "orphaned", false, "accepted"],
    ["a file without a record stays", { record: undefined }, "orphaned", false, "did not write"],
    ["a frozen file is told of", { retraction: "frozen" }, "orphaned", true, "millrace accept --deletions"],
    ["an older result goes", { record: leftover }, "orphaned", true, ""],
    ["a record without a file goes", { outputHash: undefined }, "none", true, ""],
    ["a failure goes", { record: undefined, outputHash: undefined, failure }, "none", true, ""],
    ["nothing is left of nothing", { record: undefined, outputHash: undefined }, "none", false, ""],
  ])("%s", (_name, other, status, retract, told) => {
    const verdict = judge(facts({ ...lost, ...other }));
    expect([verdict.status, verdict.retract, verdict.due]).toEqual([status, retract, false]);
    expect(verdict.waitingFor.join("; ")).toContain(told);
  });

  test.each<[string, Partial<TaskFacts>, string, boolean]>([
    ["an older result of a stage that now makes nothing goes", { record: leftover }, "skipped", true],
    ["it stays where it is to be kept", { record: leftover, onOrphan: "keep" }, "orphaned", false],
    ["an edit of it stays, and is shown", { record: leftover, outputHash: "mine" }, "orphaned", false],
    ["the word on it goes when it is gone", { record: leftover, outputHash: undefined }, "skipped", true],
    ["nothing is left", { record: { ...record, contentHash: null }, outputHash: undefined }, "skipped", false],
  ])("%s", (_name, other, status, retract) => {
    expect(judge(facts(other))).toMatchObject({ status, retract, due: false });
  });
});
