/** How verbs that read the log into files refuse: a code for programs, a sentence for people. */
import type { ClientOptions, VerbTools } from "retrace";

/** What is wrong at a path of a spec, dotted, empty for the whole. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** The codes: stable, unlike the sentences. The first two are wrong usage. */
export type RefusalCode =
  | "INVALID_OPTION"
  | "INVALID_SPEC"
  | "POSITION_NOT_REACHED"
  | "INTERRUPTED"
  | "OUT_NOT_EMPTY"
  | "FILE_EXISTS"
  | "NOT_A_DATASET"
  | "VERSION_EXISTS";

/** Refused before anything was done. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: RefusalCode;
  readonly issues: readonly Issue[];

  constructor(code: RefusalCode, message: string, issues: readonly Issue[] = []) {
    super(message);
    this.code = code;
    this.issues = issues;
  }
}

/** Runs the action of a verb. A refusal is told on stderr; the status is 2 for wrong usage, else 1. */
export async function tellingRefusals(
  tools: VerbTools,
  { json }: ClientOptions,
  action: () => Promise<void>,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { code, message, issues } = error;
    const body = { error: { code, message, retryable: code === "POSITION_NOT_REACHED", details: { issues } } };
    const lines = issues.map(({ path, message: what }) => `\n  ${path || "spec"}: ${what}`);
    console.error(json === true ? JSON.stringify(body) : `error: ${code}: ${message}${lines.join("")}`);
    tools.exitCode(code.startsWith("INVALID_") ? 2 : 1);
  }
}
