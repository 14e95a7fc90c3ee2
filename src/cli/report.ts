/** What an error means at a shell: a sentence on stderr, or with `--json` a body like those on the wire; and the status. */
import { CommanderError } from "commander";
import { Fault, StartRefused } from "../core/fault.ts";
import { isFileError, whatIsWrongWithFile } from "./file-errors.ts";

const failed = 1;
const wrongUsage = 2;

/** Says what went wrong; only a bug gets a stack. Returns the exit status. */
export function report(error: unknown, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : reportUsage(error, json);
  if (error instanceof Fault) tell(json, sentencesOf(error), error.toBody());
  else if (error instanceof StartRefused) tell(json, `retrace: ${error.message}`, bodyOf("REFUSED", error.message));
  else if (isFileError(error)) {
    const message = whatIsWrongWithFile(error);
    tell(json, `retrace: ${message}`, bodyOf("FILE_ERROR", message, { code: error.code, path: error.path }));
  } else {
    const { message, stack } = error as Error;
    tell(json, `retrace: a bug: ${stack ?? String(error)}`, bodyOf("INTERNAL", message ?? String(error), { stack }));
  }
  return failed;
}

const shapeWanted = / is invalid( for argument '[^']*')?\. (?!Allowed)/;

function reportUsage({ code, message }: CommanderError, json: boolean): number {
  // A verb is missing: commander has printed which there are.
  if (code === "commander.help") return wrongUsage;
  const said = message.replace(/^error: /, "").replace(shapeWanted, " is invalid$1: expected ");
  const isAboutOption = /^(unknown |required )?option /.test(said);
  const body = bodyOf(isAboutOption ? "INVALID_OPTION" : "WRONG_USAGE", said);
  tell(json, `error: ${said}\n(add --help for what there is)`, body);
  return wrongUsage;
}

function bodyOf(code: string, message: string, details: object = {}): object {
  return { error: { code, message, retryable: false, details } };
}

function tell(json: boolean, human: string, body: object): void {
  process.stderr.write(`${json ? JSON.stringify(body) : human}\n`);
}

/** The message, and below it, a line each, what was found wrong beyond the issue it names. */
function sentencesOf({ code, message, details }: Fault): string {
  const issues = (details.issues ?? []) as readonly { readonly path: string; readonly message: string }[];
  const said = issues.map(({ path, message: what }) => `${path || "body"}: ${what}`);
  const more = said.length > 1 ? said.filter((one) => !message.endsWith(one)) : [];
  return [`retrace: ${code}: ${message}`, ...more.map((one) => `  ${one}`)].join("\n");
}
