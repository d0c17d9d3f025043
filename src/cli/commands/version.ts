import type { Run } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { VERSION } from "../version.ts";

/** What `version --json` prints. */
export interface VersionReport {
  readonly version: 1;
  readonly millrace: string;
  readonly node: string;
  readonly platform: string;
}

export const run: Run<object> = async (context) => {
  const { nodeVersion: node, platform } = context.world;
  const report: VersionReport = { version: 1, millrace: VERSION, node, platform };
  context.show(report, () => [`millrace ${VERSION} (node ${node}, ${platform})`]);
  return EXIT.done;
};
