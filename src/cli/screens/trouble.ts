import type { IncidentReport, TroubleReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { inWords } from "../time-words.ts";
import { errorLines, troubleLines } from "./task-lines.ts";

/** What a report says of tasks that need eyes. */
export interface Trouble {
  readonly trouble: readonly TroubleReport[];
  readonly troubleTotal: number;
  readonly incidents: readonly IncidentReport[];
}

/** Tasks that failed alike are one entry with one command; every other task has its own. Nothing when none needs eyes. */
export function troublePart({ trouble, troubleTotal, incidents }: Trouble, screen: Screen): string[] {
  if (troubleTotal === 0) return [];
  const shared = incidents.filter((incident) => incident.tasks > 1);
  const ids = new Set<string | null>(shared.map((incident) => incident.id));
  const single = trouble.filter((task) => !ids.has(task.incident));
  const told = shared.reduce((sum, incident) => sum + incident.tasks, single.length);
  const more = troubleTotal - told;
  return [
    `  ${troubleTotal} ${troubleTotal === 1 ? "task needs" : "tasks need"} attention`,
    ...shared.flatMap((incident) => incidentLines(incident, screen)),
    ...troubleLines(single, screen),
    ...(more > 0
      ? [screen.style.dim(`  and ${more} more: millrace list --status failed,retrying,quarantined,blocked`)]
      : []),
  ];
}

/** How many failed alike and when they come again, the error of one, examples, and the command that retries them all. */
function incidentLines(incident: IncidentReport, screen: Screen): string[] {
  const { style, nowMs } = screen;
  const next = incident.nextRetryAt === null ? "no retry by itself" : `next ${inWords(incident.nextRetryAt, nowMs)}`;
  const aside = incident.quarantined === 0 ? "" : `, ${incident.quarantined} quarantined`;
  const more = incident.tasks > 2 ? ", ..." : "";
  return [
    `  ${style.bad(`${incident.tasks} alike`)}  ${style.bold(incident.stage)}  ${style.dim(`${next}${aside}`)}`,
    ...errorLines(incident.error, "    ", screen),
    `    ${style.dim(`${incident.examples.slice(0, 2).join(", ")}${more}`)}`,
    `    do: millrace retry incident:${incident.id}`,
  ];
}
