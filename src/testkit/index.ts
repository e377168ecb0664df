/**
 * What it takes to test layers of one's own.
 *
 * @since 0.1.0
 */

export * as Arbitraries from "./Arbitraries.ts"
export * as Laws from "./Laws.ts"
export * as Machine from "./Machine.ts"
export * as SimulatedStore from "./SimulatedStore.ts"
export * as SimulatedTree from "./SimulatedTree.ts"
export * as Simulation from "./Simulation.ts"
