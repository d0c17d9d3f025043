import { describe, expect, test } from "vitest";
import { problem } from "../../src/core/model/problem.ts";
import { examine, type DoctorInput } from "../../src/engine/doctor.ts";
import type { DoctorCheck } from "../../src/engine/control.ts";
import { mountOf } from "../../src/engine/mounts.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { diskError, MemoryDisk } from "../support/memory-disk.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const MOUNTS = "22 1 0:20 / / rw - ext4 /dev/vda rw\n23 22 0:21 / /project/state rw - ext4 /dev/vdb rw\n";
const GB = 1024 ** 3;

/** A healthy machine with one root, and what a test changes of it. */
function machine(change: (input: Mutable, disk: MemoryDisk) => void = () => undefined): {
  input: DoctorInput;
  disk: MemoryDisk;
} {
  const clock = new ManualClock();
  const disk = new MemoryDisk(clock);
  disk.makeFolders("/project/state");
  disk.makeFolders("/proc/sys/fs/inotify");
  disk.makeFolders("/proc/self");
  disk.write("/proc/self/mountinfo", MOUNTS);
  disk.write("/proc/sys/fs/inotify/max_user_watches", "524288\n");
  disk.write("/proc/sys/fs/inotify/max_user_instances", "1024\n");
  disk.write("/proc/sys/fs/inotify/max_queued_events", "16384\n");
  const input: Mutable = {
    projectFolder: "/project",
    nodeVersion: "24.21.0",
    disk,
    clock,
    random: new SeededRandom(1),
    space: { freeBytes: () => 10 * GB },
    validate: async () => ({ pipelines: [{ stateRoot: "state/" }], problems: [] }),
    ownerOf: () => undefined,
    answers: async () => true,
  };
  change(input, disk);
  return { input, disk };
}
type Mutable = { -readonly [key in keyof DoctorInput]: DoctorInput[key] };

async function findings(change: Parameters<typeof machine>[0]): Promise<readonly DoctorCheck[]> {
  return (await examine(machine(change).input)).checks.filter((check) => check.result !== "ok");
}

test("a healthy machine passes every check, and nothing of the checks stays on its disk", async () => {
  const { input, disk } = machine();
  const report = await examine(input);
  expect(report.healthy).toBe(true);
  expect(report.checks.map(({ check, result }) => `${result} ${check}`)).toEqual([
    "ok node",
    "ok inotify-watches",
    "ok inotify-instances",
    "ok inotify-events",
    "ok clock",
    "ok definitions",
    "ok file-system",
    "ok writable",
    "ok file-times",
    "ok free-space",
    "ok daemon",
  ]);
  expect(report.checks.every((check) => check.advice === null)).toBe(true);
  expect(disk.list("/project/state")).toEqual([]);
});

test("what Millrace keeps in the root stays", async () => {
  const { input, disk } = machine((_, at) => at.makeFolders("/project/state/.millrace"));
  await examine(input);
  expect(disk.list("/project/state")).toEqual([".millrace"]);
  expect(disk.list("/project/state/.millrace")).toEqual([]);
});

