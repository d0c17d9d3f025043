import variant from "@jitl/quickjs-wasmfile-release-sync";
import type { QuickJSSyncVariant } from "quickjs-emscripten-core";

// The package's types for `import` are those of its CommonJS build, one `default` too deep.
const plain = variant as unknown as QuickJSSyncVariant;

// Node has it; TypeScript declares it only among the browser's things.
const { Memory } = (globalThis as unknown as { readonly WebAssembly: WasmGlobal }).WebAssembly;
interface WasmGlobal {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => object;
}

// Of 64 KiB. QuickJS counts what it asks for; how far apart that lies in memory, and so what the process pays, this limits.
const INITIAL_PAGES = 256;
const MAXIMUM_PAGES = 6144;

/**
 * QuickJS with faster ways for text into and out of its memory: the library's own loops take 4 us a KB, Node's natives 0.3.
 * All three have the contracts of Emscripten's functions of these names.
 */
export const QUICKJS: QuickJSSyncVariant = {
  ...plain,
  importModuleLoader: async () => {
    const imported = await plain.importModuleLoader();
    const inner = "default" in imported ? imported.default : imported;
    const load = "default" in inner ? inner.default : inner;
    return async (overrides) => {
      const wasmMemory = new Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES });
      const module = await load({ ...overrides, wasmMemory });
      const memory = new NativeText(module);
      module.lengthBytesUTF8 = (text) => Buffer.byteLength(text);
      module.stringToUTF8 = (text, pointer, maxBytes) => memory.write(text, pointer, maxBytes ?? Infinity);
      module.UTF8ToString = (pointer, maxBytes) => memory.read(pointer, maxBytes ?? Infinity);
      return module;
    };
  },
};

class NativeText {
  readonly #module: { readonly HEAPU8: Uint8Array };
  #heap: Buffer;

  constructor(module: { readonly HEAPU8: Uint8Array }) {
    this.#module = module;
    this.#heap = Buffer.from(module.HEAPU8.buffer);
  }

  write(text: string, pointer: number, maxBytes: number): number {
    const heap = this.#current();
    const written = heap.write(text, pointer, Math.min(maxBytes - 1, heap.length - pointer));
    heap[pointer + written] = 0;
    return written;
  }

  read(pointer: number, maxBytes: number): string {
    if (pointer === 0) return "";
    const heap = this.#current();
    const nul = heap.indexOf(0, pointer);
    return heap.toString("utf8", pointer, Math.min(nul === -1 ? heap.length : nul, pointer + maxBytes));
  }

  /** The memory moves when it grows. */
  #current(): Buffer {
    const { buffer } = this.#module.HEAPU8;
    if (this.#heap.buffer !== buffer) this.#heap = Buffer.from(buffer);
    return this.#heap;
  }
}
