import type { FaultPromise } from '../promise.ts'
import { nothingLost } from './r01-nothing-lost.ts'
import { commitCut } from './r03-commit-cut.ts'
import { revokedEverywhere } from './r04-revoked-everywhere.ts'
import { noReplay } from './r06-no-replay.ts'
import { auditComplete } from './r09-audit-complete.ts'
import { sessionsEnded } from './r10-sessions-ended.ts'

/** In the order in which they run: R9 judges what the others left. */
export const PROMISES: readonly FaultPromise[] = [
  nothingLost,
  commitCut,
  revokedEverywhere,
  noReplay,
  sessionsEnded,
  auditComplete,
]