describe("what is wrong is found, with what to do", () => {
  const owner = { pid: 4711, host: "mill", since: "2026-11-20T11:00:00.000Z", door: "door" };
  const mounted = (type: string) => MOUNTS.replace("ext4 /dev/vdb", `${type} /dev/vdb`);

  test.each<[string, Parameters<typeof machine>[0], string]>([
    ["an older Node", (input) => (input.nodeVersion = "22.1.0"), "fail node: Node 22.1.0"],
    [
      "few watches",
      (_, disk) => disk.write("/proc/sys/fs/inotify/max_user_watches", "8192\n"),
      "warn inotify-watches: fs.inotify.max_user_watches is 8192",
    ],
    [
      "few watches of a user namespace",
      (_, disk) => {
        disk.makeFolders("/proc/sys/user");
        disk.write("/proc/sys/user/max_inotify_watches", "20\n");
      },
      "warn inotify-watches: user.max_inotify_watches is 20",
    ],
    [
      "a namespace that allows more than the system does, and too few",
      (_, disk) => {
        disk.makeFolders("/proc/sys/user");
        disk.write("/proc/sys/user/max_inotify_instances", "4096\n");
        disk.write("/proc/sys/fs/inotify/max_user_instances", "16\n");
      },
      "warn inotify-instances: fs.inotify.max_user_instances is 16",
    ],
    [
      "a broken definition",
      (input) =>
        (input.validate = async () => ({ pipelines: [], problems: [problem("M201", "it is no JSON", "mend it")] })),
      "fail definitions: 0 pipelines, 1 with errors: it is no JSON",
    ],
    ["no root", (_, disk) => disk.removeTree("/project/state"), "warn root: state/ does not exist"],
    [
      "a root that is a file",
      (_, disk) => {
        disk.removeTree("/project/state");
        disk.write("/project/state", "");
      },
      "fail root: state/ is no folder",
    ],
    [
      "a share",
      (_, disk) => disk.write("/proc/self/mountinfo", mounted("nfs4")),
      "warn file-system: state/ is on nfs4 (/project/state)",
    ],
    [
      "a stick",
      (_, disk) => disk.write("/proc/self/mountinfo", mounted("vfat")),
      "warn file-system: state/ is on vfat (/project/state)",
    ],
    [
      "memory",
      (_, disk) => disk.write("/proc/self/mountinfo", mounted("tmpfs")),
      "warn file-system: state/ is on tmpfs (/project/state)",
    ],
    [
      "little space",
      (input) => (input.space = { freeBytes: () => 0.5 * GB }),
      "warn free-space: 512 MB free for state/",
    ],
    ["no space", (input) => (input.space = { freeBytes: () => 1024 }), "fail free-space: 0 MB free for state/"],
    [
      "a silent daemon",
      (input) => {
        input.ownerOf = () => owner;
        input.answers = async () => false;
      },
      "fail daemon: the daemon of state/ does not answer (pid 4711 on mill)",
    ],
  ])("%s", async (_, change, expected) => {
    const found = await findings(change);
    expect(found.map(({ result, check, finding }) => `${result} ${check}: ${finding}`)).toEqual([expected]);
    expect(found[0]?.advice).toEqual(expect.any(String));
  });

  test("a root that cannot be written", async () => {
    const found = await findings((_, disk) => {
      disk.onOperation = (operation, path) => {
        if (operation === "makeFolders") throw diskError("EACCES", path);
      };
    });
    expect(found.map(({ result, check }) => `${result} ${check}`)).toEqual(["fail writable"]);
  });

  test("files stamped by another clock", async () => {
    const found = await findings((input, disk) => {
      const now = input.clock.wallMs();
      input.clock = {
        ...input.clock,
        wallMs: () => now + 60_000,
        monoMs: () => 0,
        after: () => ({ cancel: () => undefined }),
      };
      void disk;
    });
    expect(found.map(({ result, check }) => `${result} ${check}`)).toContain("warn file-times");
  });
});

test("a fail makes the report unhealthy, a warning does not", async () => {
  expect((await examine(machine((input) => (input.nodeVersion = "22.1.0")).input)).healthy).toBe(false);
  expect((await examine(machine((input) => (input.space = { freeBytes: () => 0.5 * GB })).input)).healthy).toBe(true);
});

test("a system without /proc has fewer checks", async () => {
  const { input } = machine((_, disk) => disk.removeTree("/proc"));
  const { checks } = await examine(input);
  expect(checks.map((check) => check.check)).not.toContain("file-system");
  expect(checks.map((check) => check.check)).not.toContain("inotify-watches");
});

describe("the mount of a path", () => {
  const table = [
    "22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/vda rw",
    "30 22 0:30 / /mnt rw - xfs /dev/vdb rw",
    "31 30 0:31 / /mnt/my\\040share rw shared:2 master:3 - nfs4 server:/x rw",
    "32 30 0:32 / /mnt/over rw - ext4 /dev/vdc rw",
    "33 32 0:33 / /mnt/over rw - tmpfs none rw",
  ].join("\n");

  test.each([
    ["/home/x", { point: "/", type: "ext4" }],
    ["/mnt", { point: "/mnt", type: "xfs" }],
    ["/mntx/y", { point: "/", type: "ext4" }],
    ["/mnt/my share/state", { point: "/mnt/my share", type: "nfs4" }],
    ["/mnt/over/state", { point: "/mnt/over", type: "tmpfs" }],
  ])("of %s", (path, mount) => {
    expect(mountOf(path, table)).toEqual(mount);
  });

  test("is unknown where the text names none", () => {
    expect(mountOf("/x", "")).toBeUndefined();
  });
});
