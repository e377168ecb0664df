/**
 * What it takes to test layers of one's own.
 *
 * @since 0.1.0
 */

export * as Arbitraries from "./Arbitraries.ts"
export * as Laws from "./Laws.ts"
export * as Machine from "./Machine.ts"
export * as Processes from "./Processes.ts"
export * as Program from "./Program.ts"
export * as SimulatedCgroups from "./SimulatedCgroups.ts"
export * as SimulatedMetrics from "./SimulatedMetrics.ts"
export * as SimulatedStore from "./SimulatedStore.ts"
export * as SimulatedTree from "./SimulatedTree.ts"
export * as Simulation from "./Simulation.ts"
