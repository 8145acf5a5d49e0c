import type { FaultPromise } from '../promise.ts'
import { nothingLost } from './r01-nothing-lost.ts'
import { revokedEverywhere } from './r04-revoked-everywhere.ts'

/** In the order in which they run: R9 judges what the others left. */
export const PROMISES: readonly FaultPromise[] = [nothingLost, revokedEverywhere]
