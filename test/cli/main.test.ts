import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { VERSION } from "../../src/cli/version.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** The real program in a process of its own. */
async function start(args: readonly string[], nodeFlags: readonly string[] = []) {
  const run = promisify(execFile)(process.execPath, [...nodeFlags, MAIN, ...args]);
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

test("the program prints its version, the one of the package, without colours into a pipe", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(VERSION).toBe(version);
  expect((await start(["version"])).stdout).toBe(
    `millrace ${version} (node ${process.versions.node}, ${process.platform} ${process.arch})\n`,
  );
});

test("an older Node gets one clear line and exit code 2", async () => {
  const older = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.1.0' } })";
  const { code, stdout, stderr } = await start(
    ["version"],
    ["--import", `data:text/javascript,${encodeURIComponent(older)}`],
  );
  expect({ code, stdout, stderr }).toMatchObject({
    code: 2,
    stdout: "",
    stderr: "error: Millrace needs Node 24 or newer, this is 22.1.0 (npm ci in the checkout brings one)\n",
  });
});

test("a usage error leaves the process with exit code 2", async () => {
  expect(await start(["statsu"])).toMatchObject({ code: 2, stdout: "" });
});

// The test runner is kinder to CommonJS packages than Node is.
test("every file of the command line loads in Node as it is", async () => {
  const folder = new URL("../../src/cli/", import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && file !== "main.ts",
  );
  const imports = files.map((file) => `await import(${JSON.stringify(new URL(file, folder).href)});`).join("\n");
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "-e",
    `${imports}\nconsole.log("all")`,
  ]);
  expect(files.length).toBeGreaterThan(40);
  expect(stdout).toBe("all\n");
});

test("a reader that goes away is no error", async () => {
  const { stderr } = await promisify(execFile)("sh", ["-c", `"$1" "$2" --help | true`, "sh", process.execPath, MAIN]);
  expect(stderr).toBe("");
});
