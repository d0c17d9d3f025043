/** The rules I1 to I16, judged from a look at the disk, the plan and what was written beside: nothing is asked of the product. */
import { ackFindings, effectFindings, orderFindings } from "./effects.ts";
import { countFindings, leakFindings, secondLookFindings, secretFindings, verifyFindings } from "./beside.ts";
import { type Expected, expectedResults } from "./oracle.ts";
import { compile, entityOf } from "./pattern.ts";
import type { Plan, PlannedStage } from "./plan.ts";
import { readRecords, type Records, type StateRecord } from "./records.ts";
import type { Extras, Finding, RootView } from "./view.ts";
import { hashOfTree, type Leaf, xxh64 } from "./xxh64.ts";

const MILLRACE = ".millrace";
/** What Millrace keeps for itself when nothing runs. */
const OWN =
  /^\.millrace\/(?:\.gitignore|key|owner|(?:controls|session|clock)\.json|(?:index|ledger)\.db(?:-wal|-shm)?|(?:manifests|tmp|trash|cache|canary)(?:\/.*)?)$/s;

const decoder = new TextDecoder();

/** Every broken rule of a root that is quiet and whose daemon has ended; none when all is well. */
export function check(view: RootView, plan: Plan, extras: Extras = {}): Finding[] {
  const judge = new Judge(view, plan);
  const findings = judge.findings();
  const { results, records } = judge;
  findings.push(
    ...effectFindings(plan),
    ...orderFindings(plan),
    ...ackFindings(plan, results, (path) => judge.textAt(path)),
    ...countFindings(view, plan, results, extras),
    ...secondLookFindings(extras),
    ...leakFindings(extras),
    ...secretFindings(view, plan, results, extras),
  );
  findings.push(...verifyFindings(findings, records, extras));
  return findings;
}

class Judge {
  readonly #view: RootView;
  readonly #plan: Plan;
  readonly records: Records;
  readonly results: Map<string, Expected>;
  readonly #found: Finding[] = [];
  readonly #working: readonly PlannedStage[];
  readonly #explained = new Set<string>();
  readonly #trash: readonly string[];

  constructor(view: RootView, plan: Plan) {
    this.#view = view;
    this.#plan = plan;
    this.#working = plan.stages.filter(({ type }) => type !== "source");
    this.#trash = [...view.entries.keys()].filter((path) => path.startsWith(`${MILLRACE}/trash/`));
    this.records = readRecords(view);
    this.results = expectedResults(plan, {
      isFailing: (stage, entity) => this.#failureOf(stage, entity) !== undefined,
      keptAt: (path) => this.#keptAt(path),
    });
  }

  findings(): Finding[] {
    this.#checkManifests();
    this.#checkSources();
    this.#checkKeepsakes();
    for (const expected of this.results.values()) this.#checkResult(expected);
    this.#checkRecords();
    this.#checkCodes();
    this.#checkStrays();
    return this.#found;
  }

