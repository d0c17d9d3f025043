import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunReport } from "../../src/engine/control.ts";
import { runOnce } from "../../src/engine/compose.ts";
import { renderProblem } from "../../src/core/model/problem.ts";

/** The checkout. */
export const CHECKOUT: string = fileURLToPath(new URL("../..", import.meta.url));

/** A temporary project with the shipped pipelines and an empty state root. */
export class ShippedProject implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "millrace-shipped-"));

  constructor() {
    cpSync(join(CHECKOUT, "pipelines"), join(this.folder, "pipelines"), { recursive: true });
    mkdirSync(join(this.folder, "state"));
  }

  /** Puts a file into the state root. */
  drop(path: string, content: string | Uint8Array): void {
    const file = join(this.folder, "state", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  /** The text of a file of the state root. */
  read(path: string): string {
    return this.readBytes(path).toString("utf8");
  }

  readBytes(path: string): Buffer {
    return readFileSync(join(this.folder, "state", path));
  }

  /** One shot over all shipped pipelines, as `millrace run`. */
  async run(): Promise<RunReport> {
    const report = await runOnce({
      projectFolder: this.folder,
      settleTimeoutMs: 20_000,
      wait: false,
      onProgress: () => {},
      signal: new AbortController().signal,
    });
    if (!report.ok) throw new Error(report.problems.map(renderProblem).join("\n"));
    return report.value;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
