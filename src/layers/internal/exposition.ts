/** Samples that are computed when somebody scrapes, in Prometheus' text format. */

const escape = (value: string): string =>
  /["\\\n]/.test(value) ? value.replace(/\\/g, "\\\\").replace(/"/g, "\\\"").replace(/\n/g, "\\n") : value

/** The inside of a sample's braces. */
export const labels = (pairs: Readonly<Record<string, string>>): string =>
  Object.entries(pairs).map(([name, value]) => `${name}="${escape(value)}"`).join(",")

/** One metric: its header, then its samples. */
export const family = (
  name: string,
  type: "gauge" | "counter",
  help: string,
  samples: ReadonlyArray<readonly [labels: string, value: number]>
): string => {
  let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
  for (const [labels, value] of samples) text += `${name}{${labels}} ${value}\n`
  return text
}
