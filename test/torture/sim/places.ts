import type { Operation } from "../../support/mortal-disk.ts";

/** Where the root of every life is. */
export const ROOT = "/project/state";

/** Operations that change what outlives a process. */
const WRITING: ReadonlySet<string> = new Set([
  "write",
  "rename",
  "copy",
  "makeFolders",
  "remove",
  "removeTree",
  "sync",
  "index.save",
  "index.saveMeta",
  "ledger.add",
]);

export function isWriting({ name }: Operation): boolean {
  return WRITING.has(name);
}

/** Every place of a commit, of its recovery and of what is saved beside it: each must be hit by a crash. */
export const PLACES = [
  "make batch folder",
  "make staged folder",
  "stage result",
  "sync result",
  "write intent",
  "rename intent",
  "sync batch folder",
  "sync temp folder",
  "make trash entry",
  "write trash note",
  "sync trash entry",
  "move to trash",
  "copy from trash",
  "make folder of results",
  "rename aside",
  "rename result",
  "remove aside",
  "sync folder of results",
  "write small file",
  "rename manifest",
  "sync folder of manifests",
  "remove manifest",
  "rename controls",
  "sync folder of Millrace",
  "remove batch",
  "ledger.add",
  "index.save",
  "index.saveMeta",
  "write in session.json.new",
  "rename in session.json",
  "makeFolders in millrace",
  "remove small file",
  "removeTree in visible/*",
  "removeTree in trash/*",
  "set manifest aside",
  "make folder of manifests",
  "write in clock.json",
  "remove staged",
] as const;

/** The place in the protocol of an operation that writes; what is not known there is named by itself. */
export function placeOf({ name, path, to }: Operation): string {
  if (name.includes(".")) return name;
  const from = partsOf(path);
  switch (name) {
    case "rename":
      return placeOfRename(from, partsOf(to!));
    case "makeFolders":
      return placeOfFolder(from);
    case "write":
      return placeOfWrite(from);
    case "sync":
      return placeOfSync(from);
    case "copy":
      return from.area === "trash" ? "copy from trash" : unknown(name, from);
    default:
      return placeOfRemoval(name, from);
  }
}

interface Parts {
  /** Millrace's own folder it is in, or `visible`. */
  readonly area: string;
  /** The segments below that. */
  readonly below: readonly string[];
}

function partsOf(path: string): Parts {
  const segments = path.slice(ROOT.length + 1).split("/");
  if (segments[0] !== ".millrace") return { area: "visible", below: segments };
  return { area: segments[1] ?? "millrace", below: segments.slice(2) };
}

function unknown(name: string, { area, below }: Parts): string {
  return `${name} in ${area}${below.length > 0 ? "/*" : ""}`;
}

function placeOfRename(from: Parts, to: Parts): string {
  if (to.area === "visible") return from.area === "tmp" ? "rename result" : "rename from trash";
  if (from.area === "visible") return to.area === "tmp" ? "rename aside" : "move to trash";
  if (from.area === "manifests" && to.area === "trash") return "set manifest aside";
  if (to.below.at(-1) === "intent.json") return "rename intent";
  if (to.area === "manifests") return "rename manifest";
  if (to.area === "controls.json") return "rename controls";
  return unknown("rename", to);
}

function placeOfFolder(parts: Parts): string {
  const { area, below } = parts;
  if (area === "tmp") return below.length === 1 ? "make batch folder" : "make staged folder";
  if (area === "trash") return "make trash entry";
  if (area === "manifests") return "make folder of manifests";
  return area === "visible" ? "make folder of results" : unknown("makeFolders", parts);
}

function placeOfWrite(parts: Parts): string {
  const { area, below } = parts;
  if (area === "tmp" && below.at(-1) === ".intent.json") return "write intent";
  if (area === "tmp") return below.length === 1 ? "write small file" : "stage result";
  return area === "trash" ? "write trash note" : unknown("write", parts);
}

function placeOfSync(parts: Parts): string {
  const { area, below } = parts;
  if (area === "tmp") {
    if (below.length === 0) return "sync temp folder";
    if (below.length === 1) return below[0]!.startsWith("write-") ? "sync small file" : "sync batch folder";
    return "sync result";
  }
  if (area === "manifests") return "sync folder of manifests";
  if (area === "trash") return "sync trash entry";
  if (area === "millrace") return "sync folder of Millrace";
  return area === "visible" ? "sync folder of results" : unknown("sync", parts);
}

function placeOfRemoval(name: string, parts: Parts): string {
  const { area, below } = parts;
  if (area === "manifests") return "remove manifest";
  if (area === "tmp" && below.at(-1)?.endsWith(".old")) return "remove aside";
  if (area === "tmp" && below.length === 1)
    return below[0]!.startsWith("write-") ? "remove small file" : "remove batch";
  return area === "tmp" ? "remove staged" : unknown(name, parts);
}
