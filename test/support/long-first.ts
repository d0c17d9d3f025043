import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take minutes; begun last, one of them would keep everybody waiting while the other workers have nothing to do. */
const LONG = [
  /\/torture\//,
  /\/e2e\/(watching|disk-full|stops)\.test/,
  /\/engine\/(verify-damage|kill|power-cut)\.test/,
];

/** The usual order, but what takes long goes first. */
export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => LONG.some((name) => name.test(moduleId));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
