import { FileManifestStore } from "../../src/adapters/store/manifests.ts";
import { createIgnore } from "../../src/core/pattern/ignore.ts";
import type { VerifiedRoot } from "../../src/engine/control.ts";
import { Root } from "../../src/engine/root.ts";
import type { Rebuilding } from "../../src/engine/verify/rebuild.ts";
import { verifyRoot } from "../../src/engine/verify/verify.ts";
import { loaded } from "./definitions.ts";
import type { EngineRig } from "./engine-rig.ts";

/** What `verify` finds on the disk of a rig, where nobody works; `rebuilding` is that of `--rebuild`. */
export async function verifyRig(
  rig: EngineRig,
  definitions: readonly unknown[],
  rebuilding?: { readonly targets?: readonly string[]; readonly with: Rebuilding },
): Promise<VerifiedRoot> {
  const { ports } = rig.root;
  const manifests = new FileManifestStore(ports.root, { ...ports, trash: undefined, onProblem: () => {} });
  const root = new Root({ ...ports, manifests, makeQueue: undefined, changes: undefined });
  const pipelines = definitions.map((definition, i) => loaded(definition, `pipelines/${i}.json`));
  const { test: ignored } = createIgnore();
  let report: VerifiedRoot | undefined;
  const verified = root
    .openDefinitions(pipelines, [])
    .then(() => {
      const from = { root, owner: undefined, ownerFault: undefined, problems: [], ignored };
      return verifyRoot(from, rebuilding?.targets, rebuilding?.with);
    })
    .then((found) => {
      if (found.refused !== undefined) throw new Error(`${found.refused.code} ${found.refused.message}`);
      report = found.report;
    });
  let isEnded = false;
  verified.catch(() => {}).finally(() => (isEnded = true));
  await rig.until(() => isEnded);
  await verified;
  return report!;
}
