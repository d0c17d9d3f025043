/** Two commands that want one root at the same instant. */
import { Project, until } from "../../support/rig.ts";
import { single } from "../../support/rig.ts";

/** What one round showed. */
export interface Round {
  /** How many of the two became ready. */
  readonly owners: number;
  /** The exit codes of those that ended by themselves. */
  readonly refusals: readonly number[];
  /** Whether each refusal named the owner's process id. */
  readonly namesOwner: boolean;
  /** Whether the command that came after the owner's death got in, and which id its refusal named when it did not. */
  readonly nextGotIn: boolean;
}

/** Rounds on one project: two starts at one instant, then the owner is killed, and the next start is at once. */
export async function contend(rounds: number): Promise<Round[]> {
  const project = new Project([single("$.input.content")]);
  try {
    project.drop("input/1.txt", "one");
    await project.run("run");
    const shown: Round[] = [];
    for (let i = 0; i < rounds; i++) shown.push(await round(project));
    return shown;
  } finally {
    await project.end();
  }
}

async function round(project: Project): Promise<Round> {
  const both = [project.launch(), project.launch()] as const;
  const isReady = (daemon: (typeof both)[number]): boolean => daemon.said('"ready"').length > 0;
  await until(() => both.every((daemon) => isReady(daemon) || daemon.hasEnded), "both have said what they are");
  const owners = both.filter((daemon) => isReady(daemon) && !daemon.hasEnded);
  const refused = await Promise.all(both.filter((daemon) => daemon.hasEnded).map((daemon) => daemon.ended));
  const [owner] = owners;
  const namesOwner = refused.every(
    ({ stderr }) => owner !== undefined && new RegExp(`\\b${owner.pid}\\b`).test(stderr),
  );
  // Whoever comes next need not wait for anything but the owner's death.
  await Promise.all(owners.map((daemon) => daemon.kill()));
  const next = await project.run("run");
  return { owners: owners.length, refusals: refused.map(({ code }) => code), namesOwner, nextGotIn: next.code === 0 };
}