  #say(
    rule: Finding["rule"],
    what: string,
    of: { path?: string; entity?: string },
    expected: string,
    got: string,
  ): void {
    this.#found.push({ rule, what, path: of.path ?? null, entity: of.entity ?? null, expected, got });
  }

  // ------------------------------------------------------------ what lies where

  /** The text of a file; `undefined` when there is none. */
  textAt(path: string): string | undefined {
    const entry = this.#view.entries.get(path);
    return entry?.kind === "file" ? decoder.decode(entry.bytes()) : undefined;
  }

  /** The content hash of a file or a folder; `undefined` when nothing is there. */
  #hashAt(path: string): string | undefined {
    const at = path.replace(/\/$/, "");
    const entry = this.#view.entries.get(at);
    if (entry === undefined) return undefined;
    if (entry.kind === "file") return xxh64(entry.bytes());
    const below: Leaf[] = [];
    for (const [other, { kind, bytes }] of this.#view.entries)
      if (other.startsWith(`${at}/`) && kind !== "other")
        below.push({ path: other.slice(at.length + 1), kind, bytes: bytes() });
    return hashOfTree(below);
  }

  #keptAt(path: string): string | undefined {
    const keepsake = this.#plan.keepsakes?.find((kept) => kept.path === path && kept.mayStay);
    return keepsake && this.textAt(path) === keepsake.content ? keepsake.content : undefined;
  }

  #failureOf(stage: PlannedStage, entity: string): { error: string; category: string } | undefined {
    return this.records.byEntity.get(entity)?.failures.get(stage.pattern);
  }

  #recordOf(stage: PlannedStage, entity: string): StateRecord | undefined {
    return this.records.byEntity.get(entity)?.states.get(stage.pattern);
  }

  // ------------------------------------------------------------ I1, I7, keepsakes

  #checkManifests(): void {
    for (const { file, reason } of this.records.unreadable)
      this.#say("I7", "MANIFEST-UNREADABLE", { path: file }, "a manifest in its canonical form", reason);
    for (const path of this.records.strangers)
      this.#say("I6", "TEMP-LEFT", { path }, "manifests only", "something else");
  }

  #checkSources(): void {
    for (const { path, last, stat } of this.#plan.sources) {
      this.#explained.add(path);
      const entry = this.#view.entries.get(path);
      if (last === null) {
        if (entry !== undefined) this.#say("I11", "RESURRECTED", { path }, "deleted on purpose", "it is there");
        continue;
      }
      if (entry?.kind !== "file") {
        this.#say("I1", "INPUT-GONE", { path }, "the file as it was dropped", entry?.kind ?? "nothing");
        continue;
      }
      const bytes = entry.bytes();
      const text = decoder.decode(bytes);
      if (text !== last) this.#say("I1", "INPUT-CHANGED", { path }, show(last), show(text));
      const { size, mode, mtimeNs } = stat ?? {};
      const is = { size: bytes.byteLength, mode: entry.mode, mtimeNs: entry.mtimeNs };
      for (const [name, was, now] of [
        ["size", size, is.size],
        ["mode", mode, is.mode],
        ["mtimeNs", mtimeNs, is.mtimeNs],
      ] as const)
        if (was !== undefined && now !== undefined && was !== now)
          this.#say("I1", "INPUT-CHANGED", { path }, `${name} ${was}`, `${name} ${now}`);
    }
  }

  /** Bytes that people put in a result's way are theirs: they are where they were, or in the trash. */
  #checkKeepsakes(): void {
    for (const { path, content, mayStay } of this.#plan.keepsakes ?? []) {
      if (mayStay && this.textAt(path) === content) this.#explained.add(path);
      else if (!this.#trash.some((kept) => kept.endsWith(`/${path}`) && this.textAt(kept) === content))
        this.#say("I2", "LOST", { path }, `${show(content)}, in its place or in the trash`, show(this.textAt(path)));
    }
  }

  // ------------------------------------------------------------ I2, I3, I4: one result

  #checkResult(expected: Expected): void {
    const { path, stage, entity, content, doubt } = expected;
    const of = { path, entity };
    const record = this.#recordOf(stage, entity);
    if (this.#keptAt(path) !== undefined) return;
    const there = this.#view.entries.get(path);
    if (there !== undefined) this.#explained.add(path);
    if (doubt === "failing") this.#checkFailing(expected);
    if (doubt !== undefined) return;
    if (content === null) {
      // Its policy keeps what a stage made before it chose to make nothing.
      if (there !== undefined && stage.onOrphan !== "keep")
        this.#say("I3", "WRONG-BYTES", of, "nothing", show(this.textAt(path)));
      if (record === undefined) this.#say("I5", "NO-RECORD", of, "a record that says that nothing was made", "none");
      return;
    }
    if (there === undefined) {
      this.#say("I2", "LOST", of, show(content), "nothing, and no reason");
      return;
    }
    const text = this.textAt(path);
    if (text !== content) this.#say("I3", "WRONG-BYTES", of, show(content), show(text ?? there.kind));
    if (record === undefined) this.#say("I5", "NO-RECORD", of, "a record in a manifest", "none");
    else this.#checkInputs(expected, record);
  }

  #checkFailing({ path, stage, entity, mustFail }: Expected): void {
    const failure = this.#failureOf(stage, entity);
    const { mayFail = [] } = this.#plan;
    const task = `${stage.key}@${entity}`;
    if (failure === undefined)
      this.#say("I2", "NO-REASON", { path, entity }, "a recorded failure with its reason", "none");
    else if (!mustFail && mayFail !== "any" && !mayFail.includes(task))
      this.#say("I2", "FAILED", { path, entity }, "a result", failure.error);
  }

  /** What the record says of the inputs is what lies there; where it came from another stage, that is the very same hash. */
  #checkInputs({ path, entity, inputs }: Expected, { inputHashes }: StateRecord): void {
    for (const input of inputs)
      if (inputs.length === 1 && !Object.hasOwn(inputHashes, input))
        this.#say("I4", "HASH-MISMATCH", { path, entity }, `the hash of ${input} in the record`, "none");
    for (const [input, recorded] of Object.entries(inputHashes)) {
      if (input.includes("{")) continue;
      const now = this.#hashAt(input) ?? null;
      if (now !== recorded)
        this.#say("I4", "HASH-MISMATCH", { path, entity }, `${input} with ${recorded ?? "no file"}`, now ?? "no file");
    }
  }

  // ------------------------------------------------------------ I4, I5: every record

  #checkRecords(): void {
    const byPattern = new Map(this.#working.map((stage) => [stage.pattern, stage]));
    for (const { entityId: entity, states } of this.records.byEntity.values())
      for (const [pattern, record] of states) {
        const stage = byPattern.get(pattern);
        if (stage !== undefined) this.#checkRecord(stage, entity, record);
      }
  }

  #checkRecord(stage: PlannedStage, entity: string, record: StateRecord): void {
    const out = compile(stage.pattern);
    const path = record.path.replace(/\/$/, "");
    const vars = out.match(path);
    const of = { path, entity };
    if (vars === undefined || entityOf(out, vars) !== entity) {
      this.#say("I7", "MANIFEST-UNREADABLE", of, `a path of "${stage.pattern}" for "${entity}"`, record.path);
      return;
    }
    if (this.#keptAt(path) !== undefined) return;
    if (record.contentHash !== null) this.#checkHash(of, record.contentHash);
    if (this.results.has(path)) return;
    const there = this.#view.entries.has(path);
    const mayBe = stage.onOrphan === "keep" || this.#plan.mayLinger === true;
    if (there) this.#explained.add(path);
    if (there && !mayBe && record.contentHash !== null)
      this.#say("I11", "NOT-RETRACTED", of, "nothing: what it was made from is gone", "it is there");
  }

  #checkHash(of: { path: string; entity: string }, recorded: string): void {
    const now = this.#hashAt(of.path);
    const expected = this.results.get(of.path);
    if (now === undefined) {
      const isTold = expected !== undefined && expected.doubt === undefined && expected.content !== null;
      if (!isTold) this.#say("I5", "NO-FILE", of, `a file with ${recorded}`, "nothing");
    } else if (now !== recorded) this.#say("I4", "HASH-MISMATCH", of, recorded, now);
  }

  /** Results of one stage that are right today were made by one code. */
  #checkCodes(): void {
    for (const stage of this.#working) {
      const byCode = new Map<string, { path: string; entity: string }[]>();
      for (const { path, entity, doubt } of this.results.values()) {
        const record = this.#recordOf(stage, entity);
        if (doubt !== undefined || record?.path !== path || this.#keptAt(path) !== undefined) continue;
        const made = byCode.get(record.codeHash);
        if (made === undefined) byCode.set(record.codeHash, [{ path, entity }]);
        else made.push({ path, entity });
      }
      const [most, ...others] = [...byCode].toSorted((a, b) => b[1].length - a[1].length);
      for (const [code, made] of others)
        for (const of of made) this.#say("I4", "HASH-MISMATCH", of, `code ${most![0]}`, `code ${code}`);
    }
  }

  // ------------------------------------------------------------ I5, I6: every file

  #checkStrays(): void {
    const others = new Set(this.#plan.others ?? []);
    const folders = [...others].filter((path) => path.endsWith("/"));
    const made = this.#working.map(({ pattern }) => compile(pattern));
    const trees = [...this.results.values()]
      .filter(({ stage }) => stage.pattern.endsWith("/"))
      .map(({ path }) => `${path}/`);
    for (const [path, { kind }] of this.#view.entries) {
      if (path === MILLRACE || path.startsWith(`${MILLRACE}/`)) {
        this.#checkOwn(path);
        continue;
      }
      if (kind === "folder" || this.#explained.has(path) || others.has(path)) continue;
      if (folders.some((folder) => path.startsWith(folder)) || trees.some((tree) => path.startsWith(tree))) continue;
      if (isTemporary(path)) this.#say("I6", "TEMP-LEFT", { path }, "nothing half-made", kind);
      else if (made.some((out) => out.match(path) !== undefined))
        this.#say("I5", "NO-RECORD", { path }, "a record in a manifest", "none");
      else this.#say("I5", "STRAY", { path }, "files that the plan or a pattern explains", kind);
    }
  }

  #checkOwn(path: string): void {
    if (path.startsWith(`${MILLRACE}/tmp/`)) this.#say("I6", "TEMP-LEFT", { path }, "an empty tmp", "something");
    else if (path !== MILLRACE && !OWN.test(path))
      this.#say("I6", "TEMP-LEFT", { path }, "files that Millrace keeps", path);
  }
}

function isTemporary(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return /^\.|~$|\.(?:tmp|part|partial|lock|journal|millrace-tmp)$/.test(name);
}

function show(content: string | undefined): string {
  if (content === undefined) return "nothing";
  return JSON.stringify(content.length > 60 ? `${content.slice(0, 60)}...` : content);
}
