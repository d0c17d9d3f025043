import type { VerifiedRoot, VerifyFinding, VerifyReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";

/** How many findings of a root, and how many notes, are shown without `-v`. */
const SHOWN = 50;

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
  return [
    `${style.bold(root.root)}  ${verdict}; looked at ${looked}`,
    ...shown(root.findings, screen, "finding"),
    ...(screen.verbose || !isWell ? shown(root.notes, screen, "note") : noteCount(root)),
    ...(repaired > 0 ? ["", 'what is to be made again is made by "millrace run", or by the daemon'] : []),
  ];
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
