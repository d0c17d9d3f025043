import type { Stage } from "../../core/model/pipeline.ts";
import { namesStage, type Target } from "../../core/plan/targets.ts";
import type { GraphReport } from "../control.ts";
import type { Root } from "../root.ts";

/** The stages that targets name (all without one) and what ties them together. */
export function graphOf(roots: readonly Root[], targets: readonly Target[]): GraphReport {
  const stages: GraphReport["stages"][number][] = [];
  const edges: GraphReport["edges"][number][] = [];
  for (const root of roots) {
    for (const stage of root.stages.topology.stages) {
      if (targets.length > 0 && !targets.some((target) => namesStage(target, stage))) continue;
      stages.push(nodeOf(root, stage));
      edges.push(...edgesOf(root, stage));
    }
  }
  const known = new Set(stages.map((stage) => `${stage.pipeline}#${stage.stage}`));
  return { version: 1, stages, edges: edges.filter((e) => known.has(e.from) && known.has(e.to)) };
}

function nodeOf(root: Root, stage: Stage): GraphReport["stages"][number] {
  const { pipeline, id, type, pattern } = stage;
  const node = stage.type === "source" ? null : stage.node.typeId;
  return { root: root.ports.name, pipeline, stage: id, type, pattern: pattern.text, node };
}

function edgesOf(root: Root, stage: Stage): GraphReport["edges"][number][] {
  const inputs = stage.type === "source" ? [] : stage.inputs;
  return [
    ...inputs.map((input) => ({ from: `${stage.pipeline}#${input.stage}`, to: stage.key, by: "input" as const })),
    ...root.stages.topology.chainsOf(stage).map(({ key }) => ({ from: stage.key, to: key, by: "pattern" as const })),
  ];
}
