import { callDoor } from "../adapters/door/socket.ts";
import { createPlainLog } from "../adapters/observe/plain-log.ts";
import { FileOwnerLock } from "../adapters/store/owner.ts";
import { SystemClock } from "../adapters/system/clock.ts";
import { NodeDisk } from "../adapters/system/disk.ts";
import { loadHasher } from "../core/hash/hash.ts";
import type { Problem } from "../core/model/problem.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { NodeRunner } from "../ports.ts";
import { claimRoots, enabled, findDaemon } from "./compose-claim.ts";
import { RebuildPlace } from "./compose-rebuild.ts";
import { createRunner, openRoot, projectSources } from "./compose-root.ts";
import { loadProject, type Project, type ProjectRoot } from "./config.ts";
import type { RepairReport, VerifiedRoot, VerifyFinding, VerifyReport } from "./control.ts";
import { unknownTarget } from "./calls/target-problems.ts";
import { sameFinding } from "./verify/findings.ts";
import { repairRoot } from "./verify/repair.ts";
import { type Verified, verifyRoot } from "./verify/verify.ts";

/** How long a daemon may take to become quiet before the second look, in milliseconds. */
const QUIET_MS = 20_000;
/** How long a one-shot run is given before the second look, in milliseconds. */
const PAUSE_MS = 500;

const disk: NodeDisk = new NodeDisk();

interface Verifying {
  readonly projectFolder: AbsPath;
  readonly targets: readonly string[];
  readonly repair: boolean;
  /** Outputs are made again, too; called before the first of them, for a signal that ends that work. */
  readonly rebuild?: (() => AbortSignal) | undefined;
}

/**
 * Looks at every root of the project for itself, whoever owns it. Where somebody works on a root, only what still stands at a
 * second look counts, after the daemon was asked to reconcile and be quiet.
 */
export async function verifyProject(options: Verifying): Promise<Result<VerifyReport>> {
  await loadHasher();
  const runner = createRunner();
  try {
    const project = await loadProject(projectSources(options.projectFolder, runner, disk));
    if (project.pipelines.length === 0 || project.problems.some(({ severity }) => severity === "error"))
      return fail(...project.problems);
    const looked = await lookTwice(project, options, runner);
    if (!looked.ok || !options.repair) return looked.ok ? ok(reportOf(looked.value)) : looked;
    const repaired = await repair(project, options, looked.value, runner);
    return repaired.ok ? ok(reportOf(repaired.value)) : repaired;
  } finally {
    await runner.close();
  }
}

function reportOf(roots: readonly VerifiedRoot[]): VerifyReport {
  const isOk = roots.every(({ findings }) => findings.every((finding) => finding.repaired));
  return { version: 1, roots, ok: isOk };
}

// ---------------------------------------------------------------- looking

async function lookTwice(
  project: Project,
  options: Verifying,
  runner: NodeRunner,
): Promise<Result<readonly VerifiedRoot[]>> {
  const place = options.rebuild && new RebuildPlace(options.rebuild);
  const first = await lookAtAll(project, options, runner, place).finally(() => place?.remove());
  if (!first.ok || place?.isEnding || first.value.every(({ findings }) => findings.every(isOfRebuild))) return first;
  const owners = project.roots.flatMap(({ root }) => new FileOwnerLock(root, disk).current() ?? []);
  if (owners.length === 0) return first;
  const door = findDaemon(project, options.projectFolder)?.owner.door;
  if (door) await Promise.race([callDoor(door, "run", { settleTimeoutMs: QUIET_MS / 4 }), pause(QUIET_MS)]);
  else await pause(PAUSE_MS);
  const second = await lookAtAll(project, options, runner);
  if (!second.ok) return second;
  return ok(second.value.map((root, at) => withRebuild(root, first.value[at]!)));
}

/** What stands at the second look, and what the first one made again: no node runs a third time. */
function withRebuild(now: VerifiedRoot, before: VerifiedRoot): VerifiedRoot {
  const findings = [...standing(now.findings, before.findings), ...before.findings.filter(isOfRebuild)];
  const { rebuilt } = before.checked;
  return { ...now, findings, checked: { ...now.checked, ...(rebuilt && { rebuilt }) } };
}

function isOfRebuild({ rebuild }: VerifyFinding): boolean {
  return rebuild !== undefined;
}

