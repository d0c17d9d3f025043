import { beforeAll } from "vitest";
import { openControlsStore } from "../../src/adapters/store/controls.ts";
import { SqliteIndexStore } from "../../src/adapters/store/index-db.ts";
import { FileManifestStore } from "../../src/adapters/store/manifests.ts";
import { FileTrash } from "../../src/adapters/store/trash.ts";
import { FileOwnerLock } from "../../src/adapters/store/owner.ts";
import { openLedger } from "../../src/adapters/ledger/sqlite.ts";
import { loadHasher } from "../../src/core/hash/hash.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { MemoryDisk } from "../support/memory-disk.ts";
import { MemoryLedger } from "../support/memory-ledger.ts";
import {
  MemoryControlsStore,
  MemoryIndexStore,
  MemoryManifestStore,
  MemoryOwnerLock,
  type MemorySeat,
} from "../support/memory-store.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { makeStoreRoot, STOPPED_CLOCK, type StoreRoot } from "../support/store-fixtures.ts";
import { describeControlsStore } from "./controls-store.ts";
import { describeIndexStore } from "./index-store.ts";
import { describeLedger } from "./ledger.ts";
import { describeManifestStore } from "./manifest-store.ts";
import { describeOwnerLock } from "./owner-lock.ts";
import { describeTrash } from "./trash.ts";

beforeAll(loadHasher);

const nothing = { [Symbol.dispose]: () => {} };

function onDisk<T extends object>(
  make: (at: StoreRoot) => T,
  close: (made: T) => void = () => {},
): () => T & Disposable {
  return () => {
    const at = makeStoreRoot();
    const made = make(at);
    return Object.assign(made, {
      [Symbol.dispose]: () => {
        close(made);
        at[Symbol.dispose]();
      },
    });
  };
}

describeManifestStore("in memory", () => ({ store: new MemoryManifestStore(), ...nothing }));
describeManifestStore(
  "on disk",
  onDisk((at) => ({ store: new FileManifestStore(at.root, at) })),
);

describeIndexStore("in memory", () => ({ store: new MemoryIndexStore(), ...nothing }));
describeIndexStore(
  "on disk",
  onDisk(
    (at) => ({ store: new SqliteIndexStore(at.root, { ...at, readOnly: false }) }),
    ({ store }) => store.close(),
  ),
);

describeControlsStore("in memory", () => ({ store: new MemoryControlsStore(), ...nothing }));
describeControlsStore(
  "on disk",
  onDisk((at) => {
    const opened = openControlsStore(at.root, at);
    if (!opened.ok) throw new Error("not opened");
    return { store: opened.value };
  }),
);

describeOwnerLock("in memory", () => {
  const seat: MemorySeat = { owner: undefined };
  return { lock: () => new MemoryOwnerLock(seat), ...nothing };
});
describeOwnerLock(
  "on disk",
  onDisk((at) => ({ lock: () => new FileOwnerLock(at.root, at.disk) })),
);

describeLedger("in memory", () => ({ ledger: new MemoryLedger(), ...nothing }));
describeLedger(
  "on disk",
  onDisk(
    (at) => {
      const opened = openLedger(at.root, at);
      if (!opened.ok) throw new Error("not opened");
      return { ledger: opened.value };
    },
    ({ ledger }) => ledger.close(),
  ),
);

describeTrash("in memory", () => {
  const clock = new ManualClock();
  const disk = new MemoryDisk(clock);
  const ports = { disk, clock, random: new SeededRandom(1) };
  disk.makeFolders("/root/.millrace");
  const again = (): FileTrash => new FileTrash("/root", ports);
  return { trash: again(), again, root: "/root", disk, later: () => clock.advance(1000), ...nothing };
});
describeTrash(
  "on disk",
  onDisk((at) => {
    let now = STOPPED_CLOCK.wallMs();
    const clock = { ...STOPPED_CLOCK, wallMs: () => now };
    const again = (): FileTrash => new FileTrash(at.root, { ...at, clock });
    return { trash: again(), again, root: at.root, disk: at.disk, later: () => void (now += 1000) };
  }),
);
