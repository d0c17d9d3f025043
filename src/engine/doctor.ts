import { resolve } from "node:path";
import type { Problem } from "../core/model/problem.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { Clock, Disk, Owner, Random, SpaceProbe } from "../ports.ts";
import type { DoctorCheck, DoctorReport } from "./control.ts";
import { mountOf } from "./mounts.ts";

/** What the checks look at. */
export interface DoctorInput {
  readonly projectFolder: AbsPath;
  /** Such as `24.21.0`. */
  readonly nodeVersion: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly space: SpaceProbe;
  /** The definitions, as `validate` sees them. */
  validate(): Promise<{
    readonly pipelines: readonly { readonly stateRoot: string }[];
    readonly problems: readonly Problem[];
  }>;
  /** Who holds a root now. */
  ownerOf(root: AbsPath): Owner | undefined;
  /** Whether a daemon answers at its door. */
  answers(owner: Owner): Promise<boolean>;
}

const OLDEST_NODE = 24;
const MB = 1024 * 1024;
const LEAST_FREE_BYTES = 50 * MB;
const SCARCE_FREE_BYTES = 1024 * MB;
/** Below these, a project of some size loses events or cannot be watched at all. */
const INOTIFY_WANTED = { max_user_watches: 65_536, max_user_instances: 128, max_queued_events: 16_384 } as const;
/** A file's time may be off by its file system's granularity (2 s on FAT) without harm. */
const MOST_SKEW_MS = 2_500;
/** No clock was right before this program was written. */
const EARLIEST_NOW_MS = Date.UTC(2026, 0, 1);
const NETWORK_TYPES =
  /^(nfs\d?|cifs|smb\d?|smbfs|ncpfs|afs|ceph|glusterfs|lustre|gfs2|ocfs2|9p|virtiofs|vboxsf|fuse\..+)$/;
const COARSE_TYPES = /^(vfat|msdos|exfat)$/;
const MEMORY_TYPES = /^(tmpfs|ramfs)$/;

/**
 * Checks the machine and the project, in a fixed order: Node, inotify, the clock, definitions, then for each root its file system,
 * whether it can be written (a probe file in `.millrace/`, removed again), free space, the clock of its files, and its daemon.
 */
export async function examine(input: DoctorInput): Promise<DoctorReport> {
  const { pipelines, problems } = await input.validate();
  const roots = [...new Set(pipelines.map((pipeline) => pipeline.stateRoot))];
  const checks = [
    checkNode(input.nodeVersion),
    ...checkInotify(input.disk),
    checkClock(input.clock),
    checkDefinitions(pipelines.length, problems),
  ];
  for (const root of roots) checks.push(...(await checkRoot(root, input)));
  return { version: 1, healthy: checks.every((check) => check.result !== "fail"), checks };
}

function checkNode(version: string): DoctorCheck {
  const major = Number(version.split(".")[0]);
  return major >= OLDEST_NODE
    ? well("node", `Node ${version}`)
    : failed("node", `Node ${version}`, `install Node ${OLDEST_NODE} or newer`);
}

/** Limits of a user namespace, which may be lower than the system's, as in a container. */
const OWN_LIMITS: Readonly<Record<string, string>> = {
  max_user_watches: "max_inotify_watches",
  max_user_instances: "max_inotify_instances",
};

/** Nothing on a system without inotify. */
function checkInotify(disk: Disk): DoctorCheck[] {
  return Object.entries(INOTIFY_WANTED).flatMap(([name, wanted]): DoctorCheck[] => {
    const ofSystem = numberIn(disk, `/proc/sys/fs/inotify/${name}`);
    if (ofSystem === undefined) return [];
    const own = OWN_LIMITS[name];
    const ofNamespace = own === undefined ? undefined : numberIn(disk, `/proc/sys/user/${own}`);
    const isOwn = ofNamespace !== undefined && ofNamespace < ofSystem;
    const [setting, value] = isOwn ? [`user.${own}`, ofNamespace] : [`fs.inotify.${name}`, ofSystem];
    const check = `inotify-${name.split("_").at(-1)}`;
    const finding = `${setting} is ${value}`;
    return [
      value >= wanted ? well(check, finding) : warned(check, finding, `raise it: sudo sysctl ${setting}=${wanted * 8}`),
    ];
  });
}

function numberIn(disk: Disk, path: AbsPath): number | undefined {
  const bytes = disk.read(path);
  const value = bytes === undefined ? Number.NaN : Number(new TextDecoder().decode(bytes).trim());
  return Number.isFinite(value) ? value : undefined;
}

function checkClock(clock: Clock): DoctorCheck {
  const now = new Date(clock.wallMs()).toISOString();
  return clock.wallMs() >= EARLIEST_NOW_MS
    ? well("clock", now)
    : failed("clock", `the clock says ${now}`, "set the clock; retries and records use it");
}

function checkDefinitions(pipelines: number, problems: readonly Problem[]): DoctorCheck {
  const found = `${pipelines} ${pipelines === 1 ? "pipeline" : "pipelines"}`;
  const errors = problems.filter((one) => one.severity === "error");
  const first = errors[0] ?? problems[0];
  if (first === undefined) return well("definitions", found);
  const finding = `${found}, ${errors.length} with errors: ${first.message}`;
  if (errors.length > 0) return failed("definitions", finding, 'see all of them with "millrace validate"');
  return warned("definitions", `${found}: ${first.message}`, first.hint);
}

