/** How large each part is, and where and for whom it runs. */

/** The sizes of one run. */
export interface Sizes {
  /** Rounds of (a) and (b). */
  readonly rounds: number;
  /** Of one slice of load. */
  readonly sliceMs: number;
  readonly warmUpMs: number;
  /** Bare LMDB commits between two slices. */
  readonly commits: number;
  /** In the large stores. */
  readonly events: number;
  /** Passes over the large store. */
  readonly passes: number;
  /** Commands on each kind of stream in (d). */
  readonly pairs: number;
  /** Live streams in (f). */
  readonly liveStreams: number;
  /** Starts of each kind in (g). */
  readonly starts: number;
  /** Rows of each kind in (h). */
  readonly importRows: number;
  /** Rounds of (h). */
  readonly imports: number;
  readonly freeBytes: number;
}

/** For figures to publish: some minutes. */
export const fullSizes: Sizes = {
  rounds: 5,
  sliceMs: 2_000,
  warmUpMs: 2_000,
  commits: 200,
  events: 1_000_000,
  passes: 3,
  pairs: 1_000,
  liveStreams: 100_000,
  starts: 5,
  importRows: 40_000,
  imports: 3,
  freeBytes: 4 * 1024 ** 3,
};

/** To see that everything runs, and about where the figures are. */
export const quickSizes: Sizes = {
  rounds: 3,
  sliceMs: 500,
  warmUpMs: 700,
  commits: 100,
  events: 100_000,
  passes: 3,
  pairs: 300,
  liveStreams: 20_000,
  starts: 3,
  importRows: 10_000,
  imports: 2,
  freeBytes: 1024 ** 3,
};

/** What a part is given. */
export interface Setting {
  readonly sizes: Sizes;
  /** On the disk to measure; removed at the end. */
  readonly folder: string;
  /** Where the runtimes under (a) and (b), under (h) and under (i), leave their CPU profiles. */
  readonly profileDir: string | undefined;
  /** Told what is being done. */
  readonly progress: (line: string) => void;
}
