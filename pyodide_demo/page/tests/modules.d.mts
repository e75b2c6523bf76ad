// It lies beside the tests, in emtests/pyodide.

/** The modules of other people's that the tests work on. */
export function loadModules(address: string): Promise<Record<string, unknown>>;
