import type { ErrorCategory, FailureRecord } from "../../core/model/manifest.ts";
import type { Status } from "../../core/model/words.ts";
import { incidentOf } from "../../core/plan/incident.ts";
import type { Row, StateTable } from "../../core/plan/state-table.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { Clock } from "../../ports.ts";
import type { IncidentReport } from "../control.ts";
import type { ManifestBook } from "../manifest-book.ts";
import type { StagesInForce } from "../stages.ts";
import { nameOf } from "./task-finder.ts";

/** Statuses of tasks that failed themselves. Blocked ones follow from them. */
const FAILED: ReadonlySet<Status> = new Set(["retrying", "failed", "quarantined"]);
/** How many incidents a report names, and how many tasks of each. */
const INCIDENTS_SHOWN = 20;
const EXAMPLES_SHOWN = 3;
/** How many failures that were not judged in this life are read from manifests for one report. */
const READ_AT_ONCE = 1000;

/** One failed task. Times in milliseconds since 1970. */
interface Member {
  readonly incident: Incident;
  readonly firstFailedAt: number;
  readonly lastFailedAt: number;
  readonly nextRetryAt: number | null;
  readonly isQuarantined: boolean;
}
interface Incident {
  readonly id: string;
  readonly stage: string;
  readonly category: ErrorCategory;
  /** The error of the task that failed first. */
  readonly error: string;
  readonly members: Map<Row, Member>;
  /** What the report said, until something changes. */
  report: IncidentReport | undefined;
}

export interface IncidentSources {
  readonly table: StateTable;
  readonly book: ManifestBook;
  readonly clock: Clock;
  readonly stages: () => StagesInForce;
}

/**
 * The failed tasks of a root, sorted into incidents, and the blocked ones. It hears of each status as it is set, so that a
 * report costs what changed and not the number of entities.
 */
export class Incidents {
  readonly #from: IncidentSources;
  readonly #incidents = new Map<string, Incident>();
  readonly #members = new Map<Row, Member>();
  readonly #blocked = new Set<Row>();
  /** Failed rows that were loaded with the table and not judged yet; `undefined` until somebody asks. */
  #unread: Set<Row> | undefined;

  constructor(from: IncidentSources) {
    this.#from = from;
  }

  /** A task's status was set. */
  note(row: Row, status: Status | undefined): void {
    this.#unread?.delete(row);
    this.#forget(row);
    if (status === "blocked") this.#blocked.add(row);
    else this.#blocked.delete(row);
    if (status !== undefined && FAILED.has(status)) this.#add(row, status);
  }

