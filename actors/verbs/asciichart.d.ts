/** The types of asciichart, as far as the verbs use it: the package has none. */
declare module "asciichart" {
  interface PlotConfig {
    height?: number;
    min?: number;
    max?: number;
    offset?: number;
    colors?: string[];
    format?: (value: number) => string;
  }
  const asciichart: {
    plot(series: readonly (readonly number[])[], config?: PlotConfig): string;
    blue: string;
    green: string;
  };
  export default asciichart;
}
