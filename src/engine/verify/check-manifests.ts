import { hashBytes } from "../../core/hash/hash.ts";
import { manifestFileName } from "../../core/model/entity-file-name.ts";
import { formatManifest, parseManifest } from "../../core/model/manifest-json.ts";
import type { Manifest } from "../../core/model/manifest.ts";
import type { RelPath } from "../../core/model/words.ts";
import { renderPattern, varsOfEntity } from "../../core/pattern/pattern.ts";
import { breathe } from "../watching/reconcile.ts";
import type { Recorded, Scene } from "./scene.ts";

const FOLDER: RelPath = ".millrace/manifests";
/** No manifest that we write comes near: reading a larger file would only cost memory. */
const MAX_BYTES = 64 * 1024 * 1024;
const SLICE = 1000;

/** What the manifest in a file turned out to be. */
export type ReadManifest =
  | { readonly is: "manifest"; readonly manifest: Manifest; readonly text: string }
  | { readonly is: "newer"; readonly version: number }
  | { readonly is: "damaged"; readonly reason: string }
  | { readonly is: "absent" };

/** Reads every manifest by its file, gathers the records, and tells what is wrong with them. Returns how many there are. */
export async function checkManifests(scene: Scene): Promise<number> {
  const { disk, root } = scene.root.ports;
  let count = 0;
  for (const bytes of disk.listBytes(`${root}/${FOLDER}`) ?? []) {
    if (++count % SLICE === 0) await breathe(scene.root.ports.clock);
    const name = Buffer.from(bytes).toString("utf8");
    if (!Buffer.from(name, "utf8").equals(bytes))
      scene.found.add(
        "manifest-misnamed",
        `${FOLDER}/${name}`,
        null,
        `"${FOLDER}/${name}" is a name that is not UTF-8`,
      );
    else checkFile(name, scene);
  }
  return count;
}

function checkFile(name: string, scene: Scene): void {
  const { found } = scene;
  const path = `${FOLDER}/${name}`;
  const read = readManifest(path, scene.root.ports);
  switch (read.is) {
    case "absent":
      return;
    case "newer":
      return found.add(
        "manifest-newer",
        path,
        null,
        `the manifest "${path}" has the version ${read.version}, which this Millrace does not know`,
      );
    case "damaged":
      return found.add("manifest-damaged", path, null, `the manifest "${path}" ${read.reason}`);
    case "manifest":
      return checkManifest(name, read.manifest, read.text, scene);
  }
}

/** A manifest's file, looked at by nothing that repairs it. */
export function readManifest(path: RelPath, ports: Pick<Scene["root"]["ports"], "disk" | "root">): ReadManifest {
  const stat = ports.disk.lstat(`${ports.root}/${path}`);
  if (stat === undefined) return { is: "absent" };
  // Reading a FIFO would block for ever.
  if (stat.kind !== "file") return { is: "damaged", reason: "is no regular file" };
  if (stat.size > MAX_BYTES) return { is: "damaged", reason: `has ${stat.size} bytes, which no manifest has` };
  const bytes = ports.disk.read(`${ports.root}/${path}`);
  if (bytes === undefined) return { is: "absent" };
  const text = Buffer.from(bytes).toString("utf8");
  if (!Buffer.from(text, "utf8").equals(bytes)) return { is: "damaged", reason: "is not UTF-8" };
  const parsed = parseManifest(text);
  if (parsed.is === "corrupt") return { is: "damaged", reason: parsed.reason };
  return parsed.is === "newer" ? parsed : { is: "manifest", manifest: parsed.manifest, text };
}

function checkManifest(name: string, manifest: Manifest, text: string, scene: Scene): void {
  const { found } = scene;
  const path = `${FOLDER}/${name}`;
  const { entityId } = manifest;
  const rightName = manifestFileName(entityId, hashBytes);
  if (rightName !== name) {
    found.add(
      "manifest-misnamed",
      path,
      entityId,
      `the manifest "${path}" says that it is of "${entityId}", whose file is "${rightName}"`,
    );
    return;
  }
  if (formatManifest(manifest) !== text)
    found.add("manifest-not-canonical", path, entityId, `the manifest "${path}" is not written as Millrace writes it`);
  for (const [pattern, record] of Object.entries(manifest.states)) gather({ entityId, pattern, record }, path, scene);
}

function gather(recorded: Recorded, file: RelPath, scene: Scene): void {
  const { entityId, pattern, record } = recorded;
  const stages = scene.root.stages.topology.stages.filter((stage) => stage.pattern.text === pattern);
  if (stages.length === 0) {
    scene.strangers.push(recorded);
    return;
  }
  const vars = varsOfEntity(stages[0]!.pattern, entityId);
  const rendered = vars && renderPattern(stages[0]!.pattern, vars);
  if (!rendered?.ok || rendered.path !== record.path) {
    const fits = rendered?.ok ? `its path is "${rendered.path}"` : "the entity does not fit the pattern";
    scene.found.add(
      "record-misfit",
      file,
      entityId,
      `the manifest "${file}" records "${record.path}" under "${pattern}", but for "${entityId}" ${fits}`,
    );
    return;
  }
  const known = scene.records.get(record.path);
  // Where pipelines chain, a source's record stands beside the product's: the product's tells more.
  if (known === undefined || stages.some((stage) => stage.type !== "source")) scene.records.set(record.path, recorded);
}
