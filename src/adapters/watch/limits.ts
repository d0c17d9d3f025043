import type { Disk } from "../../ports.ts";

/** What runs out, by the error of a watch: the setting of the system, and of a user namespace. */
const LIMITS: ReadonlyMap<unknown, { readonly what: string; readonly name: string; readonly own: string }> = new Map([
  ["ENOSPC", { what: "inotify watches", name: "max_user_watches", own: "max_inotify_watches" }],
  ["EMFILE", { what: "inotify instances", name: "max_user_instances", own: "max_inotify_instances" }],
]);

/** Is this a limit of the machine? Trying again at once does not help. */
export function isLimit(error: Error): boolean {
  return "code" in error && (LIMITS.has(error.code) || error.code === "ENFILE");
}

/**
 * Why a watch could not be made, and the line that raises the limit, with its value now; else what the error says.
 * @see inotify(7): ENOSPC is the limit of watches or want of kernel memory, EMFILE that of instances or of open files
 */
export function watchErrorWords(error: Error, disk: Pick<Disk, "read">): string {
  const code = "code" in error ? error.code : undefined;
  if (code === "ENFILE") return 'the system has no open files left: raise "fs.file-max"';
  const limit = LIMITS.get(code);
  if (limit === undefined) return error.message;
  const ofSystem = numberIn(`/proc/sys/fs/inotify/${limit.name}`, disk);
  const ofNamespace = numberIn(`/proc/sys/user/${limit.own}`, disk);
  const isOwn = ofNamespace !== undefined && (ofSystem === undefined || ofNamespace < ofSystem);
  const setting = isOwn ? `user.${limit.own}` : `fs.inotify.${limit.name}`;
  const value = isOwn ? ofNamespace : ofSystem;
  const is = value === undefined ? "" : ` (${setting} is ${value})`;
  const orFiles = code === "EMFILE" ? ', or, where this process has too many files open, with "ulimit -n"' : "";
  return `no ${limit.what} are left${is}: raise the limit with "sudo sysctl ${setting}=${enough(value)}"${orFiles}`;
}

/** Eight times what was not enough, and no less than a project of some size needs. */
function enough(value: number | undefined): number {
  return Math.max(1_024, (value ?? 0) * 8);
}

function numberIn(path: string, disk: Pick<Disk, "read">): number | undefined {
  const bytes = disk.read(path);
  const value = bytes === undefined ? Number.NaN : Number(new TextDecoder().decode(bytes));
  return Number.isFinite(value) ? value : undefined;
}