function standing(now: readonly VerifyFinding[], before: readonly VerifyFinding[]): VerifyFinding[] {
  const known = Map.groupBy(before, ({ path }) => path);
  return now.filter((finding) => known.get(finding.path)?.some((earlier) => sameFinding(finding, earlier)));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void new SystemClock().after(ms, resolve));
}

async function lookAtAll(
  project: Project,
  options: Verifying,
  runner: NodeRunner,
  place?: RebuildPlace,
): Promise<Result<readonly VerifiedRoot[]>> {
  const looked: Verified[] = [];
  for (const projectRoot of project.roots) {
    const one = await lookAt(projectRoot, project, options, runner, place);
    if (!one.ok) return one;
    looked.push(one.value);
  }
  const strange = options.targets.find((target) => looked.every(({ unknown }) => unknown.includes(target)));
  if (strange !== undefined) {
    const stages = project.pipelines.flatMap((pipeline) => pipeline.stages);
    return fail(unknownTarget(strange, stages));
  }
  return ok(looked.map(({ report }) => report));
}

async function lookAt(
  { root: folder, pipelines }: ProjectRoot,
  project: Project,
  { projectFolder, targets }: Verifying,
  runner: NodeRunner,
  place: RebuildPlace | undefined,
): Promise<Result<Verified>> {
  const problems: Problem[] = [];
  // What is wrong becomes a finding: nothing is told twice.
  const log = { ...createPlainLog(() => {}), problem: (found: Problem) => void problems.push(found) };
  const opened = openRoot({ root: folder, projectFolder, pipelines, runner, log, mode: "look" });
  if (!opened.ok) return opened;
  const { root, ignored, release } = opened.value;
  const lock = new FileOwnerLock(folder, disk);
  try {
    // The index is never believed: the table is filled from the disk.
    await root.openDefinitions(enabled(pipelines), project.problems);
    const ownerFault = lock.fault();
    const owner = ownerFault === undefined ? lock.current() : undefined;
    const verified = await verifyRoot({ root, owner, ownerFault, problems, ignored }, targets, place);
    return verified.refused === undefined ? ok(verified) : fail(verified.refused);
  } finally {
    root.finish();
    await release();
  }
}

// ---------------------------------------------------------------- repairing

async function repair(
  project: Project,
  options: Verifying,
  looked: readonly VerifiedRoot[],
  runner: NodeRunner,
): Promise<Result<readonly VerifiedRoot[]>> {
  if (looked.every(({ findings }) => findings.length === 0)) return ok(looked);
  const door = findDaemon(project, options.projectFolder)?.owner.door;
  if (door) return repairThrough(door, looked);
  const claimed = claimRoots(project, "");
  if (!claimed.ok) return claimed;
  try {
    const repaired: VerifiedRoot[] = [];
    for (const [at, root] of looked.entries()) {
      const one = await repairHere(project.roots[at]!, project, options, root, runner);
      if (!one.ok) return one;
      repaired.push(one.value);
    }
    return ok(repaired);
  } finally {
    for (const lock of claimed.value) lock.release();
  }
}

async function repairThrough(door: string, looked: readonly VerifiedRoot[]): Promise<Result<readonly VerifiedRoot[]>> {
  const repaired: VerifiedRoot[] = [];
  for (const one of looked) {
    const { root, findings } = one;
    const answer = (await callDoor(door, "repair", { root, findings })) as Result<RepairReport>;
    if (!answer.ok) return answer;
    repaired.push(marked(one, new Set(answer.value.repaired)));
  }
  return ok(repaired);
}

async function repairHere(
  { root: folder, pipelines }: ProjectRoot,
  project: Project,
  { projectFolder }: Verifying,
  looked: VerifiedRoot,
  runner: NodeRunner,
): Promise<Result<VerifiedRoot>> {
  const log = createPlainLog(() => {});
  const opened = openRoot({ root: folder, projectFolder, pipelines, runner, log, mode: "control" });
  if (!opened.ok) return opened;
  const { root, release } = opened.value;
  try {
    await root.openDefinitions(enabled(pipelines), project.problems);
    const mended = await repairRoot(root, looked.findings);
    return ok(marked(looked, new Set(mended.flatMap((is, at) => (is ? [at] : [])))));
  } finally {
    root.finish();
    await release();
  }
}

function marked(looked: VerifiedRoot, repaired: ReadonlySet<number>): VerifiedRoot {
  const findings = looked.findings.map((finding, at) => ({ ...finding, repaired: repaired.has(at) }));
  return { ...looked, findings };
}
