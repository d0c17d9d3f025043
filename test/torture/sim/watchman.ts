import type { Operation } from "../../support/mortal-disk.ts";
import type { MemoryDisk } from "../../support/memory-disk.ts";
import { ROOT } from "./places.ts";

const decoder = new TextDecoder();
const OWN = `${ROOT}/.millrace`;

/** Why a life failed. */
export interface Violation {
  /** A short name of the rule that was broken. */
  readonly rule: string;
  readonly message: string;
}

/** Knows who wrote which bytes, and looks at every visible change that Millrace makes. */
export class Watchman {
  readonly #diskOf: () => MemoryDisk;
  /** `path\0content` of everything that an attempt made whole. */
  readonly #made = new Set<string>();
  /** The same for what people wrote. */
  readonly #written = new Set<string>();
  readonly violations: Violation[] = [];
  /** A power cut may leave bytes that nobody wrote. */
  powerWasCut = false;

  constructor(diskOf: () => MemoryDisk) {
    this.#diskOf = diskOf;
  }

  get #disk(): MemoryDisk {
    return this.#diskOf();
  }

  made(path: string, content: string): void {
    this.#made.add(`${path}\0${content}`);
  }

  written(path: string, content: string): void {
    this.#written.add(`${path}\0${content}`);
  }

  /** What lies there has become somebody's own. */
  adopted(path: string): void {
    for (const [at, content] of this.#filesAt(`${ROOT}/${path.replace(/\/$/, "")}`)) this.written(at, content);
  }

  isMade(path: string, content: string): boolean {
    return this.#made.has(`${path}\0${content}`);
  }

  isWritten(path: string, content: string): boolean {
    return this.#written.has(`${path}\0${content}`);
  }

  complain(rule: string, message: string): void {
    this.violations.push({ rule, message });
  }

  /** Before Millrace does something: what it takes away must be its own. */
  before({ name, path }: Operation): void {
    if (name !== "rename" && name !== "remove" && name !== "removeTree" && name !== "write") return;
    if (!isVisible(path)) return;
    if (path.startsWith(`${ROOT}/in/`)) this.complain("source-touched", `${name} of ${rel(path)}`);
    else if (name === "write") this.complain("written-in-place", rel(path));
    else if (name !== "rename") {
      for (const [at, content] of this.#filesAt(path))
        if (!this.isMade(at, content)) this.complain("destroyed", `${at}: ${content}`);
    }
  }

  /** After it: what is visible now must be whole, and what was moved aside as an edit must be one. */
  after({ name, path, to }: Operation): void {
    if (name !== "rename" && name !== "copy") return;
    if (isVisible(to!)) {
      for (const [at, content] of this.#filesAt(to!)) {
        if (to!.startsWith(`${ROOT}/in/`)) this.complain("source-touched", `${name} to ${at}`);
        if (!this.isMade(at, content) && !this.isWritten(at, content))
          this.complain("partial", `${at} is visible with ${JSON.stringify(content)}, which nobody made`);
      }
    } else if (isVisible(path) && to!.startsWith(`${OWN}/trash/`)) this.#lookAtTrash(path, to!);
  }

  #lookAtTrash(from: string, to: string): void {
    const entry = to.slice(`${OWN}/trash/`.length).split("/")[0]!;
    const note = this.#disk.read(`${OWN}/trash/${entry}/note.json`);
    const why = note === undefined ? "" : (JSON.parse(decoder.decode(note)) as { readonly why: string }).why;
    if (!/edited|did not write/.test(why)) return;
    const files = [...this.#filesAt(to)].map(([at, content]) => [
      at.slice(at.indexOf(entry) + entry.length + 1),
      content,
    ]);
    if (files.length > 0 && !files.some(([at, content]) => this.isWritten(at!, content!)))
      this.complain("ours-taken-for-an-edit", `${rel(from)}: ${JSON.stringify(files)}`);
  }

  /** Files at and below an absolute path, relative to the root. */
  *#filesAt(path: string): Generator<[string, string]> {
    const kind = this.#disk.lstat(path)?.kind;
    if (kind === "file") yield [rel(path), decoder.decode(this.#disk.read(path))];
    if (kind === "folder") for (const name of this.#disk.list(path) ?? []) yield* this.#filesAt(`${path}/${name}`);
  }
}

function isVisible(path: string): boolean {
  return path.startsWith(`${ROOT}/`) && path !== OWN && !path.startsWith(`${OWN}/`);
}

function rel(path: string): string {
  return path.slice(ROOT.length + 1);
}
