import { problem } from "../../core/model/problem.ts";
import type { Control } from "../../engine/control.ts";
import type { Context, Run } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { emptyScreen, restoreScreen, trashScreen } from "../screens/trash.ts";
import { asTargets } from "../target-paths.ts";
import { confirm } from "../confirm.ts";

interface TrashOptions {
  readonly olderThan?: number;
  readonly yes?: boolean;
  readonly limit?: number;
}

/** `trash [list]`, `trash restore`, `trash empty`. */
export const run: Run<TrashOptions> = async (context, [action = "list", ...typed], options) => {
  if (action !== "empty" && (options.olderThan !== undefined || options.yes === true))
    return context.misuse('"--older-than" and "--yes" belong to "trash empty"', `leave them out of "trash ${action}"`);
  switch (action) {
    case "list":
      return context.ask(
        async (control) =>
          control.trash({ targets: await asTargets(context, control, typed), limit: options.limit ?? 1000 }),
        trashScreen,
      );
    case "restore":
      if (typed.length === 0)
        return context.misuse(
          "what is to be put back is missing",
          'name a path or an entry; "millrace trash" has them',
        );
      return context.withControl("write", (control) => restore(context, control, typed));
    case "empty":
      if (typed.length > 0)
        return context.misuse('"trash empty" takes no targets', "use --older-than to keep what is younger");
      return context.withControl("write", (control) => empty(context, control, options));
    default:
      return context.misuse(`the trash cannot be "${action}"`, "write list, restore or empty");
  }
};

async function restore(context: Context, control: Control, typed: readonly string[]): Promise<number> {
  const answer = await control.restore({ targets: await asTargets(context, control, typed) });
  if (!answer.ok) return context.refuse(answer.problems);
  if (context.json || !context.quiet) context.show(answer.value, restoreScreen);
  const { restored, refused } = answer.value;
  context.tell(
    refused.map(({ target, why }) =>
      problem("M140", `"${target}" was left in the trash: ${why}`, "put that right, then ask again"),
    ),
  );
  if (refused.length === 0) return EXIT.done;
  return restored.length === 0 ? EXIT.refused : EXIT.workFailed;
}

async function empty(context: Context, control: Control, { olderThan = 0, yes }: TrashOptions): Promise<number> {
  const question = olderThan === 0 ? "Remove everything in the trash for ever?" : "Remove what is older for ever?";
  const answer = await confirm(context, yes === true, question);
  if (answer !== "yes") return answer === "no" ? EXIT.done : context.refuse([answer]);
  const emptied = await control.emptyTrash({ olderThanMs: olderThan });
  if (!emptied.ok) return context.refuse(emptied.problems);
  if (context.json || !context.quiet) context.show(emptied.value, emptyScreen);
  context.tell(
    emptied.value.refused.map(({ target, why }) =>
      problem("M141", `"${target}" cannot be removed from the trash: ${why}`, "put that right, then ask again"),
    ),
  );
  return emptied.value.refused.length === 0 ? EXIT.done : EXIT.workFailed;
}
