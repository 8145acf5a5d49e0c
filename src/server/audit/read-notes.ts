import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import { auditAct } from './events.ts'

/**
 * Who reads the trail leaves a row in it (reliability.md section 5); one row stands for ten minutes of the same reader,
 * so that a console that asks every two seconds does not fill the trail that it shows. Each process counts for itself.
 */
export type ReadNotes = {
  /** Call it before what it notes is read. `asked` are names of filters, never their values. */
  readonly note: (ctx: Context, caller: Caller, asked: readonly string[]) => Promise<void>
}

const QUIET_MILLISECONDS = 600_000
const MAX_READERS = 1_000

export function createReadNotes(): ReadNotes {
  const noted = new Map<string, number>()
  return {
    async note(ctx, caller, asked) {
      const now = ctx.now().getTime()
      const reader = JSON.stringify([caller.client_id, caller.sub, caller.via ?? null, caller.address])
      const last = noted.get(reader)
      if (last !== undefined && now - last < QUIET_MILLISECONDS) return
      await auditAct(ctx, caller, { action: 'audit.read', details: { asked } })
      // Too many readers are noted too often rather than not at all.
      if (noted.size >= MAX_READERS) noted.clear()
      noted.set(reader, now)
    },
  }
}
