import { type Problem, problem } from "../core/model/problem.ts";
import type { Context } from "./context.ts";

/**
 * Whether a person agrees: with `--yes` at once, on a terminal after a question. Where nobody can be asked the answer is the
 * problem that says so.
 */
export async function confirm(context: Context, isAgreed: boolean, question: string): Promise<"yes" | "no" | Problem> {
  if (isAgreed) return "yes";
  const { world } = context;
  if (context.json || !world.canAsk) {
    return problem("M101", "nothing was removed: nobody is here to agree", 'add "--yes" when you are sure');
  }
  const answer = (await world.ask(`${question} [y/N] `)).trim().toLowerCase();
  return answer === "y" || answer === "yes" ? "yes" : "no";
}
