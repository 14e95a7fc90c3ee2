/** What a run reported of each metric, step by step. Pure. */

/** As recorded: what diverged is spelled. */
export type Reported = number | string;

/** What a metric was at a step. What diverged is NaN or infinite. */
export interface Point {
  readonly step: number;
  readonly value: number;
}

/** The points of each metric, steps ascending, each step once. */
export type Curves = Map<string, Point[]>;

/** A step as events report it. */
export interface StepReport {
  readonly step: number;
  readonly loss?: Reported | undefined;
  readonly learningRate?: number | string | undefined;
  readonly metrics?: Readonly<Record<string, Reported>> | undefined;
}

/** Adds what a step reports: of a step that is reported again, the last report counts. */
export function addStep(curves: Curves, { step, loss, learningRate, metrics }: StepReport): void {
  for (const [name, value] of Object.entries({ ...metrics, loss, learningRate })) {
    if (value === undefined) continue;
    const points = curves.get(name) ?? [];
    if (points.at(-1)?.step === step) points.pop();
    points.push({ step, value: Number(value) });
    curves.set(name, points);
  }
}

/** Takes back what was reported behind a step, from which the run was resumed. */
export function resumeAt(curves: Curves, step: number): void {
  for (const [name, points] of curves) {
    while ((points.at(-1)?.step ?? step) > step) points.pop();
    if (points.length === 0) curves.delete(name);
  }
}
