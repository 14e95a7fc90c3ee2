/** Reads a training run out of the log: what it was made of, what it reported, and how it ended. */
import type { Client, RecordedEvent } from "retrace";
import { addStep, type Curves, type Reported, resumeAt, type StepReport } from "./curves.ts";

const category = "training-run";
const pageLimit = 1_000;

/** A run as its history tells it. */
export interface RunRecord {
  readonly id: string;
  /** A state of its chart: `running`, `completed`, `failed`, ... */
  readonly status: string;
  /** What it was requested and started with, by field. */
  readonly recipe: Readonly<Record<string, unknown>>;
  readonly curves: Curves;
  /** As reported at the end; empty where nothing was. */
  readonly finalMetrics: Readonly<Record<string, Reported>>;
}

/** As of now, page by page. @throws Fault NOT_FOUND when there is no such run. */
export async function readRun(client: Client, id: string): Promise<RunRecord> {
  const { version, state } = await client.state(category, id);
  const found: Found = { recipe: {}, curves: new Map(), finalMetrics: {} };
  for (let fromVersion: number | null = 1; fromVersion !== null && fromVersion <= version; ) {
    const limit = Math.min(pageLimit, version - fromVersion + 1);
    const page: Awaited<ReturnType<Client["history"]>> = await client.history(category, id, { fromVersion, limit });
    for (const event of page.events) take(found, event);
    fromVersion = page.next;
  }
  return { id, status: String(state.value), ...found };
}

interface Found {
  recipe: Record<string, unknown>;
  readonly curves: Curves;
  finalMetrics: Readonly<Record<string, Reported>>;
}

function take(found: Found, { type, data }: RecordedEvent): void {
  switch (type) {
    case "TrainingRequested":
    case "TrainingStarted":
      found.recipe = { ...found.recipe, ...(data as object) };
      break;
    case "TrainingProgress":
      addStep(found.curves, data as StepReport);
      break;
    case "TrainingProgressBatch":
      for (const step of (data as { readonly steps: readonly StepReport[] }).steps) addStep(found.curves, step);
      break;
    case "TrainingResumed":
      resumeAt(found.curves, (data as { readonly step: number }).step);
      break;
    case "TrainingCompleted":
      found.finalMetrics = (data as { readonly finalMetrics?: Record<string, Reported> }).finalMetrics ?? {};
      break;
  }
}
