import { expect, test } from "vitest";
import { named } from "../../../src/adapters/system/named-error.ts";

function thrownBy(error: unknown): unknown {
  try {
    return named(() => {
      throw error;
    });
  } catch (thrown) {
    return thrown;
  }
}

const unknown = "Unknown system error -122";

test.each([
  [`${unknown}: ${unknown}, open '/a'`, "EDQUOT: disk quota exceeded, open '/a'"],
  [`${unknown}: ${unknown}, fsync`, "EDQUOT: disk quota exceeded, fsync"],
])("what Node calls %j is told by name", (message, told) => {
  const thrown = thrownBy(Object.assign(new Error(message), { errno: -122, code: unknown, path: "/a" }));
  expect(thrown).toMatchObject({ message: told, code: "EDQUOT", errno: -122, path: "/a" });
});

test("everything else is thrown on as it is", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { errno: -28, code: "ENOSPC" });
  for (const error of [full, new RangeError("x"), "text"]) expect(thrownBy(error)).toBe(error);
  expect(named(() => 1)).toBe(1);
});
