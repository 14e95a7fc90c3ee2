/** Colours for people at a terminal: never in a pipe, whatever the environment says about CI, unless they are forced. */
import picocolors from "picocolors";

const { FORCE_COLOR, NO_COLOR, TERM } = process.env;
const isForced = FORCE_COLOR !== undefined && FORCE_COLOR !== "0" && FORCE_COLOR !== "";
const isUnwanted = (NO_COLOR !== undefined && NO_COLOR !== "") || TERM === "dumb";

/** Returns the text as it looks in a colour. */
export type Paint = (text: string) => string;

/** One painter a colour or weight. */
export interface Colors {
  /** Whether the painters do anything here. */
  readonly isColorSupported: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
  readonly magenta: Paint;
  readonly cyan: Paint;
}

/** The painters of picocolors, which do nothing where colours do not belong. */
export const colors: Colors = picocolors.createColors(isForced || (process.stdout.isTTY === true && !isUnwanted));
