import type { GraphReport } from "../../engine/control.ts";

type Stage = GraphReport["stages"][number];
type Edge = GraphReport["edges"][number];

/** The formats of `millrace graph`. */
export const GRAPH_FORMATS = ["ascii", "mermaid", "dot", "json"] as const;
export type GraphFormat = (typeof GRAPH_FORMATS)[number];

const keyOf = (stage: Stage): string => `${stage.pipeline}#${stage.stage}`;
const labelOf = (stage: Stage): string => `${stage.pattern}  [${stage.node ?? stage.type}]`;

/** A tree for the terminal: each stage under the first one it is made from; a stage met again points up. */
export function graphAscii(report: GraphReport): string[] {
  if (report.stages.length === 0) return ["no stages"];
  const byKey = new Map(report.stages.map((stage) => [keyOf(stage), stage]));
  const fed = new Set(report.edges.map((edge) => edge.to));
  const seen = new Set<string>();
  const draw = (key: string, by: Edge["by"] | undefined, lead: string, branch: string): string[] => {
    const stage = byKey.get(key);
    if (stage === undefined) return [];
    const name = `${lead}${branch}${by === "pattern" ? "~> " : ""}${key}`;
    if (seen.has(key)) return [`${name}  (see above)`];
    seen.add(key);
    const next = report.edges.filter((edge) => edge.from === key);
    const below = branch === "" ? lead : lead + (branch === "|- " ? "|  " : "   ");
    return [
      `${name}  ${labelOf(stage)}`,
      ...next.flatMap((edge, at) => draw(edge.to, edge.by, below, at === next.length - 1 ? "`- " : "|- ")),
    ];
  };
  const starts = report.stages.filter((stage) => !fed.has(keyOf(stage)));
  return starts.flatMap((stage) => draw(keyOf(stage), undefined, "", ""));
}

/** A Mermaid flowchart, one subgraph per pipeline; dotted arrows where pipelines chain. */
export function graphMermaid(report: GraphReport): string[] {
  const ids = new Map(report.stages.map((stage, at) => [keyOf(stage), `s${at}`]));
  const quote = (text: string) =>
    `"${text.replaceAll("&", "#amp;").replaceAll('"', "#quot;").replaceAll("<", "#lt;").replaceAll(">", "#gt;")}"`;
  return [
    "flowchart LR",
    ...pipelinesOf(report).flatMap(([pipeline, stages], at) => [
      `  subgraph p${at}[${quote(pipeline)}]`,
      ...stages.map((stage) => `    ${ids.get(keyOf(stage))}[${quote(`${stage.stage}: ${labelOf(stage)}`)}]`),
      "  end",
    ]),
    ...report.edges.map(
      (edge) => `  ${ids.get(edge.from)} ${edge.by === "pattern" ? "-.->" : "-->"} ${ids.get(edge.to)}`,
    ),
  ];
}

/** A Graphviz digraph, one cluster per pipeline; dashed arrows where pipelines chain. */
export function graphDot(report: GraphReport): string[] {
  const quote = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  return [
    "digraph millrace {",
    "  rankdir=LR; node [shape=box];",
    ...pipelinesOf(report).flatMap(([pipeline, stages], at) => [
      `  subgraph cluster_${at} {`,
      `    label=${quote(pipeline)};`,
      ...stages.map((stage) => `    ${quote(keyOf(stage))} [label=${quote(`${stage.stage}: ${labelOf(stage)}`)}];`),
      "  }",
    ]),
    ...report.edges.map(
      (edge) => `  ${quote(edge.from)} -> ${quote(edge.to)}${edge.by === "pattern" ? " [style=dashed]" : ""};`,
    ),
    "}",
  ];
}

function pipelinesOf(report: GraphReport): [string, Stage[]][] {
  return [...Map.groupBy(report.stages, (stage) => stage.pipeline)];
}
