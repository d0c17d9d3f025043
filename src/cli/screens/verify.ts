import type { RebuildReport, VerifiedRoot, VerifyFinding, VerifyReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";

/** How many findings of a root, and how many notes, are shown without `-v`. */
const SHOWN = 50;
/** How many results of one stage that are not repeated are shown without `-v`. */
const SHOWN_OF_STAGE = 3;

/** `millrace verify`: one line per root when nothing is off, else each finding with what it is and what to do. */
export function verifyScreen(report: VerifyReport, screen: Screen): string[] {
  return report.roots.flatMap((root, at) => [...(at > 0 ? [""] : []), ...rootLines(root, screen)]);
}

function rootLines(root: VerifiedRoot, screen: Screen): string[] {
  const { style } = screen;
  const left = root.findings.filter(({ repaired }) => !repaired).length;
  const repaired = root.findings.length - left;
  const { outputs, manifests, sources } = root.checked;
  const looked = `${many(outputs, "output")}, ${many(manifests, "manifest")}, ${many(sources, "source")}${statesWords(root)}`;
  const isWell = root.findings.length === 0;
  const verdict = isWell
    ? style.good("nothing is off")
    : [
        ...(left > 0 ? [style.bad(`${many(left, "thing")} off`)] : []),
        ...(repaired > 0 ? [style.good(`${repaired} repaired`)] : []),
      ].join(", ");
  const [others, repeats] = [false, true].map((is) => root.findings.filter((f) => (f.rebuild !== undefined) === is));
  return [
    `${style.bold(root.root)}  ${verdict}; looked at ${looked}`,
    ...(root.checked.rebuilt ? [`  ${rebuiltWords(root.checked.rebuilt)}`] : []),
    ...shown(others!, screen, "finding"),
    ...repeatLines(repeats!, screen),
    ...(screen.verbose || !isWell ? shown(root.notes, screen, "note") : noteCount(root)),
    ...(repaired > 0 ? ["", 'what is to be made again is made by "millrace run", or by the daemon'] : []),
  ];
}

/** `rebuilt 120 of 130 outputs: 118 the same, 2 differ; left out: 8 sinks, 2 stale`. */
function rebuiltWords({ outputs, rebuilt, same, differ, failed, leftOut }: RebuildReport): string {
  const results = [
    `${same} the same`,
    ...(differ > 0 ? [`${differ} ${differ === 1 ? "differs" : "differ"}`] : []),
    ...(failed > 0 ? [`${failed} ${failed === 1 ? "fails" : "fail"} now`] : []),
  ];
  const left = Object.entries(leftOut).map(([why, number]) =>
    why === "sink" ? many(number, "sink") : `${number} ${LEFT_OUT_WORDS[why] ?? why}`,
  );
  const leftWords = left.length === 0 ? "" : `; left out: ${left.join(", ")}`;
  return `rebuilt ${rebuilt} of ${many(outputs, "output")}: ${results.join(", ")}${leftWords}`;
}

/** Why a task was not made again, where it is not its status. */
const LEFT_OUT_WORDS: Readonly<Record<string, string>> = { overtaken: "changed meanwhile" };

/** The first few of each stage; the others are counted. */
function repeatLines(findings: readonly VerifyFinding[], screen: Screen): string[] {
  const stages = Map.groupBy(findings, ({ rebuild }) => rebuild!.stage);
  return [...stages].flatMap(([stage, all]) => {
    const some = screen.verbose ? all : all.slice(0, SHOWN_OF_STAGE);
    const more = all.length - some.length;
    return [
      ...some.flatMap((finding) => findingLines(finding, false, screen)),
      ...(more > 0 ? ["", `  and ${more} more of ${stage}: add -v`] : []),
    ];
  });
}

function noteCount({ notes }: VerifiedRoot): string[] {
  return notes.length === 0 ? [] : [`  ${many(notes.length, "leftover")} that may stay: millrace verify -v`];
}

function statesWords({ states }: VerifiedRoot): string {
  const words = Object.entries(states).map(([state, count]) => `${count} ${state}`);
  return words.length === 0 ? "" : ` (${words.join(", ")})`;
}

function shown(findings: readonly VerifyFinding[], screen: Screen, what: string): string[] {
  const some = screen.verbose ? findings : findings.slice(0, SHOWN);
  const more = findings.length - some.length;
  return [
    ...some.flatMap((finding) => findingLines(finding, what === "note", screen)),
    ...(more > 0 ? ["", `  and ${many(more, `more ${what}`)}: millrace verify -v`] : []),
  ];
}

function findingLines(
  { code, rule, message, hint, repaired }: VerifyFinding,
  isNote: boolean,
  { style }: Screen,
): string[] {
  const mark = isNote ? style.dim("note") : repaired ? style.good("repaired") : style.bad("off");
  return ["", `  ${mark}  ${code} ${rule}  ${message}`, ...(repaired ? [] : [`    ${style.bold("do:")} ${hint}`])];
}

function many(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
