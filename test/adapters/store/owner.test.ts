import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { FileOwnerLock } from "../../../src/adapters/store/owner.ts";
import { InternalError } from "../../../src/core/model/problems.ts";
import type { Owner } from "../../../src/ports.ts";
import { makeStoreRoot, type StoreRoot } from "../../support/store-fixtures.ts";

const SCRIPT = fileURLToPath(new URL("../../support/hold-owner.ts", import.meta.url));
const OWNER: Owner = { pid: process.pid, host: "mill", since: "2026-11-20T13:06:55.123Z", door: "" };

interface Starter {
  readonly child: ChildProcess;
  /** Its first line. */
  readonly said: Promise<string>;
  readonly exited: Promise<unknown>;
}

function start(at: StoreRoot): Starter {
  const child = spawn(process.execPath, [SCRIPT, at.root], { stdio: ["pipe", "pipe", "inherit"] });
  const said = once(child.stdout, "data").then(([data]) => String(data as Buffer).trim());
  return { child, said, exited: once(child, "exit") };
}

const lockOn = (at: StoreRoot): FileOwnerLock => new FileOwnerLock(at.root, at.disk);

test("another process is refused and told who holds the root; after a SIGKILL of that one it is taken over at once", async () => {
  using at = makeStoreRoot();
  const holder = start(at);
  expect(await holder.said).toBe("held");
  const lock = lockOn(at);
  expect(lock.current()).toEqual({ ...OWNER, pid: holder.child.pid, door: "door" });
  const refused = lock.acquire(OWNER);
  expect(refused).toMatchObject({ ok: false, problems: [{ code: "M110" }] });
  expect(!refused.ok && refused.problems[0]!.message).toBe(
    `another Millrace, process ${holder.child.pid} on "mill" since 2026-11-20T13:06:55.123Z, holds this root`,
  );

  holder.child.kill("SIGKILL");
  await holder.exited;
  expect(lock.current()).toBeUndefined();
  expect(lock.acquire(OWNER)).toEqual({ ok: true, value: undefined });
  expect(lockOn(at).current()).toEqual(OWNER);
  lock.release();
});

test("of twenty that start at once exactly one owns the root, and the others name it", async () => {
  using at = makeStoreRoot();
  const starters = Array.from({ length: 20 }, () => start(at));
  const said = await Promise.all(starters.map((starter) => starter.said));
  const winners = starters.filter((_, index) => said[index] === "held");
  const current = lockOn(at).current();
  for (const { child } of starters) child.kill("SIGKILL");
  await Promise.all(starters.map(({ exited }) => exited));
  expect(winners).toHaveLength(1);
  expect(current?.pid).toBe(winners[0]!.child.pid);
  const refused = said.filter((line) => line !== "held");
  expect(refused.filter((line) => !/^refused another Millrace.* holds this root$/.test(line))).toEqual([]);
  expect(lockOn(at).current()).toBeUndefined();
}, 60_000);

test("one process cannot hold a root twice", () => {
  using at = makeStoreRoot();
  const lock = lockOn(at);
  lock.acquire(OWNER);
  expect(() => lock.acquire(OWNER)).toThrow(InternalError);
  expect(lockOn(at).acquire(OWNER).ok).toBe(false);
  lock.release();
  expect(lock.acquire(OWNER).ok).toBe(true);
  lock.release();
});

test("asking who holds a root makes no file", () => {
  using at = makeStoreRoot();
  expect(lockOn(at).current()).toBeUndefined();
  expect(existsSync(`${at.root}/.millrace/owner`)).toBe(false);
});

test("an empty file is a free lock, and a file that is none is refused with what to do", () => {
  using at = makeStoreRoot();
  const path = `${at.root}/.millrace/owner`;
  writeFileSync(path, "");
  const lock = lockOn(at);
  expect(lock.acquire(OWNER).ok).toBe(true);
  lock.release();
  writeFileSync(path, "this is somebody's shopping list\n".repeat(40));
  expect(lockOn(at).acquire(OWNER)).toMatchObject({ ok: false, problems: [{ code: "M111" }] });
  expect(lockOn(at).current()).toBeUndefined();
});
