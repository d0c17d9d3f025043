import type { Evidence, ReasonCode, RelPath } from "../../core/model/words.ts";

/** A reason code with `_` for `-`: `code_changed`. */
export type ReasonWord = Underscored<ReasonCode>;
type Underscored<C extends string> = C extends `${infer A}-${infer B}` ? `${A}_${Underscored<B>}` : C;

export function reasonWord(code: ReasonCode): ReasonWord {
  return code.replaceAll("-", "_") as ReasonWord;
}

/** One sentence for a piece of evidence: `Code hash changed: 1f.. -> 2a..`. `output` is the path that a result has. */
export function evidenceText({ code, subject, before, now }: Evidence, output: RelPath): string {
  const change = `${before ?? "none"} -> ${now ?? "none"}`;
  switch (code) {
    case "code-changed":
      return `Code hash changed: ${change}`;
    case "params-changed":
      return `Params hash changed: ${change}`;
    case "env-changed":
      return `Environment variable changed: ${subject}`;
    case "tool-changed":
      return `Tool version changed: ${subject}`;
    case "input-changed":
      return `Input changed: ${subject} ${change}`;
    case "input-added":
      return `Input added: ${subject}`;
    case "input-removed":
      return `Input removed: ${subject}`;
    case "output-missing":
      return `Output missing: ${output}`;
    case "output-modified":
      return `Output modified: ${output} ${change}`;
    case "foreign-file":
      return `Not recorded: ${output} is there, but no stage made it`;
    case "upstream-stale":
      return `Upstream is stale: ${subject}`;
    case "ambiguous-name":
      return `Ambiguous name: ${subject}`;
    case "forced":
      return "Forced";
  }
}
