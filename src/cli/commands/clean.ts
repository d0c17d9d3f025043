import type { Control } from "../../engine/control.ts";
import { confirm } from "../confirm.ts";
import type { Context, Run } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { cleanScreen } from "../screens/clean.ts";

/** Lists, asks, removes. Without a terminal and without `--yes` it only lists. */
export const run: Run<{ readonly yes?: boolean }> = (context, _args, { yes = false }) => {
  const mayAsk = !context.json && context.world.canAsk;
  if (!yes && !mayAsk) return context.ask((control) => control.clean({}), cleanScreen);
  return context.withControl("write", (control) => clean(context, control, yes));
};

async function clean(context: Context, control: Control, yes: boolean): Promise<number> {
  if (!yes) {
    const listed = await control.clean({});
    if (!listed.ok) return context.refuse(listed.problems);
    context.show(listed.value, cleanScreen);
    if (listed.value.dead.length + listed.value.records === 0) return EXIT.done;
    if ((await confirm(context, false, "Move them to the trash?")) !== "yes") return EXIT.done;
  }
  const cleaned = await control.clean({ remove: true });
  if (!cleaned.ok) return context.refuse(cleaned.problems);
  if (context.json || !context.quiet) context.show(cleaned.value, cleanScreen);
  return EXIT.done;
}
