/** Where a path's file system is mounted, and its type as the kernel calls it. */
export interface Mount {
  readonly point: string;
  readonly type: string;
}

/**
 * The mount of an absolute, real path, from the text of `/proc/self/mountinfo`: the longest mount point above it, and of equal ones
 * the last, which covers the others. `undefined` when the text names none.
 * @see proc_pid_mountinfo(5): fields before ` - ` vary in number; the type comes first after it; spaces are written `\040`
 */
export function mountOf(path: string, mountinfo: string): Mount | undefined {
  let best: Mount | undefined;
  for (const line of mountinfo.split("\n")) {
    const [before, after] = line.split(" - ");
    const point = before?.split(" ")[4];
    const type = after?.split(" ")[0];
    if (point === undefined || type === undefined) continue;
    const mount = { point: unescape(point), type };
    if (contains(mount.point, path) && mount.point.length >= (best?.point.length ?? 0)) best = mount;
  }
  return best;
}

function contains(folder: string, path: string): boolean {
  return folder === "/" || path === folder || path.startsWith(`${folder}/`);
}

function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