async function checkRoot(root: string, input: DoctorInput): Promise<DoctorCheck[]> {
  const { disk } = input;
  const path = resolve(input.projectFolder, root);
  const stat = disk.stat(path);
  if (stat === undefined) return [warned("root", `${root} does not exist`, `create it: mkdir -p ${root}`)];
  if (stat.kind !== "folder")
    return [failed("root", `${root} is no folder`, "move it away, or name another stateRoot")];
  return [
    ...checkFileSystem(root, path, disk),
    ...checkWriting(root, path, input),
    ...checkSpace(root, path, input.space),
    await checkDaemon(root, path, input),
  ];
}

/** Nothing where the system does not tell its mounts. */
function checkFileSystem(root: string, path: AbsPath, disk: Disk): DoctorCheck[] {
  const table = disk.read("/proc/self/mountinfo");
  const mount = table && mountOf(disk.realpath(path) ?? path, new TextDecoder().decode(table));
  if (mount === undefined) return [];
  const finding = `${root} is on ${mount.type} (${mount.point})`;
  const check = "file-system";
  if (NETWORK_TYPES.test(mount.type)) {
    return [
      warned(check, finding, "expect polling and a longer settle time: a share does not tell what others change on it"),
    ];
  }
  if (COARSE_TYPES.test(mount.type)) {
    return [
      warned(
        check,
        finding,
        "prefer a file system with fine time stamps: here fresh files are hashed again more often",
      ),
    ];
  }
  if (MEMORY_TYPES.test(mount.type))
    return [warned(check, finding, "prefer a disk: this is empty after a restart of the machine")];
  return [well(check, finding)];
}

/** Writes a probe and looks at its time: permission, and the clock of the file system beside ours. */
function checkWriting(root: string, path: AbsPath, { disk, clock, random }: DoctorInput): DoctorCheck[] {
  const folder = `${path}/.millrace`;
  const probe = `${folder}/doctor-${random.id()}`;
  const wasThere = disk.stat(folder) !== undefined;
  try {
    disk.makeFolders(folder);
    disk.write(probe, "");
    const skewMs = Math.round((disk.stat(probe)?.mtimeMs ?? NaN) - clock.wallMs());
    return [well("writable", `${root} can be written`), checkSkew(root, skewMs)];
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return [
      failed(
        "writable",
        `${root} cannot be written: ${said}`,
        "give this user write permission on it and all below it",
      ),
    ];
  } finally {
    removeProbe(disk, probe, wasThere ? undefined : folder);
  }
}

/** A probe that cannot be removed was never written, or the check has failed already: nothing more to say. */
function removeProbe(disk: Disk, probe: AbsPath, folder: AbsPath | undefined): void {
  try {
    disk.remove(probe);
    if (folder !== undefined) disk.remove(folder);
  } catch {
    // Said by the check itself.
  }
}

function checkSkew(root: string, skewMs: number): DoctorCheck {
  const ahead = `files in ${root} are stamped ${Math.abs(skewMs)} ms ${skewMs < 0 ? "behind" : "ahead of"} this clock`;
  return Math.abs(skewMs) <= MOST_SKEW_MS
    ? well("file-times", `files in ${root} are stamped by this clock`)
    : warned("file-times", ahead, "set both clocks by NTP: fresh files are told by their times");
}

function checkSpace(root: string, path: AbsPath, probe: SpaceProbe): DoctorCheck[] {
  const free = probe.freeBytes(path);
  if (free === undefined) return [];
  const finding = `${sizeWords(free)} free for ${root}`;
  if (free < LEAST_FREE_BYTES) return [failed("free-space", finding, "free some space: results could not be written")];
  return [
    free < SCARCE_FREE_BYTES ? warned("free-space", finding, "free some space soon") : well("free-space", finding),
  ];
}

async function checkDaemon(root: string, path: AbsPath, input: DoctorInput): Promise<DoctorCheck> {
  const owner = input.ownerOf(path);
  if (owner === undefined) return well("daemon", `no daemon holds ${root}`);
  const who = `pid ${owner.pid} on ${owner.host}`;
  if (owner.door === "") return well("daemon", `a run holds ${root} (${who})`);
  return (await input.answers(owner))
    ? well("daemon", `the daemon of ${root} answers (${who})`)
    : failed(
        "daemon",
        `the daemon of ${root} does not answer (${who})`,
        `stop it and start it again: kill ${owner.pid}`,
      );
}

function sizeWords(bytes: number): string {
  return bytes >= 1024 * MB ? `${(bytes / 1024 / MB).toFixed(1)} GB` : `${Math.floor(bytes / MB)} MB`;
}

const well = (check: string, finding: string): DoctorCheck => ({ check, result: "ok", finding, advice: null });
const warned = (check: string, finding: string, advice: string): DoctorCheck => ({
  check,
  result: "warn",
  finding,
  advice,
});
const failed = (check: string, finding: string, advice: string): DoctorCheck => ({
  check,
  result: "fail",
  finding,
  advice,
});
