import type { Run } from "../context.ts";
import { graphAscii, graphDot, graphMermaid, type GraphFormat } from "../screens/graph.ts";
import { asTargets } from "../target-paths.ts";

const DRAW = { ascii: graphAscii, mermaid: graphMermaid, dot: graphDot } as const;

export const run: Run<{ readonly format?: GraphFormat }> = async (context, args, { format }) => {
  if (context.json && format !== undefined && format !== "json") {
    return context.misuse(`"--json" and "--format ${format}" exclude each other`, "leave one of them out");
  }
  return context.withControl("read", async (control) => {
    const answer = await control.graph({ targets: await asTargets(context, control, args) });
    if (!answer.ok) return context.refuse(answer.problems);
    if (context.json || format === "json") context.sayJson(answer.value);
    else context.show(answer.value, DRAW[format ?? "ascii"]);
    return 0;
  });
};
