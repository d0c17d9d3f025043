import type { Run } from "../context.ts";
import { quarantineScreen, quarantinedTaskScreen } from "../screens/quarantine.ts";
import { asTargets } from "../target-paths.ts";
import { retryQuarantined } from "./change.ts";

/** `quarantine [list]`, `quarantine show`, `quarantine retry`. */
export const run: Run<{ readonly limit?: number }> = async (context, [action = "list", ...typed], { limit = 1000 }) => {
  switch (action) {
    case "list":
    case "show":
      if (action === "show" && typed.length === 0)
        return context.misuse("the task to show is missing", 'name one; "millrace quarantine" has them');
      return context.ask(
        async (control) => control.quarantine({ targets: await asTargets(context, control, typed), limit }),
        action === "show" ? quarantinedTaskScreen : quarantineScreen,
      );
    case "retry":
      if (typed.length === 0)
        return context.misuse("what is to be tried again is missing", "name tasks, a stage or an incident");
      return retryQuarantined(context, typed, {});
    default:
      return context.misuse(`the quarantine knows no "${action}"`, "write list, show or retry");
  }
};
