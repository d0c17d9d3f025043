/** What may come in from outside, each with the one question: is it answered, and does the answer hold together? */
import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { openControlsStore } from "../../../src/adapters/store/controls.ts";
import { FileIntents } from "../../../src/adapters/store/intents.ts";
import { FileManifestStore } from "../../../src/adapters/store/manifests.ts";
import { entityOfFileName, manifestFileName } from "../../../src/core/model/entity-file-name.ts";
import { formatManifest, parseManifest } from "../../../src/core/model/manifest-json.ts";
import { type Problem, renderProblem } from "../../../src/core/model/problem.ts";
import { PROBLEM_TITLES } from "../../../src/core/model/problems.ts";
import { createIgnore } from "../../../src/core/pattern/ignore.ts";
import {
  entityIdOf,
  findOverlap,
  matchPattern,
  nearestMiss,
  parsePattern,
  renderPattern,
  varsOfEntity,
} from "../../../src/core/pattern/pattern.ts";
import { matchesGlob, parseTarget } from "../../../src/core/plan/targets.ts";
import { readSession } from "../../../src/engine/health/session.ts";
import { load } from "../../support/definitions.ts";
import type { StoreRoot } from "../../support/store-fixtures.ts";
import { DEFINITIONS, DOCUMENTS, NAMES, PATTERNS } from "./seeds.ts";
import type { Mutator } from "./mutator.ts";

