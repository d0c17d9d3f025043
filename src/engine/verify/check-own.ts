import { isObject } from "../../core/model/manifest-json.ts";
import type { ProblemCode } from "../../core/model/problems.ts";
import type { RelPath } from "../../core/model/words.ts";
import type { Rule } from "./findings.ts";
import type { Scene } from "./scene.ts";

const TMP: RelPath = ".millrace/tmp";
const SESSION: RelPath = ".millrace/session.json";

/** What opening a root may have found, by code. */
const AT_OPENING: Readonly<Partial<Record<ProblemCode, readonly [Rule, RelPath]>>> = {
  M404: ["controls-damaged", ".millrace/controls.json"],
  M407: ["ledger-damaged", ".millrace/ledger.db"],
};

/** Looks at what Millrace keeps for itself beside manifests and index. */
export function checkOwn(scene: Scene): void {
  const { root, found, problems, ownerFault } = scene;
  for (const problem of problems) {
    const known = AT_OPENING[problem.code];
    if (known !== undefined) found.add(known[0], known[1], null, problem.message);
  }
  if (!problems.some(({ code }) => code === "M407")) {
    const fault = root.ports.ledger.check();
    if (fault !== undefined)
      found.add("ledger-damaged", ".millrace/ledger.db", null, `the ledger is damaged: ${fault}`);
  }
  if (ownerFault !== undefined) found.add("owner-damaged", ".millrace/owner", null, `".millrace/owner" ${ownerFault}`);
  checkTmp(scene);
  checkTrash(scene);
  checkSession(scene);
}

/** `tmp` is empty when nobody works; with an owner, what is older than its start is left over. */
function checkTmp({ root, owner, found }: Scene): void {
  const { disk, root: folder } = root.ports;
  for (const bytes of disk.listBytes(`${folder}/${TMP}`) ?? []) {
    const path = `${TMP}/${Buffer.from(bytes).toString("utf8")}`;
    const stat = disk.lstat(`${folder}/${path}`);
    if (owner !== undefined && (stat === undefined || stat.mtimeMs >= Date.parse(owner.since))) continue;
    found.add("temp-left", path, null, `"${path}" is what a process that is gone left behind`);
  }
}

function checkTrash({ root, found }: Scene): void {
  const { disk, trash, root: folder } = root.ports;
  for (const { name, path, kept, why } of trash.entries()) {
    if (path !== "") continue;
    const things = (disk.list(`${folder}/${kept.replace(/\/$/, "")}`) ?? []).filter((item) => item !== "note.json");
    // A kill between the note and the move leaves an entry with nothing in it: nothing is lost.
    if (things.length > 0) found.add("trash-damaged", kept, null, `the trash entry "${name}": ${why}`);
  }
}

/** `.millrace/session.json` is JSON with a version and a flag that says whether the last session ended well. */
function checkSession({ root, found }: Scene): void {
  const { disk, root: folder } = root.ports;
  const stat = disk.lstat(`${folder}/${SESSION}`);
  if (stat === undefined) return;
  const bytes = stat.kind === "file" ? disk.read(`${folder}/${SESSION}`) : undefined;
  if (!isSession(bytes && Buffer.from(bytes).toString("utf8")))
    found.add("session-damaged", SESSION, null, `"${SESSION}" is not what Millrace writes`);
}

function isSession(text: string | undefined): boolean {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "");
  } catch {
    return false;
  }
  return isObject(value) && Number.isSafeInteger(value["version"]) && typeof value["clean"] === "boolean";
}
