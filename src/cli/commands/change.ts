import { problem } from "../../core/model/problem.ts";
import type { ActionReport } from "../../engine/control.ts";
import type { Context, Run } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { actionScreen, deletionsScreen } from "../screens/action.ts";
import { asTargets } from "../target-paths.ts";

type Change = "retry" | "invalidate" | "accept" | "hold" | "release";

function change(verb: Change, more: { readonly only?: "quarantined" } = {}): Run<object> {
  return (context, args) =>
    context.withControl("write", async (control) => {
      const answer = await control[verb]({ targets: await asTargets(context, control, args), ...more });
      if (!answer.ok) return context.refuse(answer.problems);
      if (context.json) context.sayJson(answer.value);
      else if (!context.quiet) context.show(answer.value, actionScreen(verb));
      return tellRefusals(context, verb, answer.value);
    });
}

/** 2 when every target was refused, so nothing was done; 1 when some were. */
function tellRefusals(context: Context, verb: Change, report: ActionReport): number {
  context.tell(
    report.refused.map(({ target, why }) =>
      problem("M101", `${verb} left "${target}" alone: ${why}`, `see what it is with "millrace list ${target}"`),
    ),
  );
  if (report.refused.length === 0) return EXIT.done;
  return report.changed.length === 0 ? EXIT.refused : EXIT.workFailed;
}

export const retry: Run<object> = change("retry");
export const retryQuarantined: Run<object> = change("retry", { only: "quarantined" });
export const invalidate: Run<object> = change("invalidate");
const acceptTargets: Run<object> = change("accept");

export const accept: Run<{ readonly deletions?: boolean }> = async (context, args, options) => {
  const isAll = options.deletions === true;
  if (isAll === args.length > 0)
    return context.misuse(
      isAll ? '"--deletions" takes no targets' : '"accept" needs targets, or "--deletions"',
      'name what to accept, such as "output/001.json", or give "--deletions" alone',
    );
  return isAll ? acceptDeletions(context) : acceptTargets(context, args, {});
};

function acceptDeletions(context: Context): Promise<number> {
  return context.withControl("write", async (control) => {
    const answer = await control.acceptDeletions({});
    if (!answer.ok) return context.refuse(answer.problems);
    if (context.json) context.sayJson(answer.value);
    else if (!context.quiet) context.show(answer.value, deletionsScreen);
    return EXIT.done;
  });
}
export const hold: Run<object> = change("hold");
export const release: Run<object> = change("release");
