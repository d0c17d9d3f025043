/** Everything that is done with the shim, at any size: what `npm test` and the torture share. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SeededRandom } from "../../support/seeded-random.ts";
import { type Round, runDaemonRounds } from "./daemon-trials.ts";
import { type Action, type CompiledShim, FAULTS } from "./shim.ts";
import type { Story } from "./small-world.ts";
import { Stage, type Trial, runTrials } from "./trials.ts";

/** How much of it is done; a share of 1 is every call. */
export interface CallsSize {
  readonly seed: number;
  /** Of which calls there is a kill before each, and of these, how many, by story. */
  readonly killsAt: "points" | "changes";
  readonly kills: Readonly<Record<Story, number>>;
  /** Kills whose restart is killed, too. */
  readonly doubleKills: number;
  /** Runs with a call that fails, once and from there on; `all`: each call with each fault. */
  readonly faults: number | "all";
  /** Files dropped into one daemon, each with a fault. */
  readonly daemonRounds: number;
}

/** What was tried and what was found, one line for each kind. */
export interface CallsReport {
  readonly numbers: Record<string, number>;
  readonly wrong: readonly string[];
}

export async function tryCalls(shim: CompiledShim, size: CallsSize): Promise<CallsReport> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-calls-"));
  const numbers: Record<string, number> = {};
  const wrong: string[] = [];
  const random = new SeededRandom(size.seed);
  const pick = (limit: number): number => Math.floor(random.next() * limit);
  try {
    for (const story of ["changed", "fresh"] as const) {
      const stage = await Stage.set(shim, story, join(folder, story));
      const kills = stage[size.killsAt]().filter(() => random.next() < size.kills[story]);
      numbers[`calls of a ${story} root`] = stage.calls.length;
      await count(
        `kills in a ${story} root`,
        kills.map((at) => () => stage.kill(at)),
      );
      if (story === "changed") {
        const twice = Array.from(
          { length: size.doubleKills },
          () => [1 + pick(stage.calls.length), 1 + pick(200)] as const,
        );
        await count(
          "double kills",
          twice.map(
            ([at, again]) =>
              () =>
                stage.kill(at, again),
          ),
        );
      }
      for (const sticky of [false, true]) {
        const faults = chosenFaults(stage, size.faults, pick);
        const plans = faults.map(({ at, action }) => ({ at, action, sticky, fitting: sticky }));
        await count(
          `faults ${sticky ? "until lifted" : "once"} in a ${story} root`,
          plans.map((plan) => () => stage.fault(plan)),
        );
      }
      stage.end();
    }
    const rounds = Array.from({ length: size.daemonRounds }, (_, number) => roundOf(number, pick));
    const daemon = await runDaemonRounds(shim, rounds, folder);
    numbers["faults in a daemon"] = daemon.rounds;
    numbers["of these hit"] = daemon.hit;
    wrong.push(...daemon.wrong);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
  return { numbers, wrong };

  async function count(what: string, trials: readonly (() => Promise<Trial>)[]): Promise<void> {
    const tally = await runTrials(trials);
    numbers[what] = tally.trials;
    numbers[`${what}: hit`] = tally.hit;
    numbers[`${what}: kinds of calls`] = tally.kinds.size;
    wrong.push(...tally.wrong);
  }
}

function chosenFaults(
  stage: Stage,
  wanted: number | "all",
  pick: (limit: number) => number,
): { at: number; action: Action }[] {
  const points = stage.points();
  if (wanted === "all") return points.flatMap((at) => FAULTS.map((action) => ({ at, action })));
  // A quarter of the number for each story, once and until lifted; each fault comes as often as any other.
  return Array.from({ length: Math.ceil(wanted / 4) }, (_, number) => ({
    at: points[pick(points.length)]!,
    action: FAULTS[number % FAULTS.length]!,
  }));
}

/** A chain makes some 90 calls. Of eight turns of the faults one is until lifted: a full disk is looked at every few seconds only. */
function roundOf(number: number, pick: (limit: number) => number): Round {
  const sticky = Math.floor(number / FAULTS.length) % 8 === 2;
  return { after: 1 + pick(sticky ? 20 : 90), action: FAULTS[number % FAULTS.length]!, sticky };
}
