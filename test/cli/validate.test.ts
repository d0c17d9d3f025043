import { expect, test } from "vitest";
import { problem } from "../../src/core/model/problem.ts";
import { load } from "../support/definitions.ts";
import { millrace } from "../support/cli-world.ts";
import { PROBLEM } from "../support/sample-reports.ts";

const pipelineIn = (file: string, name: string) =>
  load({ name, stages: [{ id: "in", type: "source", pattern: `${name}/{id}.txt` }] }, file).pipeline!;
const broken = { ...PROBLEM, severity: "error" } as const;
const door = {
  validateProject: async () => ({ pipelines: [pipelineIn("pipelines/a.json", "a")], problems: [broken] }),
};

test("names the good definitions, tells every fault with its place, and exits 2", async () => {
  const { code, out, err } = await millrace("validate", { door });
  expect(code).toBe(2);
  expect(out).toBe("ok  pipelines/a.json  in\n1 pipeline ok, 1 error, 0 warnings\n");
  expect(err).toContain("error M204");
  expect(err).toContain("pipelines/echo.json:14:16  /stages/1/pattern");
});

test("looks only at the files that were named, however they are written", async () => {
  for (const file of ["pipelines/a.json", "./pipelines/../pipelines/a.json", "/project/pipelines/a.json"]) {
    expect(await millrace(["validate", file], { door })).toMatchObject({ code: 0, err: "" });
  }
  expect((await millrace("validate pipelines/echo.json", { door })).code).toBe(2);
});

test("warnings alone are no failure, and a fault of the whole project always counts", async () => {
  const warned = { validateProject: async () => ({ pipelines: [], problems: [PROBLEM] }) };
  expect((await millrace("validate", { door: warned })).code).toBe(0);
  const everywhere = problem("M101", "the folder cannot be read", "check it");
  const faulty = { validateProject: async () => ({ ...(await door.validateProject()), problems: [everywhere] }) };
  expect((await millrace("validate pipelines/a.json", { door: faulty })).code).toBe(2);
});

test("a file that is no definition of the project is a usage error", async () => {
  const { code, err } = await millrace("validate pipelines/nope.json", { door });
  expect(code).toBe(2);
  expect(err).toContain('error M101  "pipelines/nope.json" is no definition of this project');
});
