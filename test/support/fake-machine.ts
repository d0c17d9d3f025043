import type { Machine, Room } from "../../src/ports.ts";
import type { LosingDisk } from "./losing-disk.ts";

const GB = 1024 ** 3;

/** A machine that boots when it is told to, and whose file system has as much room as a test says. */
export class FakeMachine implements Machine {
  #boots = 1;
  readonly #disk: LosingDisk | undefined;
  /** Set to `false`: no boot id is known, as in a sandbox. */
  knowsBoot = true;
  /** Set to `false`: nothing can be forced to the medium as a whole. */
  canSync = true;
  /** How often everything was forced to the medium. */
  syncs = 0;
  free: Room | undefined = { freeBytes: 10 * GB, totalBytes: 100 * GB, freeFiles: 1_000_000 };

  constructor(disk?: LosingDisk) {
    this.#disk = disk;
  }

  bootId(): string | undefined {
    return this.knowsBoot ? `boot-${this.#boots}` : undefined;
  }

  reboot(): void {
    this.#boots++;
  }

  async syncAll(): Promise<boolean> {
    if (!this.canSync) return false;
    this.syncs++;
    this.#disk?.syncAll();
    return true;
  }

  room(): Room | undefined {
    return this.free;
  }
}
