import { posix } from "node:path";
import { hashBytes } from "../../core/hash/hash.ts";
import { InternalError } from "../../core/model/problems.ts";
import type { AbsPath, ContentHash, RelPath } from "../../core/model/words.ts";
import type { AttemptRequest, Disk } from "../../ports.ts";
import { type AttemptReads, MAX_CONTENT_BYTES, MAX_SHARED_BYTES, Overtaken, WantsToBeAlone } from "./attempt-reads.ts";
import { type Made, NodeFailure } from "./node-type.ts";
import type { Validator } from "./validate.ts";
import type { ExecutePorts, RootAccess } from "./wire.ts";

/** A result that is whole, valid and in its staging place. */
export interface Staged {
  readonly hash: ContentHash;
  /** Bytes; of a folder, of all its files. */
  readonly size: number;
}

/** Stages what a batch node made. Throws `NodeFailure` when it is not valid, `Overtaken` when what it copies changed. */
export function stageMade(
  ports: ExecutePorts,
  root: RootAccess,
  request: AttemptRequest,
  made: Made,
  reads: AttemptReads,
  validator: Validator,
  isAlone: boolean,
): Staged {
  switch (made.kind) {
    case "text":
      return stageBytes(ports.disk, request, Buffer.from(made.text), validator);
    case "bytes":
      return stageBytes(ports.disk, request, made.bytes, validator);
    case "copy":
      return stageCopy(ports, root, request, made.path, reads, validator, isAlone);
    case "branch":
      throw new NodeFailure(`an "if" cannot be a branch of another "if"`, "definition");
  }
}

function stageBytes(disk: Disk, request: AttemptRequest, bytes: Uint8Array, validator: Validator): Staged {
  if (request.output.path.endsWith("/")) throw valueForFolder(request.output.path);
  validator.checkSize(bytes.byteLength);
  if (validator.wantsContent) validator.checkContent(bytes);
  disk.write(request.output.staged, bytes);
  return { hash: hashBytes(bytes), size: bytes.byteLength };
}

/** The failure of a node that returned a value where a folder was to be filled. */
export function valueForFolder(path: RelPath): NodeFailure {
  return new NodeFailure(
    `the node returned a value, but "${path}" is a folder; fill the folder output.path, or end the stage's pattern without "/"`,
    "definition",
  );
}

function stageCopy(
  ports: ExecutePorts,
  root: RootAccess,
  request: AttemptRequest,
  path: RelPath,
  reads: AttemptReads,
  validator: Validator,
  isAlone: boolean,
): Staged {
  const item = request.inputs.flatMap(({ items }) => items).find((one) => one.path === path);
  const known = item && reads.look(item);
  if (known === undefined) throw new InternalError(`"${path}" is copied but was not read`);
  if (path.endsWith("/") !== request.output.path.endsWith("/")) throw kindsDiffer(path, request.output.path);
  if (known.bytes !== undefined) return stageBytes(ports.disk, request, known.bytes, validator);
  const from = ports.disk.realpath(withoutSlash(`${request.root}/${path}`));
  if (from === undefined) throw new Overtaken(path);
  ports.disk.copy(from, withoutSlash(request.output.staged));
  const staged = measureStaged(ports, root, request, validator, isAlone);
  // What was copied must be what was read and recorded.
  if (staged.hash !== known.hash) throw new Overtaken(path);
  return staged;
}

function kindsDiffer(from: RelPath, to: RelPath): NodeFailure {
  const [what, wanted] = from.endsWith("/") ? ["folder", "file"] : ["file", "folder"];
  return new NodeFailure(
    `"${from}" is a ${what} and cannot be copied to the ${wanted} "${to}"; let both patterns end with "/", or none`,
    "definition",
  );
}

/**
 * Hashes and validates what is in the staging place, whoever put it there.
 * Throws `NodeFailure` when nothing is there, or something else than the pattern says.
 */
export function measureStaged(
  ports: ExecutePorts,
  root: RootAccess,
  request: AttemptRequest,
  validator: Validator,
  isAlone: boolean,
): Staged {
  const { path } = request.output;
  const at = withoutSlash(request.output.staged);
  const isFolder = path.endsWith("/");
  const stat = ports.disk.lstat(at);
  if (stat === undefined) throw new NodeFailure("the node returned nothing and did not fill output.path", "node");
  if (stat.kind !== (isFolder ? "folder" : "file")) {
    throw new NodeFailure(
      `the node made a ${stat.kind} where "${path}" wants a ${isFolder ? "folder" : "file"}`,
      "node",
    );
  }
  const size = isFolder ? treeSize(ports.disk, at) : stat.size;
  if (size > MAX_SHARED_BYTES && !isAlone) throw new WantsToBeAlone();
  validator.checkSize(size);
  if (validator.wantsContent) validator.checkContent(contentOf(ports.disk, at, isFolder, size));
  return { hash: isFolder ? root.hashTree(path, at) : hashStagedFile(ports, at), size };
}

function hashStagedFile(ports: ExecutePorts, at: AbsPath): ContentHash {
  const hashed = ports.openRoot(posix.dirname(at)).reader.hashNow(posix.basename(at));
  if (hashed.is === "hashed") return hashed.hash;
  const why =
    hashed.is === "refused"
      ? hashed.reason
      : "something still writes it, or the machine has no more open files to give";
  throw new NodeFailure(`the staged result cannot be read: ${why}`, "output");
}

function contentOf(disk: Disk, at: AbsPath, isFolder: boolean, size: number): Uint8Array {
  if (isFolder) throw new NodeFailure(`"json" and "matches" cannot look into a folder; remove them`, "validation");
  if (size > MAX_CONTENT_BYTES) {
    throw new NodeFailure(`the result is too large for "json" and "matches" (${size} bytes)`, "validation");
  }
  return disk.read(at) ?? new Uint8Array();
}

function treeSize(disk: Disk, folder: AbsPath): number {
  let size = 0;
  for (const name of disk.list(folder) ?? []) {
    const path = `${folder}/${name}`;
    const stat = disk.lstat(path);
    if (stat?.kind === "folder") size += treeSize(disk, path);
    else if (stat?.kind === "file") size += stat.size;
  }
  return size;
}

/** A folder's path as the disk wants it. */
export function withoutSlash(path: AbsPath): AbsPath {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
