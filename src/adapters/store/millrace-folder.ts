import { createHmac } from "node:crypto";
import { problem, type Problem } from "../../core/model/problem.ts";
import type { AbsPath } from "../../core/model/words.ts";
import type { Disk, Random, Trash } from "../../ports.ts";
import { readText } from "./document-text.ts";
import { DurableWriter } from "./durable-writer.ts";

const FOLDERS = ["manifests", "tmp", "trash", "cache"];

const GIT_IGNORE = `# The manifests say how every output was made: keep them with the files. All else here is private or made again.
/*
!/.gitignore
!/manifests/
`;

/**
 * Makes `.millrace` in a root: its folders, and a `.gitignore` that lets only the manifests into a repository.
 * What is there stays as it is. The caller has looked whether the root itself exists.
 */
export function prepareMillraceFolder(root: AbsPath, disk: Disk): void {
  for (const name of FOLDERS) disk.makeFolders(`${root}/.millrace/${name}`);
  const gitIgnore = `${root}/.millrace/.gitignore`;
  if (disk.lstat(gitIgnore) === undefined) disk.write(gitIgnore, GIT_IGNORE);
}

/** Hides values that must not be stored: equal values of one root give equal hashes, and nobody without the key can guess them. */
export interface RootKey {
  /** HMAC-SHA-256 of a value's UTF-8 under the root's key, 64 lower-case hex digits. */
  hmacOf(value: string): string;
}

/** What the root's key needs from outside. */
export interface RootKeyPorts {
  readonly disk: Disk;
  readonly random: Random;
  /** As many unguessable bytes. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** Where a damaged key goes; `undefined` for a process that does not own the root: it writes and moves nothing. */
  readonly trash: Trash | undefined;
  readonly onProblem: (problem: Problem) => void;
}

const KEY_BYTES = 32;
const KEY_TEXT = /^[0-9a-f]{64}\n$/;

/**
 * The key of a root: `.millrace/key`, 32 random bytes as hex and a newline, readable by its owner only; made when there is none.
 *
 * A damaged key is set aside with a warning and replaced: what was recorded under it counts as changed. A process that does
 * not own the root and finds no good key uses one of its own, with the same effect.
 */
export function openRootKey(root: AbsPath, ports: RootKeyPorts): RootKey {
  const text = readText(ports.disk, `${root}/.millrace/key`);
  if (typeof text === "string" && KEY_TEXT.test(text)) return rootKey(text);
  const fresh = Buffer.from(ports.randomBytes(KEY_BYTES)).toString("hex") + "\n";
  if (ports.trash === undefined) return rootKey(fresh);
  if (text !== undefined) setKeyAside(ports.trash, ports.onProblem);
  const writer = new DurableWriter(`${root}/.millrace/tmp`, ports);
  writer.write(`${root}/.millrace/key`, fresh, { sync: true, mode: 0o600 });
  return rootKey(fresh);
}

function setKeyAside(trash: Trash, onProblem: RootKeyPorts["onProblem"]): void {
  const kept = trash.put(".millrace/key", "the key is damaged");
  onProblem({
    ...problem(
      "M408",
      `the root's key ".millrace/key" was damaged`,
      "nothing: tasks that use environment variables run once more",
      { notes: [`a new key was made; the old one was moved to ${kept}`] },
    ),
    severity: "warning",
  });
}

function rootKey(text: string): RootKey {
  const key = Buffer.from(text.trim(), "hex");
  return { hmacOf: (value) => createHmac("sha256", key).update(value, "utf8").digest("hex") };
}