/** One thing that takes what comes from outside. */
export interface Target {
  readonly name: string;
  /** A case, as it is shown when something is wrong. */
  readonly make: (mutator: Mutator) => string;
  /** Throws when the answer is wrong; whatever else it throws is wrong, too. */
  readonly check: (text: string, at: StoreRoot) => void;
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** A problem is one of ours, says something, and says what to do. */
function mustBeClear(found: Problem): void {
  must(Object.hasOwn(PROBLEM_TITLES, found.code), `unknown code ${found.code}`);
  must(found.message.trim() !== "" && found.hint.trim() !== "", `an empty message or hint: ${JSON.stringify(found)}`);
  renderProblem(found);
}

function checkDefinition(text: string): void {
  const { pipeline, problems } = load(text);
  for (const found of problems) mustBeClear(found);
  const hasError = problems.some(({ severity }) => severity === "error");
  must((pipeline === undefined) === hasError, "a definition loads exactly when it has no error");
}

function checkManifest(text: string): void {
  const parsed = parseManifest(text);
  if (parsed.is === "corrupt") must(parsed.reason !== "", "no reason");
  if (parsed.is !== "manifest") return;
  const written = formatManifest(parsed.manifest);
  const again = parseManifest(written);
  must(again.is === "manifest" && formatManifest(again.manifest) === written, "written and read it is another one");
}

/** `pattern` NUL `path`. */
function checkPattern(text: string): void {
  const [written = "", path = ""] = text.split("\0");
  const parsed = parsePattern(written);
  if (!parsed.ok) {
    must(parsed.faults.length > 0 && parsed.faults.every(({ message }) => message !== ""), "refused without a reason");
    return;
  }
  const { pattern } = parsed;
  const vars = matchPattern(pattern, path);
  must(
    (nearestMiss(pattern, path) === undefined) === (vars !== undefined),
    "the nearest miss disagrees with the match",
  );
  findOverlap(pattern, pattern);
  varsOfEntity(pattern, path);
  if (vars === undefined) return;
  const rendered = renderPattern(pattern, vars);
  must(rendered.ok ? rendered.path === path : rendered.reason === "invalid-value", `"${path}" does not come back`);
  const back = varsOfEntity(pattern, entityIdOf(pattern, vars));
  must(JSON.stringify({ ...back }) === JSON.stringify({ ...vars }), "the id does not give the variables back");
}

function checkName(id: string): void {
  const name = manifestFileName(id, (text) => createHash("sha256").update(text).digest("hex").slice(0, 16));
  must(/^[a-z0-9_.%~-]{1,220}$/.test(name) && !name.startsWith("."), `no safe file name: ${name}`);
  const back = entityOfFileName(name);
  must(back.is === "hashed" || (back.is === "entity" && back.id === id), `${name} does not give the id back`);
  must(entityOfFileName(id).is !== undefined, "no answer");
  const glob = parseTarget(id);
  glob.matches(name);
  matchesGlob(id, id);
}

function checkIgnore(text: string): void {
  const [rules = "", ...paths] = text.split("\0");
  const ignore = createIgnore(rules);
  for (const path of paths) for (const isFolder of [true, false]) ignore.test(isFolder ? `${path}/` : path, isFolder);
}

/** A document of the store: put in its place, read, and written anew where that is ours to do. */
function onDisk(place: string, read: (at: StoreRoot, file: string) => void): Target["check"] {
  return (text, at) => {
    const file = `${at.root}/${place}`;
    mkdirSync(dirname(file), { recursive: true });
    // As bytes: what is no UTF-8 stays so.
    writeFileSync(file, Buffer.from(text, "latin1"));
    at.problems.length = 0;
    read(at, file);
    for (const found of at.problems) mustBeClear(found);
    rmSync(file, { force: true });
    // What is damaged is set aside there: it must not grow from case to case.
    rmSync(`${at.root}/.millrace/trash`, { recursive: true, force: true });
    must(
      Object.getOwnPropertyNames(Object.prototype).length === PROTOTYPE_KEYS,
      "the prototype of all objects was changed",
    );
  };
}
const PROTOTYPE_KEYS = Object.getOwnPropertyNames(Object.prototype).length;
const BATCH = "abc123";
const TRASH_ENTRY = "20261120T130655123Z-abc";

function readManifestFile(at: StoreRoot): void {
  const store = new FileManifestStore(at.root, at);
  const read = store.read("001");
  if (!read.ok) for (const found of read.problems) mustBeClear(found);
  else must(read.value === undefined || read.value.entityId === "001", "the manifest of another entity");
}

function readControls(at: StoreRoot): void {
  const opened = openControlsStore(at.root, at);
  if (!opened.ok) for (const found of opened.problems) mustBeClear(found);
  else opened.value.write(opened.value.read());
}

function readIntents(at: StoreRoot): void {
  const store = new FileIntents(at.root, at.disk);
  const { intents, unreadable } = store.readAll();
  for (const found of unreadable) mustBeClear(found.problem);
  for (const { records } of intents)
    for (const { path } of records)
      must(!path.startsWith("/") && !path.split("/").includes(".."), `an intent for ${path}`);
  store.clear();
}

function readTrash(at: StoreRoot): void {
  for (const { name, path } of at.trash.entries()) {
    must(!path.startsWith("/") && !path.split("/").includes(".."), `a trashed ${path}`);
    const restored = at.trash.restore(name);
    if (!restored.ok) for (const found of restored.problems) mustBeClear(found);
  }
}

const fromSeeds =
  (seeds: readonly string[]) =>
  (mutator: Mutator): string =>
    mutator.mutate(mutator.pick(seeds));
const two =
  (first: readonly string[], second: readonly string[]) =>
  (mutator: Mutator): string =>
    `${fromSeeds(first)(mutator)}\0${fromSeeds(second)(mutator)}`;

export const TARGETS: readonly Target[] = [
  { name: "definition", make: fromSeeds(DEFINITIONS), check: checkDefinition },
  { name: "manifest", make: fromSeeds(DOCUMENTS.manifest), check: checkManifest },
  { name: "pattern", make: two(PATTERNS, NAMES), check: checkPattern },
  { name: "file name", make: fromSeeds(NAMES), check: checkName },
  { name: "ignore rules", make: two([...NAMES, "*.tmp\n!a\n/b/**"], NAMES), check: checkIgnore },
  {
    name: "manifest file",
    make: fromSeeds(DOCUMENTS.manifest),
    check: onDisk(".millrace/manifests/001.json", readManifestFile),
  },
  { name: "controls", make: fromSeeds(DOCUMENTS.controls), check: onDisk(".millrace/controls.json", readControls) },
  {
    name: "intent",
    make: fromSeeds(DOCUMENTS.intent),
    check: onDisk(`.millrace/tmp/${BATCH}/intent.json`, readIntents),
  },
  {
    name: "trash note",
    make: fromSeeds(DOCUMENTS.trash),
    check: onDisk(`.millrace/trash/${TRASH_ENTRY}/note.json`, readTrash),
  },
  {
    name: "session",
    make: fromSeeds(DOCUMENTS.session),
    check: onDisk(".millrace/session.json", (at) => void readSession(at.disk, at.root)),
  },
];
