// prom-client types its barrel only, and the barrel loads a cluster aggregator and an HTTPS client.

declare module "prom-client/lib/registry.js" {
  import type { Registry } from "prom-client"
  const registry: typeof Registry
  export default registry
}

declare module "prom-client/lib/counter.js" {
  import type { Counter } from "prom-client"
  const counter: typeof Counter
  export default counter
}

declare module "prom-client/lib/histogram.js" {
  import type { Histogram } from "prom-client"
  const histogram: typeof Histogram
  export default histogram
}

declare module "prom-client/lib/metrics/*" {
  import type { Registry } from "prom-client"
  const collect: (registry: Registry) => void
  export default collect
}
