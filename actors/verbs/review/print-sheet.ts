/** A review as people at a terminal read it. */
import { colors } from "retrace";
import { counted } from "../print/counted.ts";
import { printable } from "./printable.ts";
import type { Sheet, Subject } from "./sheet.ts";

/** Several lines. */
export function sheetText(sheet: Sheet): string {
  const { subject, question, rubric, options = [], requiredSkills = [], reason, dueAt, inference, ballots } = sheet;
  const level = sheet.level === 0 ? "" : `, escalated to level ${sheet.level}`;
  const head = `${colors.bold(sheet.id)} ${sheet.status}, ${sheet.votes} of ${counted(sheet.k, "vote")}${level}`;
  const fields: [name: string, value: unknown][] = [
    ["kind", sheet.taskKind],
    [
      "about",
      subject && `${subject.category} ${subject.id}${subject.version === undefined ? "" : ` ${subject.version}`}`,
    ],
    ["asked because", reason],
    ["due", dueAt],
    ["skills", requiredSkills.length === 0 ? undefined : requiredSkills.join(", ")],
    ["question", question],
    ["rubric", rubric],
    ...(inference === undefined ? [] : subjectFields(inference)),
    ["options", options.length === 0 ? "free text" : options.join(" | ")],
    [
      "held by",
      sheet.leases.map(({ reviewer, leaseUntil }) => `${reviewer} until ${leaseUntil}`).join(", ") || undefined,
    ],
    ["votes", ballots?.map(({ reviewer, label }) => `${reviewer}: ${label}`).join("\n")],
    ["label", sheet.label],
  ];
  const shown = fields.filter(([, value]) => value !== undefined && value !== "");
  return [head, ...shown.map(([name, value]) => field(name, value))].join("\n");
}

function subjectFields({ inputFeatures, promptRef, output, modelId, modelVersion }: Subject): [string, unknown][] {
  const model = [modelId, modelVersion].filter((part) => part !== undefined).join(" ");
  return [
    ["input", inputFeatures],
    ["prompt", promptRef],
    ["output", output],
    ["model", model],
  ];
}

function field(name: string, value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return `${colors.dim(name.padEnd(14))}${printable(text).replaceAll("\n", `\n${" ".repeat(14)}`)}`;
}
