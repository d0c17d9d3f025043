import type { Run } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { doctorScreen } from "../screens/doctor.ts";

export const run: Run<object> = async (context) => {
  const door = await context.world.openDoor();
  const report = await door.examineProject({ projectFolder: context.projectFolder });
  context.show(report, doctorScreen);
  return report.healthy ? EXIT.done : EXIT.workFailed;
};
