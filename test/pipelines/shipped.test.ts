import { readdirSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunReport } from "../../src/engine/control.ts";
import { validateProject } from "../../src/engine/compose.ts";
import { CHECKOUT, ShippedProject } from "../support/shipped-project.ts";

const DRAFT = `---
title: My first post
date: 2026-11-20
tags: [Web Development, news, news]
---

Hello *world*, this is a [link](https://example.org).

And more.
`;

test("every shipped pipeline is right, alone and together", async () => {
  const { pipelines, problems } = await validateProject({ projectFolder: CHECKOUT });
  expect(problems).toEqual([]);
  const files = readdirSync(join(CHECKOUT, "pipelines")).filter((name) => name.endsWith(".json"));
  expect(pipelines.map(({ file }) => file)).toEqual(files.sort().map((name) => `pipelines/${name}`));
});

test("echo writes a text in capitals and wraps the original", async () => {
  using project = new ShippedProject();
  project.drop("input/001.txt", "hello world\n");
  expect(await project.run()).toMatchObject({ failed: false, results: { ran: 2 } });
  expect(project.read("transformed/001.txt")).toBe("HELLO WORLD\n");
  expect(JSON.parse(project.read("output/001.json"))).toEqual({ id: "001", original: "hello world\n" });
});

test("an empty file is no input of echo", async () => {
  using project = new ShippedProject();
  project.drop("input/001.txt", "");
  expect(await project.run()).toMatchObject({ failed: false, results: {} });
});

describe("drafts, articles and tweets", () => {
  test("a draft becomes an article and the article a tweet, by patterns alone", async () => {
    using project = new ShippedProject();
    project.drop("drafts/my-post.md", DRAFT);
    expect(await project.run()).toMatchObject({ failed: false, results: { ran: 2 } });
    expect(project.read("articles/my-post.md")).toBe(
      [
        "---",
        'title: "My first post"',
        'slug: "my-post"',
        'date: "2026-11-20"',
        'tags: ["web development", "news"]',
        'summary: "Hello world, this is a link."',
        "words: 8",
        "readingMinutes: 1",
        "---",
        "",
        "# My first post",
        "",
        "Hello *world*, this is a [link](https://example.org).",
        "",
        "And more.",
        "",
      ].join("\n"),
    );
    const link = "https://example.org/articles/my-post";
    const text = `My first post: Hello world, this is a link. #WebDevelopment #news ${link}`;
    expect(JSON.parse(project.read("tweets/my-post.json"))).toEqual({
      slug: "my-post",
      text,
      link,
      hashtags: ["#WebDevelopment", "#news"],
      length: text.length,
    });
    expect(await project.run()).toMatchObject({ failed: false, results: {} });
  });

  test("a heading, an author and a summary of one's own stay", async () => {
    using project = new ShippedProject();
    project.drop(
      "drafts/a.md",
      "---\ntitle: \"A: B\"\ndate: 2026-01-31\nauthor: Ada\nsummary: 'It''s short'\ntags:\n  - x\n  - y\n---\n# Mine\n\nText.\n",
    );
    await project.run();
    const article = project.read("articles/a.md");
    expect(article).toContain(
      'title: "A: B"\nslug: "a"\ndate: "2026-01-31"\nauthor: "Ada"\ntags: ["x", "y"]\nsummary: "It\'s short"\n',
    );
    expect(article).toContain("---\n\n# Mine\n\nText.\n");
  });

  test("a tweet of whatever article fits into 280 characters and keeps its link", async () => {
    using project = new ShippedProject();
    const long = "Wörter und 🎉 ".repeat(60).trim();
    project.drop(
      "drafts/long-title.md",
      `---\ntitle: ${long}\ndate: 2026-11-20\ntags: [eins, zwei, drei, vier]\n---\n${long}\n`,
    );
    project.drop(
      "drafts/long-text.md",
      `---\ntitle: Short\ndate: 2026-11-20\ntags: [c++, 2026, "!"]\nsummary: ${long}\n---\n${long}\n`,
    );
    expect(await project.run()).toMatchObject({ failed: false });
    for (const slug of ["long-title", "long-text"]) {
      const tweet = JSON.parse(project.read(`tweets/${slug}.json`)) as { text: string; link: string; length: number };
      expect(Array.from(tweet.text)).toHaveLength(tweet.length);
      expect(tweet.length).toBeLessThanOrEqual(280);
      expect(tweet.text.endsWith(` ${tweet.link}`)).toBe(true);
      expect(tweet.text).toContain("…");
    }
    expect(JSON.parse(project.read("tweets/long-text.json"))).toMatchObject({ hashtags: ["#c"] });
  });

  describe("a draft with a fault says what and where, and makes nothing:", () => {
    const FAULTS: readonly (readonly [slug: string, draft: string, message: string])[] = [
      ["no-front-matter", "Hello", 'line 1: the file must begin with a line "---"'],
      ["no-end", "---\ntitle: x\n", "the front matter has no end"],
      ["no-pair", "---\ntitle\n---\nx", 'line 2: "title" is not "key: value"'],
      ["twice", "---\ntitle: a\ntitle: b\n---\nx", 'line 3: "title" is given twice, first on line 2'],
      ["quote", '---\ntitle: "a\n---\nx', 'line 2: "a has no closing "'],
      ["list", "---\ntags: [a, b\n---\nx", 'line 2: the list "[a, b" has no "]"'],
      ["unknown", "---\ntitle: a\ndate: 2026-01-01\ntagz: b\n---\nx", 'line 4: the key "tagz" is not known'],
      ["no-title", "---\ndate: 2026-01-01\n---\nx", '"title" is missing'],
      ["no-date", "---\ntitle: a\n---\nx", '"date" is missing'],
      ["bad-date", "---\ntitle: a\ndate: 2026-02-30\n---\nx", 'line 3: "date" is "2026-02-30"'],
      ["no-text", "---\ntitle: a\ndate: 2026-01-01\n---\n", "there is no text below the front matter"],
      [
        "Bad_Name",
        "---\ntitle: a\ndate: 2026-01-01\n---\nx",
        'the file\'s name "Bad_Name.md" becomes part of an address',
      ],
    ];
    let project: ShippedProject;
    let report: RunReport;
    beforeAll(async () => {
      project = new ShippedProject();
      for (const [slug, draft] of FAULTS) project.drop(`drafts/${slug}.md`, draft);
      report = await project.run();
    });
    afterAll(() => project[Symbol.dispose]());

    test.each(FAULTS)("%s", (slug, _draft, message) => {
      expect(report.trouble.find(({ task }) => task === `article@${slug}`)?.error).toContain(message);
      expect(() => project.read(`articles/${slug}.md`)).toThrow("ENOENT");
    });

    test("its tweet is blocked, and the run has failed", () => {
      expect(report).toMatchObject({ failed: true, counts: { retrying: FAULTS.length, blocked: FAULTS.length } });
    });
  });

  test("all faults of a draft are told at once", async () => {
    using project = new ShippedProject();
    project.drop("drafts/X.md", "---\nfoo: 1\n---\n");
    const { trouble } = await project.run();
    const error = trouble.find(({ task }) => task === "article@X")?.error ?? "";
    for (const part of ["X.md", '"foo" is not known', '"title" is missing', '"date" is missing', "no text"])
      expect(error).toContain(part);
  });
});

