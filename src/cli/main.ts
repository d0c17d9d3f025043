#!/usr/bin/env node
// Nothing is imported here before the check: an older Node must be able to read this far, and it says one clear line.
const major = Number(process.versions.node.split(".")[0]);
if (major < 24) {
  process.stderr.write(
    `error: Millrace needs Node 24 or newer, this is ${process.versions.node} (npm ci in the checkout brings one)\n`,
  );
  process.exit(2);
}
process.getBuiltinModule("node:module").enableCompileCache();

const { runCli } = await import("./program.ts");
const { flushOutput, processWorld } = await import("./process-world.ts");

const code = await runCli(process.argv.slice(2), processWorld(openDoor));
await flushOutput();
process.exit(code);

/** The engine, loaded by the commands that need it and by no other. */
async function openDoor(): Promise<import("./engine-door.ts").EngineDoor> {
  const engine = await import("../engine/compose.ts");
  return {
    openProject: engine.openProject,
    runOnce: engine.runOnce,
    validateProject: engine.validateProject,
    examineProject: engine.examineProject,
    verifyProject: engine.verifyProject,
    startDaemon: async ({ pretty, level, ...options }) => {
      const log = await engine.createDaemonLog({ pretty, level });
      return engine.startDaemon({ ...options, log, onReady: (line) => log.info({ event: "ready" }, line) });
    },
  };
}
