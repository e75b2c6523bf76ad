// What this worker uses of Pyodide; its own types come with a release, which need not be here.

/** A Python object. Whatever it has is decided in Python. */
export type PyProxy = any;

export interface Pyodide {
  FS: { mkdirTree(path: string): void; writeFile(path: string, text: string): void };
  _module: {
    HEAPU8: Uint8Array<ArrayBuffer>;
    HEAP32: Int32Array;
    _malloc(size: number): number;
    _free(address: number): void;
  };
  _api: { config: { _makeSnapshot?: boolean }; on_fatal?: (error: unknown) => void };
  globals: PyProxy;
  loadPackage(address: string, options?: object): Promise<unknown>;
  makeMemorySnapshot(): Uint8Array<ArrayBuffer>;
  pyimport(name: string): PyProxy;
  runPython(code: string): PyProxy;
  setInterruptBuffer(buffer: Uint8Array): void;
  toPy(value: unknown): PyProxy;
  unpackArchive(archive: ArrayBuffer, format: string, options: { extractDir: string }): void;
  version: string;
}

export interface PyodideModule {
  loadPyodide(options: object): Promise<Pyodide>;
}