describe("log-digest", () => {
  const LOG = [
    "2026-11-20 10:00:01 ERROR timeout after 30 ms",
    "2026-11-20 10:00:02 INFO all is well",
    "2026-11-20 10:00:03 ERROR timeout after 31 ms",
    "2026-11-20 10:00:04 FATAL disk is full",
    "",
  ].join("\n");

  test("a log is packed, and its errors are counted by kind", async () => {
    using project = new ShippedProject();
    project.drop("logs/-rf app's.log", LOG);
    expect(await project.run()).toMatchObject({ failed: false, results: { ran: 3 } });
    expect(gunzipSync(project.readBytes("log-archive/-rf app's.log.gz")).toString()).toBe(LOG);
    expect(JSON.parse(project.read("log-summary/-rf app's.json"))).toEqual({
      log: "logs/-rf app's.log",
      errors: 3,
      kinds: 2,
      top: [
        { count: 2, text: "#-#-# #:#:# ERROR timeout after # ms" },
        { count: 1, text: "#-#-# #:#:# FATAL disk is full" },
      ],
    });
  });

  test("a log without errors has an empty list of them", async () => {
    using project = new ShippedProject();
    project.drop("logs/quiet.log", "all is well\n");
    expect(await project.run()).toMatchObject({ failed: false });
    expect(project.read("log-errors/quiet.txt")).toBe("");
    expect(JSON.parse(project.read("log-summary/quiet.json"))).toMatchObject({ errors: 0, kinds: 0, top: [] });
  });

  test("the same log packed again is the same archive", async () => {
    using first = new ShippedProject();
    using second = new ShippedProject();
    for (const project of [first, second]) {
      project.drop("logs/app.log", LOG);
      await project.run();
    }
    expect(first.readBytes("log-archive/app.log.gz").equals(second.readBytes("log-archive/app.log.gz"))).toBe(true);
  });
});
