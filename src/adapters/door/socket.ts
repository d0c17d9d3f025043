/**
 * The daemon's door: a Unix socket in a folder that only its user can enter, one JSON line per call and per answer.
 * A call is `{"id": 1, "call": "status", "query": {}}`, its answer `{"id": 1, "result": {...}}` with a `Result` inside.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { problem } from "../../core/model/problem.ts";
import { fail, type Result } from "../../core/model/result.ts";
import type { AbsPath } from "../../core/model/words.ts";
import type { Door, DoorHandler } from "../../ports.ts";

/** Longest line taken from a caller, in characters: calls are small. */
const LONGEST_CALL = 1024 * 1024;

/** Where the door named `id` is. In the system's folder for temporary files: a socket's path has at most 107 bytes. */
export function doorAddress(id: string): AbsPath {
  return join(tmpdir(), `millrace-${userInfo().uid}`, `${id}.sock`);
}

/** Opens a door named `id` (`<project>-<any>`); the folder of sockets is private to the user (0700). */
export async function openDoor(id: string, handle: DoorHandler): Promise<Door> {
  const address = doorAddress(id);
  const folder = dirname(address);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  clearDeadDoors(folder, id);
  const callers = new Set<Socket>();
  const server = createServer((socket) => {
    callers.add(socket);
    socket.on("close", () => callers.delete(socket));
    serve(socket, handle);
  });
  await listen(server, address);
  return {
    address,
    async close() {
      for (const socket of callers) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(address, { force: true });
    },
  };
}

/**
 * The door of a living process whose id begins with `<project>-`, for a project whose root cannot say who owns it;
 * `undefined` when there is none, or when the system does not list its sockets.
 */
export function livingDoor(project: string): AbsPath | undefined {
  const folder = dirname(doorAddress(project));
  const doors = namesIn(folder).filter((name) => name.startsWith(`${project}-`));
  if (doors.length === 0) return undefined;
  const bound = textOf("/proc/net/unix");
  const living = doors.find((name) => bound.includes(join(folder, name)));
  return living === undefined ? undefined : join(folder, living);
}

function namesIn(folder: AbsPath): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Nobody has opened a door yet.
    return [];
  }
}

function textOf(path: AbsPath): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Who opens a door owns its roots, so other doors of the same project (the part before `-`) are of dead processes. */
function clearDeadDoors(folder: AbsPath, id: string): void {
  const project = `${id.split("-")[0]}-`;
  for (const name of readdirSync(folder)) if (name.startsWith(project)) rmSync(join(folder, name), { force: true });
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function serve(socket: Socket, handle: DoorHandler): void {
  // A caller that goes away before its answer is nobody's problem.
  socket.on("error", () => socket.destroy());
  let pending = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    pending += text;
    const lines = pending.split("\n");
    pending = lines.pop()!;
    if (pending.length > LONGEST_CALL) return void socket.destroy();
    for (const line of lines) void answer(socket, line, handle);
  });
}

async function answer(socket: Socket, line: string, handle: DoorHandler): Promise<void> {
  const call = parseCall(line);
  if (!call) return void socket.destroy();
  const result = await handle(call.call, call.query);
  if (!socket.destroyed) socket.write(`${JSON.stringify({ id: call.id, result })}\n`);
}

function parseCall(line: string): { id: number; call: string; query: Record<string, unknown> } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { id, call, query } = value as Record<string, unknown>;
  if (typeof id !== "number" || typeof call !== "string" || typeof query !== "object" || query === null)
    return undefined;
  return { id, call, query: query as Record<string, unknown> };
}

/** Asks at a door; fails with M112 when nobody answers. */
export async function callDoor(address: string, call: string, query: unknown): Promise<Result<unknown>> {
  const socket = createConnection(address);
  try {
    socket.write(`${JSON.stringify({ id: 1, call, query })}\n`);
    for await (const line of createInterface({ input: socket })) {
      const { result } = JSON.parse(line) as { result: Result<unknown> };
      return result;
    }
    return noAnswer("it closed the connection");
  } catch (error) {
    return noAnswer(error instanceof Error ? error.message : String(error));
  } finally {
    socket.destroy();
  }
}

function noAnswer(why: string): Result<never> {
  return fail(
    problem("M112", `the daemon does not answer: ${why}`, 'wait until it is "ready", or stop it and start it again'),
  );
}
