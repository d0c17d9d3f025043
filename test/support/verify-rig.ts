import { FileManifestStore } from "../../src/adapters/store/manifests.ts";
import { createIgnore } from "../../src/core/pattern/ignore.ts";
import type { VerifiedRoot } from "../../src/engine/control.ts";
import { Root } from "../../src/engine/root.ts";
import { verifyRoot } from "../../src/engine/verify/verify.ts";
import { loaded } from "./definitions.ts";
import type { EngineRig } from "./engine-rig.ts";

/** What `verify` finds on the disk of a rig, where nobody works. */
export async function verifyRig(rig: EngineRig, definitions: readonly unknown[]): Promise<VerifiedRoot> {
  const { ports } = rig.root;
  const manifests = new FileManifestStore(ports.root, { ...ports, trash: undefined, onProblem: () => {} });
  const root = new Root({ ...ports, manifests, makeQueue: undefined, changes: undefined });
  const pipelines = definitions.map((definition, i) => loaded(definition, `pipelines/${i}.json`));
  const { test: ignored } = createIgnore();
  let report: VerifiedRoot | undefined;
  const verified = root
    .openDefinitions(pipelines, [])
    .then(() => verifyRoot({ root, owner: undefined, ownerFault: undefined, problems: [], ignored }))
    .then((found) => (report = found.report));
  await rig.until(() => report !== undefined);
  await verified;
  return report!;
}
