import type { FaultPromise } from '../promise.ts'
import { nothingLost } from './r01-nothing-lost.ts'
import { durableOnly } from './r02-durable-only.ts'
import { commitCut } from './r03-commit-cut.ts'
import { revokedEverywhere } from './r04-revoked-everywhere.ts'
import { offlineRevocation } from './r05-offline-revocation.ts'
import { noReplay } from './r06-no-replay.ts'
import { rollingRestart } from './r07-rolling-restart.ts'
import { nodeKilled } from './r08-node-killed.ts'
import { auditComplete } from './r09-audit-complete.ts'
import { sessionsEnded } from './r10-sessions-ended.ts'
import { badNetwork } from './r11-bad-network.ts'
import { databaseHangs } from './r11-database-hangs.ts'
import { overload } from './r12-overload.ts'
import { diskFull } from './r13-disk-full.ts'
import { wrongClock } from './r14-wrong-clock.ts'
import { keysRotated } from './r15-keys-rotated.ts'
import { throughput } from './r16-throughput.ts'
import { restored } from './r18-restored.ts'
import { oneHolder } from './r19-one-holder.ts'

/** In the order in which they run: R9 judges what the others left. */
export const PROMISES: readonly FaultPromise[] = [
  nothingLost,
  durableOnly,
  commitCut,
  revokedEverywhere,
  offlineRevocation,
  noReplay,
  rollingRestart,
  nodeKilled,
  sessionsEnded,
  auditComplete,
  databaseHangs,
  badNetwork,
  overload,
  diskFull,
  wrongClock,
  keysRotated,
  throughput,
  restored,
  oneHolder,
]
