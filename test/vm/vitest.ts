/** What tests import from `vitest`, without what makes it slow to start: its own runner, and the assertions it uses. */
export * from "@vitest/runner"
export { assert } from "chai"
