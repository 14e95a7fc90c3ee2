/** What the file system refused, in the words of whoever named the path. */
import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** An error of the operating system. */
export interface FileError extends NodeJS.ErrnoException {
  readonly dest?: string;
}

/** Whether the operating system refused a call. */
export function isFileError(error: unknown): error is FileError {
  return (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
}

/** A sentence that names the path as it was given, not what is written beside it on the way. */
export function whatIsWrongWithFile({ code, syscall, message, path, dest }: FileError): string {
  const named = (dest ?? path)?.replace(/\.partial$/, "");
  if (named === undefined) return code === "EISDIR" ? "that is a folder: name a file" : notAllowed(message);
  if (code === "ENOENT") {
    const folder = dirname(named);
    return existsSync(folder) ? `there is no file ${named}` : `there is no folder ${folder}`;
  }
  const blocking = code === "ENOTDIR" || (code === "EEXIST" && syscall === "mkdir") ? fileAbove(named) : undefined;
  if (blocking !== undefined) return `${blocking} is a file: name a folder`;
  if (code === "EEXIST") return `${named} is there already`;
  if (code === "EISDIR") return `${named} is a folder: name a file`;
  if (code === "EACCES" || code === "EPERM") return `you may not use ${named}: ${message}`;
  return notAllowed(message);
}

function notAllowed(message: string): string {
  return `this machine does not allow it: ${message}`;
}

/** What stands where a folder should be: the path, or what is above it. */
function fileAbove(path: string): string | undefined {
  if (existsSync(path)) return statSync(path).isDirectory() ? undefined : path;
  const above = dirname(path);
  return above === path ? undefined : fileAbove(above);
}
