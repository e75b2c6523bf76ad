// What the page and its worker say to each other. The page asks for tasks, and each is answered once;
// unasked, the worker tells of what happens meanwhile.

/** What the page is made of, as pyodide_demo/site.py writes it. */
export interface Site {
  /** Folders and files, relative to the page. */
  pyodide: string;
  modules: string;
  wheel: string;
  compiledWheel: string;
  program: string;
  picture: { address: string; name: string };
  filters: { name: string; summary: string }[];
  chosen: string[];
  mistakes: { name: string; title: string; words: string; recorded: Recorded }[];
  scene: SceneStep[];
  structures: { name: string; title: string; code: string }[];
  samples: { name: string; address: string; words: string }[];
  parts: { path: string; title: string }[];
  /** What is fetched before Python runs, and the bytes that come over the network for each. */
  downloads: { address: string; byteSize: number; transferSize: number }[];
  documentation: boolean;
}

/** What came of a mistake when the site was built. */
export interface Recorded {
  emheap: Account;
  ctypes: Account;
}

export interface Account {
  code: string;
  /** The class of the error; empty where there was none. */
  error: string;
  text: string;
  where: string;
  /** The lines of the code that the error names, by what happened there. */
  lines: Record<string, number>;
}

export type Way = "view" | "to_js";

export interface Drawing {
  filters: string[];
  way: Way;
}

export interface Drawn {
  timings: { filter: string; seconds: number }[];
  copied: number;
  use: { caption: string; address: number; blocks: number; bytes: number; peak_bytes: number };
  aspect: number;
  /** Only of a picture that was opened just now. */
  name?: string;
  note?: string;
}

export interface Reading {
  peak_bin: number;
  bins: number;
  peak_frequency: number;
  peak_level: number;
  lowest: number;
  highest: number;
}

export interface Block {
  address: number;
  byte_size: number;
  kind: string;
  site: string;
}

export interface Group {
  name: string;
  blocks: number;
  byte_size: number;
}

export interface Survey {
  memory: string;
  memory_size: number;
  blocks: number;
  byte_size: number;
  peak_bytes: number;
  total_blocks: number;
  rows: Block[];
  by_kind: Group[];
  by_site: Group[];
}

export interface History {
  seconds: number;
  samples: { seconds: number; blocks: number; byte_size: number; memory_size: number }[];
  growth: { seconds: number; before: number; after: number; during: string }[];
}

export interface MapDetails {
  heap: string;
  range: "blocks" | "memory";
  cells: number;
  chosen: number | undefined;
  perLine: number;
}

export interface MapReport {
  names: string[];
  shown: string;
  survey: Survey;
  history: History;
  /** What the cells show of the memory, and which of them were ever written to. */
  low: number;
  high: number;
  written: Uint8Array;
  /** How much of the memory was read for that, from 0 to 1: one of gigabytes takes several reports. */
  looked: number;
  /** Of a debug heap: what surrounds and follows its blocks. */
  guards: { kind: "red zone" | "quarantine"; address: number; byte_size: number }[];
  block: Block | undefined;
  dump: string | undefined;
}

export interface SceneStep {
  language: string;
  code: string;
  note: string;
  /** What came of it when the site was built. */
  recorded: SceneMoment;
}

export interface SceneMoment {
  shown: string;
  error: string;
  bytes: string;
  blocks: Block[];
}

/** Bytes that three languages share, as each of them sees them. */
export interface SharedBytes {
  address: number;
  bytes: number[];
  python: string[];
  javascript: string[];
  c: string;
  actions: { language: string; name: string; code: string }[];
}

export interface OpenedModule {
  name: string;
  heap: string;
  imports: { module: string; name: string; kind: string; type: string }[];
  exports: { name: string; kind: string; type: string }[];
  memory: { size: number; note: string };
  /** Why no heap could be opened on it; empty where one was. */
  problem: string;
}

/** A structure as an ABI lays it out, with its bytes and values. */
export interface StructureReport {
  name: string;
  machines: { name: string; title: string; byte_size: number; alignment: number }[];
  /** In hexadecimal. */
  bytes: string;
  parts: StructurePart[];
  /** What was run. */
  code: string;
}

/** A field, an element of one, or padding, which has no path; `start` and `length` are in bits. */
export interface StructurePart {
  path: string;
  kind: string;
  start: number;
  length: number;
  value: string;
  problem: string;
}

/** What was declared, for which ABI, and the bytes: without any they are as the declaration says. */
export interface Declared {
  code: string;
  machine: string;
  bytes: string;
}

export interface Started {
  runtime: string;
}

/** The tasks, with what each is given and what it gives. */
export interface Tasks {
  start: { details: { site: Site; base: string; shared: SharedArrayBuffer | undefined }; result: Started };
  /** Begin to write the memory that the next start goes on from. */
  keep: { details: object; result: void };
  /** Nothing but to answer. */
  beat: { details: object; result: void };

  "picture.start": { details: { canvas: OffscreenCanvas }; result: void };
  "picture.open": { details: Drawing & { source: string | Blob; name: string }; result: Drawn };
  "picture.frame": { details: Drawing & { bitmap: ImageBitmap }; result: Drawn };
  "picture.filter": { details: Drawing; result: Drawn };
  "picture.measure": {
    details: { way: Way };
    result: { milliseconds: number; copied: number; byteSize: number };
  };
  "picture.save": { details: object; result: { blob: Blob } };

  "spectrum.start": { details: { canvas: OffscreenCanvas }; result: { count: number } };
  "spectrum.add": { details: { samples: Float32Array; rate: number }; result: Reading };
  "spectrum.addTone": { details: { frequency: number; rate: number }; result: Reading };
  "spectrum.clear": { details: object; result: void };

  "map.report": { details: MapDetails; result: MapReport };
  "map.debug": {
    details: { action: "open" | "overrun" | "verify" | "free" };
    result: { code: string; text: string; error: string };
  };

  "breaking.make": {
    details: { name: string };
    result: { emheap: Account; ctypes: Account; javascript: Account };
  };

  "scene.step": { details: { code: string }; result: SceneMoment };
  "scene.restart": { details: object; result: SceneMoment };

  /** `stored` are bytes to begin with, in hexadecimal; none leaves them as they are. */
  "bytes.read": { details: { stored: string }; result: SharedBytes };
  "bytes.act": { details: { language: string; name: string }; result: SharedBytes };

  "module.open": { details: { name: string; bytes: ArrayBuffer }; result: OpenedModule };

  "structure.read": { details: Declared; result: StructureReport };
  "structure.write": { details: Declared & { field: string; value: string }; result: StructureReport };
  "structure.move": { details: Declared & { target: string }; result: StructureReport };

  "console.run": { details: { text: string; scope: "page" | "module" }; result: { filename: string; error: string } };
  "console.complete": {
    details: { text: string; scope: "page" | "module" };
    result: { names: string[]; start: number };
  };
  "console.cancel": { details: object; result: void };
}

export type Task = keyof Tasks;

/** What the page sends. */
export type Question = {
  [T in Task]: { id: number; task: T; details: Tasks[T]["details"] };
}[Task];

/** What the worker tells of unasked. */
export interface News {
  stage: { name: "fetch" | "start" | "load"; fetched?: number };
  output: { kind: "out" | "result" | "error"; text: string; scope: "page" | "module" };
  /** The program waits for a line of input. */
  input: object;
  /** Python will do nothing more. */
  dead: { reason: string };
}

export type NewsItem = { [K in keyof News]: { news: K; details: News[K] } }[keyof News];

/** What the worker sends. */
export type Message = { id: number; result: unknown } | { id: number; failure: string } | NewsItem;
