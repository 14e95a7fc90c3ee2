/** The types of asciichart, as far as the demonstration uses it: the package has none. */
declare module "asciichart" {
  interface PlotConfig {
    height?: number;
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
