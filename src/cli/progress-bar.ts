import { Writable } from "node:stream";
import cliProgress, { type SingleBar } from "cli-progress";
import { cut, safe } from "./safe-text.ts";
import type { RunProgress } from "./engine-door.ts";
import type { Output } from "./world.ts";

/** A bar that appears with the first unfinished work and is gone when it ends: what stays is the summary. */
export function createProgressBar(output: Output): {
  readonly show: (progress: RunProgress) => void;
  readonly end: () => void;
} {
  let bar: SingleBar | undefined;
  return {
    show: ({ done, total, running }) => {
      if (total === 0) return;
      if (bar === undefined) {
        bar = new cliProgress.SingleBar(barOptions(output));
        bar.start(total, done, { running: "" });
      }
      bar.setTotal(total);
      bar.update(done, { running: cut(running.map(safe).join(" "), Math.max(8, output.columns - 52)) });
    },
    end: () => {
      bar?.stop();
    },
  };
}

function barOptions(output: Output): ConstructorParameters<typeof cliProgress.SingleBar>[0] {
  return {
    stream: terminalStream(output),
    clearOnComplete: true,
    // The terminal's settings are left alone: a process that dies could not put them back.
    hideCursor: false,
    fps: 10,
    barsize: 24,
    linewrap: true,
    gracefulExit: false,
    formatValue: cliProgress.Format.ValueFormat,
    format: "  [{bar}] {value}/{total} {percentage}%  {running}",
    barCompleteChar: "=",
    barIncompleteChar: " ",
  };
}

/** The output as the stream that the bar draws on. */
function terminalStream(output: Output): Writable & { isTTY: boolean; columns: number } {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      output.write(chunk.toString("utf8"));
      done();
    },
  });
  return Object.assign(stream, { isTTY: output.isTerminal, columns: output.columns });
}
