/**
 * A process that computes a law hears nothing, and vitest gives up what it told the main one and heard no answer of within
 * a minute. So it draws a breath between two tests.
 */
import { afterEach } from "vitest"

afterEach(() => new Promise<void>((resolve) => setImmediate(resolve)))
