/** DuckDB, which is there only where it was installed. */

/** The package. */
export type DuckDb = typeof import("@duckdb/node-api");

/** Undefined where it is not installed. @throws what it throws where it is and cannot be loaded. */
export async function loadDuckDb(): Promise<DuckDb | undefined> {
  try {
    return await import("@duckdb/node-api");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isMissing = /^(ERR_)?MODULE_NOT_FOUND$/.test(code ?? "") && message.includes("@duckdb/node-api");
    if (isMissing) return undefined;
    throw error;
  }
}
