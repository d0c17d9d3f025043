import type { ProblemCode } from "../../core/model/problems.ts";
import type { EntityId, RelPath } from "../../core/model/words.ts";
import type { RebuildFinding, VerifyFinding } from "../control.ts";

/** Every rule that `verify` checks, with its code; docs/verify.md says what each means. */
export const RULES = {
  "output-gone": "M601",
  "output-differs": "M602",
  "manifest-damaged": "M603",
  "manifest-newer": "M604",
  "manifest-misnamed": "M605",
  "manifest-not-canonical": "M606",
  "record-misfit": "M607",
  "temp-left": "M608",
  "unexplained-file": "M609",
  "believed-fresh": "M610",
  "source-record": "M610",
  "index-damaged": "M611",
  "index-row": "M611",
  "source-unexplained": "M612",
  "chain-broken": "M613",
  "leftover-product": "M614",
  "leftover-record": "M614",
  "leftover-source": "M614",
  "leftover-stage": "M614",
  "controls-damaged": "M615",
  "ledger-damaged": "M615",
  "owner-damaged": "M615",
  "session-damaged": "M615",
  "trash-damaged": "M615",
  "not-repeated": "M616",
} as const;

/** The name of a rule. */
export type Rule = keyof typeof RULES;

const BY_ITSELF = '"millrace run" makes it again; "millrace verify --repair" sees to it that it is noticed';

/** What to do about a finding, by rule; imperative. */
const HINTS: Readonly<Record<Rule, string>> = {
  "output-gone": BY_ITSELF,
  "output-differs": `${BY_ITSELF}; "millrace accept" keeps the file as it is instead`,
  "manifest-damaged": '"millrace verify --repair" sets it aside; its record is made again from the outputs',
  "manifest-newer": "use the Millrace that wrote it, or a later one",
  "manifest-misnamed": '"millrace verify --repair" gives it its name, or sets it aside',
  "manifest-not-canonical": '"millrace verify --repair" writes it as Millrace does',
  "record-misfit": '"millrace verify --repair" removes the record, which no task can have written',
  "temp-left": '"millrace verify --repair" removes it; a daemon removes it when it starts',
  "unexplained-file": 'move it elsewhere, name it in .millraceignore, or keep it with "millrace accept"',
  "believed-fresh": '"millrace verify --repair" has it looked at anew',
  "source-record": '"millrace verify --repair" records what is there',
  "index-damaged": '"millrace verify --repair" removes the index; it is made again from the files',
  "index-row": '"millrace verify --repair" removes the index; it is made again from the files',
  "source-unexplained": 'run "millrace run", then "millrace verify" again; if it stays, report it',
  "chain-broken": '"millrace verify --repair" has it made again',
  "leftover-product": '"millrace run" retracts it as "onOrphan" says',
  "leftover-record": '"millrace verify --repair" removes the record',
  "leftover-source": "nothing: a record without a file does no harm",
  "leftover-stage": 'see "millrace clean"',
  "controls-damaged": '"millrace verify --repair" sets it aside; then hold again what should not run',
  "ledger-damaged": '"millrace verify --repair" sets it aside and begins a new history',
  "owner-damaged": "make sure that no Millrace runs on this root, then delete .millrace/owner",
  "session-damaged": '"millrace verify --repair" sets it aside; the next start then checks what the last session wrote',
  "trash-damaged": '"millrace verify --repair" writes a new note',
  "not-repeated":
    "let the node give the same result for the same input: no time, chance or network; or accept that its outputs differ after a rebuild",
};

function codeOf(rule: Rule): ProblemCode {
  return RULES[rule];
}

const FAILS_HINT =
  "see to it that what the node needs is still there and that it does not fail by chance; its next run would fail, too";

function repeatWords(path: RelPath, { task, node, recorded, now, error }: RebuildFinding): string {
  const before = recorded === null ? "that nothing was made" : recorded;
  const after = error !== null ? `it fails: ${error}` : now === null ? "it makes nothing" : `it has ${now}`;
  return `"${path}" of ${task} (node: ${node}) is not repeated: recorded is ${before}; made again, ${after}`;
}

/** What a look at one root found. */
export class Findings {
  readonly findings: VerifyFinding[] = [];
  /** What stands there for a known reason and fails nothing. */
  readonly notes: VerifyFinding[] = [];

  /** Something is off. */
  add(rule: Rule, path: RelPath, entity: EntityId | null, message: string, hint: string = HINTS[rule]): void {
    this.findings.push({ code: codeOf(rule), rule, path, entity, message, hint, repaired: false });
  }

  /** A result does not come out the same when it is made again. */
  repeat(path: RelPath, entity: EntityId, rebuild: RebuildFinding): void {
    const hint = rebuild.error === null ? HINTS["not-repeated"] : FAILS_HINT;
    const of = { rule: "not-repeated", code: codeOf("not-repeated"), path, entity, repaired: false } as const;
    this.findings.push({ ...of, message: repeatWords(path, rebuild), hint, rebuild });
  }

  /** Something is as it is for a reason. */
  note(rule: Rule, path: RelPath, entity: EntityId | null, message: string, hint: string = HINTS[rule]): void {
    this.notes.push({ code: codeOf(rule), rule, path, entity, message, hint, repaired: false });
  }
}

/** Is it the same finding as one of an earlier look? */
export function sameFinding(a: VerifyFinding, b: VerifyFinding): boolean {
  return a.rule === b.rule && a.path === b.path && a.message === b.message;
}
