/** Reads the environment block of a training log: versions of the software, and what nvidia-smi printed. */

/** What one line told: a date, facts to add to the environment, a part of a table, or nothing known. */
export type EnvironmentLine =
  | { readonly kind: "date"; readonly epochMs: number }
  | { readonly kind: "facts"; readonly facts: Readonly<Record<string, string>> }
  | { readonly kind: "gpu"; readonly name: string }
  | { readonly kind: "frame" }
  | { readonly kind: "prose" };

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const date = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})$/;
const gpu = /^\|\s+\d+\s+(\S.*?)\s+(?:On|Off|N\/A)\s+\|/;
const frame = /^(?:[+|].*|[=-]{3,}|nvidia-smi:?)$/;

const facts: readonly { readonly pattern: RegExp; readonly names: readonly string[] }[] = [
  { pattern: /^Running pytorch (\S+)(?: compiled for CUDA (\S+))?/i, names: ["pytorch", "cuda"] },
  { pattern: /^Running python (\S+)/i, names: ["python"] },
  { pattern: /^Running triton (?:version )?(\S+)/i, names: ["triton"] },
  { pattern: /^\|\s+NVIDIA-SMI .*Driver Version: (\S+)\s+CUDA Version: (\S+)/, names: ["driver", "driverCuda"] },
];

/** Reads one line outside the training script that is not a metric line. */
export function readEnvironmentLine(text: string): EnvironmentLine {
  const line = text.trim();
  const epochMs = readDate(line);
  if (epochMs !== undefined) return { kind: "date", epochMs };
  for (const { pattern, names } of facts) {
    const match = pattern.exec(line);
    if (match === null) continue;
    const found = names.flatMap((name, index) => (match[index + 1] === undefined ? [] : [[name, match[index + 1]]]));
    return { kind: "facts", facts: Object.fromEntries(found) };
  }
  const name = gpu.exec(line)?.[1];
  // The process table has the same first column, and "N/A" in the second.
  if (name !== undefined && !name.startsWith("N/A")) return { kind: "gpu", name };
  return { kind: line === "" || frame.test(line) ? "frame" : "prose" };
}

/** The log says no time zone: UTC is assumed. */
function readDate(line: string): number | undefined {
  const match = date.exec(line);
  const month = months.indexOf(match?.[1] ?? "");
  if (match === null || month < 0) return undefined;
  const [day, hour, minute, second, year] = match.slice(2).map(Number) as [number, number, number, number, number];
  return Date.UTC(year, month, day, hour, minute, second);
}