  #forget(row: Row): void {
    const member = this.#members.get(row);
    if (member === undefined) return;
    const { incident } = member;
    this.#members.delete(row);
    incident.members.delete(row);
    incident.report = undefined;
    if (incident.members.size === 0) this.#incidents.delete(incident.id);
  }

  #add(row: Row, status: Status): void {
    const task = this.#taskOf(row);
    if (task === undefined) return;
    const { book, clock, stages } = this.#from;
    const { failures } = book.get(task.entity.id);
    const pattern = task.stage.pattern.text;
    const failure = Object.hasOwn(failures, pattern) ? failures[pattern]! : standingFailure();
    const { category, error } = failure;
    const id = incidentOf({ stage: task.stage.key, category, error, entity: task.entity });
    let incident = this.#incidents.get(id);
    if (incident === undefined) {
      incident = { id, stage: task.stage.key, category, error, members: new Map(), report: undefined };
      this.#incidents.set(id, incident);
    }
    const member: Member = {
      incident,
      firstFailedAt: Date.parse(failure.firstFailedAt),
      lastFailedAt: Date.parse(failure.lastFailedAt),
      nextRetryAt: status === "retrying" && failure.nextRetryAt !== null ? Date.parse(failure.nextRetryAt) : null,
      isQuarantined: status === "quarantined",
    };
    incident.members.set(row, member);
    incident.report = undefined;
    this.#members.set(row, member);

    /** It failed without an attempt: nothing is recorded. */
    function standingFailure(): Pick<
      FailureRecord,
      "category" | "error" | "firstFailedAt" | "lastFailedAt" | "nextRetryAt"
    > {
      const [found] = book.refusal(task!.entity.id) ?? stages().problems;
      const now = new Date(clock.wallMs()).toISOString();
      const why = task!.ambiguous ?? found?.message ?? "the node cannot run as it is written";
      return { category: "definition", error: why, firstFailedAt: now, lastFailedAt: now, nextRetryAt: null };
    }
  }

  #taskOf(row: Row): Task | undefined {
    const path = this.#from.table.pathOf(row);
    return path === undefined ? undefined : this.#from.stages().topology.producerTask(path);
  }

  /** Sorts in what was loaded with the table and has not been judged yet. */
  #readMore(): void {
    const { table } = this.#from;
    if (this.#unread === undefined) {
      this.#unread = new Set();
      for (let row = 0; row < table.end; row++) {
        const status = table.statusOf(row);
        if (status === "blocked") this.#blocked.add(row);
        else if (status !== undefined && FAILED.has(status) && !this.#members.has(row)) this.#unread.add(row);
      }
    }
    let left = READ_AT_ONCE;
    for (const row of this.#unread) {
      if (left-- === 0) return;
      this.note(row, table.statusOf(row));
    }
  }

  /** Most tasks first, at most 20. */
  reports(): IncidentReport[] {
    this.#readMore();
    return [...this.#incidents.values()]
      .toSorted((a, b) => b.members.size - a.members.size || (a.id < b.id ? -1 : 1))
      .slice(0, INCIDENTS_SHOWN)
      .map((incident) => (incident.report ??= this.#reportOf(incident)));
  }

  #reportOf({ id, stage, category, error, members }: Incident): IncidentReport {
    let [first, last, next, quarantined] = [Infinity, -Infinity, Infinity, 0];
    for (const member of members.values()) {
      first = Math.min(first, member.firstFailedAt);
      last = Math.max(last, member.lastFailedAt);
      if (member.nextRetryAt !== null) next = Math.min(next, member.nextRetryAt);
      if (member.isQuarantined) quarantined++;
    }
    const examples: string[] = [];
    for (const row of members.keys()) {
      if (examples.length === EXAMPLES_SHOWN) break;
      const task = this.#taskOf(row);
      if (task) examples.push(nameOf(task));
    }
    return {
      id,
      stage,
      category,
      error,
      tasks: members.size,
      examples,
      firstFailedAt: new Date(first).toISOString(),
      lastFailedAt: new Date(last).toISOString(),
      nextRetryAt: next === Infinity ? null : new Date(next).toISOString(),
      quarantined,
    };
  }

  /** The earliest next try of all; `null` when none comes by itself. */
  get nextRetryAt(): string | null {
    const all = [...this.#incidents.values()].map((incident) => (incident.report ??= this.#reportOf(incident)));
    return all.flatMap(({ nextRetryAt }) => nextRetryAt ?? []).toSorted()[0] ?? null;
  }

  /** The incident that a failed task belongs to, with how many share it; `undefined` for every other task. */
  of(task: Task): { readonly id: string; readonly tasks: number } | undefined {
    const row = this.#from.table.find(task.path);
    const incident = row === undefined ? undefined : this.#members.get(row)?.incident;
    return incident && { id: incident.id, tasks: incident.members.size };
  }

  /** The tasks of one incident. */
  tasksOf(id: string): Task[] {
    this.#readMore();
    return [...(this.#incidents.get(id)?.members.keys() ?? [])].flatMap((row) => this.#taskOf(row) ?? []);
  }

  /**
   * Tasks that need eyes, at most so many, those that failed before those that are blocked by them. Small incidents are taken
   * first, so that a large one hides nothing.
   */
  troubled(limit: number): Task[] {
    this.#readMore();
    const rows: Row[] = [];
    for (const { members } of [...this.#incidents.values()].toSorted((a, b) => a.members.size - b.members.size)) {
      if (rows.length >= limit) break;
      rows.push(...members.keys().take(limit - rows.length));
    }
    rows.sort((a, b) => a - b);
    rows.push(...this.#blocked.keys().take(Math.max(0, limit - rows.length)));
    return rows.flatMap((row) => this.#taskOf(row) ?? []);
  }
}
