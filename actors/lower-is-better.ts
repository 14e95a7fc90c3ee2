/** Which way a metric is better, by its name. */

/** Whether it is named like a loss or an error. Of all else, more is better. */
export function isLowerBetter(name: string): boolean {
  return /(^|[^a-z])(loss|error|err|perplexity|ppl|nll|mae|mse|rmse|wer|cer|fid)([^a-z]|$)/i.test(name);
}
